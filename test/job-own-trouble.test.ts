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
});
