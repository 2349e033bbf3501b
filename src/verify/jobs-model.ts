/** Jobs.sol as values. A signature is the address it recovers to. */
import { id } from 'ethers';
import { ETH, type Address, type Bytes32 } from '../shared/ids.ts';
import type { JobTerms } from '../shared/job-terms.ts';
import { copyIdOf, jobIdOf as hashOfTerms, resultCommitment } from '../shared/typed-data.ts';
import * as juries from './juries-model.ts';
import { VERDICT, type JuriesWorld } from './juries-model.ts';
import * as offers from './offers-model.ts';
import * as record from './record-model.ts';
import type { RecordWorld } from './record-model.ts';
import * as stakes from './stakes-model.ts';
import * as vault from './vault-model.ts';
import { Revert, withEntry, type World } from './world.ts';

export const JOB_STATE = {
  NONE: 0,
  OPEN: 1,
  ASSIGNED: 2,
  SUBMITTED: 3,
  DISPUTED: 4,
  REVEALED: 5,
  VERIFIED: 6,
  REFUNDED: 7,
  REJECTED: 8,
  OUTVOTED: 9,
} as const;
export type JobState = (typeof JOB_STATE)[keyof typeof JOB_STATE];

/** How long an arbiter has to decide, in seconds. */
export const ARBITER_SECONDS = 7 * 86_400;
export const MIN_WINDOW_SECONDS = 1800;
export const MAX_WINDOW_SECONDS = 14 * 86_400;
export const MAX_DEADLINE_SECONDS = 90 * 86_400;
export const MAX_COPIES = 15;
const MAX_SPEC_BYTES = 8192;
const BPS = 10_000n;
const PROVIDER = stakes.STAKE_ROLE.PROVIDER;

export interface ModelJob {
  /** The offer that the deal holds a unit of; null while nobody has taken it. The contract keeps a hash of it. */
  offerId: Bytes32 | null;
  /** Unix seconds at which the window ends; 0 before it begins. */
  until: number;
  /** Of a job with several copies. */
  taken: number;
  submitted: number;
  revealed: number;
  agreeing: number;
  state: JobState;
}

export interface JobsWorld extends RecordWorld, JuriesWorld {
  /** Hundredths of a percent that a rejected result costs, for jobs posted now. */
  slashBps: number;
  operators: ReadonlyMap<Address, Address>;
  jobs: ReadonlyMap<Bytes32, ModelJob>;
  challengers: ReadonlyMap<Bytes32, Address>;
  /** By copy: the commitment, then the result. By job with copies: the result agreed on. */
  results: ReadonlyMap<Bytes32, Bytes32>;
  /** By `jobId resultId`. */
  votes: ReadonlyMap<string, number>;
}

const NO_JOB: ModelJob = {
  offerId: null,
  until: 0,
  taken: 0,
  submitted: 0,
  revealed: 0,
  agreeing: 0,
  state: JOB_STATE.NONE,
};

/** Terms are values, asked for their id at every step. */
const ids = new WeakMap<JobTerms, Bytes32>();
function jobIdOf(terms: JobTerms): Bytes32 {
  const jobId = ids.get(terms) ?? hashOfTerms(terms);
  ids.set(terms, jobId);
  return jobId;
}

export const jobOf = (world: JobsWorld, jobId: Bytes32): ModelJob => world.jobs.get(jobId) ?? NO_JOB;

/** What a late taker pays out of its bond. */
export const lateFeeOf = (terms: JobTerms): bigint => (terms.bounty * 1000n) / BPS / BigInt(terms.copies);

/** What a challenger locks. */
export const challengeBondOf = (terms: JobTerms): bigint => (terms.bounty * 1000n) / BPS;

/** What a deal puts at risk of its taker's stake. */
export const riskOf = (terms: JobTerms): bigint => (terms.minStake * BigInt(terms.slashBps)) / BPS;

export const dealIdOf = (terms: JobTerms, offerId: Bytes32): Bytes32 =>
  terms.copies === 1 ? jobIdOf(terms) : copyIdOf(jobIdOf(terms), offers.providerOf(offerId));

function refuse(error: string, ...args: unknown[]): never {
  throw new Revert('Jobs', error, args);
}

const nowOf = (world: JobsWorld): number => world.stakes.market.now;

const withJob = (world: JobsWorld, jobId: Bytes32, job: ModelJob): JobsWorld => ({
  ...world,
  jobs: withEntry(world.jobs, jobId, job),
});

const onMarket = (world: JobsWorld, change: (market: World, self: Address) => World): JobsWorld => ({
  ...world,
  stakes: { ...world.stakes, market: change(world.stakes.market, world.stakes.jobs) },
});

const unlock = (world: JobsWorld, token: Address, account: Address, amount: bigint): JobsWorld =>
  onMarket(world, (market, self) => vault.unlock(market, self, token, account, amount));

function checkNotPaused(world: JobsWorld): void {
  const { now, newDealsPausedUntil } = world.stakes.market;
  if (now < newDealsPausedUntil) refuse('DealsPaused', newDealsPausedUntil);
}

function checkTerms(world: JobsWorld, terms: JobTerms): void {
  const { now, feeBps, tokens } = world.stakes.market;
  checkNotPaused(world);
  if (terms.feeBps !== feeBps) refuse('FeeChanged', terms.feeBps, feeBps);
  if (terms.slashBps !== world.slashBps) refuse('SlashChanged', terms.slashBps, world.slashBps);
  const least = world.stakes.minStakes[PROVIDER];
  if (terms.minStake < least) refuse('StakeTooLow', terms.minStake, least);
  if (!tokens.has(terms.token)) refuse('TokenNotAllowed', terms.token);
  if (terms.bounty === 0n) refuse('BadBounty', terms.bounty);
  const { tier, copies, agree } = terms;
  const fits = tier === 2 ? copies >= 2 && agree * 2 > copies : copies === 1 && agree === 1;
  if (tier > 3 || copies > MAX_COPIES || agree > copies || !fits) refuse('BadTier', tier, copies, agree);
  const leastBond = tier === 1 ? terms.bounty : lateFeeOf(terms);
  if (terms.bond < leastBond) refuse('BondTooLow', terms.bond, leastBond);
  const { deadline } = terms;
  if (now + terms.minRun > deadline || deadline <= now || deadline > now + MAX_DEADLINE_SECONDS) {
    refuse('BadDeadline', deadline);
  }
  if (terms.window < MIN_WINDOW_SECONDS || terms.window > MAX_WINDOW_SECONDS) refuse('BadWindow', terms.window);
}

export function post(world: JobsWorld, caller: Address, terms: JobTerms, spec: string): JobsWorld {
  if (caller !== terms.renter) refuse('NotRenter', caller, terms.renter);
  checkTerms(world, terms);
  const { length } = new TextEncoder().encode(spec);
  if (length > MAX_SPEC_BYTES) refuse('SpecTooLong', length, MAX_SPEC_BYTES);
  if (id(spec) !== terms.specHash) refuse('WrongSpec', id(spec), terms.specHash);
  const jobId = jobIdOf(terms);
  if (jobOf(world, jobId).state !== JOB_STATE.NONE) refuse('JobExists', jobId);
  const posted = withJob(world, jobId, { ...NO_JOB, state: JOB_STATE.OPEN });
  return onMarket(posted, (market, self) => vault.lock(market, self, terms.token, terms.renter, terms.bounty));
}

export function cancel(world: JobsWorld, caller: Address, terms: JobTerms): JobsWorld {
  if (caller !== terms.renter && nowOf(world) < terms.deadline) refuse('NotRenter', caller, terms.renter);
  const jobId = jobIdOf(terms);
  const job = jobOf(world, jobId);
  if (job.state !== JOB_STATE.OPEN || job.taken !== 0) refuse('WrongState', jobId, job.state);
  const cancelled = withJob(world, jobId, { ...job, state: JOB_STATE.REFUNDED });
  return unlock(cancelled, terms.token, terms.renter, terms.bounty);
}

function checkProvider(world: JobsWorld, caller: Address, offerId: Bytes32): void {
  const provider = offers.providerOf(offerId);
  if (caller !== provider && caller !== (world.operators.get(provider) ?? ETH)) refuse('NotProvider', caller, provider);
}

function take(world: JobsWorld, terms: JobTerms, offerId: Bytes32): JobsWorld {
  const jobId = jobIdOf(terms);
  const job = jobOf(world, jobId);
  if (job.state !== JOB_STATE.OPEN) refuse('WrongState', jobId, job.state);
  checkNotPaused(world);
  const now = nowOf(world);
  if (now + terms.minRun > terms.deadline || now >= terms.deadline) refuse('TooLate', now, terms.deadline);
  const provider = offers.providerOf(offerId);
  if (terms.assignee !== ETH && provider !== terms.assignee) refuse('NotAssignee', provider, terms.assignee);
  const { staked } = stakes.stakeOf(world.stakes, PROVIDER, provider);
  if (staked < terms.minStake) refuse('StakeTooLow', staked, terms.minStake);
  if (!record.isActive(world, provider)) refuse('InactiveProvider', provider);

  let next = world;
  if (terms.copies !== 1) {
    const { state } = jobOf(world, copyIdOf(jobId, provider));
    if (state !== JOB_STATE.NONE) refuse('WrongState', copyIdOf(jobId, provider), state);
    if (job.taken === terms.copies) refuse('NoCopyLeft', jobId, terms.copies);
    next = withJob(next, jobId, { ...job, taken: job.taken + 1 });
  }
  next = withJob(next, dealIdOf(terms, offerId), { ...NO_JOB, offerId, state: JOB_STATE.ASSIGNED });

  const offer = world.stakes.market.offers.get(offerId);
  if (!offer) throw new Revert('Offers', 'UnknownOffer', [offerId]);
  next = onMarket(next, (market) => offers.take(market, { ...offer, offerId, offerVersion: offer.version, provider }));
  const { gpuCount, gpuMemoryGb } = offer;
  if (gpuCount < terms.gpuCount || gpuMemoryGb < terms.gpuMemoryGb) {
    refuse('HardwareTooSmall', offerId, gpuCount, gpuMemoryGb);
  }
  const risk = riskOf(terms);
  if (risk !== 0n) {
    next = { ...next, stakes: stakes.engage(next.stakes, next.stakes.jobs, PROVIDER, provider, risk) };
  }
  if (terms.bond === 0n) return next;
  return onMarket(next, (market, self) => vault.lock(market, self, terms.token, provider, terms.bond));
}

export function setOperator(world: JobsWorld, caller: Address, operator: Address): JobsWorld {
  return { ...world, operators: withEntry(world.operators, caller, operator) };
}

export function claim(world: JobsWorld, caller: Address, terms: JobTerms, offerId: Bytes32): JobsWorld {
  checkProvider(world, caller, offerId);
  return take(world, terms, offerId);
}

export interface ModelAcceptance {
  offerId: Bytes32;
  validUntil: number;
  /** Whose signature it carries; the zero address for nonsense. */
  signer: Address;
}

export function assign(world: JobsWorld, caller: Address, terms: JobTerms, given: ModelAcceptance): JobsWorld {
  if (caller !== terms.renter) refuse('NotRenter', caller, terms.renter);
  if (nowOf(world) > given.validUntil) refuse('AcceptanceExpired', given.validUntil);
  const provider = offers.providerOf(given.offerId);
  const entitled = given.signer === provider || given.signer === world.operators.get(provider);
  if (given.signer === ETH || !entitled) refuse('BadSignature', provider);
  return take(world, terms, given.offerId);
}

function requireDeal(world: JobsWorld, dealId: Bytes32, offerId: Bytes32, state: JobState): ModelJob {
  const deal = jobOf(world, dealId);
  if (deal.state !== state) refuse('WrongState', dealId, deal.state);
  if (deal.offerId !== offerId) refuse('WrongOffer', offerId);
  return deal;
}

export function submit(
  world: JobsWorld,
  caller: Address,
  terms: JobTerms,
  offerId: Bytes32,
  resultId: Bytes32,
): JobsWorld {
  checkProvider(world, caller, offerId);
  if (BigInt(resultId) === 0n) refuse('EmptyResult');
  const now = nowOf(world);
  if (now >= terms.deadline) refuse('TooLate', now, terms.deadline);
  const dealId = dealIdOf(terms, offerId);
  const deal = requireDeal(world, dealId, offerId, JOB_STATE.ASSIGNED);
  const until = now + terms.window;
  if (terms.copies === 1) return withJob(world, dealId, { ...deal, state: JOB_STATE.SUBMITTED, until });
  const job = jobOf(world, jobIdOf(terms));
  const submitted = job.submitted + 1;
  const counted = { ...job, submitted, until: submitted === terms.copies ? until : job.until };
  const kept = withJob(world, dealId, { ...deal, state: JOB_STATE.SUBMITTED });
  return { ...withJob(kept, jobIdOf(terms), counted), results: withEntry(world.results, dealId, resultId) };
}

/** Gives unit, stake and bond back, except for what of the bond is forfeited to the renter. */
function endDeal(world: JobsWorld, terms: JobTerms, offerId: Bytes32, forfeit: bigint): JobsWorld {
  const provider = offers.providerOf(offerId);
  let next = onMarket(world, (market) => offers.free(market, offerId));
  const risk = riskOf(terms);
  if (risk !== 0n) {
    next = { ...next, stakes: stakes.disengage(next.stakes, next.stakes.jobs, PROVIDER, provider, risk) };
  }
  const { token, renter: to, bond } = terms;
  return onMarket(next, (market, self) =>
    vault.pay(market, self, { token, from: provider, to, amount: forfeit, fee: 0n, refund: bond - forfeit }),
  );
}

function settlePaid(
  world: JobsWorld,
  terms: JobTerms,
  dealId: Bytes32,
  { offerId, gross }: { offerId: Bytes32; gross: bigint },
): JobsWorld {
  const { token, renter: from } = terms;
  const to = offers.providerOf(offerId);
  const fee = (gross * BigInt(terms.feeBps)) / BPS;
  const verified = withJob(world, dealId, { ...jobOf(world, dealId), state: JOB_STATE.VERIFIED });
  const paid = onMarket(verified, (market, self) =>
    vault.pay(market, self, { token, from, to, amount: gross - fee, fee, refund: 0n }),
  );
  return endDeal(paid, terms, offerId, 0n);
}

function requireSingle(world: JobsWorld, terms: JobTerms, offerId: Bytes32, state: JobState): ModelJob {
  if (terms.copies !== 1) refuse('HasCopies', jobIdOf(terms));
  return requireDeal(world, jobIdOf(terms), offerId, state);
}

const payBounty = (world: JobsWorld, terms: JobTerms, offerId: Bytes32): JobsWorld =>
  settlePaid(world, terms, jobIdOf(terms), { offerId, gross: terms.bounty });

export function accept(world: JobsWorld, caller: Address, terms: JobTerms, offerId: Bytes32): JobsWorld {
  if (caller !== terms.renter) refuse('NotRenter', caller, terms.renter);
  requireSingle(world, terms, offerId, JOB_STATE.SUBMITTED);
  return payBounty(world, terms, offerId);
}

export function finalize(world: JobsWorld, terms: JobTerms, offerId: Bytes32): JobsWorld {
  const { until } = requireSingle(world, terms, offerId, JOB_STATE.SUBMITTED);
  if (nowOf(world) < until) refuse('WindowOpen', jobIdOf(terms), until);
  return payBounty(world, terms, offerId);
}

const revealEnd = (terms: JobTerms, until: number): number => (until === 0 ? terms.deadline + terms.window : until);

export function expire(world: JobsWorld, terms: JobTerms, offerId: Bytes32): JobsWorld {
  const dealId = dealIdOf(terms, offerId);
  const single = terms.copies === 1;
  const deal = jobOf(world, dealId);
  let expiresAt = terms.deadline;
  if (!single && deal.state === JOB_STATE.SUBMITTED) expiresAt = revealEnd(terms, jobOf(world, jobIdOf(terms)).until);
  else if (deal.state !== JOB_STATE.ASSIGNED) refuse('WrongState', dealId, deal.state);
  if (deal.offerId !== offerId) refuse('WrongOffer', offerId);
  if (nowOf(world) < expiresAt) refuse('NotExpired', dealId, expiresAt);
  let next = withJob(world, dealId, { ...deal, state: JOB_STATE.REFUNDED });
  if (single) next = unlock(next, terms.token, terms.renter, terms.bounty);
  next = endDeal(next, terms, offerId, lateFeeOf(terms));
  return record.strike(next, offers.providerOf(offerId));
}

export function challenge(world: JobsWorld, caller: Address, terms: JobTerms, offerId: Bytes32): JobsWorld {
  const jobId = jobIdOf(terms);
  const job = requireSingle(world, terms, offerId, JOB_STATE.SUBMITTED);
  if (nowOf(world) >= job.until) refuse('WindowOver', jobId, job.until);
  const disputed: JobsWorld = {
    ...withJob(world, jobId, { ...job, state: JOB_STATE.DISPUTED }),
    challengers: withEntry(world.challengers, jobId, caller),
  };
  const bonded = onMarket(disputed, (market, self) =>
    vault.lock(market, self, terms.token, caller, challengeBondOf(terms)),
  );
  return juries.open(bonded, jobId);
}

export function draw(world: JobsWorld, terms: JobTerms, offerId: Bytes32): JobsWorld {
  requireSingle(world, terms, offerId, JOB_STATE.DISPUTED);
  const jobId = jobIdOf(terms);
  const challenger = world.challengers.get(jobId) ?? ETH;
  return juries.draw(world, jobId, [terms.renter, offers.providerOf(offerId), challenger]);
}

/** @param isJurys an arbiter's word moves bounty and bonds only */
function carryOut(
  world: JobsWorld,
  terms: JobTerms,
  { offerId, verdict, isJurys }: { offerId: Bytes32; verdict: juries.Verdict; isJurys: boolean },
): JobsWorld {
  const jobId = jobIdOf(terms);
  const challenger = world.challengers.get(jobId) ?? ETH;
  const provider = offers.providerOf(offerId);
  const { token } = terms;
  const amount = challengeBondOf(terms);
  if (verdict !== VERDICT.INVALID) {
    const paid = payBounty(world, terms, offerId);
    if (verdict === VERDICT.NONE) return unlock(paid, token, challenger, amount);
    return onMarket(paid, (market, self) =>
      vault.seize(market, self, { token, from: challenger, to: provider, amount }),
    );
  }
  let next = withJob(world, jobId, { ...jobOf(world, jobId), state: JOB_STATE.REJECTED });
  next = unlock(unlock(next, token, terms.renter, terms.bounty), token, challenger, amount);
  next = endDeal(next, terms, offerId, terms.bond);
  if (!isJurys) return next;
  next = record.reject(next, provider);
  const share = { slashBps: terms.slashBps, atLeast: riskOf(terms) };
  const slashed = stakes.slash(next.stakes, next.stakes.jobs, PROVIDER, provider, share, challenger);
  return { ...next, stakes: slashed };
}

export function resolve(world: JobsWorld, terms: JobTerms, offerId: Bytes32): JobsWorld {
  requireSingle(world, terms, offerId, JOB_STATE.DISPUTED);
  const jobId = jobIdOf(terms);
  const { endsAt, verdict, over } = juries.verdictOf(world, jobId);
  const arbiterSits = verdict === VERDICT.NONE && terms.arbiter !== ETH && nowOf(world) < endsAt + ARBITER_SECONDS;
  if (!over || arbiterSits) refuse('StillDisputed', jobId);
  return carryOut(world, terms, { offerId, verdict, isJurys: true });
}

export function decide(
  world: JobsWorld,
  caller: Address,
  terms: JobTerms,
  { offerId, valid }: { offerId: Bytes32; valid: boolean },
): JobsWorld {
  if (caller !== terms.arbiter) refuse('NotArbiter', caller, terms.arbiter);
  requireSingle(world, terms, offerId, JOB_STATE.DISPUTED);
  const jobId = jobIdOf(terms);
  const { endsAt, verdict, over } = juries.verdictOf(world, jobId);
  if (!over || verdict !== VERDICT.NONE) refuse('StillDisputed', jobId);
  if (nowOf(world) >= endsAt + ARBITER_SECONDS) refuse('WindowOver', jobId, endsAt + ARBITER_SECONDS);
  return carryOut(world, terms, { offerId, verdict: valid ? VERDICT.VALID : VERDICT.INVALID, isJurys: false });
}

function requireCopies(world: JobsWorld, terms: JobTerms): ModelJob {
  const jobId = jobIdOf(terms);
  if (terms.copies === 1) refuse('NoCopies', jobId);
  const job = jobOf(world, jobId);
  if (job.state !== JOB_STATE.OPEN) refuse('WrongState', jobId, job.state);
  return job;
}

export function reveal(
  world: JobsWorld,
  terms: JobTerms,
  offerId: Bytes32,
  { resultId, salt }: { resultId: Bytes32; salt: Bytes32 },
): JobsWorld {
  const job = requireCopies(world, terms);
  const jobId = jobIdOf(terms);
  const now = nowOf(world);
  if (job.until === 0 && now < terms.deadline) refuse('NotRevealing', jobId);
  const end = revealEnd(terms, job.until);
  if (now >= end) refuse('WindowOver', jobId, end);
  const provider = offers.providerOf(offerId);
  const dealId = copyIdOf(jobId, provider);
  const deal = requireDeal(world, dealId, offerId, JOB_STATE.SUBMITTED);
  if (world.results.get(dealId) !== resultCommitment(jobId, provider, resultId, salt)) refuse('WrongReveal', dealId);
  const votes = (world.votes.get(`${jobId} ${resultId}`) ?? 0) + 1;
  let results = withEntry(world.results, dealId, resultId);
  if (votes === terms.agree) results = withEntry(results, jobId, resultId);
  const agreeing = votes >= terms.agree ? votes : job.agreeing;
  const shown = withJob(world, dealId, { ...deal, state: JOB_STATE.REVEALED });
  return {
    ...withJob(shown, jobId, { ...job, revealed: job.revealed + 1, agreeing }),
    results,
    votes: withEntry(world.votes, `${jobId} ${resultId}`, votes),
  };
}

export function conclude(world: JobsWorld, terms: JobTerms): JobsWorld {
  const job = requireCopies(world, terms);
  const jobId = jobIdOf(terms);
  const now = nowOf(world);
  if (job.until === 0 && now < terms.deadline) refuse('NotRevealing', jobId);
  const end = revealEnd(terms, job.until);
  if (job.revealed !== job.submitted && now < end) refuse('WindowOpen', jobId, end);
  const refund = job.agreeing === 0 ? terms.bounty : terms.bounty % BigInt(job.agreeing);
  const state = job.agreeing === 0 ? JOB_STATE.REFUNDED : JOB_STATE.VERIFIED;
  return unlock(withJob(world, jobId, { ...job, state }), terms.token, terms.renter, refund);
}

export function collect(world: JobsWorld, terms: JobTerms, offerId: Bytes32): JobsWorld {
  const jobId = jobIdOf(terms);
  if (terms.copies === 1) refuse('NoCopies', jobId);
  const job = jobOf(world, jobId);
  if (job.state !== JOB_STATE.VERIFIED && job.state !== JOB_STATE.REFUNDED) refuse('WrongState', jobId, job.state);
  const dealId = dealIdOf(terms, offerId);
  const deal = requireDeal(world, dealId, offerId, JOB_STATE.REVEALED);
  if (job.state === JOB_STATE.VERIFIED && world.results.get(dealId) === world.results.get(jobId)) {
    return settlePaid(world, terms, dealId, { offerId, gross: terms.bounty / BigInt(job.agreeing) });
  }
  return endDeal(withJob(world, dealId, { ...deal, state: JOB_STATE.OUTVOTED }), terms, offerId, 0n);
}

/** What a deal that is over has paid its provider, fee included; 0 for any other. */
export function paidFor(world: JobsWorld, terms: JobTerms, offerId: Bytes32): bigint {
  const deal = jobOf(world, dealIdOf(terms, offerId));
  if (deal.state !== JOB_STATE.VERIFIED || deal.offerId !== offerId) return 0n;
  return terms.copies === 1 ? terms.bounty : terms.bounty / BigInt(jobOf(world, jobIdOf(terms)).agreeing);
}

/** Who speaks for whom if the deal is recorded now. */
export const partiesOf = (world: JobsWorld, terms: JobTerms, offerId: Bytes32): record.ModelParties => {
  const provider = offers.providerOf(offerId);
  return { renter: terms.renter, provider, renterKey: ETH, providerKey: world.operators.get(provider) ?? ETH };
};

/** `Record.recordJob`. */
export const recordJob = (world: JobsWorld, terms: JobTerms, offerId: Bytes32): JobsWorld =>
  record.recordDeal(world, {
    dealId: dealIdOf(terms, offerId),
    parties: partiesOf(world, terms, offerId),
    paid: paidFor(world, terms, offerId),
  });
