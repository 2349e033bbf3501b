/** A renter's jobs from submission to payment, against the real contracts and the product's own providers. */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { serveGateway } from '../src/content/serve-blocks.ts';
import { readAll } from '../src/renter/jobs/check-result.ts';
import { runKernel } from '../src/runtime/kernels/run-kernel.ts';
import { kernelSample } from '../src/shared/kernel-samples.ts';
import { kernelResultBytes, readKernelInput } from '../src/shared/kernels.ts';
import { parseTable } from '../src/shared/table.ts';
import type { JobTask } from '../src/store/ledger.ts';
import { DeskWorld, WATT } from './support/desk-world.ts';
import type { FakeProcess } from './support/fake-runtimes.ts';
import { anvilMissing } from './support/market.ts';

const missing = anvilMissing();

describe.skipIf(missing !== null)(`a renter's jobs${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  let world: DeskWorld;

  beforeAll(async () => {
    world = await DeskWorld.open({ providers: 3, units: 2 });
  }, 60_000);
  afterAll(async () => {
    await world?.close();
  });

  const finishes = (process: FakeProcess) => {
    process.files.set('answer.txt', `42 ${process.plan.env['COMMONWATT_TASK_INDEX'] ?? ''}`);
    process.say(1, 'hello\n');
    process.exit(0);
  };

  beforeEach(() => {
    world.notes.length = 0;
    for (const provider of world.providers) {
      provider.runtimes.onStart = finishes;
      provider.policy.free = true;
    }
  });

  const resultFile = async (task: JobTask, file: string): Promise<string> =>
    Buffer.from(await readAll(world.renter.content.read(task.resultCid ?? '', file))).toString();

  /** The next process of any provider, as it starts; it runs until the test ends it. */
  const nextStart = (): Promise<{ process: FakeProcess; provider: number }> => {
    const { promise, resolve } = Promise.withResolvers<{ process: FakeProcess; provider: number }>();
    for (const [provider, { runtimes }] of world.providers.entries()) {
      runtimes.onStart = (process) => resolve({ process, provider });
    }
    return promise;
  };

  test('a job is posted, given away, run, fetched, paid', async () => {
    const before = await world.balance(world.renter);
    const { taskIds } = await world.submit({
      inputs: [{ path: 'words.txt', text: 'some words' }],
      secrets: { TOKEN: 'never on chain' },
    });
    const seen = nextStart();
    const { process } = await seen;
    expect(process.inputs.get('words.txt')).toBe('some words');
    expect(process.plan.env['TOKEN']).toBe('never on chain');
    expect(world.task(taskIds[0]!).specText).not.toContain('never on chain');
    finishes(process);
    const task = await world.ended(taskIds[0]!);
    expect(task).toMatchObject({ phase: 'verified', paid: WATT, attempts: 1, secrets: null });
    expect(await resultFile(task, 'out/answer.txt')).toBe('42 ');
    expect(await resultFile(task, 'logs/stdout')).toBe('hello\n');
    expect(before - (await world.balance(world.renter))).toBe(WATT);
    expect(world.notes).toMatchObject([{ level: 'success', title: '“A test” is done' }]);
  });

  test('the same command again submits nothing new', async () => {
    const file = world.file();
    const both = [world.desk.submit(file, 'same-command'), world.desk.submit(file, 'same-command')];
    const [first, twin] = (await Promise.all(both)) as [Awaited<(typeof both)[0]>, Awaited<(typeof both)[0]>];
    expect(twin).toEqual(first);
    expect(await world.desk.submit(file, 'same-command')).toEqual(first);
    await world.ended(first.taskIds[0]!);
    expect(await world.desk.submit(file, 'same-command')).toEqual(first);
  });

  const allFail = () => {
    for (const { runtimes } of world.providers) {
      runtimes.onStart = (process) => {
        process.say(2, 'no such file\n');
        process.exit(3);
      };
    }
  };
  const inReview = ({ phase }: JobTask) => phase === 'review';

  test('work that fails is paid at once where its owner wants no say, and says how it failed', async () => {
    allFail();
    const { taskIds } = await world.submit({ review: 'never' });
    const task = await world.ended(taskIds[0]!);
    expect(task).toMatchObject({ phase: 'failed', paid: WATT });
    expect(task.detail).toContain('exit code 3');
    expect(await resultFile(task, 'logs/stderr')).toBe('no such file\n');
  });

  test('work that fails waits for its owner’s word: accepted, it is paid', async () => {
    allFail();
    const { taskIds } = await world.submit();
    const [taskId] = taskIds as [string];
    const waits = await world.until(taskId, inReview);
    expect(waits).toMatchObject({ paid: null, detail: expect.stringContaining('exit code 3') });
    expect(world.desk.flow(taskId)?.review).toMatchObject({ bond: WATT / 10n });
    expect(world.notes).toMatchObject([{ level: 'warning', title: 'A result waits for your word' }]);
    expect(await resultFile(waits, 'logs/stderr')).toBe('no such file\n');
    world.desk.accept(taskId);
    expect(() => world.desk.accept(taskId)).toThrow('No result of this job waits for your word.');
    expect(await world.ended(taskId)).toMatchObject({ phase: 'failed', paid: WATT });
  });

  test('rejected, it is challenged; a jury that never meets pays the provider all the same', async () => {
    allFail();
    const { taskIds } = await world.submit();
    const [taskId] = taskIds as [string];
    await world.until(taskId, inReview);
    await world.desk.reject(taskId, 'The file is in the inputs');
    await expect(world.desk.reject(taskId, 'twice')).rejects.toMatchObject({ code: 'conflict', field: 'taskId' });
    const task = await world.ended(taskId);
    expect(task).toMatchObject({ phase: 'failed', verdict: { valid: false, run: { exitCode: 3 } } });
    expect(task.detail).toContain('You rejected it: The file is in the inputs.');
    expect(world.renter.chain.jobDeal(task.deals[0]!.dealId)?.challenger).toBe(world.renter.account);
  });

  test('a failure without a word is paid after half an hour: its provider is held no longer', async () => {
    allFail();
    const { taskIds } = await world.submit();
    const [taskId] = taskIds as [string];
    await world.until(taskId, inReview);
    const { until } = world.desk.flow(taskId)?.review ?? { until: 0 };
    expect(until - world.clock.now()).toBeLessThanOrEqual(1800);
    await world.jump(until - world.clock.now() + 5);
    expect(await world.ended(taskId)).toMatchObject({ phase: 'failed', paid: WATT });
  });

  test('the half hour begins when the result is here: this computer may have slept', async () => {
    allFail();
    world.linesDown = true;
    const { taskIds } = await world.submit({ assignment: 'open' });
    const [taskId] = taskIds as [string];
    await world.until(taskId, ({ phase }) => phase === 'verifying');
    await world.jump(7200);
    world.linesDown = false;
    await world.until(taskId, inReview);
    const { until } = world.desk.flow(taskId)?.review ?? { until: 0 };
    expect(until - world.clock.now()).toBeGreaterThan(1700);
    world.desk.accept(taskId);
    expect(await world.ended(taskId)).toMatchObject({ phase: 'failed', paid: WATT });
  });

  test('without a word it is paid when the window is over, also by another life of this host', async () => {
    const { taskIds } = await world.submit({ review: 'always' });
    const [taskId] = taskIds as [string];
    const { terms } = await world.until(taskId, inReview);
    world.kill();
    await world.startDesk();
    expect(world.task(taskId).phase).toBe('review');
    await world.jump(terms!.window + 15);
    expect(await world.ended(taskId)).toMatchObject({ phase: 'verified', paid: WATT });
  });

  test('an owner’s word that comes while the result is looked at again stands', async () => {
    const { taskIds } = await world.submit({ review: 'always' });
    const [taskId] = taskIds as [string];
    await world.until(taskId, inReview);
    const flow = world.desk.flow(taskId);
    // As own trouble leaves it: here, and not judged.
    flow?.set({ verdict: null });
    flow?.poke();
    world.desk.accept(taskId);
    expect(await world.ended(taskId)).toMatchObject({ phase: 'verified', paid: WATT });
  });

  test('an array is spread over every provider, each task paid once, told once', async () => {
    const before = await world.balance(world.renter);
    const { taskIds } = await world.submit({ array: 20 });
    expect(taskIds).toHaveLength(20);
    const tasks = await Promise.all(taskIds.map((taskId) => world.ended(taskId)));
    expect(tasks.map(({ phase }) => phase)).toEqual(tasks.map(() => 'verified'));
    for (const task of tasks) expect(await resultFile(task, 'out/answer.txt')).toBe(`42 ${task.index}`);
    expect(before - (await world.balance(world.renter))).toBe(20n * WATT);
    expect(new Set(tasks.flatMap(({ deals }) => deals.map(({ provider }) => provider))).size).toBe(3);
    expect(world.notes.map(({ title }) => title)).toEqual(['“A test” has ended']);
  }, 60_000);

  test('more than the deposit account holds is refused with what is missing, and nothing is posted', async () => {
    const before = await world.balance(world.renter);
    await expect(world.submit({ bounty: '100000' })).rejects.toMatchObject({
      code: 'insufficient-funds',
      field: 'bounty',
    });
    expect(await world.balance(world.renter)).toBe(before);
    expect(world.renter.ledger.tasks.list({ open: true }).rows).toEqual([]);
  });

  test('who refuses is left out with the reason, and asked again later', async () => {
    for (const { policy } of world.providers) Object.assign(policy, { free: false, reason: 'The owner plays.' });
    const { taskIds } = await world.submit();
    const [taskId] = taskIds as [string];
    await world.until(taskId, () => world.scheduling.reasonsOf(taskId).sentence.includes('The owner plays.'));
    expect(world.task(taskId).phase).toBe('open');
    for (const { policy } of world.providers) policy.free = true;
    await world.jump(60);
    world.scheduling.poke();
    expect(await world.ended(taskId)).toMatchObject({ phase: 'verified' });
  });

  test('what nobody has taken can be taken back', async () => {
    for (const { policy } of world.providers) Object.assign(policy, { free: false, reason: 'Not now.' });
    const before = await world.balance(world.renter);
    const { taskIds } = await world.submit();
    const [taskId] = taskIds as [string];
    await world.until(taskId, ({ phase }) => phase === 'open');
    await world.desk.cancel(taskId);
    expect(await world.ended(taskId)).toMatchObject({ phase: 'cancelled', refund: WATT });
    expect(await world.balance(world.renter)).toBe(before);
    await world.desk.cancel(taskId);
    await world.jump(700);
  });

  test('a cancel that comes too late says so, and what it came too late for is not posted once more', async () => {
    for (const { policy } of world.providers) Object.assign(policy, { free: false, reason: 'Not now.' });
    const { taskIds } = await world.submit({ retries: 3 });
    const [taskId] = taskIds as [string];
    await world.until(taskId, ({ phase }) => phase === 'open');
    const { reads } = world.renter.chain;
    const jobDeal = reads.jobDeal.bind(reads);
    // As it looks where a provider was quicker and its event is not here yet.
    reads.jobDeal = async (id) => ({ ...(await jobDeal(id)), state: 'assigned' });
    await expect(world.desk.cancel(taskId)).rejects.toMatchObject({ code: 'conflict' });
    reads.jobDeal = jobDeal;
    expect(world.task(taskId)).toMatchObject({ phase: 'refunding', attempts: 4 });
    expect(await world.ended(taskId)).toMatchObject({ phase: 'cancelled', refund: WATT });
  });

  test('what runs cannot be taken back', async () => {
    const { taskIds } = await world.submit();
    const { process } = await nextStart();
    await expect(world.desk.cancel(taskIds[0]!)).rejects.toMatchObject({ code: 'conflict' });
    finishes(process);
    expect(await world.ended(taskIds[0]!)).toMatchObject({ phase: 'verified' });
  });

  test('nobody takes it in time: the bounty comes back with a reason', async () => {
    for (const { policy } of world.providers) Object.assign(policy, { free: false, reason: 'Not now.' });
    const { taskIds } = await world.submit({ timeouts: { runSeconds: 60, queueSeconds: 100 } });
    await world.until(taskIds[0]!, ({ phase }) => phase === 'open');
    await world.jump(200);
    const task = await world.ended(taskIds[0]!);
    expect(task).toMatchObject({ phase: 'failed', refund: WATT });
    expect(task.detail).toContain('Nobody took it');
    await world.jump(700);
  });

  test('a silent provider costs its short deadline; another one is asked, until the attempts are used up', async () => {
    const { taskIds } = await world.submit({ retries: 1 });
    const [taskId] = taskIds as [string];
    const first = await nextStart();
    const deadline = world.task(taskId).terms!.deadline;
    // Run, transfer and a minute, not the hour of the queue.
    expect(deadline - world.clock.now()).toBeLessThan(60 + 60 + 600 + 120);
    const second = nextStart();
    await world.jump(deadline - world.clock.now() + 5);
    const { provider } = await second;
    expect(provider).not.toBe(first.provider);
    expect(world.task(taskId)).toMatchObject({ phase: 'assigned', attempts: 2 });
    await world.jump(world.task(taskId).terms!.deadline - world.clock.now() + 5);
    const task = await world.ended(taskId);
    expect(task).toMatchObject({ phase: 'failed', refund: WATT, attempts: 2 });
    expect(world.notes.at(-1)).toMatchObject({ level: 'error' });
    await world.jump(700);
  });

  test('a result whose provider cannot be reached comes from a gateway', async () => {
    // No line for bytes is open yet in a new life.
    world.kill();
    await world.startDesk();
    const stores = world.providers.map(({ party }) => party.content);
    let asked = 0;
    const server = http.createServer((request, response) => {
      const [, , cid] = new URL(request.url ?? '', 'http://gateway').pathname.split('/');
      asked += 1;
      void Promise.all(stores.map((store) => serveGateway(store, () => true)(cid ?? ''))).then((found) => {
        const block = found.find((bytes) => bytes !== null);
        response.writeHead(block ? 200 : 404).end(block ?? '');
      });
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    world.gateways = [`http://127.0.0.1:${(server.address() as AddressInfo).port}`];
    for (const { runtimes } of world.providers) {
      runtimes.onStart = (process) => {
        world.linesDown = true;
        process.files.set('answer.txt', 'from afar');
        process.exit(0);
      };
    }
    try {
      const { taskIds } = await world.submit();
      const task = await world.ended(taskIds[0]!);
      expect(task).toMatchObject({ phase: 'verified', paid: WATT });
      expect(await resultFile(task, 'out/answer.txt')).toBe('from afar');
      expect(asked).toBeGreaterThan(0);
    } finally {
      world.linesDown = false;
      world.gateways = [];
      server.close();
    }
  });

  const sample = kernelSample('k_means');
  const kernel = {
    work: { type: 'kernel', model: 'k_means' },
    inputs: [{ path: 'data.csv', sample: 'k_means' }],
    verification: { tier: 'certificate' },
  };
  const honest = () => runKernel(readKernelInput('k_means', parseTable(sample.csv, 'csv'), { ...sample.params }));

  test('a kernel’s result is checked by its certificate', async () => {
    for (const { runtimes } of world.providers) {
      runtimes.onStart = (process) => {
        process.files.set('result.json', Buffer.from(kernelResultBytes(honest())).toString());
        process.exit(0);
      };
    }
    const { taskIds } = await world.submit(kernel);
    const task = await world.ended(taskIds[0]!);
    expect(task).toMatchObject({ phase: 'verified', paid: WATT, verdict: { tier: 'certificate', valid: true } });
  });

  test('a wrong result is challenged; without a jury the provider is paid, and the owner is told', async () => {
    for (const { runtimes } of world.providers) {
      runtimes.onStart = (process) => {
        const result = honest();
        if (result.model === 'k_means') result.centers[0]![0]! += 0.5;
        process.files.set('result.json', Buffer.from(kernelResultBytes(result)).toString());
        process.exit(0);
      };
    }
    const { taskIds } = await world.submit(kernel);
    const task = await world.ended(taskIds[0]!);
    expect(task).toMatchObject({ phase: 'failed', verdict: { valid: false } });
    const deal = world.renter.chain.jobDeal(task.deals[0]!.dealId);
    expect(deal?.challenger).toBe(world.renter.account);
    expect(world.notes.map(({ title }) => title)).toContain('A result is being challenged');
  });

  test('copies at different owners: what enough of them agree on is taken', async () => {
    for (const [index, { runtimes }] of world.providers.entries()) {
      runtimes.onStart = (process) => {
        process.files.set('answer.txt', index === 1 ? 'lazy' : '42');
        process.exit(0);
      };
    }
    const { taskIds } = await world.submit({ verification: { tier: 'redundancy', copies: 3, agree: 2 } });
    const task = await world.ended(taskIds[0]!);
    expect(task).toMatchObject({ phase: 'verified', verdict: { tier: 'redundancy', valid: true } });
    expect(await resultFile(task, 'out/answer.txt')).toBe('42');
    expect(new Set(task.deals.map(({ provider }) => provider)).size).toBe(3);
  });

  test('a copy that never comes is late, and the others are enough', async () => {
    let silent: FakeProcess | null = null;
    for (const [index, { runtimes }] of world.providers.entries()) {
      runtimes.onStart = (process) => {
        if (index === 2) silent = process;
        else finishes(process);
      };
    }
    const { taskIds } = await world.submit({ verification: { tier: 'redundancy', copies: 3, agree: 2 } });
    const [taskId] = taskIds as [string];
    const submitted = ({ deals }: JobTask) => deals.filter(({ phase }) => phase === 'submitted').length === 2;
    const { terms } = await world.until(taskId, submitted);
    expect(silent).not.toBeNull();
    await world.jump(terms!.deadline - world.clock.now() + 15);
    const task = await world.ended(taskId);
    expect(task).toMatchObject({ phase: 'verified', paid: WATT });
    expect(task.deals.map(({ phase }) => phase).toSorted()).toContain('refunded');
    await world.jump(700);
  });

  test('an open job is claimed by whoever qualifies', async () => {
    const { taskIds } = await world.submit({ assignment: 'open' });
    expect(await world.ended(taskIds[0]!)).toMatchObject({ phase: 'verified', paid: WATT });
  });

  test('an open job with an upload and secrets is given away by its own host: nobody else could begin with it', async () => {
    const { taskIds } = await world.submit({
      assignment: 'open',
      inputs: [{ path: 'words.txt', text: 'some words' }],
      secrets: { TOKEN: 'never on chain' },
    });
    expect(await world.ended(taskIds[0]!)).toMatchObject({ phase: 'verified', attempts: 1 });
  });

  test('the same work again is a new job with the same inputs', async () => {
    const { taskIds } = await world.submit({
      inputs: [{ path: 'words.txt', text: 'again' }],
      array: { SEED: ['5', '6'] },
    });
    const tasks = await Promise.all(taskIds.map((taskId) => world.ended(taskId)));
    const started = nextStart();
    const { taskIds: again } = await world.desk.rerun(tasks[1]!, 'run-it-again');
    expect(again).toHaveLength(1);
    const { process } = await started;
    expect(process.plan.env['SEED']).toBe('6');
    expect(process.inputs.get('words.txt')).toBe('again');
    finishes(process);
    expect(await world.ended(again[0]!)).toMatchObject({ phase: 'verified' });
  });

  const phases = [
    'waiting',
    'posting',
    'open',
    'assigning',
    'assigned',
    'submitted',
    'verifying',
    'accepting',
  ] as const;
  test.each(phases)('the desk dies when the book says “%s”, and the job is done and paid once', async (phase) => {
    const before = await world.balance(world.renter);
    const died = world.died();
    world.killAt = phase;
    const submitted = world.submit().catch(() => null);
    await died;
    await submitted;
    const { rows } = world.renter.ledger.tasks.list({ open: true });
    expect(rows).toHaveLength(1);
    const [row] = rows;
    await world.startDesk();
    expect(await world.ended(row!.taskId)).toMatchObject({ phase: 'verified', paid: WATT, attempts: 1 });
    expect(before - (await world.balance(world.renter))).toBe(WATT);
  });
});
