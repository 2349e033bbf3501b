/** A provider's jobs from assignment to payment, against the real contracts, and through the death of its host anywhere. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FakeRuntimes } from './support/fake-runtimes.ts';
import { anvilMissing } from './support/market.ts';
import { WorkWorld } from './support/work-world.ts';

const missing = anvilMissing();

describe.skipIf(missing !== null)(`jobs of a provider${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  const runtimes = new FakeRuntimes();
  let world: WorkWorld;

  beforeAll(async () => {
    world = await WorkWorld.open(runtimes, { units: 3 });
  }, 60_000);
  afterAll(() => world?.close());

  beforeEach(() => {
    runtimes.onStart = (process) => {
      process.files.set('answer.txt', '42');
      process.say(1, 'hello\n');
      process.say(2, 'oops\n');
      process.exit(0);
    };
    runtimes.startFails = null;
    world.policy = { free: true, reason: '' };
  });

  test('assigned, run, submitted, accepted, paid', async () => {
    const { terms, dealId } = await world.assign(world.spec());
    const run = await world.phase(dealId, 'submitted');
    expect(run.exitCode).toBe(0);
    await world.renter.send(world.renter.chain.calls.acceptJob(terms, world.offerId));
    const settled = await world.phase(dealId, 'settled');
    expect(settled.paid).toBe(terms.bounty);
    expect(runtimes.processes.size).toBe(0);
  });
});
