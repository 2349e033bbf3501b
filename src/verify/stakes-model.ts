/** Stakes.sol as values: who has bonded what, what is on its way out, what deals have put at risk, and whose votes those are. */
import { ETH, type Address } from '../shared/ids.ts';
import * as vault from './vault-model.ts';
import { Revert, overflow, withEntry, type World } from './world.ts';

export const STAKE_ROLE = { PROVIDER: 0, VALIDATOR: 1 } as const;
export type StakeRole = (typeof STAKE_ROLE)[keyof typeof STAKE_ROLE];

/** How long stake takes to leave, in seconds, by role. */
export const UNBONDING_SECONDS = [7 * 86_400, 14 * 86_400] as const;
/** Share of a slash that the finder gets, in hundredths of a percent. The rest is burned. */
export const FINDER_BPS = 1500n;

const BPS = 10_000n;
const UINT96_MAX = 2n ** 96n - 1n;

/** Amounts are in the smallest unit of WATT, everywhere here. */
export interface ModelStake {
  staked: bigint;
  unbonding: bigint;
  /** Unix seconds from which what is unbonding can be released. */
  releaseAt: number;
}

interface Checkpoint {
  /** Unix seconds. */
  at: number;
  votes: bigint;
}

export interface StakesWorld {
  /** The Vault, and the time. */
  market: World;
  /** Address of the contract: the module that locks. */
  stakes: Address;
  watt: Address;
  jobs: Address;
  attestations: Address;
  /** WATT that exists. */
  supply: bigint;
  /** Least stake that counts, by role. */
  minStakes: readonly [bigint, bigint];
  /** By `role account`. */
  bonds: ReadonlyMap<string, ModelStake>;
  /** By `module role account`. */
  engaged: ReadonlyMap<string, bigint>;
  /** Who votes for whom; everybody else votes for themselves. */
  delegates: ReadonlyMap<Address, Address>;
  /** By who votes; the zero address is everybody together. */
  checkpoints: ReadonlyMap<Address, readonly Checkpoint[]>;
}

const NO_STAKE: ModelStake = { staked: 0n, unbonding: 0n, releaseAt: 0 };

const bond = (role: StakeRole, account: Address) => `${role} ${account}`;

export const stakeOf = (world: StakesWorld, role: StakeRole, account: Address): ModelStake =>
  world.bonds.get(bond(role, account)) ?? NO_STAKE;

export const engagedOf = (world: StakesWorld, module: Address, role: StakeRole, account: Address): bigint =>
  world.engaged.get(`${module} ${bond(role, account)}`) ?? 0n;

export const atRiskOf = (world: StakesWorld, role: StakeRole, account: Address): bigint =>
  engagedOf(world, world.jobs, role, account) + engagedOf(world, world.attestations, role, account);

/** Bonded stake that no open deal has put at risk. */
export function freeOf(world: StakesWorld, role: StakeRole, account: Address): bigint {
  const free = stakeOf(world, role, account).staked - atRiskOf(world, role, account);
  return free > 0n ? free : 0n;
}

export const isActive = (world: StakesWorld, role: StakeRole, account: Address): boolean =>
  stakeOf(world, role, account).staked >= world.minStakes[role];

export const delegateOf = (world: StakesWorld, account: Address): Address => world.delegates.get(account) ?? account;

const votingUnits = (world: StakesWorld, account: Address): bigint =>
  stakeOf(world, STAKE_ROLE.PROVIDER, account).staked + stakeOf(world, STAKE_ROLE.VALIDATOR, account).staked;

export const votesOf = (world: StakesWorld, account: Address): bigint =>
  world.checkpoints.get(account)?.at(-1)?.votes ?? 0n;

/** Votes as they were at the end of second `at`; of all together for the zero address. */
export const pastVotes = (world: StakesWorld, account: Address, at: number): bigint =>
  world.checkpoints.get(account)?.findLast((checkpoint) => checkpoint.at <= at)?.votes ?? 0n;

function moveVotes(world: StakesWorld, account: Address, change: bigint): StakesWorld {
  if (change === 0n) return world;
  const before = world.checkpoints.get(account) ?? [];
  const next = { at: world.market.now, votes: (before.at(-1)?.votes ?? 0n) + change };
  const kept = before.at(-1)?.at === next.at ? before.slice(0, -1) : before;
  return { ...world, checkpoints: withEntry(world.checkpoints, account, [...kept, next]) };
}

const countVotes = (world: StakesWorld, account: Address, change: bigint): StakesWorld =>
  moveVotes(moveVotes(world, ETH, change), delegateOf(world, account), change);

const withStake = (world: StakesWorld, role: StakeRole, account: Address, after: ModelStake): StakesWorld => ({
  ...world,
  bonds: withEntry(world.bonds, bond(role, account), after),
});

function refuse(error: string, ...args: unknown[]): never {
  throw new Revert('Stakes', error, args);
}

export function stake(world: StakesWorld, caller: Address, role: StakeRole, amount: bigint): StakesWorld {
  if (amount === 0n) refuse('ZeroAmount');
  const before = stakeOf(world, role, caller);
  const staked = before.staked + amount;
  if (staked > UINT96_MAX) throw overflow();
  const counted = countVotes(withStake(world, role, caller, { ...before, staked }), caller, amount);
  return { ...counted, market: vault.lock(world.market, world.stakes, world.watt, caller, amount) };
}

export function unbond(world: StakesWorld, caller: Address, role: StakeRole, amount: bigint): StakesWorld {
  if (amount === 0n) refuse('ZeroAmount');
  const free = freeOf(world, role, caller);
  if (amount > free) refuse('InsufficientFreeStake', role, caller, free, amount);
  const { staked, unbonding } = stakeOf(world, role, caller);
  const after = {
    staked: staked - amount,
    unbonding: unbonding + amount,
    releaseAt: world.market.now + UNBONDING_SECONDS[role],
  };
  return countVotes(withStake(world, role, caller, after), caller, -amount);
}

export function release(world: StakesWorld, caller: Address, role: StakeRole): StakesWorld {
  const before = stakeOf(world, role, caller);
  if (before.unbonding === 0n) refuse('NothingUnbonding', role, caller);
  if (world.market.now < before.releaseAt) refuse('StillUnbonding', role, caller, before.releaseAt);
  const market = vault.unlock(world.market, world.stakes, world.watt, caller, before.unbonding);
  return { ...withStake(world, role, caller, { ...before, unbonding: 0n }), market };
}

function onlyModule(world: StakesWorld, caller: Address): void {
  if (caller !== world.jobs && caller !== world.attestations) refuse('NotModule', caller);
}

const withEngaged = (world: StakesWorld, module: Address, role: StakeRole, account: Address, amount: bigint) => ({
  ...world,
  engaged: withEntry(world.engaged, `${module} ${bond(role, account)}`, amount),
});

export function engage(
  world: StakesWorld,
  caller: Address,
  role: StakeRole,
  account: Address,
  amount: bigint,
): StakesWorld {
  onlyModule(world, caller);
  const free = freeOf(world, role, account);
  if (amount > free) refuse('InsufficientFreeStake', role, account, free, amount);
  return withEngaged(world, caller, role, account, engagedOf(world, caller, role, account) + amount);
}

export function disengage(
  world: StakesWorld,
  caller: Address,
  role: StakeRole,
  account: Address,
  amount: bigint,
): StakesWorld {
  onlyModule(world, caller);
  const engaged = engagedOf(world, caller, role, account);
  if (amount > engaged) refuse('InsufficientEngagement', caller, role, account, engaged, amount);
  return withEngaged(world, caller, role, account, engaged - amount);
}

/** What a slash takes: `slashBps` hundredths of a percent of all there is, and at least `atLeast` smallest units of WATT. */
export interface SlashShare {
  readonly slashBps: number;
  readonly atLeast: bigint;
}

/** How a slash divides; `fromUnbonding + fromStaked = reward + burned`. */
export function divideSlash({ staked, unbonding }: ModelStake, { slashBps, atLeast }: SlashShare, finder: Address) {
  const all = staked + unbonding;
  const share = (all * BigInt(slashBps)) / BPS;
  const owed = share > atLeast ? share : atLeast;
  const slashed = owed < all ? owed : all;
  const fromUnbonding = slashed < unbonding ? slashed : unbonding;
  const reward = finder === ETH ? 0n : (slashed * FINDER_BPS) / BPS;
  return { slashed, fromUnbonding, fromStaked: slashed - fromUnbonding, reward, burned: slashed - reward };
}

export function slash(
  world: StakesWorld,
  caller: Address,
  role: StakeRole,
  account: Address,
  { slashBps, atLeast }: SlashShare,
  finder: Address,
): StakesWorld {
  onlyModule(world, caller);
  if (slashBps > Number(BPS)) refuse('BadShare', slashBps);
  const before = stakeOf(world, role, account);
  const { fromUnbonding, fromStaked, reward, burned } = divideSlash(before, { slashBps, atLeast }, finder);
  const after = { ...before, staked: before.staked - fromStaked, unbonding: before.unbonding - fromUnbonding };
  const counted = countVotes(withStake(world, role, account, after), account, -fromStaked);
  const { stakes: self, watt: token } = world;
  let market = vault.seize(world.market, self, { token, from: account, to: finder, amount: reward });
  if (burned !== 0n) {
    market = vault.seize(market, self, { token, from: account, to: self, amount: burned });
    market = vault.withdraw(market, self, token, self, burned);
  }
  return { ...counted, market, supply: world.supply - burned };
}

/** Naming the zero address means oneself. */
export function delegate(world: StakesWorld, caller: Address, to: Address): StakesWorld {
  const delegatee = to === ETH ? caller : to;
  const before = delegateOf(world, caller);
  const units = votingUnits(world, caller);
  const named = { ...world, delegates: withEntry(world.delegates, caller, delegatee) };
  return before === delegatee ? named : moveVotes(moveVotes(named, before, -units), delegatee, units);
}
