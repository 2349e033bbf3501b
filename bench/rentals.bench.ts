/**
 * Open + close pairs a minute on the practice network, sustained: every lease is escrowed, its final signed by both host
 * keys, closed on chain, and settled in the renter's and the provider's ledger from the closing event. Against the
 * founding limit of 100 rental transactions a minute.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { keccak256, toUtf8Bytes } from 'ethers';
import type { ChainEvent } from '../src/chain/events.ts';
import { openChain } from '../src/chain/open-chain.ts';
import { startPracticeNetwork } from '../src/chain/practice/practice-network.ts';
import { ETH, type Bytes32 } from '../src/shared/ids.ts';
import { silentLog } from '../src/shared/log.ts';
import type { RentalTerms } from '../src/shared/rental.ts';
import { systemClock } from '../src/shared/time.ts';
import { finalPayload, specHash } from '../src/shared/typed-data.ts';
import type { Deal, DealRole } from '../src/store/ledger.ts';
import { openLedger } from '../src/store/open-ledger.ts';
import { openPracticeWallet } from '../src/wallet/practice-wallet.ts';
import { cpuOffer } from '../test/support/cpu-offer.ts';
import { report, say } from './harness.ts';

const PAIRS = 3000;
const AT_ONCE = 150;
const FOUNDING_LIMIT = 100;
const CAP_SECONDS = 600;
const GAS = { gasLimit: 400_000n };

const root = await mkdtemp(path.join(tmpdir(), 'commonwatt-bench-'));
const clock = systemClock;
const network = await startPracticeNetwork({ dataDir: root, log: silentLog });
const { profile } = network;
const dollar = profile.tokens.find((token) => token.address !== ETH);
if (!dollar) throw new Error('the practice network names no dollar');

async function party(name: DealRole) {
  const dir = path.join(root, name);
  const wallet = await openPracticeWallet({ dir, chainId: profile.chainId, clock, log: silentLog });
  const ledger = openLedger(path.join(dir, 'ledger.db'), clock.now);
  const signer = wallet.signer();
  const chain = await openChain({
    profile,
    indexPath: path.join(dir, 'index.db'),
    ledger,
    signer,
    clock,
    log: silentLog,
  });
  await network.faucet(signer.address);
  let settled = 0;
  const done = Promise.withResolvers<void>();
  chain.onEvents((events: readonly ChainEvent[]) => {
    ledger.transaction(() => {
      for (const event of events) {
        if (event.kind !== 'LeaseClosed') continue;
        const { paidSeconds, paid, fee, penalty, refund, txHash, at } = event;
        ledger.deals.update(event.leaseId, name, {
          phase: 'closed',
          closedAt: at,
          paidSeconds,
          settlement: { seconds: paidSeconds, paid, fee, penalty, refund, txHash },
        });
        settled += 1;
      }
    });
    if (settled === PAIRS) done.resolve();
  });
  await chain.watch([signer.address]);
  // Group commit: what is booked in one turn of the event loop shares one transaction, and one wait for the disk.
  let group: Omit<Deal, 'updatedAt'>[] = [];
  let written: Promise<void> | null = null;
  const book = (deal: Omit<Deal, 'updatedAt'>): Promise<void> => {
    group.push(deal);
    written ??= new Promise((resolve) => {
      setImmediate(() => {
        const rows = group;
        group = [];
        written = null;
        ledger.transaction(() => {
          for (const row of rows) ledger.deals.put(row);
        });
        resolve();
      });
    });
    return written;
  };
  const close = async () => {
    await chain.close();
    ledger.close();
    await wallet.close();
  };
  return { wallet, chain, book, account: signer.address, done: done.promise, settled: () => settled, close };
}

const provider = await party('provider');
const renter = await party('renter');
const { calls } = renter.chain;
const salt = keccak256(toUtf8Bytes('bench')) as Bytes32;
const offer = cpuOffer({
  token: dollar.address,
  peerKey: specHash('peer'),
  providerSigner: provider.wallet.hostKey.address,
  endsBy: clock.now() + 86_400,
  units: 60_000,
});
await provider.chain.send(calls.registerOffer(offer, salt), { commandId: 'register' });
const deposit = 60n * BigInt(PAIRS);
await renter.chain.send(calls.approve(dollar.address, deposit), { commandId: 'approve' });
await renter.chain.send(calls.deposit(dollar.address, deposit, renter.account), { commandId: 'deposit' });
await renter.chain.send(calls.authorize(profile.contracts.rentals, true), { commandId: 'authorize' });
const feeBps = await renter.chain.reads.feeBps();
const offerId = calls.offerId(provider.account, salt);
const known = await renter.chain.reads.offer(offerId);
const at = { chainId: profile.chainId, rentals: profile.contracts.rentals };

async function pair(index: number): Promise<void> {
  const terms: RentalTerms = {
    offerId,
    offerVersion: known?.version ?? 0,
    renter: renter.account,
    provider: provider.account,
    signer: renter.wallet.hostKey.address,
    providerSigner: provider.wallet.hostKey.address,
    witness: ETH,
    token: dollar?.address ?? ETH,
    price: offer.price,
    unit: offer.unit,
    minSeconds: offer.minSeconds,
    endsBy: offer.endsBy,
    feeBps,
    specHash: specHash('bench'),
    salt: keccak256(toUtf8Bytes(`lease ${index}`)) as Bytes32,
  };
  const leaseId = calls.leaseId(terms);
  const row = {
    leaseId,
    offerId,
    terms,
    spec: null,
    phase: 'opening',
    detail: '',
    capSeconds: CAP_SECONDS,
    servedSeconds: 0,
    signedSeconds: 0,
    voucherSignature: null,
    final: null,
    paidSeconds: 0,
    openedAt: null,
    closedAt: null,
    closeReason: null,
    settlement: null,
    createdAt: clock.now(),
  } as const;
  await Promise.all([renter.book({ ...row, role: 'renter' }), provider.book({ ...row, role: 'provider' })]);
  await renter.chain.send({ ...calls.openLease(terms, CAP_SECONDS), ...GAS }, { commandId: `open:${leaseId}` });
  const deadline = clock.now() + 600;
  const payload = finalPayload(at, leaseId, 0, deadline);
  const [renterSignature, providerSignature] = await Promise.all([
    renter.wallet.hostKey.signTypedData(payload),
    provider.wallet.hostKey.signTypedData(payload),
  ]);
  const final = { secs: 0, deadline, renterSignature, providerSignature };
  // Either side may send the close; the two take turns.
  const sender = index % 2 === 0 ? renter : provider;
  await sender.chain.send({ ...calls.closeLease(terms, final), ...GAS }, { commandId: `close:${leaseId}` });
}

try {
  const started = performance.now();
  let next = 0;
  const ticker = setInterval(() => say(`${renter.settled()}/${PAIRS} settled in both ledgers`), 5000);
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < PAIRS) {
        const index = next;
        next += 1;
        await pair(index);
      }
    }),
  );
  await Promise.all([renter.done, provider.done]);
  clearInterval(ticker);
  const minutes = (performance.now() - started) / 60_000;
  report({ name: 'rentals', value: PAIRS / minutes, unit: 'pairs/min', baseline: FOUNDING_LIMIT, n: PAIRS });
} finally {
  await renter.close();
  await provider.close();
  await network.close();
  await rm(root, { recursive: true, force: true });
}
