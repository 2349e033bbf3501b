/** Cycles that concern some accounts only, and the reasons of tasks that nobody here gives away. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DeskWorld } from './support/desk-world.ts';
import { anvilMissing } from './support/market.ts';

const missing = anvilMissing();

describe.skipIf(missing !== null)(`scheduling${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  let world: DeskWorld;

  beforeAll(async () => {
    world = await DeskWorld.open({ providers: 1, units: 1 });
    world.providers[0]!.runtimes.onStart = (process) => process.exit(0);
    world.scheduling.set({ automatic: false });
  }, 60_000);
  afterAll(async () => {
    await world?.close();
  });

  test('a cycle for others leaves the tasks of this account alone', async () => {
    const { taskIds } = await world.submit();
    await world.until(taskIds[0]!, ({ phase }) => phase === 'open');
    expect(await world.scheduling.trigger(() => false)).toEqual({ assigned: 0, waiting: 0, taskIds: [] });
    expect(world.task(taskIds[0]!)).toMatchObject({ phase: 'open', deals: [] });
    expect(await world.scheduling.trigger((desk) => desk === world.desk)).toMatchObject({ assigned: 1, taskIds });
    expect(await world.ended(taskIds[0]!)).toMatchObject({ phase: 'verified' });
  });

  test('a task that any provider may take says why none does, although nothing is given away', async () => {
    const { taskIds } = await world.submit({
      assignment: 'open',
      resources: { gpuCount: 1, gpuModel: 'No such card' },
    });
    const [taskId] = taskIds as [string];
    const reasons = () => world.scheduling.reasonsOf(taskId).reasons;
    await world.until(taskId, ({ phase }) => phase === 'open' && reasons().length > 0);
    expect(reasons()).toEqual([{ reason: expect.stringMatching(/card/) as unknown, offers: 1 }]);
    expect(world.scheduling.reasonsOf(taskId).sentence).toMatch(/^Any provider may take it\./);
    expect(world.task(taskId).deals).toEqual([]);
  });
});
