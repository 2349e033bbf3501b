import type { Job } from '../../api/contract.ts';
import { readAll } from '../../renter/jobs/check-result.ts';
import { AppError } from '../../shared/errors.ts';
import { jobFileSchema, type JobFile } from '../../shared/job-spec.ts';
import { formatAmount, parseAmount } from '../../shared/money.ts';
import { everyRow } from '../../store/ledger-page.ts';
import type { JobTask } from '../../store/ledger.ts';
import type { PracticeAccounts, PracticeClient, PracticeWorker, Rooms } from '../rooms.ts';
import { jobView } from '../services/job-view.ts';
import type { Founding, FoundingClient, FoundingJob, FoundingJobRequest, FoundingWorker } from './founding.ts';

const WATT_DECIMALS = 18;
/** A cycle is answered at the latest then, whatever still runs. */
const CYCLE_MS = 60_000;
const POST_MS = 30_000;
/** Of one worker, counted. */
const MOST_DEALS = 100_000;
const MAX_RESULT_BYTES = 1_000_000;
/** Bounds of what a named account's job may take: the kernels need far less. */
const RUN_SECONDS = 300;
const TABLE = 'data.csv';
const KERNEL_RESULT = 'out/result.json';

const watt = (amount: bigint): number => Number(formatAmount(amount, WATT_DECIMALS));
const fromNumber = (value: number, field: string): bigint => parseAmount(plainDecimal(value), WATT_DECIMALS, field);

/** 1e-7 as "0.0000001": what people mean, not what JavaScript prints. */
const plainDecimal = (value: number): string =>
  /e/i.test(String(value)) ? value.toFixed(WATT_DECIMALS).replace(/\.?0+$/, '') : String(value);

const isUnderWay = ({ phase }: Pick<JobTask, 'phase'>): boolean =>
  phase !== 'open' && phase !== 'verified' && phase !== 'failed' && phase !== 'cancelled';

/** The founding words over this host's named practice accounts: every transfer, stake and result behind them is real. */
export function createFounding(rooms: Rooms): Founding {
  const { chain, content, jobs, ledger } = rooms;

  const accounts = (): PracticeAccounts => {
    if (jobs.accounts) return jobs.accounts;
    const { practice, name } = chain.profile;
    throw practice
      ? new AppError('unsupported', 'Named accounts live in the host that runs the practice network.', {
          next: 'Ask that host, or start one of your own: commonwatt serve --network practice.',
        })
      : new AppError('unsupported', `On ${name} an account is a wallet with its own money, not a name.`, {
          next: 'A worker shares its computer (POST /api/share/start) and takes jobs (POST /api/work/start); a client submits with its wallet (POST /api/jobs).',
        });
  };

  const workerOf = (id: string): PracticeWorker => {
    const worker = accounts().findWorker(id);
    if (worker) return worker;
    throw new AppError('not-found', `There is no worker ${id}.`, { field: 'worker_id', next: 'Register it first.' });
  };
  const clientOf = (name: string): PracticeClient => {
    const client = accounts().findClient(name);
    if (client) return client;
    throw new AppError('not-found', `There is no client ${name}.`, {
      field: 'client_address',
      next: 'Register it first: POST /client/register.',
    });
  };

  const workerView = async (worker: PracticeWorker): Promise<FoundingWorker> => {
    const standing = chain.standing(worker.address);
    const active = worker.work.state.value.state === 'on' && (await chain.reads.isActive(worker.address));
    const working = chain.jobDealsOf(worker.address, { open: true }).some((deal) => deal.state === 'assigned');
    return {
      worker_id: worker.name,
      gpu_type: worker.gpuType,
      compute_capacity: worker.computeCapacity,
      stake_amount: watt(worker.stakeAmount),
      reputation: standing.reputation / 100,
      jobs_completed: chain
        .jobDealsOf(worker.address, { limit: MOST_DEALS })
        .filter((deal) => deal.state === 'verified').length,
      balance: watt(worker.earned()),
      wallet: worker.address,
      simulated_card: true,
      status: active ? (working ? 'working' : 'active') : 'inactive',
    };
  };

  const clientView = async (client: PracticeClient): Promise<FoundingClient> => ({
    client_address: client.name,
    initial_balance: watt(client.initialBalance),
    balance: watt(await client.balance()),
    wallet: client.address,
    status: 'registered',
  });

  /** Tasks of every client, newest first. */
  const tasks = (): { client: PracticeClient; taskId: string; phase: JobTask['phase'] }[] =>
    accounts()
      .clients()
      .flatMap((client) =>
        Array.from(
          everyRow((page) => ledger.tasks.list({ account: client.address, ...page })),
          ({ taskId, phase }) => ({ client, taskId, phase }),
        ),
      );

  /** In lists the result, up to a megabyte each, is left out. */
  const jobOf = async (client: PracticeClient, taskId: string, whole = true): Promise<FoundingJob> => {
    const task = ledger.tasks.get(taskId);
    if (!task) throw new AppError('not-found', 'There is no such job.', { field: 'job_id' });
    const job = jobView(task, rooms);
    const { work } = job.spec;
    const run = job.runs.at(-1);
    return {
      job_id: taskId,
      client_address: client.name,
      model_type: work.type === 'kernel' ? work.model : 'linear_regression',
      reward: watt(BigInt(job.bounty)),
      worker_id:
        accounts()
          .workers()
          .find(({ address }) => address === run?.provider)?.name ?? null,
      status: job.status,
      detail: job.detail,
      result_id: job.resultCid,
      result: whole ? await resultOf(job) : null,
    };
  };

  async function resultOf({ status, resultCid }: Job): Promise<unknown> {
    if (status !== 'verified' || resultCid === null || !content.has(resultCid)) return null;
    const bytes = await readAll(content.read(resultCid, KERNEL_RESULT, { length: MAX_RESULT_BYTES }));
    return bytes.length === MAX_RESULT_BYTES ? null : JSON.parse(Buffer.from(bytes).toString('utf8'));
  }

  /** Resolves when `holds`, at the latest after `ms`. */
  async function whenTasks(holds: () => boolean, ms: number, signal: AbortSignal): Promise<void> {
    const end = AbortSignal.any([signal, AbortSignal.timeout(ms)]);
    await new Promise<void>((resolve) => {
      const look = () => {
        if (!holds() && !end.aborted) return;
        off();
        resolve();
      };
      const off = jobs.taskChanged.on(look);
      end.addEventListener('abort', look, { once: true });
      look();
    });
  }

  return {
    async registerWorker({ worker_id, gpu_type, compute_capacity, stake_amount }) {
      const stakeAmount = fromNumber(stake_amount, 'stake_amount');
      const known = accounts().findWorker(worker_id);
      if (known) throw taken('worker_id', worker_id);
      const { minProviderStake } = await chain.reads.jobRequirements();
      if (stakeAmount < minProviderStake) {
        throw new AppError('bad-input', `stake_amount: must be at least ${watt(minProviderStake)} WATT.`, {
          field: 'stake_amount',
          next: 'Stake more.',
        });
      }
      const options = { gpuType: gpu_type, computeCapacity: compute_capacity, stakeAmount };
      return workerView(await accounts().worker(worker_id, options));
    },
    worker: async (id) => workerView(workerOf(id)),
    workers: async () => Promise.all(accounts().workers().map(workerView)),
    async registerClient({ client_address, initial_balance }) {
      if (accounts().findClient(client_address)) throw taken('client_address', client_address);
      const initialBalance = fromNumber(initial_balance, 'initial_balance');
      return clientView(await accounts().client(client_address, { initialBalance }));
    },
    client: async (name) => clientView(clientOf(name)),
    clients: async () => Promise.all(accounts().clients().map(clientView)),
    async submit(asked) {
      const client = clientOf(asked.client_address);
      const never = new AbortController().signal;
      const { taskIds } = await client.desk.submit(fileOf(asked), crypto.randomUUID(), never);
      const taskId = taskIds[0] ?? '';
      // The bounty is locked on chain when this answers: the client's balance says so.
      await whenTasks(
        () => !['waiting', 'posting'].includes(ledger.tasks.get(taskId)?.phase ?? 'failed'),
        POST_MS,
        never,
      );
      return jobOf(client, taskId);
    },
    async job(id) {
      const account = ledger.tasks.get(id)?.account;
      const client = accounts()
        .clients()
        .find(({ address }) => address === account);
      if (client) return jobOf(client, id);
      throw new AppError('not-found', `There is no job ${id}.`, { field: 'job_id', next: 'List them: GET /jobs.' });
    },
    async jobs({ pending }) {
      const all = await Promise.all(tasks().map(({ client, taskId }) => jobOf(client, taskId, false)));
      return pending ? all.filter(({ status }) => status === 'pending') : all;
    },
    async stats() {
      const all = tasks();
      const workers = await Promise.all(accounts().workers().map(workerView));
      const completed = all.filter(({ phase }) => phase === 'verified').length;
      const failed = all.filter(({ phase }) => phase === 'failed').length;
      const { watt: token, jobs: contract } = chain.profile.contracts;
      const locked =
        token && contract
          ? await Promise.all(
              accounts()
                .clients()
                .map(({ address }) => chain.reads.vaultLocked(address, token, contract)),
            )
          : [];
      return {
        total_workers: workers.length,
        active_workers: workers.filter(({ status }) => status !== 'inactive').length,
        total_jobs: all.length,
        completed_jobs: completed,
        pending_jobs: all.filter(({ phase }) => phase === 'open' || phase === 'waiting' || phase === 'posting').length,
        success_rate: completed + failed === 0 ? 0 : (100 * completed) / (completed + failed),
        contract_balance: watt(locked.reduce((sum, amount) => sum + amount, 0n)),
      };
    },
    async automatic(on) {
      const named = accounts();
      jobs.scheduling.pause((desk) => !on && named.clients().some((client) => client.desk === desk));
    },
    async trigger(signal) {
      const before = tasks().filter(({ phase }) => phase === 'verified').length;
      const named = accounts();
      // Nobody has to have a token for this: what the owner's own jobs wait for is not theirs to give away.
      const { assigned } = await jobs.scheduling.trigger((desk) =>
        named.clients().some((client) => client.desk === desk),
      );
      await whenTasks(() => !tasks().some(isUnderWay), CYCLE_MS, signal);
      const after = tasks();
      return {
        assigned,
        completed: after.filter(({ phase }) => phase === 'verified').length - before,
        pending: after.filter(({ phase }) => phase === 'open').length,
      };
    },
  };
}

const taken = (field: string, name: string): AppError =>
  new AppError('conflict', `${field}: ${name} is registered already.`, { field, next: 'Choose another name.' });

/** One kernel run, proven by its certificate; on the host's own sample where no table came along. */
function fileOf({ model_type, reward, x, y, params }: FoundingJobRequest): JobFile {
  return jobFileSchema.parse({
    name: model_type,
    work: { type: 'kernel', model: model_type, table: TABLE, params },
    inputs: [x === undefined ? { path: TABLE, sample: model_type } : { path: TABLE, text: csvOf(x, y) }],
    bounty: plainDecimal(reward),
    token: 'WATT',
    timeouts: { runSeconds: RUN_SECONDS },
    verification: { tier: 'certificate' },
    // These endpoints have no word for a result that waits for its owner.
    review: 'never',
  });
}

/** @throws AppError bad-input naming x or y */
function csvOf(x: readonly (readonly number[])[], y: readonly number[] | undefined): string {
  const columns = x[0]?.length ?? 0;
  if (columns === 0 || x.some((row) => row.length !== columns)) {
    throw new AppError('bad-input', 'x: every row must have the same count of numbers.', { field: 'x' });
  }
  if (y !== undefined && y.length !== x.length) {
    throw new AppError('bad-input', 'y: must have one number for each row of x.', { field: 'y' });
  }
  return x.map((row, at) => (y === undefined ? row : [...row, y[at]]).join(',')).join('\n');
}
