/** Every way a lease can go, driven by both hosts' own code on a real chain with a fast clock. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Deal } from '../src/store/ledger.ts';
import { AppError } from '../src/shared/errors.ts';
import { ETH } from '../src/shared/ids.ts';
import { describeUnless } from './support/describe-unless.ts';
import { LeaseWorld, RATE, RULES, SPEC } from './support/lease-world.ts';
import { anvilMissing } from './support/market.ts';

const DAY = 86_400;

describeUnless(anvilMissing(), 'the ways of a lease', () => {
  let world: LeaseWorld;
  beforeAll(async () => {
    world = await LeaseWorld.open();
  });
  afterEach(async () => {
    world.online = true;
    world.mute = null;
    world.tamper = null;
    world.engine.startFails = null;
    world.renter.locked = world.provider.locked = false;
    // What a failed test left open must not fail the next one.
    if (world.deals.active().some((deal) => deal.deal.phase !== 'ending')) await world.jump(2 * DAY);
  });
  afterAll(() => world?.close());

  /** What must hold at the end of every lease, whichever way it went. */
  const settled = async ({ renter, provider }: { renter: Deal; provider: Deal }, secs?: number) => {
    const { settlement } = renter;
    expect(settlement).toEqual(provider.settlement);
    if (!settlement) throw new Error('closed without a settlement');
    expect(settlement.paid).toBe(RATE * BigInt(settlement.seconds));
    expect(settlement.paid + settlement.penalty + settlement.refund).toBe(RATE * BigInt(renter.capSeconds));
    if (secs !== undefined) expect(settlement.seconds).toBe(secs);
    expect(await world.booksAgree()).toBe(true);
    await expect.poll(() => world.engine.containers.size, { interval: 20 }).toBe(0);
    return settlement;
  };

  test('the normal end: both sign, nothing past the last passed check is paid', async () => {
    const leaseId = await world.run();
    await world.renter.until(leaseId, 'renter', ({ servedSeconds }) => servedSeconds >= 10);
    const deal = await world.rentals.get(leaseId).end();
    const { seconds, penalty } = await settled(await world.closed(leaseId));
    expect(deal.phase).toBe('closed');
    expect(seconds).toBeGreaterThanOrEqual(10);
    expect(seconds).toBeLessThan(60);
    expect(penalty).toBe(0n);
    expect(deal.closeReason).toBe('You ended the rental.');
    expect(world.renter.notes.filter((note) => note.leaseId === leaseId).map(({ title }) => title)).toEqual([
      'Your machine is ready',
      'Your rental ended',
    ]);
    expect(world.renter.notes.at(-1)?.body).toMatch(/^0\.0000\d+ ETH paid, 0\.000\d+ ETH back\.$/);
    await expect.poll(() => world.deals.get(leaseId)).toBeUndefined();
  });

  test('the owner ends it', async () => {
    const leaseId = await world.run();
    await world.passes(5);
    await world.deals.get(leaseId)?.end('The owner ended the rental.');
    const ended = await world.closed(leaseId);
    await settled(ended);
    expect(ended.renter.closeReason).toBe('The owner ended the rental.');
  });

  test('a line that is cut for a while comes back, and the honest close still works', async () => {
    const leaseId = await world.run();
    await world.passes(10);
    world.online = false;
    world.cut();
    await world.passes(25);
    world.online = true;
    await world.renter.until(leaseId, 'renter', ({ phase, detail }) => phase === 'running' && detail === '');
    await world.passes(6);
    const { servedSeconds } = world.rentals.get(leaseId);
    await world.rentals.get(leaseId).end();
    const { seconds } = await settled(await world.closed(leaseId));
    expect(seconds).toBeLessThanOrEqual(servedSeconds + 2);
  });

  test('vouchers late: the machine is held, resumes when they come, is ended when they stay away', async () => {
    const leaseId = await world.run();
    world.mute = (kind) => kind === 'deal.voucher';
    await world.provider.until(leaseId, 'provider', ({ phase }) => phase === 'paused');
    expect(world.engine.containers.get(leaseId)?.status).toBe('paused');
    const { servedSeconds, signedSeconds } = world.provider.ledger.deals.get(leaseId, 'provider') as Deal;
    expect(servedSeconds - signedSeconds).toBeLessThanOrEqual(RULES.graceSeconds + RULES.healthSeconds);
    world.mute = null;
    await world.provider.until(leaseId, 'provider', ({ phase }) => phase === 'running');
    expect(world.engine.containers.get(leaseId)?.status).toBe('running');
    await world.killRenter();
    world.clock.go();
    const over = await world.provider.until(leaseId, 'provider', ({ phase }) => phase === 'closed');
    await world.startRenter();
    expect(over.closeReason).toBe('The renter stopped paying.');
    await settled(await world.closed(leaseId), over.signedSeconds);
  }, 60_000);

  test('the paid time is over: it ends by itself at the cap', async () => {
    const leaseId = await world.run(60);
    const ended = await world.closed(leaseId);
    const { seconds } = await settled(ended);
    // A clock that runs twenty times as fast misses checks whenever the computer is busy: those seconds are not billed.
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(ended.provider.closeReason).toBe('The paid time is over.');
  });

  test('extended while it runs: later vouchers reach into the new time', async () => {
    const leaseId = await world.run(70);
    await world.rentals.extend(leaseId, 600, 'more');
    await world.provider.until(leaseId, 'provider', ({ capSeconds }) => capSeconds === 670);
    const { signedSeconds } = await world.provider.until(leaseId, 'provider', (deal) => deal.signedSeconds > 70);
    expect(signedSeconds).toBeLessThan(200);
    await world.rentals.get(leaseId).end();
    await settled(await world.closed(leaseId));
  });

  test('a machine that cannot start: released at once, nothing paid', async () => {
    await world.freed();
    world.engine.startFails = new AppError('bad-input', 'The command cannot be started.');
    const leaseId = await world.open();
    const ended = await world.closed(leaseId);
    await settled(ended, 0);
    expect(ended.renter.closeReason).toMatch(/could not start the machine: The command cannot/);
  });

  test('a renter that opens and never comes: released, nothing paid', async () => {
    await world.freed();
    world.mute = (kind) => kind === 'deal.begin';
    const leaseId = await world.open();
    const ended = await world.closed(leaseId);
    await settled(ended, 0);
    // Both sides give up after the same time; whichever clock ticks first names the reason.
    expect(ended.provider.closeReason).toMatch(/^The renter (never came|ended the rental)\.$/);
  });

  test('a renter that never gives the first voucher gets no access and holds no machine', async () => {
    await world.freed();
    world.mute = (kind) => kind === 'deal.voucher';
    const leaseId = await world.open();
    const ended = await world.closed(leaseId);
    await settled(ended, 0);
    expect(ended.provider.closeReason).toMatch(/^The renter (never paid|ended the rental)\.$/);
  });

  test('an offer that left the market in between: declined and refunded at once', async () => {
    await world.freed();
    // The provider says yes over the line and stops sharing while the transaction is under way.
    world.tamper = (kind, answer) => {
      if (kind === 'deal.ask') world.sharing.state.set({ ...world.sharing.state.value, state: 'off' });
      return answer;
    };
    const starts = world.engine.starts;
    try {
      const ended = await world.closed(await world.open());
      await settled(ended, 0);
      expect(ended.provider.closeReason).toBe('This computer does not share now.');
      expect(world.engine.starts).toBe(starts);
    } finally {
      world.sharing.state.set({ ...world.sharing.state.value, state: 'on' });
    }
  });

  test('the engine is lost: the honest close bills nothing past the last passed check', async () => {
    const leaseId = await world.run();
    await world.renter.until(leaseId, 'renter', ({ servedSeconds }) => servedSeconds >= 8);
    const { servedSeconds } = world.provider.ledger.deals.get(leaseId, 'provider') as Deal;
    world.engine.lose();
    const ended = await world.closed(leaseId);
    expect(ended.renter.settlement?.seconds).toBeLessThanOrEqual(servedSeconds);
    expect(world.engine.containers.size).toBe(1);
    world.engine.comeBack();
    await world.deals.sweep();
    await settled(ended);
  });

  test('the program ends by itself: both agree on when', async () => {
    const leaseId = await world.run();
    await world.passes(8);
    world.engine.containers.get(leaseId)?.exit(3);
    const ended = await world.closed(leaseId);
    await settled(ended);
    expect(ended.renter.closeReason).toBe('The program ended with exit code 3.');
  });

  test('a sick machine is not counted', async () => {
    const leaseId = await world.run();
    const container = world.engine.containers.get(leaseId);
    if (!container) throw new Error('no machine');
    await world.passes(6);
    container.sick = true;
    await world.passes(20);
    const before = world.rentals.get(leaseId).servedSeconds;
    await world.passes(20);
    expect(world.rentals.get(leaseId).servedSeconds).toBe(before);
    container.sick = false;
    await world.renter.until(leaseId, 'renter', (deal) => deal.phase === 'running' && deal.servedSeconds > before);
    await world.rentals.get(leaseId).end();
    const { seconds } = await settled(await world.closed(leaseId));
    expect(seconds).toBeLessThan(60);
  });

  test('terminated without the provider, closed by both when it returns', async () => {
    const leaseId = await world.run();
    await world.passes(8);
    world.online = false;
    world.cut();
    const deal = await world.rentals.get(leaseId).end();
    expect(deal.phase).toBe('closing');
    await world.provider.until(leaseId, 'provider', ({ phase }) => phase === 'closing');
    await expect.poll(() => world.engine.containers.get(leaseId)?.status, { interval: 20 }).toBe('exited');
    world.online = true;
    const { seconds } = await settled(await world.closed(leaseId));
    expect(seconds).toBeLessThan(60);
  });

  test('terminated, nobody returns: the claim stands after 24 hours', async () => {
    const leaseId = await world.run();
    await world.passes(8);
    world.online = false;
    world.cut();
    await world.rentals.get(leaseId).end();
    const lease = await world.renter.chain.reads.lease(leaseId);
    expect(lease.state).toBe('closing');
    await world.jump(DAY + 10);
    await settled(await world.closed(leaseId), lease.claimSeconds);
  });

  test('a renter that claims less than it signed is raised, and pays the penalty', async () => {
    const leaseId = await world.run();
    await world.passes(30);
    const { chain } = world.renter;
    const { terms } = world.rentals.get(leaseId).deal;
    world.online = false;
    world.cut();
    await chain.send(chain.calls.terminateLease(terms, 1), { commandId: `cheat:${leaseId}` });
    await expect.poll(() => chain.lease(leaseId)?.claimSeconds ?? 0, { interval: 20 }).toBeGreaterThan(20);
    await world.jump(DAY + 10);
    const { penalty, seconds } = await settled(await world.closed(leaseId));
    expect(seconds).toBeGreaterThan(20);
    expect(penalty).toBeGreaterThan(0n);
  });

  test('forgotten for days: whoever comes back first closes it at what is paid', async () => {
    const leaseId = await world.run(120);
    world.provider.locked = true;
    await world.killRenter();
    world.clock.go();
    await world.jump(2 * DAY);
    await world.startRenter();
    const ended = await world.closed(leaseId);
    // The voucher that the locked provider never brought is worth nothing any more.
    expect(ended.renter.signedSeconds).toBeGreaterThan(0);
    await settled(ended, 0);
  });

  test('locked wallets: settling waits, says so, and goes on when one is unlocked', async () => {
    const leaseId = await world.run();
    await world.passes(6);
    world.renter.locked = world.provider.locked = true;
    const ending = world.rentals.get(leaseId).end();
    await world.renter.until(leaseId, 'renter', ({ detail }) => detail.startsWith('Settling waits'));
    await world.provider.until(leaseId, 'provider', ({ detail }) => detail.startsWith('Settling waits'));
    world.provider.locked = false;
    const { seconds } = await settled(await world.closed(leaseId));
    expect(seconds).toBeLessThan(60);
    expect((await ending).closeReason).toBe('You ended the rental.');
  });

  test('the caller may stop waiting for the end; it goes on', async () => {
    const leaseId = await world.run();
    world.renter.locked = true;
    const caller = new AbortController();
    const ending = world.rentals.get(leaseId).end(caller.signal);
    caller.abort();
    await expect(ending).rejects.toMatchObject({ code: 'cancelled' });
    await expect(world.rentals.get(leaseId).end(AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
    world.renter.locked = false;
    await settled(await world.closed(leaseId));
  });

  test('a provider that never answers: the chain ends it', async () => {
    const leaseId = await world.run();
    await world.passes(5);
    world.mute = () => true;
    const deal = await world.rentals.get(leaseId).end();
    expect(deal.phase).toBe('closing');
    world.mute = null;
    await settled(await world.closed(leaseId));
  });

  test('a provider that says more seconds than were seen gets what was seen', async () => {
    const leaseId = await world.run();
    await world.passes(10);
    world.tamper = (kind, answer) => (kind === 'deal.stop' ? { servedSeconds: 500 } : answer);
    const { servedSeconds } = world.rentals.get(leaseId);
    await world.rentals.get(leaseId).end();
    const { seconds } = await settled(await world.closed(leaseId));
    expect(seconds).toBeLessThanOrEqual(servedSeconds + 2);
  });

  test('a provider that talks nonsense', async () => {
    const leaseId = await world.run();
    world.tamper = () => ({ phase: 'running', servedSeconds: -1, signedSeconds: 1e99 });
    const deal = await world.rentals.get(leaseId).end();
    expect(deal.phase).toBe('closing');
    world.tamper = null;
    await settled(await world.closed(leaseId));
  });

  test('a long lease is drawn along the way', async () => {
    const leaseId = await world.run(8 * 3600);
    // As if six hours had been served and signed for, check by check.
    const { chain } = world.renter;
    await world.jump(7 * 3600);
    const secs = 6 * 3600 + 100;
    const signature = await world.renter.keys.signVoucher(leaseId, secs);
    await world.deals.get(leaseId)?.voucher(secs, signature);
    await world.provider.until(leaseId, 'provider', ({ paidSeconds }) => paidSeconds >= 6 * 3600);
    // The renter's own index hears of it a moment later.
    await expect.poll(() => chain.lease(leaseId)?.paid, { interval: 20 }).toBeGreaterThanOrEqual(RATE * 6n * 3600n);
    await world.deals.get(leaseId)?.end('Enough.');
    const { seconds } = await settled(await world.closed(leaseId));
    expect(seconds).toBeGreaterThanOrEqual(6 * 3600);
  });

  test('the limits of the wallet’s owner stop a rental before anything is paid', async () => {
    const { policy, chain, account } = world.renter;
    const token = ETH;
    await world.freed();
    const before = await chain.reads.vaultBalance(account, token);
    await policy.setLimits([{ token, perDeal: RATE * 500n, perDay: null }]);
    await expect(world.open(600)).rejects.toMatchObject({ code: 'over-limit', field: 'perDeal' });
    await policy.setLimits([{ token, perDeal: null, perDay: RATE * 900n }]);
    const leaseId = await world.run(600);
    await expect(world.rentals.extend(leaseId, 600, 'too-much')).rejects.toMatchObject({ code: 'over-limit' });
    await world.rentals.get(leaseId).end();
    const { paid } = await settled(await world.closed(leaseId));
    await world.freed();
    await expect(world.open(600)).rejects.toMatchObject({ code: 'over-limit', field: 'perDay' });
    expect(await chain.reads.vaultBalance(account, token)).toBe(before - paid);
    await policy.setLimits([]);
  });

  test('the spec is what the hash says, or nothing runs', async () => {
    const leaseId = await world.run();
    const line = world.line();
    await expect(line.request('deal.begin', { leaseId, spec: { ...SPEC, image: 'other:1' } })).rejects.toMatchObject({
      code: 'bad-input',
      field: undefined,
    });
    await world.rentals.get(leaseId).end();
    await settled(await world.closed(leaseId));
  });
});
