/** What goes wrong on the renter's own computer costs no provider anything, and the same command is the same job. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { AppError } from '../src/shared/errors.ts';
import type { JobTask } from '../src/store/ledger.ts';
import { DeskWorld, WATT } from './support/desk-world.ts';
import { anvilMissing } from './support/market.ts';

const missing = anvilMissing();

describe.skipIf(missing !== null)(`a renter's own trouble${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  let world: DeskWorld;

  beforeAll(async () => {
    world = await DeskWorld.open({ providers: 1, units: 2 });
    world.providers[0]!.runtimes.onStart = (process) => process.exit(0);
  }, 60_000);
  afterEach(() => {
    vi.restoreAllMocks();
  });
  afterAll(async () => {
    await world?.close();
  });

  const isOpen = ({ phase }: JobTask) => phase === 'open';

  test.for(['locked', 'network-down', 'insufficient-funds'] as const)(
    'an assignment that cannot be sent (%s) leaves nobody out, says why, and is tried again',
    async (code) => {
      const { chain } = world.renter;
      const send = chain.send.bind(chain);
      let refused = 0;
      vi.spyOn(chain, 'send').mockImplementation((call, options) => {
        if (!options.commandId.startsWith('job:assign:')) return send(call, options);
        refused += 1;
        return Promise.reject(new AppError(code, 'Nothing can be sent from here.'));
      });
      const { taskIds } = await world.submit();
      const [taskId] = taskIds as [string];
      const sentence = () => world.scheduling.reasonsOf(taskId).sentence;
      await world.until(taskId, (task) => isOpen(task) && sentence().includes('Nothing can be sent from here.'));
      expect(world.scheduling.reasonsOf(taskId).reasons).toEqual([]);
      // However often something changes, it is not tried again at once.
      for (let time = 0; time < 5; time += 1) await world.jump(0);
      expect(refused).toBe(1);
      await world.jump(3);
      world.scheduling.poke();
      await world.until(taskId, (task) => isOpen(task) && refused === 2);

      vi.restoreAllMocks();
      await world.jump(5);
      world.scheduling.poke();
      expect(await world.ended(taskId)).toMatchObject({ phase: 'verified', paid: WATT, attempts: 1 });
    },
  );

  test('a posting whose place another transaction took is the same job when it is sent again', async () => {
    const { chain } = world.renter;
    const send = chain.send.bind(chain);
    const keys = new Set<string>();
    let mined: Promise<unknown> = Promise.resolve();
    vi.spyOn(chain, 'send').mockImplementation((call, options) => {
      if (!options.commandId.startsWith('job:post:')) return send(call, options);
      keys.add(options.commandId.split(':')[2] ?? '');
      // The node does not know yet that it was in a block.
      if (keys.size > 1 || options.commandId.split(':').length > 3) return send(call, options);
      mined = send(call, options);
      return Promise.reject(new AppError('conflict', 'Another transaction of this wallet took the place of this one.'));
    });
    const balance = await world.balance(world.renter);
    const { taskIds } = await world.submit();
    expect(await world.ended(taskIds[0]!)).toMatchObject({ phase: 'verified', attempts: 1 });
    await mined;
    expect(keys.size).toBe(1);
    expect(await world.balance(world.renter)).toBe(balance - WATT);
  });

  test('a bounty that comes into escrow after its task was given up is taken back', async () => {
    const { chain, ledger } = world.renter;
    const send = chain.send.bind(chain);
    const { promise: mayGo, resolve: go } = Promise.withResolvers<void>();
    vi.spyOn(chain, 'send').mockImplementation(async (call, options) => {
      if (options.commandId.startsWith('job:post:')) await mayGo;
      return send(call, options);
    });
    const balance = await world.balance(world.renter);
    const { taskIds } = await world.submit();
    const [taskId] = taskIds as [string];
    const { jobId } = await world.until(taskId, ({ phase }) => phase === 'posting');
    world.desk.flow(taskId)?.set({ phase: 'failed', detail: 'It could not be posted.', endedAt: world.clock.now() });
    go();
    await expect.poll(() => chain.job(jobId!)?.state, { timeout: 20_000 }).toBe('cancelled');
    expect(await world.balance(world.renter)).toBe(balance);
    expect(ledger.tasks.get(taskId)).toMatchObject({ phase: 'failed' });
  });

  test('what an estimate says is free counts what is in the book and on no chain yet', async () => {
    const { chain } = world.renter;
    const send = chain.send.bind(chain);
    const { promise: mayGo, resolve: go } = Promise.withResolvers<void>();
    vi.spyOn(chain, 'send').mockImplementation(async (call, options) => {
      if (!options.commandId.startsWith('authorize:')) await mayGo;
      return send(call, options);
    });
    const balance = await world.balance(world.renter);
    const { taskIds } = await world.submit({ array: 25 });
    const told = async () => {
      const cost = await world.desk.cost(world.file({ bounty: `${balance / WATT}` }));
      return { available: cost.available, missing: cost.missing };
    };
    const whole = (balance / WATT) * WATT;
    const expected = { available: balance - 25n * WATT, missing: whole - (balance - 25n * WATT) };
    expect(await told()).toEqual(expected);
    await Promise.all(taskIds.map((taskId) => world.until(taskId, ({ phase }) => phase === 'posting')));
    expect(await told()).toEqual(expected);
    await expect(world.submit({ bounty: `${balance / WATT}` })).rejects.toMatchObject({ code: 'insufficient-funds' });
    go();
    await Promise.all(taskIds.map((taskId) => world.ended(taskId)));
    expect((await told()).available).toBe(await world.balance(world.renter));
  });

  test.for(['locked', 'insufficient-funds'] as const)(
    'tasks whose posting waits (%s) are taken back; one that is on its way is not',
    async (code) => {
      const { chain } = world.renter;
      const send = chain.send.bind(chain);
      const { promise: mayGo, resolve: go } = Promise.withResolvers<void>();
      const { promise: underway, resolve: isUnderway } = Promise.withResolvers<string>();
      let isRefused = true;
      vi.spyOn(chain, 'send').mockImplementation(async (call, options) => {
        if (options.commandId.startsWith('authorize:')) return send(call, options);
        if (isRefused) throw new AppError(code, 'Nothing can be sent from here.');
        isUnderway(options.commandId);
        await mayGo;
        return send(call, options);
      });
      const balance = await world.balance(world.renter);
      const { taskIds } = await world.submit({ array: 3 });
      const [first, ...others] = taskIds as [string, string, string];
      const waits = ({ detail }: JobTask) => detail === 'Posting waits: Nothing can be sent from here.';
      for (const taskId of taskIds) await world.until(taskId, waits);
      await world.desk.cancel(first);
      expect(world.task(first)).toMatchObject({ phase: 'cancelled', refund: 0n });
      // Idempotent, as every command is.
      await world.desk.cancel(first);

      isRefused = false;
      // Together, or the first of them whose turn comes.
      const command = await underway;
      const onItsWay = others.find((taskId) => command.includes(world.task(taskId).jobId!)) ?? others[0];
      await expect(world.desk.cancel(onItsWay)).rejects.toMatchObject({ code: 'conflict' });
      go();
      for (const taskId of others) expect(await world.ended(taskId)).toMatchObject({ phase: 'verified' });
      expect(await world.balance(world.renter)).toBe(balance - 2n * WATT);
    },
  );

  describe('an image named by a tag', () => {
    const tagged = { work: { type: 'docker', image: 'tool:1' }, assignment: 'mine' };
    const byDigest = `tool@sha256:${'a'.repeat(64)}`;

    test('is posted by its digest, asked for once', async () => {
      const asked: string[] = [];
      world.resolveImage = (image) => {
        asked.push(image);
        return Promise.resolve(byDigest);
      };
      const before = world.notes.length;
      const file = world.file({ ...tagged, array: 3 });
      const { taskIds } = await world.desk.submit(file, 'a-tag');
      expect(asked).toEqual(['tool:1']);
      for (const taskId of taskIds) expect(world.task(taskId).specText).toContain(byDigest);
      await Promise.all(taskIds.map((taskId) => world.ended(taskId)));
      expect(world.notes.slice(before).map(({ level }) => level)).toEqual(['success']);
      // Another digest tomorrow: the command stays the same job.
      expect((await world.desk.submit(file, 'a-tag')).taskIds).toEqual(taskIds);
      expect(asked).toHaveLength(1);
    });

    test.for([
      ['accept', {}, 'info', 'A provider runs what the tag means there.'],
      ['redundancy', { copies: 3, agree: 2 }, 'warning', 'Copies at different owners may run different images'],
    ] as const)('that nobody can resolve is posted as it is (%s), and its owner is told', async (row) => {
      const [tier, copies, level, words] = row;
      world.resolveImage = () => Promise.reject(new AppError('engine-down', 'No engine is here.'));
      const { taskIds } = await world.submit({ ...tagged, verification: { tier, ...copies } });
      const [taskId] = taskIds as [string];
      expect(JSON.parse(world.task(taskId).specText)).toMatchObject({ work: { image: 'tool:1' } });
      const note = world.notes.find((one) => one.taskId === taskId);
      expect(note).toMatchObject({ level, title: 'The image of “A test” is posted by its tag' });
      expect(note?.body).toContain('No engine is here.');
      expect(note?.body).toContain(words);
      if (tier === 'accept') await world.ended(taskId);
    });

    test('is not waited for once the submission is cancelled: nothing is in the book', async () => {
      world.resolveImage = () => new Promise(() => undefined);
      const stop = new AbortController();
      const submitted = world.desk.submit(world.file(tagged), 'stopped', stop.signal);
      setImmediate(() => stop.abort());
      await expect(submitted).rejects.toMatchObject({ code: 'cancelled' });
      world.resolveImage = () => Promise.resolve(byDigest);
      const { taskIds } = await world.desk.submit(world.file(tagged), 'stopped');
      await world.ended(taskIds[0]!);
    });
  });

  describe('a command id', () => {
    const used = { code: 'conflict', field: 'commandId', message: 'This command id was used for another job.' };
    const change = { work: { type: 'docker', image: 'commonwatt/practice:1', env: { A: '1', B: '2' } } };

    test('stands for one job: while it is submitted, afterwards, and in another life of this host', async () => {
      const file = world.file({ ...change, secrets: { KEY: 'secret' } });
      const other = world.file({ ...change, secrets: { KEY: 'secret' }, bounty: '2' });
      const under = world.desk.submit(file, 'one-job');
      await expect(world.desk.submit(other, 'one-job')).rejects.toMatchObject(used);
      // The order in which fields are written, and what is kept secret, make no other job of it.
      const work = { env: { B: '2', A: '1' }, image: 'commonwatt/practice:1', type: 'docker' };
      const same = world.file({ secrets: {}, work });
      const first = await under;
      expect(await world.desk.submit(same, 'one-job')).toEqual(first);
      await expect(world.desk.submit(other, 'one-job')).rejects.toMatchObject(used);
      await world.ended(first.taskIds[0]!);

      world.kill();
      await world.startDesk();
      expect(await world.desk.submit(file, 'one-job')).toEqual(first);
      await expect(world.desk.submit(other, 'one-job')).rejects.toMatchObject(used);
    });

    test('names a sample once, however much of it the file says', async () => {
      const kernel = (params: object) =>
        world.file({
          work: { type: 'kernel', model: 'k_means', params },
          inputs: [{ path: 'data.csv', sample: 'k_means' }],
          assignment: 'open',
        });
      const first = await world.desk.submit(kernel({}), 'a-sample');
      expect(await world.desk.submit(kernel({}), 'a-sample')).toEqual(first);
      await expect(world.desk.submit(kernel({ k: 2 }), 'a-sample')).rejects.toMatchObject(used);
      await world.until(first.taskIds[0]!, isOpen);
      await world.desk.cancel(first.taskIds[0]!);
    });
  });
});
