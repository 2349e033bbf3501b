/** What every door asks about jobs, answered by a whole host on its practice network, with practice workers to run them. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApiInputs, Job } from '../src/api/contract.ts';
import { createHost, type Host } from '../src/host/host.ts';
import { jobFileSchema, type JobFile } from '../src/shared/job-spec.ts';
import { kernelSample } from '../src/shared/kernel-samples.ts';
import { silentLog } from '../src/shared/log.ts';
import { describeUnless } from './support/describe-unless.ts';
import { WATT, isOver } from './support/job-market.ts';
import { anvilMissing } from './support/market.ts';

const context = { signal: new AbortController().signal };
const command = () => ({ commandId: crypto.randomUUID() });

describeUnless(anvilMissing(), 'jobs through a host', () => {
  let dataDir: string;
  let host: Host;

  const start = async () => {
    host = await createHost({ dataDir, network: 'practice', log: silentLog });
  };
  const jobs = () => host.services.jobs;
  const accounts = () => host.rooms.jobs.accounts!;
  const worker = (name = 'worker-1') =>
    accounts().worker(name, { gpuType: 'RTX 4090', computeCapacity: 82.6, stakeAmount: 150n * WATT });
  const file = (change: object = {}): JobFile =>
    jobFileSchema.parse({
      name: 'line',
      work: { type: 'kernel', model: 'linear_regression' },
      inputs: [{ path: 'data.csv', sample: 'linear_regression' }],
      verification: { tier: 'certificate' },
      bounty: '2',
      ...change,
    });
  const submit = (change: object = {}) => jobs().submit({ ...command(), file: file(change) }, context);
  /** The first state of a task that `test` accepts. */
  const until = async (taskId: string, accepts: (job: Job) => boolean): Promise<Job> => {
    const stop = new AbortController();
    for await (const job of await jobs().watch({ taskId }, { signal: stop.signal })) {
      if (!accepts(job)) continue;
      stop.abort();
      return job;
    }
    throw new Error('the stream ended');
  };
  const framesOf = async (input: ApiInputs['jobs']['logs']) => {
    const frames = [];
    for await (const frame of await jobs().logs({ follow: false, ...input } as never, context)) frames.push(frame);
    return frames;
  };

  beforeAll(async () => {
    dataDir = await mkdtemp(path.join(tmpdir(), 'commonwatt-job-services-'));
    await start();
    await funded();
  }, 60_000);
  afterAll(async () => {
    await host?.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  /** The faucet fills a new practice wallet; some of its WATT goes into the deposit account. */
  async function funded(): Promise<void> {
    const { chain, ledger } = host.rooms;
    const watt = chain.profile.contracts.watt!;
    while (ledger.settings.get('practice.welcomed') === undefined) {
      await new Promise<void>((resolve) => {
        const off = chain.sync.on(() => {
          off();
          resolve();
        });
      });
    }
    await host.services.wallet.deposit({ ...command(), token: watt, amount: `${500n * WATT}` }, context);
  }

  test('says what a job costs and why nobody could run it, posting nothing', async () => {
    const estimate = await jobs().estimate({ file: file({ array: 3 }) }, context);
    expect(estimate).toMatchObject({ tasks: 3, escrow: `${6n * WATT}`, missing: '0', fittingOffers: 0 });
    expect((await jobs().list({ limit: 10 }, context)).jobs).toEqual([]);
    await expect(submit({ bounty: '9999' })).rejects.toMatchObject({ code: 'insufficient-funds' });
    await expect(submit({ token: 'GOLD' })).rejects.toMatchObject({ code: 'bad-input', field: 'token' });
    const words = [{ path: 'data.csv', text: 'a,b\nnot,numbers\n' }];
    await expect(submit({ inputs: words })).rejects.toMatchObject({ code: 'bad-input' });
    const work = { type: 'kernel', model: 'k_means', params: { k: 100_000 } };
    const table = [{ path: 'data.csv', text: 'a,b\n1,2\n3,4\n' }];
    await expect(submit({ work, inputs: table })).rejects.toMatchObject({ code: 'bad-input', field: 'params.k' });
    await expect(submit({ inputs: [] })).rejects.toMatchObject({ code: 'bad-input', field: 'inputs' });
  });

  test('the owner’s spending limits hold for jobs too', async () => {
    const token = host.rooms.chain.profile.contracts.watt!;
    await host.services.wallet.setPolicy([{ token, perDeal: `${5n * WATT}`, perDay: null }], context);
    await expect(submit({ array: 3 })).rejects.toMatchObject({ code: 'over-limit' });
    expect((await jobs().list({ limit: 10 }, context)).jobs).toEqual([]);
    await host.services.wallet.setPolicy([], context);
  });

  test('waits with a reason, then runs on a declared card, is checked and paid; its result is shown and saved', async () => {
    const { taskIds } = await submit();
    const [taskId] = taskIds as [string];
    const waiting = await until(taskId, ({ phase, detail }) => phase === 'open' && detail.includes('Waiting'));
    expect(waiting).toMatchObject({ status: 'pending', runs: [] });
    const made = await worker();
    expect(await accounts().worker('worker-1', { gpuType: 'x', computeCapacity: 1, stakeAmount: 1n })).toBe(made);
    expect((await jobs().estimate({ file: file() }, context)).fittingOffers).toBe(1);

    const job = await until(taskId, isOver);
    expect(job).toMatchObject({ status: 'verified', paid: `${2n * WATT}`, resultHere: true, verdict: { valid: true } });
    expect(job.runs).toMatchObject([
      { provider: made.address, gpuModel: 'RTX 4090', simulatedCard: true, exitCode: 0 },
    ]);
    expect(made.earned()).toBe((2n * WATT * 975n) / 1000n);

    const { files } = await jobs().results({ taskId }, context);
    expect(files.map(({ path: name }) => name)).toEqual([
      'logs/stderr',
      'logs/stdout',
      'out/result.json',
      'result.json',
    ]);
    const part = await jobs().resultFile({ taskId, path: 'out/result.json', offset: 0, length: 1000 }, context);
    expect(part.type).toBe('application/json');
    expect(JSON.parse(Buffer.from(part.base64, 'base64').toString())).toMatchObject({ model: 'linear_regression' });
    const folder = path.join(dataDir, 'saved');
    expect((await jobs().saveResults({ taskId, folder }, context)).files).toBe(4);
    expect(JSON.parse(await readFile(path.join(folder, 'result.json'), 'utf8'))).toMatchObject({ exitCode: 0 });
    expect((await framesOf({ taskId })).map(({ type }) => type)).toContain('exit');
    await expect(jobs().results({ taskId: 'none' }, context)).rejects.toMatchObject({ code: 'not-found' });

    const list = await jobs().list({ limit: 10, status: 'verified' }, context);
    expect(list.jobs.map((one) => one.taskId)).toEqual([taskId]);
    expect(list.counts).toMatchObject({ verified: 1, pending: 0 });
    const said = host.rooms.ledger.notifications.list(10);
    expect(said.filter((one) => one.taskId === taskId)).toMatchObject([{ level: 'success' }]);

    const removed = await jobs().removeResults({ taskId }, context);
    expect(removed).toMatchObject({ status: 'verified', resultHere: false });
    await expect(jobs().results({ taskId }, context)).rejects.toMatchObject({ code: 'not-found' });
    const gateways = ['http://127.0.0.1:8080'];
    const limitBytes = 3 * 2 ** 30;
    expect(await jobs().setStorage({ limitBytes, gateways }, context)).toMatchObject({ limitBytes, gateways });
    expect(await jobs().setStorage({ gateways: [] }, context)).toEqual(await jobs().storage(undefined, context));
  }, 60_000);

  test('uploads come in pieces, and files of this computer are taken where they lie', async () => {
    const { csv } = kernelSample('linear_regression');
    const uploadId = crypto.randomUUID();
    const half = Math.floor(csv.length / 2);
    const piece = (offset: number, bytes: Uint8Array, end: boolean) =>
      jobs().upload(
        { uploadId, path: 'data.csv', offset, base64: Buffer.from(bytes).toString('base64'), end },
        context,
      );
    expect(await piece(0, csv.subarray(0, half), false)).toEqual({ received: half, cid: null });
    await expect(piece(half + 1, csv.subarray(half), true)).rejects.toMatchObject({ code: 'bad-input' });
    const { cid } = await piece(half, csv.subarray(half), true);
    const uploaded = await submit({ inputs: [{ path: 'data.csv', content: cid }] });
    const upload = path.join(dataDir, 'mine.csv');
    await writeFile(upload, csv);
    const named = await submit({ inputs: [{ path: 'data.csv', upload }] });
    for (const { taskIds } of [uploaded, named]) {
      expect(await until(taskIds[0]!, isOver)).toMatchObject({ status: 'verified' });
    }
  }, 60_000);

  test('scheduling by hand: nothing is given away until it is triggered', async () => {
    await jobs().setScheduling({ automatic: false, strategy: 'round-robin' }, context);
    const { taskIds } = await submit();
    await until(taskIds[0]!, ({ phase }) => phase === 'open');
    expect(await jobs().scheduling(undefined, context)).toMatchObject({ automatic: false, waiting: 1 });
    expect(await jobs().schedule(undefined, context)).toEqual({ assigned: 1, waiting: 0 });
    expect(await until(taskIds[0]!, isOver)).toMatchObject({ status: 'verified' });
    await expect(jobs().setScheduling({ strategy: 'astrology' }, context)).rejects.toMatchObject({ code: 'bad-input' });
    await jobs().setScheduling({ automatic: true, strategy: 'priority' }, context);
  }, 60_000);

  test('an array is one line with its counts, while it waits and when it has ended', async () => {
    const batches = async (filter: { open?: boolean; batchId?: string }) =>
      (await jobs().batches({ limit: 100, ...filter }, context)).batches;
    await jobs().setScheduling({ automatic: false }, context);
    const { batchId, taskIds } = await submit({ array: 3 });
    const line = { batchId, review: 0, counts: { pending: 3, verified: 0 }, job: { taskId: taskIds[0], of: 3 } };
    expect(await batches({ open: true })).toMatchObject([line]);
    expect((await batches({ open: false })).map((batch) => batch.batchId)).not.toContain(batchId);
    await jobs().setScheduling({ automatic: true }, context);
    await Promise.all(taskIds.map((taskId) => until(taskId, isOver)));
    expect(await batches({ open: true })).toEqual([]);
    expect((await batches({ open: false }))[0]).toMatchObject({ ...line, counts: { pending: 0, verified: 3 } });
    expect((await jobs().batches({ limit: 100, batchId }, context)).counts).toMatchObject({ verified: 3, failed: 0 });
  }, 60_000);

  test('copies keep no logs, and their log says so in words', async () => {
    await worker('worker-2');
    const { taskIds } = await submit({ verification: { tier: 'redundancy', copies: 2, agree: 2 } });
    const [taskId] = taskIds as [string];
    expect(await until(taskId, isOver)).toMatchObject({ status: 'verified', verdict: { valid: true } });
    const { files } = await jobs().results({ taskId }, context);
    expect(files.map(({ path: name }) => name)).toEqual(['out/result.json', 'result.json']);
    const frames = await framesOf({ taskId });
    expect(frames.map(({ type }) => type)).toEqual(['opened', 'data', 'exit']);
    const said = frames.flatMap((frame) => (frame.type === 'data' ? [Buffer.from(frame.base64, 'base64')] : []));
    expect(Buffer.concat(said).toString()).toMatch(/holds no logs. Copies of a redundancy job keep none/);
  }, 90_000);

  test('a pasted command line is understood', async () => {
    const read = await jobs().read({ text: 'docker run --rm busybox:1.36 echo hello' }, context);
    expect(read).toMatchObject({ format: 'docker-run', file: { work: { type: 'docker' } } });
  });

  test('practice clients pay practice workers; all of them outlive the host', async () => {
    const made = await worker();
    const alice = await accounts().client('alice', { initialBalance: 100n * WATT });
    expect(await alice.balance()).toBe(100n * WATT);
    const { taskIds } = await alice.desk.submit(file({ bounty: '50' }), 'alice-job-1');
    expect(await until(taskIds[0]!, isOver)).toMatchObject({ status: 'verified', account: alice.address });
    expect(await alice.balance()).toBe(50n * WATT);
    // It is hers, not the main wallet's.
    expect((await jobs().list({ limit: 100 }, context)).jobs.map(({ taskId }) => taskId)).not.toContain(taskIds[0]);
    await expect(accounts().client('no/slash')).rejects.toMatchObject({ code: 'bad-input' });

    await host.close();
    await start();
    const again = await accounts().client('alice');
    expect(again.address).toBe(alice.address);
    expect(await again.balance()).toBe(50n * WATT);
    expect((await worker()).address).toBe(made.address);
    const second = await again.desk.submit(file({ bounty: '10' }), 'alice-job-2');
    expect(await until(second.taskIds[0]!, isOver)).toMatchObject({ status: 'verified' });
    expect(await again.balance()).toBe(40n * WATT);
  }, 90_000);

  test('a computer that does not share takes no jobs, and says so', async () => {
    await expect(host.services.work.start({ ...command(), claimsOpen: true }, context)).rejects.toMatchObject({
      code: 'conflict',
    });
    const dealId = `0x${'0'.repeat(64)}` as const;
    await expect(host.services.work.stopRun({ dealId }, context)).rejects.toMatchObject({ code: 'conflict' });
    expect(await host.services.work.status(undefined, context)).toMatchObject({
      state: 'off',
      running: [],
      staked: '0',
    });
  });
});
