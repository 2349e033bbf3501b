/** A host that is killed between any two steps of a lease goes on from its book: nothing is lost, nothing paid twice. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Bytes32 } from '../src/shared/ids.ts';
import { describeUnless } from './support/describe-unless.ts';
import { LeaseWorld, RATE } from './support/lease-world.ts';
import { anvilMissing } from './support/market.ts';

const missing = anvilMissing();
/** Writes of a deal's row that one side makes over a short lease, health checks included. */
const WRITES = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16];

describeUnless(missing, 'killed between two steps', () => {
  let world: LeaseWorld;
  beforeAll(async () => {
    world = await LeaseWorld.open();
  });
  afterAll(() => world?.close());

  /** A whole short lease during which one side is killed right before its `writes`-th next step is written. */
  const leaseWithCrash = async (who: 'provider' | 'renter', writes: number) => {
    await world.freed();
    const before = new Set(world.renter.ledger.deals.list({ role: 'renter' }).map(({ leaseId }) => leaseId));
    world[who].writesLeft = writes;
    let refusal: unknown = null;
    const opening = world.open(300).catch((thrown: unknown) => {
      refusal = thrown;
    });
    const giveUp = performance.now() + 1500;
    let ending: Promise<unknown> | null = null;
    while (!world[who].isDead && performance.now() < giveUp) {
      const running = world.renter.ledger.deals.list({ role: 'renter', open: true })[0];
      // Ended before the last steps are counted, so that those are interrupted too.
      if (running && running.servedSeconds >= 5 && !ending)
        ending =
          world.rentals
            .find(running.leaseId)
            ?.end(AbortSignal.timeout(3000))
            .catch(() => null) ?? null;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    if (who === 'provider') await world.killProvider();
    else await world.killRenter();
    await (who === 'provider' ? world.startProvider() : world.startRenter());
    if (who === 'provider') await opening;
    const opened = world.renter.ledger.deals.list({ role: 'renter' }).filter(({ leaseId }) => !before.has(leaseId));
    expect(opened, `refused: ${String(refusal)}`).toHaveLength(1);
    const { leaseId } = opened[0] as { leaseId: Bytes32 };
    await world.renter.until(leaseId, 'renter', ({ openedAt, phase }) => openedAt !== null || phase === 'closed');
    await world.passes(5);
    void world.rentals
      .find(leaseId)
      ?.end(AbortSignal.timeout(20_000))
      .catch(() => null);
    const { renter, provider } = await world.closed(leaseId, 30_000);
    expect(renter.settlement).toEqual(provider.settlement);
    const { settlement } = renter;
    if (!settlement) throw new Error('closed without a settlement');
    expect(settlement.seconds).toBeLessThanOrEqual(120);
    expect(settlement.paid).toBe(RATE * BigInt(settlement.seconds));
    expect(settlement.paid + settlement.refund).toBe(RATE * 300n);
    expect(await world.booksAgree()).toBe(true);
    await expect.poll(() => world.engine.containers.size, { interval: 20 }).toBe(0);
    return settlement.penalty;
  };

  test.each(WRITES)(
    'the provider, before its step %i',
    async (writes) => {
      expect(await leaseWithCrash('provider', writes)).toBe(0n);
    },
    60_000,
  );
  test.each(WRITES)(
    'the renter, before its step %i',
    async (writes) => {
      expect(await leaseWithCrash('renter', writes)).toBe(0n);
    },
    60_000,
  );
});

describeUnless(missing, 'one offer per wallet', () => {
  let world: LeaseWorld;
  beforeAll(async () => {
    world = await LeaseWorld.open({ share: false });
  });
  afterAll(() => world?.close());

  test('a registration that was interrupted is sent again, never a second one', async () => {
    const { provider } = world;
    provider.locked = true;
    await expect(world.sharing.start(world.offer())).rejects.toMatchObject({ code: 'locked' });
    const meant = provider.ledger.offers.get('main')?.offerId;
    expect(meant).toMatch(/^0x/);
    provider.locked = false;
    await world.killProvider();
    // What the owner wanted is brought about by the next start.
    await world.startProvider();
    expect(world.sharing.state.value).toMatchObject({ state: 'on', offerId: meant });
    const again = await world.sharing.start(world.offer({ region: 'asia' }));
    expect(again).toBe(meant);
    await expect.poll(() => world.provider.chain.offer(again)?.region, { interval: 20 }).toBe('asia');
    expect(world.provider.chain.offersOf(world.provider.account)).toHaveLength(1);
  });

  test('killed while the transaction is under way: one offer all the same', async () => {
    await world.sharing.stop('after');
    const { provider } = world;
    await provider.chain.send(
      provider.chain.calls.setOfferStatus(world.sharing.state.value.offerId ?? '0x', 'delisted'),
      {
        commandId: 'delist',
      },
    );
    // Not awaited: this host dies before it hears of the receipt.
    const lost = world.sharing.start(world.offer()).catch(() => null);
    await expect.poll(() => provider.chain.offersOf(provider.account).length, { interval: 5 }).toBe(2);
    await world.killProvider();
    await lost;
    await world.startProvider();
    const live = world.provider.chain.offersOf(world.provider.account).filter(({ status }) => status !== 'delisted');
    expect(live.map(({ offerId }) => offerId)).toEqual([world.sharing.state.value.offerId]);
  });

  test('snoozed is still snoozed after a restart', async () => {
    await world.sharing.snooze(3600);
    await world.killProvider();
    await world.startProvider();
    const { state, snoozedUntil, offerId } = world.sharing.state.value;
    expect(state).toBe('on');
    expect(snoozedUntil).toBeGreaterThan(world.clock.now());
    expect(world.provider.chain.offer(offerId ?? '0x')?.status).toBe('paused');
    await world.sharing.snooze(0);
    await expect.poll(() => world.provider.chain.offer(offerId ?? '0x')?.status, { interval: 20 }).toBe('active');
  });
});
