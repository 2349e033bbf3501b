/** Record.sol as values: standings, the deals that count, and what both sides say of them. */
import { toUtf8Bytes } from 'ethers';
import type { Address, Bytes32 } from '../shared/ids.ts';
import { RATING_SIDE, ratingCommitment, type Rating } from '../shared/typed-data.ts';
import { STAKE_ROLE, isActive as hasActiveStake, type StakesWorld } from './stakes-model.ts';
import { Revert, withEntry } from './world.ts';

/** What everybody starts with, in hundredths of a point. */
export const START_REPUTATION = 10_000;
/** How long after the last rejected result a provider can qualify again, in seconds. */
export const REQUALIFY_SECONDS = 30 * 86_400;

/** How long after a deal is recorded both sides can commit to a rating, and how long after that they can reveal it. */
export const RATING_COMMIT_SECONDS = 14 * 86_400;
export const RATING_REVEAL_SECONDS = 14 * 86_400;
const MAX_FEEDBACK_BYTES = 100;

export interface ModelStanding {
  /** What is missing to `START_REPUTATION`. */
  lost: number;
  /** Unix seconds. */
  rejectedAt: number;
  provided: number;
  rented: number;
  strikes: number;
  rejections: number;
}

/** Both sides of a deal, and the keys that may speak for them; the zero address where there is none. */
export interface ModelParties {
  renter: Address;
  provider: Address;
  renterKey: Address;
  providerKey: Address;
}

export interface ModelDeal {
  /** The contract keeps a hash of them. */
  parties: ModelParties;
  /** Unix seconds. */
  recordedAt: number;
  /** What each side gave the other, 1 to 5; 0 before it is revealed. */
  byRenter: number;
  byProvider: number;
  /** By side: see `RATING_SIDE`. */
  commitments: ReadonlyMap<number, Bytes32>;
}

export interface RecordWorld {
  stakes: StakesWorld;
  /** Points below which a provider gets no new jobs. */
  inactiveBelow: number;
  standings: ReadonlyMap<Address, ModelStanding>;
  deals: ReadonlyMap<Bytes32, ModelDeal>;
}

const NEW: ModelStanding = { lost: 0, rejectedAt: 0, provided: 0, rented: 0, strikes: 0, rejections: 0 };

export const standingOf = (world: RecordWorld, account: Address): ModelStanding => world.standings.get(account) ?? NEW;

export const reputationOf = (world: RecordWorld, account: Address): number =>
  START_REPUTATION - standingOf(world, account).lost;

export function isActive(world: RecordWorld, provider: Address): boolean {
  const { lost } = standingOf(world, provider);
  return lost === 0 || START_REPUTATION - lost >= world.inactiveBelow * 100;
}

const withStanding = <W extends RecordWorld>(world: W, account: Address, change: Partial<ModelStanding>): W => ({
  ...world,
  standings: withEntry(world.standings, account, { ...standingOf(world, account), ...change }),
});

export const strike = <W extends RecordWorld>(world: W, provider: Address): W =>
  withStanding(world, provider, { strikes: standingOf(world, provider).strikes + 1 });

export function reject<W extends RecordWorld>(world: W, provider: Address): W {
  const left = Math.floor((reputationOf(world, provider) * 2) / 3);
  return withStanding(world, provider, {
    lost: START_REPUTATION - left,
    rejectedAt: world.stakes.market.now,
    rejections: standingOf(world, provider).rejections + 1,
  });
}

function refuse(error: string, ...args: unknown[]): never {
  throw new Revert('Record', error, args);
}

export function requalify<W extends RecordWorld>(world: W, caller: Address): W {
  const least = world.inactiveBelow * 100;
  if (reputationOf(world, caller) >= least) refuse('StillActive', caller);
  const from = standingOf(world, caller).rejectedAt + REQUALIFY_SECONDS;
  if (world.stakes.market.now < from) refuse('TooEarly', caller, from);
  if (!hasActiveStake(world.stakes, STAKE_ROLE.PROVIDER, caller)) refuse('InactiveStake', caller);
  return withStanding(world, caller, { lost: START_REPUTATION - least });
}

/** Counts a settled paid deal, once. */
export function recordDeal<W extends RecordWorld>(
  world: W,
  { dealId, parties, paid }: { dealId: Bytes32; parties: ModelParties; paid: bigint },
): W {
  if (paid === 0n) refuse('NotPaid', dealId);
  if (world.deals.has(dealId)) refuse('AlreadyRecorded', dealId);
  const { renter, provider } = parties;
  const recordedAt = world.stakes.market.now;
  const deal: ModelDeal = { parties, recordedAt, byRenter: 0, byProvider: 0, commitments: new Map() };
  const kept = { ...world, deals: withEntry(world.deals, dealId, deal) };
  const provided = withStanding(kept, provider, { provided: standingOf(kept, provider).provided + 1 });
  return withStanding(provided, renter, { rented: standingOf(provided, renter).rented + 1 });
}

function knownDeal(world: RecordWorld, dealId: Bytes32, given: ModelParties): ModelDeal {
  const deal = world.deals.get(dealId);
  if (!deal) refuse('UnknownDeal', dealId);
  const { renter, provider, renterKey, providerKey } = deal.parties;
  const same = given.renter === renter && given.provider === provider;
  if (!same || given.renterKey !== renterKey || given.providerKey !== providerKey) refuse('WrongParties', dealId);
  return deal;
}

export interface ModelRatingCommit {
  parties: ModelParties;
  side: Rating['side'];
  commitment: Bytes32;
  /** Whose signature comes along; the zero address for nonsense. */
  signer: Address;
}

export function commitRating<W extends RecordWorld>(
  world: W,
  caller: Address,
  dealId: Bytes32,
  { parties, side, commitment, signer }: ModelRatingCommit,
): W {
  const deal = knownDeal(world, dealId, parties);
  const until = deal.recordedAt + RATING_COMMIT_SECONDS;
  if (world.stakes.market.now >= until) refuse('CommitOver', dealId, until);
  if (BigInt(commitment) === 0n) refuse('EmptyCommitment');
  if (deal.commitments.has(RATING_SIDE[side])) refuse('AlreadyCommitted', dealId, RATING_SIDE[side]);
  const [party, key] =
    side === 'renter' ? [parties.renter, parties.renterKey] : [parties.provider, parties.providerKey];
  const speaks = (who: Address) => BigInt(who) !== 0n && (who === party || who === key);
  if (!speaks(caller) && !speaks(signer)) refuse('BadSignature', party);
  const commitments = withEntry(deal.commitments, RATING_SIDE[side], commitment);
  return { ...world, deals: withEntry(world.deals, dealId, { ...deal, commitments }) };
}

export function revealRating<W extends RecordWorld>(
  world: W,
  dealId: Bytes32,
  parties: ModelParties,
  rating: Rating,
): W {
  const deal = knownDeal(world, dealId, parties);
  const { now } = world.stakes.market;
  const blindUntil = deal.recordedAt + RATING_COMMIT_SECONDS;
  if (deal.commitments.size < 2 && now < blindUntil) refuse('StillBlind', dealId, blindUntil);
  const until = blindUntil + RATING_REVEAL_SECONDS;
  if (now >= until) refuse('RevealOver', dealId, until);
  const { side, score, feedback } = rating;
  const by = side === 'renter' ? 'byRenter' : 'byProvider';
  if (deal[by] !== 0) refuse('AlreadyRated', dealId, RATING_SIDE[side]);
  if (score < 1 || score > 5) refuse('BadScore', score);
  const { length } = toUtf8Bytes(feedback);
  if (length > MAX_FEEDBACK_BYTES) refuse('FeedbackTooLong', length, MAX_FEEDBACK_BYTES);
  if (deal.commitments.get(RATING_SIDE[side]) !== ratingCommitment(dealId, rating)) {
    refuse('WrongReveal', dealId, RATING_SIDE[side]);
  }
  return { ...world, deals: withEntry(world.deals, dealId, { ...deal, [by]: score }) };
}
