/** The life of jobs through the chain room, on a real practice network whose time the test turns forward. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { Wallet, id as hashOfText, keccak256 } from 'ethers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AppError } from '../shared/errors.ts';
import { ETH } from '../shared/ids.ts';
import type { Address, Bytes32, Hex } from '../shared/ids.ts';
import { challengeBondOf, lateFeeOf, riskOf, type JobTerms } from '../shared/job-terms.ts';
import { silentLog } from '../shared/log.ts';
import { feeFor } from '../shared/money.ts';
import type { Clock } from '../shared/time.ts';
import { acceptancePayload } from '../shared/typed-data.ts';
import { openIndexWriter } from '../store/open-index.ts';
import type { Call, Chain, JobDealState, Receipt } from './chain.ts';
import { decodeLog, EVENT_TOPICS } from './decode-logs.ts';
import type { ChainEvent } from './events.ts';
import { checkLogs } from './indexer.ts';
import { jobContractsOf } from './job-calls.ts';
import { marketIndex, type PlacedLog } from './market-index.ts';
import { startPracticeNetwork } from './practice/practice-network.ts';
import type { PracticeNetwork } from './practice/practice-network.ts';
import { loggingContracts } from './profile.ts';
import { createRpc, toBytes, toQuantity, toRecord } from './rpc.ts';
import { salt, signTyped, testFolder, testHost, testOffer, transactionSignerOf } from './testing-host.ts';
import type { TestHost } from './testing-host.ts';

const WATT = 10n ** 18n;
const HOUR = 3600;
const SPEC = '{"version":1,"work":{"type":"kernel","model":"k_means"}}';
const RESULT: Bytes32 = `0x${'ab'.repeat(32)}`;

const clock: Clock & { ahead: number } = {
  ahead: 0,
  now: () => Math.floor(Date.now() / 1000) + clock.ahead,
  monotonicMs: () => performance.now(),
};

let folder: string;
let network: PracticeNetwork;
let renter: TestHost;
/** A host with a wallet of its own and two named accounts besides. */
let providers: TestHost;
let chain: Chain;
let watt: Address;
let jobs: Address;
let stakes: Address;
const named = [1, 2].map(() => new Wallet(Wallet.createRandom().privateKey));
const addressOf = (wallet: Wallet) => wallet.address.toLowerCase() as Address;
const offers = new Map<Address, Bytes32>();
let commands = 0;

const wallets = (): Wallet[] => [providers.wallet, ...named];
const send = (by: Pick<Chain, 'send'>, call: Call): Promise<Receipt> => {
  commands += 1;
  return by.send(call, { commandId: `command-${commands}` });
};
const as = (wallet: Wallet): Pick<Chain, 'send'> => providers.chain.as(transactionSignerOf(wallet));
const offerOf = (wallet: Wallet): Bytes32 => offers.get(addressOf(wallet)) ?? ETH;

async function forward(seconds: number): Promise<void> {
  clock.ahead += seconds;
  const until = clock.now();
  // Any transaction makes the block whose time it is.
  await network.fund(renter.account, { token: ETH, amount: 1n });
  for (const host of [renter, providers]) await host.chain.sync.until(() => host.chain.now() >= until);
}

/** Both indexes know every block there is now. */
async function settled(): Promise<void> {
  const rpc = createRpc({ urls: network.profile.rpcUrls, chainId: network.profile.chainId });
  const head = toQuantity(await rpc.call('eth_blockNumber', []), 'a block');
  for (const host of [renter, providers]) {
    await host.chain.sync.until(({ head: written }) => (written?.block ?? 0) >= head);
  }
}

const refusal = async (sent: Promise<unknown>): Promise<AppError> => {
  const thrown: unknown = await sent.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (thrown instanceof AppError) return thrown;
  throw new Error(`was not refused: ${String(thrown)}`);
};

let salts = 0;
function termsOf(change: Partial<JobTerms> = {}): JobTerms {
  salts += 1;
  return {
    renter: renter.account,
    assignee: ETH,
    arbiter: ETH,
    token: watt,
    bounty: 10n * WATT + 1n,
    bond: 2n * WATT,
    deadline: chain.now() + 6 * HOUR,
    minRun: 60,
    window: HOUR,
    minStake: 100n * WATT,
    gpuCount: 1,
    gpuMemoryGb: 16,
    tier: 0,
    copies: 1,
    agree: 1,
    feeBps: 250,
    slashBps: 1000,
    specHash: hashOfText(SPEC) as Bytes32,
    salt: `0x${salts.toString(16).padStart(64, '0')}`,
    ...change,
  };
}

async function acceptance(wallet: Wallet, terms: JobTerms): Promise<{ validUntil: number; signature: Hex }> {
  const validUntil = chain.now() + 600;
  const at = { chainId: network.profile.chainId, jobs };
  const jobId = chain.calls.jobId(terms);
  return {
    validUntil,
    signature: await signTyped(wallet, acceptancePayload(at, { jobId, offerId: offerOf(wallet), validUntil })),
  };
}

async function assignCall(wallet: Wallet, terms: JobTerms): Promise<Call> {
  const { validUntil, signature } = await acceptance(wallet, terms);
  return chain.calls.assignJob(terms, offerOf(wallet), validUntil, signature);
}

/** Every row of index.db about a job is what the contract says, in every account's offers and books too. */
async function agreesWithChain(...posted: JobTerms[]): Promise<void> {
  await settled();
  for (const host of [renter, providers]) {
    const { reads } = host.chain;
    for (const terms of posted) {
      const jobId = chain.calls.jobId(terms);
      const job = host.chain.job(jobId);
      const kept = await reads.jobDeal(jobId);
      expect(job?.state === 'cancelled' ? 'refunded' : job?.state).toBe(kept.state);
      expect(job?.until).toBe(kept.until);
      const counted = ({ taken, submitted, revealed, agreeing }: JobDealState) => [
        taken,
        submitted,
        revealed,
        agreeing,
      ];
      // The contract counts copies only.
      expect(terms.copies > 1 && job ? counted({ ...kept, ...job, state: kept.state }) : counted(kept)).toEqual(
        counted(kept),
      );
      for (const deal of host.chain.jobDeals(jobId)) {
        expect(deal.state).toBe((await reads.jobDeal(deal.dealId)).state);
        expect(deal.dealId).toBe(chain.calls.jobDealId(terms, deal.offerId));
      }
    }
    for (const wallet of wallets()) {
      const account = addressOf(wallet);
      const stake = await reads.stake('provider', account);
      const standing = host.chain.standing(account);
      expect(standing).toMatchObject({ staked: stake.staked, unbonding: stake.unbonding, atRisk: stake.atRisk });
      expect(standing.reputation).toBe(await reads.reputation(account));
      expect(standing.operator).toBe(await reads.operatorOf(account));
      const offer = await reads.offer(offerOf(wallet));
      expect(host.chain.offer(offerOf(wallet))?.free).toBe(offer?.free);
    }
  }
  const { chainId } = network.profile;
  for (const [host, account] of [
    [renter, renter.account],
    ...wallets().map((wallet) => [providers, addressOf(wallet)] as const),
  ] as const) {
    for (const token of [ETH, watt]) {
      const booked = host.ledger.movements.sum({ chainId, account }).get(token) ?? 0n;
      expect(booked).toBe(await chain.reads.vaultBalance(account, token));
    }
  }
}

const movesOf = (host: TestHost, account: Address, terms: JobTerms) => {
  const jobId = chain.calls.jobId(terms);
  const rows = host.ledger.movements.list({ chainId: network.profile.chainId, account, jobId });
  return Object.fromEntries(rows.map(({ kind, amount }) => [kind, amount]));
};

beforeAll(async () => {
  folder = testFolder();
  network = await startPracticeNetwork({ dataDir: folder, log: silentLog, clock });
  const contracts = jobContractsOf(network.profile.contracts);
  ({ jobs, stakes } = contracts);
  watt = network.profile.contracts.watt ?? ETH;
  [renter, providers] = await Promise.all([testHost(network.profile), testHost(network.profile)]);
  ({ chain } = renter);
  const money = async (account: Address) => {
    await network.fund(account, { token: ETH, amount: 10n * WATT });
    await network.fund(account, { token: watt, amount: 5000n * WATT });
  };
  await Promise.all([renter.account, ...wallets().map(addressOf)].map(money));
  for (const call of [
    chain.calls.approve(watt, 1000n * WATT),
    chain.calls.deposit(watt, 1000n * WATT, renter.account),
    chain.calls.authorize(jobs, true),
  ]) {
    await send(chain, call);
  }
  await Promise.all(
    wallets().map(async (wallet, index) => {
      const { calls } = providers.chain;
      const account = addressOf(wallet);
      const offer = testOffer(providers.chain, account, { units: 3 });
      offers.set(account, calls.offerId(account, salt(index)));
      for (const call of [
        calls.approve(watt, 500n * WATT),
        calls.deposit(watt, 500n * WATT, account),
        calls.authorize(stakes, true),
        calls.authorize(jobs, true),
        calls.stake('provider', 150n * WATT),
        calls.registerOffer(offer, salt(index)),
      ]) {
        await send(as(wallet), call);
      }
    }),
  );
  // Named accounts are watched later, and get their history.
  await providers.chain.watch(wallets().map(addressOf));
}, 60_000);

afterAll(async () => {
  await Promise.all([renter.close(), providers.close()]);
  await network.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('jobs on a practice network', () => {
  test('post, assign with a signed acceptance, submit, accept: both sides hear it and book it to the wei', async () => {
    const [provider] = wallets() as [Wallet];
    const terms = termsOf();
    const jobId = chain.calls.jobId(terms);
    const posted = await send(chain, chain.calls.postJob(terms, SPEC));
    expect(posted.events).toEqual([expect.objectContaining({ kind: 'JobPosted', jobId, terms, spec: SPEC })]);
    expect(chain.job(jobId)).toMatchObject({ jobId, terms, spec: SPEC, state: 'open', taken: 0 });
    await settled();
    const fits = { limit: 10, gpuCount: 1, gpuMemoryGb: 24, provider: addressOf(provider) };
    expect(providers.chain.openJobs(fits).map((job) => job.jobId)).toEqual([jobId]);
    expect(providers.chain.openJobs({ ...fits, gpuMemoryGb: 8 })).toEqual([]);
    expect(providers.chain.openJobs({ ...fits, token: ETH })).toEqual([]);
    expect(providers.chain.openJobs({ ...fits, minBounty: 11 })).toEqual([]);

    await send(chain, await assignCall(provider, terms));
    expect(await providers.event('JobAssigned', (event) => event.jobId === jobId)).toMatchObject({
      dealId: jobId,
      renter: renter.account,
      provider: addressOf(provider),
      offerId: offerOf(provider),
      token: watt,
      terms,
    });
    expect(providers.chain.openJobs(fits)).toEqual([]);
    expect(providers.chain.offer(offerOf(provider))?.free).toBe(2);
    expect(providers.chain.standing(addressOf(provider)).atRisk).toBe(riskOf(terms));
    await agreesWithChain(terms);

    await send(as(provider), providers.chain.calls.submitJob(terms, offerOf(provider), RESULT));
    const submitted = await renter.event('JobSubmitted', (event) => event.jobId === jobId);
    expect(submitted).toMatchObject({ resultId: RESULT, until: submitted.at + HOUR });
    await agreesWithChain(terms);

    await send(chain, chain.calls.acceptJob(terms, offerOf(provider)));
    const over = await providers.event('JobSettled', (event) => event.jobId === jobId);
    const fee = feeFor(terms.bounty, 250);
    expect(over).toMatchObject({ state: 'verified', paid: terms.bounty, fee, refund: 0n, bond: terms.bond });
    await agreesWithChain(terms);
    expect(movesOf(renter, renter.account, terms)).toEqual({ lock: -terms.bounty });
    expect(movesOf(providers, addressOf(provider), terms)).toEqual({
      bond: -terms.bond,
      'bond-return': terms.bond,
      earned: terms.bounty,
      fee: -fee,
    });
    expect(chain.jobsOf(renter.account, { role: 'renter' })).toEqual([chain.job(jobId)]);
    expect(chain.jobsOf(addressOf(provider), { role: 'provider' })).toEqual([chain.job(jobId)]);
    expect(chain.jobsOf(renter.account, { open: true })).toEqual([]);
    expect(providers.chain.jobDealsOf(addressOf(provider), { open: true })).toEqual([]);
    const recorded = await send(chain, chain.calls.recordJob(terms, offerOf(provider)));
    expect(recorded.block).toBeGreaterThan(0);
  }, 60_000);

  test('a claim that brings nothing: expired in one transaction with others, refund, late fee and strikes', async () => {
    const [, provider] = wallets() as [Wallet, Wallet];
    const account = addressOf(provider);
    const all = [termsOf({ deadline: chain.now() + HOUR }), termsOf({ deadline: chain.now() + HOUR })];
    await send(chain, chain.calls.batch(all.map((terms) => chain.calls.postJob(terms, SPEC))));
    await settled();
    for (const terms of all) await send(as(provider), providers.chain.calls.claimJob(terms, offerOf(provider)));
    await agreesWithChain(...all);
    const [first] = all as [JobTerms];
    const { calls } = chain;
    const expire = calls.expireJob(first, offerOf(provider));
    expect(await refusal(send(chain, expire))).toMatchObject({ code: 'conflict', message: /^The provider has until/ });
    await forward(2 * HOUR);

    const late = await refusal(send(as(provider), calls.submitJob(first, offerOf(provider), RESULT)));
    expect(late).toMatchObject({ code: 'conflict', field: 'deadline' });
    expect(late.message).toMatch(/^The deadline was .* nothing can be submitted/);

    await send(chain, calls.batch(all.map((terms) => calls.expireJob(terms, offerOf(provider)))));
    await agreesWithChain(...all);
    for (const terms of all) {
      expect(movesOf(renter, renter.account, terms)).toEqual({
        lock: -terms.bounty,
        refund: terms.bounty,
        forfeit: lateFeeOf(terms),
      });
      expect(movesOf(providers, account, terms)).toEqual({
        bond: -terms.bond,
        'bond-return': terms.bond - lateFeeOf(terms),
      });
    }
    expect(chain.standing(account)).toMatchObject({ strikes: 2, rejections: 0, reputation: 10_000 });
    expect((await providers.event('ProviderStruck', ({ strikes }) => strikes === 2)).provider).toBe(account);
  }, 60_000);

  test('copies commit, reveal, conclude and collect; the one that disagrees gets its bond only', async () => {
    const terms = termsOf({ tier: 2, copies: 3, agree: 2 });
    const { calls } = chain;
    const jobId = calls.jobId(terms);
    await send(chain, calls.postJob(terms, SPEC));
    await settled();
    const results: Bytes32[] = [RESULT, RESULT, `0x${'cd'.repeat(32)}`];
    const runs = wallets().map((wallet, index) => ({
      wallet,
      offerId: offerOf(wallet),
      account: addressOf(wallet),
      result: results[index] ?? RESULT,
      salt: salt(100 + index),
    }));
    for (const { wallet, offerId } of runs) await send(as(wallet), calls.claimJob(terms, offerId));
    await agreesWithChain(terms);
    expect(chain.job(jobId)).toMatchObject({ state: 'open', taken: 3 });
    expect(chain.openJobs({ limit: 10 })).toEqual([]);
    const taken = await refusal(send(as(runs[0]?.wallet ?? named[0]!), calls.claimJob(terms, runs[0]?.offerId ?? ETH)));
    expect(taken.message).toBe('The job is assigned: its result has not been submitted.');

    for (const { wallet, offerId, account, result, salt: secret } of runs) {
      await send(as(wallet), calls.submitJob(terms, offerId, calls.commitmentOf(jobId, account, result, secret)));
    }
    await agreesWithChain(terms);
    expect(chain.jobDeals(jobId).every(({ resultId, commitment }) => resultId === null && commitment !== null)).toBe(
      true,
    );
    const [one] = runs as [(typeof runs)[number]];
    const wrong = await refusal(send(chain, calls.revealJob(terms, one.offerId, one.result, salt(99))));
    expect(wrong).toMatchObject({ code: 'bad-input', field: 'salt' });
    // Anybody may show what everybody committed to, all in one transaction, and conclude with it.
    await send(
      chain,
      calls.batch([
        ...runs.map(({ offerId, result, salt: secret }) => calls.revealJob(terms, offerId, result, secret)),
        calls.concludeJob(terms),
      ]),
    );
    await agreesWithChain(terms);
    expect(chain.job(jobId)).toMatchObject({ state: 'verified', agreeing: 2, resultId: RESULT, refund: 1n });
    await send(chain, calls.batch(runs.map(({ offerId }) => calls.collectJob(terms, offerId))));
    await agreesWithChain(terms);
    const states = new Map(chain.jobDeals(jobId).map(({ provider, state }) => [provider, state]));
    expect(runs.map(({ account }) => states.get(account))).toEqual(['verified', 'verified', 'outvoted']);
    expect(chain.job(jobId)?.paid).toBe(terms.bounty - 1n);
  }, 60_000);

  test('disputes: nobody judged, the arbiter says valid, the arbiter says invalid', async () => {
    const [provider, , other] = wallets() as [Wallet, Wallet, Wallet];
    const account = addressOf(provider);
    const offerId = offerOf(provider);
    const { calls } = chain;
    const disputed = async (change: Partial<JobTerms>, challenger: Pick<Chain, 'send'>): Promise<JobTerms> => {
      const terms = termsOf(change);
      await send(chain, calls.postJob(terms, SPEC));
      await send(chain, await assignCall(provider, terms));
      await send(as(provider), calls.submitJob(terms, offerId, RESULT));
      await send(challenger, calls.challengeJob(terms, offerId));
      await agreesWithChain(terms);
      expect(await chain.reads.jury(calls.jobId(terms))).toMatchObject({ verdict: 'none', over: true });
      return terms;
    };
    const arbiter = { arbiter: renter.account };

    const unjudged = await disputed({}, chain);
    await send(chain, calls.resolveJob(unjudged, offerId));
    await agreesWithChain(unjudged);
    expect(movesOf(renter, renter.account, unjudged)).toMatchObject({ 'bond-return': challengeBondOf(unjudged) });

    const valid = await disputed(arbiter, as(other));
    await send(chain, calls.decideJob(valid, offerId, true));
    await agreesWithChain(valid);
    expect(movesOf(providers, account, valid)).toMatchObject({ forfeit: challengeBondOf(valid) });
    expect(movesOf(providers, addressOf(other), valid)).toEqual({ bond: -challengeBondOf(valid) });

    const lapsed = await disputed({ ...arbiter, deadline: chain.now() + 30 * 86_400 }, as(other));
    await forward(8 * 86_400);
    await send(chain, calls.resolveJob(lapsed, offerId));
    await agreesWithChain(lapsed);
    expect(movesOf(providers, addressOf(other), lapsed)).toMatchObject({ 'bond-return': challengeBondOf(lapsed) });

    // An arbiter's word moves the bounty and the bonds; stake and standing answer to a jury alone.
    const before = chain.standing(account);
    const invalid = await disputed(arbiter, as(other));
    await send(chain, calls.decideJob(invalid, offerId, false));
    await agreesWithChain(invalid);
    expect(chain.jobDeal(calls.jobId(invalid))?.state).toBe('rejected');
    expect(chain.standing(account)).toEqual(before);
    expect(movesOf(renter, renter.account, invalid)).toMatchObject({
      refund: invalid.bounty,
      forfeit: invalid.bond,
    });
    expect(movesOf(providers, addressOf(other), invalid)).toMatchObject({ 'bond-return': challengeBondOf(invalid) });
  }, 60_000);

  test('cancel, post again and assign in one transaction; ETH bounties are sent along; an operator acts', async () => {
    const [provider] = wallets() as [Wallet];
    const { calls } = chain;
    const [old, fresh] = [termsOf(), termsOf({ bounty: 12n * WATT })] as const;
    await send(chain, calls.postJob(old, SPEC));
    const renewed = await send(
      chain,
      calls.batch([calls.cancelJob(old), calls.postJob(fresh, SPEC), await assignCall(provider, fresh)]),
    );
    expect(renewed.events.map(({ kind }) => kind)).toEqual(['JobCancelled', 'JobPosted', 'JobAssigned']);
    await agreesWithChain(old, fresh);
    expect(chain.job(calls.jobId(old))).toMatchObject({ state: 'cancelled', refund: old.bounty });

    const ether = termsOf({ token: ETH, bounty: WATT / 100n, bond: WATT / 1000n });
    await send(chain, calls.postJob(ether, SPEC, ether.bounty));
    const operator = new Wallet(Wallet.createRandom().privateKey);
    await network.fund(addressOf(operator), { token: ETH, amount: WATT });
    await send(as(provider), calls.setJobOperator(addressOf(operator)));
    const bond = calls.deposit(ETH, ether.bond, addressOf(provider));
    await send(as(provider), bond);
    await send(as(operator), calls.claimJob(ether, offerOf(provider)));
    await send(as(operator), calls.submitJob(ether, offerOf(provider), RESULT));
    await agreesWithChain(ether);
    await forward(2 * HOUR);
    await send(as(operator), calls.finalizeJob(ether, offerOf(provider)));
    await agreesWithChain(ether, fresh);
    expect(movesOf(providers, addressOf(provider), ether)).toMatchObject({ earned: ether.bounty });
  }, 60_000);

  test('duplicate, foreign and malformed calls are refused in words', async () => {
    const [provider, stranger] = wallets() as [Wallet, Wallet];
    const { calls } = chain;
    const terms = termsOf();
    await send(chain, calls.postJob(terms, SPEC));
    const twice = await refusal(send(chain, calls.postJob(terms, SPEC)));
    expect(twice).toMatchObject({ code: 'conflict', message: 'This job was posted already.' });
    const other = await refusal(send(chain, calls.postJob(termsOf(), '{}')));
    expect(other).toMatchObject({ code: 'bad-input', field: 'spec' });
    const long = 'x'.repeat(8193);
    const tooLong = await refusal(send(chain, calls.postJob(termsOf({ specHash: hashOfText(long) as Bytes32 }), long)));
    expect(tooLong).toMatchObject({ code: 'bad-input', field: 'spec' });
    const unsigned = { ...(await acceptance(stranger, terms)) };
    const forged = calls.assignJob(terms, offerOf(provider), unsigned.validUntil, unsigned.signature);
    expect(await refusal(send(chain, forged))).toMatchObject({ code: 'bad-input', field: 'signature' });
    await send(chain, await assignCall(provider, terms));

    const submit = calls.submitJob(terms, offerOf(provider), RESULT);
    expect(await refusal(send(as(stranger), submit))).toMatchObject({ code: 'not-allowed' });
    const foreign = await refusal(send(as(stranger), calls.submitJob(terms, offerOf(stranger), RESULT)));
    expect(foreign).toMatchObject({ code: 'bad-input', field: 'offerId' });
    const empty = calls.submitJob(terms, offerOf(provider), `0x${'00'.repeat(32)}`);
    expect(await refusal(send(as(provider), empty))).toMatchObject({ code: 'bad-input', field: 'resultId' });
    await send(as(provider), submit);
    expect((await refusal(send(as(provider), submit))).message).toBe('The job has been submitted already.');
    expect(() => calls.submitJob(terms, offerOf(provider), '0x1234')).toThrow(AppError);
    await agreesWithChain(terms);
  }, 60_000);

  test('a named account goes on after a restart with what was signed and not yet sent', async () => {
    const [, account] = named as [Wallet, Wallet];
    const from = addressOf(account);
    const rpc = createRpc({ urls: network.profile.rpcUrls, chainId: network.profile.chainId });
    const nonce = toQuantity(await rpc.call('eth_getTransactionCount', [from, 'latest']), 'a nonce');
    const to: Address = `0x${'77'.repeat(20)}`;
    const raw = await transactionSignerOf(account).signTransaction({
      chainId: network.profile.chainId,
      nonce,
      to,
      value: 5n,
      data: '0x',
      gasLimit: 21_000n,
      maxFeePerGas: 10n ** 11n,
      maxPriorityFeePerGas: 1n,
    });
    const host = await testHost(network.profile);
    try {
      host.ledger.outgoing.put({
        commandId: 'left-behind',
        chainId: network.profile.chainId,
        from,
        nonce,
        attempt: 0,
        label: 'transfer',
        txHash: keccak256(raw) as Bytes32,
        raw,
        maxFeePerGas: 10n ** 11n,
        maxPriorityFeePerGas: 1n,
        state: 'stored',
        block: null,
        error: null,
        createdAt: 1,
        updatedAt: 1,
      });
      const again = host.chain.as(transactionSignerOf(account));
      const receipt = await again.send(host.chain.calls.transfer(ETH, to, 5n), { commandId: 'left-behind' });
      expect(receipt.txHash).toBe(keccak256(raw));
      expect(await host.chain.reads.walletBalance(to, ETH)).toBe(5n);
      // The wallet of the host itself is another order of nonces, and has none of the named account's money.
      const poor = host.chain.send(host.chain.calls.transfer(ETH, to, 5n), { commandId: 'own' });
      expect(await refusal(poor)).toMatchObject({ code: 'insufficient-funds' });
    } finally {
      await host.close();
    }
  }, 60_000);

  test('what concerns two accounts of a host is told once, in order, and each account has its history', async () => {
    await settled();
    const places = providers.events.map(({ block, logIndex }) => block * 1e6 + logIndex);
    const both: ChainEvent[] = [];
    const late = await testHost(network.profile);
    try {
      late.chain.onEvents((events) => both.push(...events));
      await late.chain.sync.until(({ head }) => (head?.block ?? 0) >= (chain.sync.value.head?.block ?? 0));
      await late.chain.watch([renter.account, ...wallets().map(addressOf)]);
      const heard = both.map(({ block, logIndex }) => block * 1e6 + logIndex);
      expect(heard).toEqual([...new Set(heard)].toSorted((a, b) => a - b));
      for (const place of new Set(places)) expect(heard).toContain(place);
      expect(late.chain.jobStats()).toEqual(chain.jobStats());
      const { total, byState } = chain.jobStats();
      expect(Object.values(byState).reduce((sum, n) => sum + n, 0)).toBe(total);
      for (const terms of chain.jobsOf(renter.account)) expect(late.chain.job(terms.jobId)).toEqual(terms);
    } finally {
      await late.close();
    }
  }, 60_000);

  test('logs about jobs that nobody posted are left out and counted', () => {
    const writer = openIndexWriter(path.join(folder, 'strange.db'), 'test');
    const place = { block: 0, blockHash: RESULT, at: 1, txHash: RESULT, logIndex: 0 };
    const block = { number: 0, hash: RESULT, parent: RESULT, at: 1 };
    const deal = { dealId: RESULT, resultId: RESULT, until: 1 };
    const unknown = [
      { kind: 'JobAssigned' as const, dealId: RESULT, jobId: RESULT, provider: ETH, offerId: RESULT },
      { kind: 'JobSubmitted' as const, ...deal },
      { kind: 'JobCancelled' as const, jobId: RESULT },
      null,
    ];
    const strange = unknown.map((decoded, logIndex): PlacedLog => ({ place: { ...place, logIndex }, decoded }));
    expect(marketIndex(writer, network.profile).append([block], strange)).toEqual({ written: 0, skipped: 4 });
    expect(writer.jobStats().total).toBe(0);
    writer.close();
  });

  test('undoing blocks leaves what an index has that never saw them, wherever it is cut', async () => {
    const { profile } = network;
    const rpc = createRpc({ urls: profile.rpcUrls, chainId: profile.chainId });
    const head = toQuantity(await rpc.call('eth_blockNumber', []), 'a block');
    const addresses = loggingContracts(profile.contracts);
    const filter = { fromBlock: '0x0', toBlock: `0x${head.toString(16)}`, address: addresses, topics: [EVENT_TOPICS] };
    const { logs, skipped } = checkLogs(await rpc.call('eth_getLogs', [filter]), addresses, () => true);
    expect(skipped).toBe(0);
    const blocks = await Promise.all(
      Array.from({ length: head + 1 }, async (_, number) => {
        const block = toRecord(await rpc.call('eth_getBlockByNumber', [`0x${number.toString(16)}`, false]), 'a block');
        return {
          number,
          hash: toBytes(block['hash'], 'a block', 32),
          parent: toBytes(block['parentHash'], 'a block', 32),
          at: toQuantity(block['timestamp'], 'a block'),
        };
      }),
    );
    const placed = logs.map(({ block, blockHash, txHash, logIndex, topics, data }): PlacedLog => {
      const at = blocks[block]?.at ?? 0;
      return { place: { block, blockHash, at, txHash, logIndex }, decoded: decodeLog({ topics, data }) };
    });
    const upTo = (name: string, last: number) => {
      const file = path.join(folder, `${name}.db`);
      rmSync(file, { force: true });
      const writer = openIndexWriter(file, 'test');
      const index = marketIndex(writer, profile);
      const { skipped: left } = index.append(
        blocks.filter(({ number }) => number <= last),
        placed.filter(({ place }) => place.block <= last),
      );
      expect(left).toBe(0);
      return { file, writer, index };
    };
    const tables = ['blocks', 'logs', 'log_accounts', 'leases', 'jobs', 'job_deals', 'standings'];
    const dump = (file: string) => {
      const db = new Database(file, { readonly: true });
      const rows = tables.map((table) => db.prepare(`SELECT * FROM ${table} ORDER BY 1, 2, 3`).all());
      rows.push(db.prepare('SELECT offer_id, taken, status, version FROM offers ORDER BY 1').all());
      db.close();
      return rows;
    };
    const whole = upTo('whole', head);
    expect(dump(whole.file).every((rows, table) => rows.length > 0 || tables[table] === 'leases')).toBe(true);
    const interesting = [...new Set(placed.map(({ place }) => place.block))];
    for (const cut of interesting.filter((_, n) => n % 3 === 0)) {
      const short = upTo('short', cut);
      const undone = upTo('undone', head);
      undone.index.rollBackTo(cut);
      expect(dump(undone.file)).toEqual(dump(short.file));
      undone.index.append(
        blocks.filter(({ number }) => number > cut),
        placed.filter(({ place }) => place.block > cut),
      );
      expect(dump(undone.file)).toEqual(dump(whole.file));
      short.writer.close();
      undone.writer.close();
    }
    whole.writer.close();
  }, 60_000);
});
