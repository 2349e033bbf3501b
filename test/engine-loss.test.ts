/** kill -9 of the provider's container engine in the middle of a rental, between real hosts on a real chain. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { booksAgree } from '../src/host/cli/books.ts';
import { echoes, untilRental } from '../src/host/cli/demo.ts';
import { untilStatus, type SpawnedHost } from '../src/host/spawned-host.ts';
import type { Bytes32 } from '../src/shared/ids.ts';
import { describeUnless } from './support/describe-unless.ts';
import { TestMarket, anvilMissing, containersOf, engineMissing, isSettled } from './support/market.ts';
import { OwnEngine, ownEngineMissing } from './support/own-engine.ts';

const HEALTH_SECONDS = 1;
const QUICK_METER = { COMMONWATT_METER: JSON.stringify({ healthSeconds: HEALTH_SECONDS }) };

describeUnless(engineMissing() ?? anvilMissing() ?? ownEngineMissing(), 'losing the engine', () => {
  let market: TestMarket;
  let engine: OwnEngine;
  let provider: SpawnedHost;
  let renter: SpawnedHost;
  let offerId: Bytes32;

  beforeAll(async () => {
    engine = new OwnEngine();
    engine.start();
    market = await TestMarket.open();
    const own = { ...QUICK_METER, DOCKER_HOST: `unix://${engine.socket}` };
    [provider, renter] = await Promise.all([market.host('provider', own), market.host('renter', QUICK_METER)]);
    offerId = await market.share(provider, renter);
  });
  afterAll(async () => {
    try {
      await market?.close();
    } finally {
      await engine?.close();
    }
  });

  test('kill -9 of dockerd: an honest close bills nothing past the last passed health check', async () => {
    const rentalId = await market.rent(renter, offerId);
    expect(await echoes(renter.client, rentalId)).toBe(true);
    await untilRental(renter.client, rentalId, (rental) => rental.servedSeconds >= 3);
    const machines = containersOf(rentalId, engine.socket);
    expect(machines.length).toBeGreaterThan(0);

    await engine.kill();
    const lost = await provider.client.rentals.get({ rentalId });
    // Nobody ends it by hand: the provider notices, and both sign what passed.
    const { settlement, deposit, price, unit, detail } = await untilRental(renter.client, rentalId, isSettled, 90_000);
    const served = await untilRental(provider.client, rentalId, isSettled, 30_000);
    expect(detail).toMatch(/engine/);
    expect(settlement).not.toBeNull();
    if (!settlement) return;
    expect(settlement.seconds).toBeGreaterThan(0);
    // What the meter showed at the kill runs ahead of the last check by one interval at most.
    expect(settlement.seconds).toBeLessThanOrEqual(lost.servedSeconds);
    expect(settlement.penalty).toBe('0');
    expect(BigInt(settlement.paid)).toBe((BigInt(price) * BigInt(settlement.seconds)) / BigInt(unit));
    expect(BigInt(settlement.paid) + BigInt(settlement.refund)).toBe(BigInt(deposit));
    // Far below the 60 seconds that were signed ahead: both signatures, not the voucher, closed it.
    expect(settlement.seconds).toBeLessThan(served.signedSeconds);
    expect(await booksAgree([renter.client, provider.client], rentalId)).toBe(true);

    engine.start();
    await untilStatus(provider.client, ({ engine: { state } }) => state === 'up');
    await expect.poll(() => containersOf(rentalId, engine.socket), { timeout: 30_000, interval: 200 }).toEqual([]);
  });

  test('the engine that came back serves the next rental', async () => {
    const rentalId = await market.rent(renter, offerId);
    expect(await echoes(renter.client, rentalId)).toBe(true);
    await renter.client.rentals.terminate({ rentalId, commandId: crypto.randomUUID() });
    const { settlement } = await untilRental(renter.client, rentalId, isSettled);
    expect(settlement?.penalty).toBe('0');
    await untilRental(provider.client, rentalId, isSettled);
    expect(await booksAgree([renter.client, provider.client], rentalId)).toBe(true);
  });
});
