import type { ApiOutputs, Job, Offer } from '../../src/api/contract.ts';
import type { ApiServices } from '../../src/api/services.ts';
import { expandJob } from '../../src/renter/job-files/expand-job.ts';
import { readJobFile } from '../../src/renter/job-files/read-job-file.ts';
import { AppError } from '../../src/shared/errors.ts';
import { State } from '../../src/shared/emitter.ts';
import type { Address } from '../../src/shared/ids.ts';
import type { JobFile, JobInput } from '../../src/shared/job-spec.ts';
import { parseAmount } from '../../src/shared/money.ts';
import { fakeArray, fakeCid, fakeJob, fakeJobs, TRAINING, WAITING, WAITS } from './fake-job-list.ts';
import { fakeBatches, fakePage, isOver, type TaskFilter } from './fake-job-pages.ts';
import { containerResult, kernelResult, RUN_LOG } from './fake-results.ts';

type Frame = ApiOutputs['jobs']['logs'] extends AsyncIterable<infer Item> ? Item : never;
type Token = Job['token'];

interface FakeJobsOptions {
  account: Address;
  /** Unix seconds. */
  now: () => number;
  tokens: readonly Token[];
  /** Free in the deposit account, in the token's smallest unit. */
  available: (token: Token) => bigint;
  offers: () => readonly Offer[];
  /** Each command as it arrives; may throw. */
  call: (name: string) => void;
  /** Each command that was really done. */
  done?: (name: string) => void;
  /** Jobs that are there from the start, one in every state; of an array also this many. */
  seeded?: boolean;
  array?: number;
  /** So many tasks of the array wait for their owner's word. */
  review?: number;
}

/** Frames that may be on their way without an acknowledgement, as the interface promises. */
const WINDOW = 256;
const PIECE = 64;

const STRATEGIES = [
  { name: 'first-come', about: 'The oldest task first, on the offer that has been there longest.' },
  { name: 'cheapest', about: 'The oldest task first, on the cheapest offer.' },
  { name: 'reputation', about: 'The oldest task first, at the provider with the best reputation.' },
];

/** The jobs noun without a chain or a provider: a task moves on when a test (or the clock) says so. */
export function createFakeJobs(options: FakeJobsOptions) {
  const { account, now, call } = options;
  const tasks = new Map<string, State<Job>>();
  const changed = new State(0);
  const logs = new Map<string, State<string>>();
  const results = new Map<string, Map<string, Buffer>>();
  const uploads = new Map<string, Map<string, Buffer>>();
  const sessions = new Map<string, State<number>>();
  const commands = new Map<string, unknown>();
  const submittedFiles: JobFile[] = [];
  let submitted = 0;
  let scheduling: ApiOutputs['jobs']['scheduling'] = {
    automatic: true,
    strategy: 'cheapest',
    strategies: STRATEGIES,
    waiting: 0,
    lastCycleAt: null,
    lastAssigned: 0,
    lastMs: 0,
  };

  const once = <T>(commandId: string, name: string, act: () => T): T => {
    call(name);
    if (!commands.has(commandId)) {
      commands.set(commandId, act());
      options.done?.(name);
    }
    return commands.get(commandId) as T;
  };
  const taskOf = (taskId: string): State<Job> => {
    const task = tasks.get(taskId);
    if (task) return task;
    throw new AppError('not-found', 'This host knows no such job.', {
      field: 'taskId',
      next: 'List your jobs and take the id from there.',
    });
  };
  const add = (job: Job): Job => {
    tasks.set(job.taskId, new State(job));
    if (job.resultHere) results.set(job.taskId, resultOf(job));
    changed.set(changed.value + 1);
    return job;
  };
  const change = (taskId: string, next: (job: Job) => Job): Job => {
    const task = taskOf(taskId);
    task.set(next(task.value));
    const { value } = task;
    if (value.resultHere && !results.has(taskId)) results.set(taskId, resultOf(value));
    changed.set(changed.value + 1);
    return value;
  };
  const logOf = (taskId: string): State<string> => {
    const log = logs.get(taskId) ?? new State(RUN_LOG);
    logs.set(taskId, log);
    return log;
  };
  let storage = { usedBytes: 5 * 2 ** 30, keptBytes: 3 * 2 ** 30, limitBytes: 100 * 2 ** 30, gateways: [] as string[] };
  const all = () => [...tasks.values()].map((task) => task.value);
  const page = (filter: TaskFilter) => fakePage(all(), filter);
  /** The result waits for its owner; whatever it is told, that is over then. */
  const decide = (taskId: string, next: (job: Job) => Job): Job => {
    if (taskOf(taskId).value.review === null) {
      throw new AppError('conflict', 'No result of this job waits for your word.', {
        field: 'taskId',
        next: 'See where the job stands.',
      });
    }
    return change(taskId, (job) => ({ ...next(job), review: null }));
  };
  const tokenOf = (file: JobFile): Token => {
    const token = options.tokens.find(({ symbol, address }) => symbol === file.token || address === file.token);
    if (token) return token;
    throw new AppError('bad-input', `This network has no token ${file.token}.`, { field: 'token' });
  };
  const submit = (file: JobFile) => {
    submittedFiles.push(file);
    const token = tokenOf(file);
    const specs = expandJob(file, { inputs: inputsOf(file), image: TRAINING });
    submitted += 1;
    const batchId = `batch-new-${submitted}`;
    const taskIds = specs.map((spec, index) => {
      const seed = 40_000 + submitted * 1000 + index;
      return add(
        fakeJob({
          seed,
          now: now(),
          account,
          spec,
          ago: 0,
          more: {
            batchId,
            index,
            of: specs.length,
            token,
            bounty: parseAmount(file.bounty, token.decimals, 'bounty').toString(),
            priority: file.priority,
            retries: file.retries,
            postedAt: now(),
            detail: WAITS,
            waiting: WAITING,
          },
        }),
      ).taskId;
    });
    return { batchId, taskIds, status: 'Job submitted' };
  };

  async function* printed(taskId: string, signal: AbortSignal, follow: boolean): AsyncGenerator<Frame, void> {
    const sessionId = `job-${sessions.size + 1}-${taskId}`;
    const acked = new State(0);
    sessions.set(sessionId, acked);
    let seq = 0;
    let sent = 0;
    yield { type: 'opened', sessionId };
    for await (const text of logOf(taskId).watch(signal)) {
      for (; sent < text.length; sent += PIECE) {
        const next = ++seq;
        await acked.until((last) => next - last <= WINDOW, signal);
        yield {
          type: 'data',
          seq: next,
          stream: 1,
          base64: Buffer.from(text.slice(sent, sent + PIECE)).toString('base64'),
        };
      }
      sent = text.length;
      if (!follow || isOver(taskOf(taskId).value)) break;
    }
    yield { type: 'exit', exitCode: 0, reason: '' };
  }

  const services: ApiServices['jobs'] = {
    read: ({ text, format }) => {
      call('jobs.read');
      const { format: found, file, notices } = readJobFile(text, format === undefined ? {} : { format });
      return { format: found, file, notices };
    },
    estimate: ({ file }) => {
      call('jobs.estimate');
      const token = tokenOf(file);
      const count = expandJob(file, { inputs: inputsOf(file), image: TRAINING }).length;
      const escrow = parseAmount(file.bounty, token.decimals, 'bounty') * BigInt(count);
      const available = options.available(token);
      const { gpuCount, gpuMemoryGb, gpuModel } = file.resources;
      const fits = (offer: Offer) =>
        offer.gpuCount >= gpuCount &&
        offer.gpuMemoryGb >= gpuMemoryGb &&
        offer.gpuModel.toLowerCase().includes((gpuModel ?? '').toLowerCase());
      const fitting = options.offers().filter(fits).length;
      return {
        tasks: count,
        token,
        escrow: escrow.toString(),
        available: available.toString(),
        missing: (escrow > available ? escrow - available : 0n).toString(),
        feeBps: 100,
        fittingOffers: fitting,
        waiting: fitting > 0 ? [] : [{ reason: 'too little memory', offers: options.offers().length }],
      };
    },
    submit: ({ commandId, file }) => once(commandId, 'jobs.submit', () => submit(file)),
    upload: ({ uploadId, path, offset, base64, end }) => {
      call('jobs.upload');
      const files = uploads.get(uploadId) ?? new Map<string, Buffer>();
      uploads.set(uploadId, files);
      const before = files.get(path) ?? Buffer.alloc(0);
      if (offset !== before.length) {
        throw new AppError('bad-input', `The next piece of this file begins at ${before.length}.`, { field: 'offset' });
      }
      const bytes = Buffer.concat([before, Buffer.from(base64, 'base64')]);
      files.set(path, bytes);
      return { received: bytes.length, cid: end ? fakeCid(bytes.length + 70_000) : null };
    },
    list: (filter) => {
      call('jobs.list');
      return page(filter);
    },
    batches: (filter) => {
      call('jobs.batches');
      return fakeBatches(all(), filter);
    },
    get: ({ taskId }) => taskOf(taskId).value,
    watch: ({ taskId }, { signal }) => taskOf(taskId).watch(signal),
    watchList: async function* watchList({ limit }, { signal }) {
      for await (const _ of changed.watch(signal)) yield page({ limit });
    },
    cancel: ({ taskId, commandId }) =>
      once(commandId, 'jobs.cancel', () => {
        if (taskOf(taskId).value.status !== 'pending') {
          throw new AppError('conflict', 'Somebody works on it already.', {
            field: 'taskId',
            next: 'Wait for the result, or let its deadline pass.',
          });
        }
        return change(taskId, (job) => ({
          ...job,
          status: 'cancelled',
          phase: 'cancelled',
          detail: 'You took it back.',
          waiting: [],
          paid: '0',
          refund: job.bounty,
          deadline: null,
          endedAt: now(),
        }));
      }),
    accept: ({ taskId, commandId }) =>
      once(commandId, 'jobs.accept', () =>
        decide(taskId, (job) => ({
          ...job,
          status: 'failed',
          phase: 'failed',
          detail: 'The program ended with exit code 1. The provider did its work and was paid; the logs are kept.',
          paid: job.bounty,
          refund: '0',
          deadline: null,
          endedAt: now(),
        })),
      ),
    reject: ({ taskId, commandId, reason }) =>
      once(commandId, 'jobs.reject', () =>
        decide(taskId, (job) => {
          const detail = `You rejected it: ${reason}`;
          const verdict = { tier: 'accept' as const, valid: false, reason: detail, checks: [] };
          return { ...job, phase: 'verifying', detail, verdict };
        }),
      ),
    rerun: ({ taskId, commandId }) =>
      once(commandId, 'jobs.rerun', () => {
        const old = taskOf(taskId).value;
        submitted += 1;
        const seed = 40_000 + submitted * 1000;
        const job = fakeJob({
          seed,
          now: now(),
          account,
          spec: old.spec,
          ago: 0,
          more: { detail: WAITS, waiting: WAITING },
        });
        add(job);
        return { batchId: job.batchId, taskIds: [job.taskId], status: 'Job submitted' };
      }),
    logs: ({ taskId, follow }, { signal }) => {
      call('jobs.logs');
      taskOf(taskId);
      return printed(taskId, signal, follow);
    },
    checkpoint: ({ taskId }) => {
      call('jobs.checkpoint');
      if (taskOf(taskId).value.status !== 'assigned') throw new AppError('conflict', 'It does not run now.');
      return { ok: true };
    },
    results: ({ taskId }) => {
      call('jobs.results');
      const { resultCid } = taskOf(taskId).value;
      const files = results.get(taskId);
      if (resultCid === null || !files) {
        throw new AppError('not-found', 'The result of this job is not on this computer.', {
          field: 'taskId',
          next: 'Wait until the job has ended.',
        });
      }
      return {
        cid: resultCid,
        files: [...files].map(([path, bytes]) => ({ path, bytes: bytes.length, type: 'application/octet-stream' })),
      };
    },
    resultFile: ({ taskId, path, offset, length }) => {
      call('jobs.resultFile');
      const bytes = results.get(taskId)?.get(path);
      if (!bytes) throw new AppError('not-found', 'The result has no such file.', { field: 'path' });
      return {
        base64: bytes.subarray(offset, offset + length).toString('base64'),
        offset,
        bytes: bytes.length,
        type: 'application/octet-stream',
      };
    },
    saveResults: ({ taskId, folder }) => {
      call('jobs.saveResults');
      const files = [...(results.get(taskId)?.values() ?? [])];
      return { folder, files: files.length, bytes: files.reduce((sum, bytes) => sum + bytes.length, 0) };
    },
    removeResults: ({ taskId }) => {
      call('jobs.removeResults');
      return change(taskId, (job) => ({ ...job, resultHere: false }));
    },
    storage: () => storage,
    setStorage: (next) => {
      call('jobs.setStorage');
      storage = {
        ...storage,
        limitBytes: next.limitBytes ?? storage.limitBytes,
        gateways: next.gateways ?? storage.gateways,
      };
      return storage;
    },
    pushResults: ({ taskId }) => {
      call('jobs.pushResults');
      return { cid: taskOf(taskId).value.resultCid ?? '' };
    },
    scheduling: () => ({ ...scheduling, waiting: page({ limit: 1 }).counts.pending }),
    setScheduling: ({ automatic, strategy }) => {
      call('jobs.setScheduling');
      if (strategy !== undefined && !STRATEGIES.some(({ name }) => name === strategy)) {
        throw new AppError('bad-input', `There is no strategy ${strategy}.`, { field: 'strategy' });
      }
      scheduling = {
        ...scheduling,
        automatic: automatic ?? scheduling.automatic,
        strategy: strategy ?? scheduling.strategy,
      };
      return scheduling;
    },
    schedule: () => {
      call('jobs.schedule');
      const waiting = page({ limit: 1 }).counts.pending;
      scheduling = { ...scheduling, lastCycleAt: now(), lastAssigned: 0, lastMs: 0.8 };
      return { assigned: 0, waiting };
    },
  };

  if (options.seeded === true) for (const job of fakeJobs(now(), account)) add(job);
  for (const job of fakeArray(options.array ?? 0, now(), account, options.review)) add(job);

  return {
    services,
    change,
    /** What the task has printed so far grows by this. */
    print: (taskId: string, text: string) => {
      const log = logOf(taskId);
      log.set(log.value + text);
    },
    /** Job files as they were submitted, oldest first. */
    submittedFiles: () => [...submittedFiles],
    /** Bytes that arrived for uploads, by file name. */
    uploaded: () => new Map([...uploads.values()].flatMap((files) => [...files])),
    ack: (sessionId: string, seq: number) => sessions.get(sessionId)?.set(seq),
    get: (taskId: string) => taskOf(taskId).value,
    tasks: all,
    /** A second on: what is being sent or fetched grows. */
    tick: () => {
      for (const { value } of tasks.values()) {
        if (value.runs.some((run) => run.progress !== null) && !isOver(value)) change(value.taskId, further);
      }
    },
  };
}

const further = (job: Job): Job => ({
  ...job,
  runs: job.runs.map((run) =>
    run.progress?.total
      ? { ...run, progress: { ...run.progress, done: Math.min(run.progress.total, run.progress.done + 1_500_000) } }
      : run,
  ),
});

const resultOf = (job: Job): Map<string, Buffer> =>
  job.spec.work.type === 'kernel' ? kernelResult() : containerResult(job.status === 'failed' ? 1 : 0);

const inputsOf = (file: JobFile): JobInput[] =>
  file.inputs.map((input, index): JobInput => {
    if ('url' in input) return { from: 'url', path: input.path, url: input.url, sha256: input.sha256 };
    if ('ipfs' in input) return { from: 'ipfs', path: input.path, cid: input.ipfs };
    const cid = 'content' in input ? input.content : fakeCid(60_000 + index);
    return { from: 'renter', path: input.path, cid, bytes: 1024 };
  });
