import { rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ETH } from '../shared/ids.ts';
import { silentLog } from '../shared/log.ts';
import { startPracticeNetwork } from './practice/practice-network.ts';
import type { PracticeNetwork } from './practice/practice-network.ts';
import { salt, signFinal, signVoucher, termsFor, testFolder, testHost, testOffer } from './testing-host.ts';
import type { TestHost } from './testing-host.ts';

let folder: string;
let network: PracticeNetwork;
let provider: TestHost;
let renter: TestHost;

beforeAll(async () => {
  folder = testFolder();
  network = await startPracticeNetwork({ dataDir: folder, log: silentLog });
  [provider, renter] = await Promise.all([testHost(network.profile), testHost(network.profile)]);
  await Promise.all([network.faucet(provider.account), network.faucet(renter.account)]);
}, 30_000);

afterAll(async () => {
  await Promise.all([provider.close(), renter.close()]);
  await network.close();
  rmSync(folder, { recursive: true, force: true });
});

const balanceOf = async (host: TestHost, token = ETH) => {
  const booked =
    host.ledger.movements.sum({ chainId: network.profile.chainId, account: host.account }).get(token) ?? 0n;
  return { booked, chain: await host.chain.reads.vaultBalance(host.account, token) };
};

describe('a market on a practice network', () => {
  test('offer, search, rent, extend, draw, close: both books agree with the chain to the wei', async () => {
    const { chain } = renter;
    await chain.send(chain.calls.deposit(ETH, 10n ** 18n, renter.account), { commandId: 'deposit-1' });
    await chain.send(chain.calls.authorize(network.profile.contracts.rentals, true), { commandId: 'authorize-1' });
    expect(await chain.reads.isAuthorized(renter.account, network.profile.contracts.rentals)).toBe(true);

    const offer = testOffer(provider.chain, provider.account);
    const offerId = provider.chain.calls.offerId(provider.account, salt(1));
    const registered = await provider.chain.send(provider.chain.calls.registerOffer(offer, salt(1)), {
      commandId: 'register-1',
    });
    expect(registered.events.map(({ kind }) => kind)).toEqual(['OfferRegistered']);
    expect(await provider.chain.reads.offer(offerId)).toEqual({
      version: 1,
      status: 'active',
      free: 1,
      offer: { ...offer, provider: provider.account },
    });
    // The renter's own index hears of it by itself.
    await chain.sync.until(() => chain.offer(offerId) !== null);
    const page = await chain.search({ text: 'rtx 3090 pytorch', sort: 'price', descending: false, limit: 10 });
    expect(page.offers.map((found) => found.offerId)).toEqual([offerId]);

    const sides = { renter: renter.account, provider: provider.account, signer: renter.account, salt: salt(2) };
    const terms = termsFor(offerId, offer, sides);
    const leaseId = chain.calls.leaseId(terms);
    const openedAt = performance.now();
    const opened = await chain.send(chain.calls.openLease(terms, 600), { commandId: 'open-1' });
    expect(performance.now() - openedAt).toBeLessThan(1500);
    expect(opened.events.at(-1)).toMatchObject({ kind: 'LeaseOpened', leaseId, capSeconds: 600 });
    expect((await provider.event('LeaseOpened')).terms).toEqual(terms);
    expect(chain.offer(offerId)?.free).toBe(0);
    expect(await chain.reads.vaultLocked(renter.account, ETH)).toBe(600n * 10n ** 12n);

    await chain.send(chain.calls.extendLease(terms, 60), { commandId: 'extend-1' });
    await mineUntil(chain.lease(leaseId)?.openedAt ?? 0, 2);
    const voucher = await signVoucher(network.profile, renter.wallet, { leaseId, secs: 60 });
    const drawn = await provider.chain.send(provider.chain.calls.drawLease(terms, 60, voucher), {
      commandId: 'draw-1',
    });
    const secondsDrawn = drawn.events[0]?.kind === 'LeaseDrawn' ? drawn.events[0].paidSeconds : 0;
    expect(secondsDrawn).toBeGreaterThan(0);

    const final = { leaseId, secs: secondsDrawn + 1, deadline: chain.now() + 600 };
    await mineUntil(chain.lease(leaseId)?.openedAt ?? 0, secondsDrawn + 2);
    await chain.send(
      chain.calls.closeLease(terms, {
        secs: final.secs,
        deadline: final.deadline,
        renterSignature: await signFinal(network.profile, renter.wallet, final),
        providerSignature: await signFinal(network.profile, provider.wallet, final),
      }),
      { commandId: 'close-1' },
    );
    const closed = await provider.event('LeaseClosed');
    expect(closed).toMatchObject({ exit: 'close', paidSeconds: final.secs, paid: BigInt(final.secs) * 10n ** 12n });
    expect(closed.paid + closed.penalty + closed.refund).toBe(660n * 10n ** 12n);
    expect(chain.lease(leaseId)).toMatchObject({
      state: 'closed',
      paid: closed.paid,
      fee: closed.fee,
      deposit: 660n * 10n ** 12n,
    });
    expect(await chain.reads.lease(leaseId)).toMatchObject({ state: 'closed', paidSeconds: final.secs });
    expect(chain.offer(offerId)?.free).toBe(1);
    for (const host of [renter, provider]) {
      const { booked, chain: onChain } = await balanceOf(host);
      expect(booked).toBe(onChain);
    }
    expect((await balanceOf(provider)).chain).toBe(closed.paid - closed.fee);
    expect(await chain.send(chain.calls.openLease(terms, 600), { commandId: 'open-1' })).toEqual(opened);
  });

  test('refusals are told in words before anything is paid', async () => {
    const { chain } = renter;
    const offerId = chain.calls.offerId(provider.account, salt(1));
    const offer = testOffer(chain, provider.account, { endsBy: chain.offer(offerId)?.endsBy ?? 0 });
    const sides = { renter: renter.account, provider: provider.account, signer: renter.account, salt: salt(3) };
    const stale = { ...termsFor(offerId, offer, sides), offerVersion: 7 };
    await expect(chain.send(chain.calls.openLease(stale, 600), { commandId: 'stale-1' })).rejects.toMatchObject({
      code: 'offer-changed',
    });
    const dear = 10n ** 24n;
    await expect(
      chain.send(chain.calls.deposit(ETH, dear, renter.account), { commandId: 'dear-1' }),
    ).rejects.toMatchObject({
      code: 'insufficient-funds',
    });
    await expect(
      chain.send(chain.calls.withdraw(ETH, renter.account, dear), { commandId: 'dear-2' }),
    ).rejects.toMatchObject({
      code: 'insufficient-funds',
      message: expect.stringMatching(/deposit account holds/) as string,
    });
    await expect(chain.search({ text: 'vram>=x', sort: 'price', descending: false, limit: 1 })).rejects.toMatchObject({
      code: 'bad-input',
      field: 'vram',
    });
  });

  test('tokens: approve, deposit and withdraw practice dollars', async () => {
    const { chain } = renter;
    const dollar = network.profile.tokens[1]?.address ?? ETH;
    const before = await chain.reads.walletBalance(renter.account, dollar);
    await expect(
      chain.send(chain.calls.deposit(dollar, 5_000_000n, renter.account), { commandId: 'dollar-0' }),
    ).rejects.toMatchObject({ code: 'not-allowed' });
    const sent = [
      chain.send(chain.calls.approve(dollar, 5_000_000n), { commandId: 'dollar-1' }),
      chain.send(chain.calls.deposit(dollar, 5_000_000n, renter.account), { commandId: 'dollar-2' }),
      chain.send(chain.calls.withdraw(dollar, renter.account, 2_000_000n), { commandId: 'dollar-3' }),
    ];
    await Promise.all(sent);
    expect(await balanceOf(renter, dollar)).toEqual({ booked: 3_000_000n, chain: 3_000_000n });
    expect(await chain.reads.walletBalance(renter.account, dollar)).toBe(before - 3_000_000n);
  });

  test('many rentals of one wallet are pipelined', async () => {
    const { chain } = renter;
    const offer = testOffer(chain, provider.account, { units: 1000, price: 36_000n });
    await provider.chain.send(provider.chain.calls.registerOffer(offer, salt(4)), { commandId: 'register-2' });
    const offerId = chain.calls.offerId(provider.account, salt(4));
    const start = performance.now();
    const opened = await Promise.all(
      Array.from({ length: 200 }, (_, index) => {
        const sides = {
          renter: renter.account,
          provider: provider.account,
          signer: renter.account,
          salt: salt(100 + (index % 100)),
        };
        const terms = { ...termsFor(offerId, offer, sides), minSeconds: 60, specHash: salt(index < 100 ? 1 : 2) };
        return chain.send(chain.calls.openLease(terms, 600), { commandId: `pipelined-${index}` });
      }),
    );
    const tookMs = performance.now() - start;
    expect(new Set(opened.map(({ txHash }) => txHash)).size).toBe(200);
    expect(tookMs).toBeLessThan(20_000);
    await chain.sync.until(() => chain.offer(offerId)?.free === 800);
    const { booked, chain: onChain } = await balanceOf(renter);
    expect(booked).toBe(onChain);
  }, 60_000);

  test('a host that starts again goes on where it was, with and without its index', async () => {
    const before = renter.ledger.movements.list({ chainId: network.profile.chainId, account: renter.account });
    await renter.chain.close();
    renter.ledger.close();
    const again = await testHost(network.profile, { wallet: renter.wallet, folder: renter.folder });
    expect(again.events).toEqual([]);
    await again.chain.sync.until(({ state }) => state === 'live');
    expect(again.events).toEqual([]);
    await again.close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(path.join(renter.folder, `index.db${suffix}`), { force: true });
    renter = await testHost(network.profile, { wallet: renter.wallet, folder: renter.folder });
    await renter.chain.sync.until(({ state }) => state === 'live');
    expect(renter.ledger.movements.list({ chainId: network.profile.chainId, account: renter.account })).toEqual(before);
    expect(renter.chain.leasesOf(renter.account)).toHaveLength(201);
    expect(renter.chain.leasesOf(renter.account, { open: true })).toHaveLength(200);
  });
});

/** Blocks come by the second: waits until the chain's time is `seconds` past `from`. */
async function mineUntil(from: number, seconds: number): Promise<void> {
  await expect
    .poll(
      async () => {
        await network.faucet(renter.account);
        return renter.chain.now() - from;
      },
      { timeout: 15_000, interval: 200 },
    )
    .toBeGreaterThanOrEqual(seconds);
}
