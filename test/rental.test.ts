/** The first rental and every way it can go wrong, between real hosts, on a real chain, with real containers. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { booksAgree } from '../src/host/cli/books.ts';
import { echoes, untilRental } from '../src/host/cli/demo.ts';
import { PRACTICE_IMAGE } from '../src/runtime/create-options.ts';
import type { SpawnedHost } from '../src/host/spawned-host.ts';
import { AppError } from '../src/shared/errors.ts';
import type { Bytes32 } from '../src/shared/ids.ts';
import { describeUnless } from './support/describe-unless.ts';
import { TestMarket, anvilMissing, containersOf, engineMissing, isSettled } from './support/market.ts';

/** Short grace and end, so that a vanished renter is noticed within a test; the contract's own limits stay. */
const QUICK_METER = { COMMONWATT_METER: JSON.stringify({ graceSeconds: 3, endAfterSeconds: 5, healthSeconds: 1 }) };

const rejected = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );

/** The money is settled first, the machine cleared away right after. */
const nothingLeftRunning = (rentalId: Bytes32) =>
  expect.poll(() => containersOf(rentalId), { timeout: 20_000, interval: 200 }).toEqual([]);

describeUnless(engineMissing() ?? anvilMissing(), 'rentals', () => {
  let market: TestMarket;
  let provider: SpawnedHost;
  let renter: SpawnedHost;
  let offerId: Bytes32;

  beforeAll(async () => {
    market = await TestMarket.open();
    [provider, renter] = await Promise.all([market.host('provider', QUICK_METER), market.host('renter')]);
    offerId = await market.share(provider, renter);
  });
  afterAll(() => market?.close());

  const bothSettled = async (rentalId: Bytes32) => {
    const settled = await untilRental(renter.client, rentalId, isSettled, 120_000);
    await untilRental(provider.client, rentalId, isSettled, 60_000);
    return settled;
  };

  test('rent, work, end: the seconds both signed are paid, the rest comes back, the books agree', async () => {
    const rentalId = await market.rent(renter, offerId);
    expect(await echoes(renter.client, rentalId)).toBe(true);
    await untilRental(renter.client, rentalId, (rental) => rental.servedSeconds >= 2);
    const { status, billingAmount } = await renter.client.rentals.terminate({
      rentalId,
      commandId: crypto.randomUUID(),
    });
    const { settlement, deposit, price, unit } = await bothSettled(rentalId);
    expect(status).toBe('Rental terminated successfully');
    expect(settlement).not.toBeNull();
    if (!settlement) return;
    expect(billingAmount).toBe(settlement.paid);
    expect(settlement.seconds).toBeGreaterThan(0);
    expect(settlement.seconds).toBeLessThan(60);
    expect(settlement.penalty).toBe('0');
    expect(BigInt(settlement.paid)).toBe((BigInt(price) * BigInt(settlement.seconds)) / BigInt(unit));
    expect(BigInt(settlement.paid) + BigInt(settlement.refund)).toBe(BigInt(deposit));
    expect(await booksAgree([renter.client, provider.client], rentalId)).toBe(true);
    await nothingLeftRunning(rentalId);
  });

  test('the same command id rents once', async () => {
    await market.deposit(renter, offerId, 600);
    const request = {
      commandId: crypto.randomUUID(),
      offerId,
      seconds: 600,
      spec: { image: PRACTICE_IMAGE, internet: false },
    };
    const [first, second] = await Promise.all([
      renter.client.rentals.open(request),
      renter.client.rentals.open(request),
    ]);
    expect(second.rentalId).toBe(first.rentalId);
    expect((await renter.client.rentals.open(request)).rentalId).toBe(first.rentalId);
    await untilRental(renter.client, first.rentalId, (rental) => rental.phase === 'running');
    await renter.client.rentals.terminate({ rentalId: first.rentalId, commandId: crypto.randomUUID() });
    await bothSettled(first.rentalId);
  });

  test('an image that does not exist: the machine never runs, everything comes back', async () => {
    await market.deposit(renter, offerId, 600);
    const { rentalId } = await renter.client.rentals.open({
      commandId: crypto.randomUUID(),
      offerId,
      seconds: 600,
      spec: { image: '127.0.0.1:9/nobody/nothing:1', internet: false },
    });
    const { settlement, deposit } = await bothSettled(rentalId);
    expect(settlement?.paid).toBe('0');
    expect(settlement?.refund).toBe(deposit);
    await nothingLeftRunning(rentalId);
  });

  test('bad input is refused before anything is paid', async () => {
    const { client } = renter;
    const before = await client.wallet.balances();
    const spec = { image: PRACTICE_IMAGE, internet: false };
    const open = (change: object) =>
      rejected(client.rentals.open({ commandId: crypto.randomUUID(), offerId, seconds: 600, spec, ...change }));
    expect(await open({ offerVersion: 999 })).toMatchObject({ code: 'offer-changed' });
    expect(await open({ seconds: 20_000_000 })).toMatchObject({ code: 'bad-input', field: 'seconds' });
    expect(await open({ offerId: `0x${'11'.repeat(32)}` })).toMatchObject({ code: 'not-found', field: 'offerId' });
    expect(await open({ offerId: '0x12' })).toMatchObject({ code: 'bad-input', field: 'offerId' });
    expect(await open({ spec: { ...spec, env: { LD_PRELOAD: '/x.so' } } })).toMatchObject({ code: 'bad-input' });
    expect(await open({ spec: { ...spec, memoryBytes: 2 ** 50 } })).toMatchObject({ code: 'offer-unavailable' });
    expect(await open({ seconds: 7_000_000 })).toMatchObject({ code: 'insufficient-funds' });
    expect(await client.wallet.balances()).toEqual(before);
    expect((await client.rentals.list({ open: true })).length).toBe(0);
  });

  test('a port that was not named stays closed', async () => {
    const rentalId = await market.rent(renter, offerId);
    const thrown = await rejected(renter.client.rentals.forward({ rentalId, containerPort: 22 }));
    expect(thrown).toBeInstanceOf(AppError);
    expect(thrown).toMatchObject({ code: 'bad-input', field: 'containerPort' });
    await renter.client.rentals.terminate({ rentalId, commandId: crypto.randomUUID() });
    await bothSettled(rentalId);
  });

  test('kill -9 of the provider: the same container is taken up again, the terminal works, the meter goes on', async () => {
    const rentalId = await market.rent(renter, offerId);
    const before = containersOf(rentalId);
    expect(before.length).toBeGreaterThan(0);
    provider.kill('SIGKILL');
    await provider.exited;
    await untilRental(renter.client, rentalId, (rental) => !rental.connected);
    provider = await market.host('provider', QUICK_METER);
    const { servedSeconds } = await untilRental(
      renter.client,
      rentalId,
      (rental) => rental.connected && rental.phase === 'running' && rental.detail === '',
    );
    expect(containersOf(rentalId)).toEqual(before);
    expect(await echoes(renter.client, rentalId)).toBe(true);
    await untilRental(renter.client, rentalId, (rental) => rental.servedSeconds > servedSeconds + 1);
    await renter.client.rentals.terminate({ rentalId, commandId: crypto.randomUUID() });
    const { settlement } = await bothSettled(rentalId);
    expect(settlement?.penalty).toBe('0');
    expect(await booksAgree([renter.client, provider.client], rentalId)).toBe(true);
    await nothingLeftRunning(rentalId);
  });

  test('kill -9 of the renter: the provider holds the machine, then settles exactly what was signed', async () => {
    const rentalId = await market.rent(renter, offerId);
    const { signedSeconds, price, unit } = await provider.client.rentals.get({ rentalId });
    expect(signedSeconds).toBeGreaterThanOrEqual(60);
    renter.kill('SIGKILL');
    await renter.exited;
    await untilRental(provider.client, rentalId, (rental) => rental.phase === 'paused', 150_000);
    const { settlement } = await untilRental(provider.client, rentalId, isSettled, 90_000);
    expect(settlement?.seconds).toBe(signedSeconds);
    expect(BigInt(settlement?.paid ?? 0)).toBe((BigInt(price) * BigInt(signedSeconds)) / BigInt(unit));
    await nothingLeftRunning(rentalId);
    renter = await market.host('renter');
    await untilRental(renter.client, rentalId, isSettled);
    expect(await booksAgree([renter.client, provider.client], rentalId)).toBe(true);
  }, 300_000);

  test('the owner stops sharing: running machines end honestly and the offer leaves the market', async () => {
    const rentalId = await market.rent(renter, offerId);
    const status = await provider.client.share.stop({ commandId: crypto.randomUUID(), rentals: 'now' });
    expect(status.state).toBe('off');
    const { settlement } = await bothSettled(rentalId);
    expect(settlement?.penalty).toBe('0');
    const thrown = await rejected(
      renter.client.rentals.open({
        commandId: crypto.randomUUID(),
        offerId,
        seconds: 600,
        spec: { image: PRACTICE_IMAGE },
      }),
    );
    expect(thrown).toMatchObject({ code: 'offer-unavailable' });
    expect(await booksAgree([renter.client, provider.client], rentalId)).toBe(true);
  });
});
