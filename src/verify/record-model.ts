/** Record.sol as values, without the ratings: standings, and the deals that count. */
import type { Address, Bytes32 } from '../shared/ids.ts';
import { STAKE_ROLE, isActive as hasActiveStake, type StakesWorld } from './stakes-model.ts';
import { Revert, withEntry } from './world.ts';

/** What everybody starts with, in hundredths of a point. */
export const START_REPUTATION = 10_000;
/** How long after the last rejected result a provider can qualify again, in seconds. */
export const REQUALIFY_SECONDS = 30 * 86_400;

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

export interface RecordWorld {
  stakes: StakesWorld;
  /** Points below which a provider gets no new jobs. */
  inactiveBelow: number;
  standings: ReadonlyMap<Address, ModelStanding>;
  recorded: ReadonlySet<Bytes32>;
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
  { dealId, renter, provider, paid }: { dealId: Bytes32; renter: Address; provider: Address; paid: bigint },
): W {
  if (paid === 0n) refuse('NotPaid', dealId);
  if (world.recorded.has(dealId)) refuse('AlreadyRecorded', dealId);
  const kept = { ...world, recorded: new Set(world.recorded).add(dealId) };
  const provided = withStanding(kept, provider, { provided: standingOf(kept, provider).provided + 1 });
  return withStanding(provided, renter, { rented: standingOf(provided, renter).rented + 1 });
}
