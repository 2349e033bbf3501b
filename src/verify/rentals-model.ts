/** Rentals.sol as values. A signature is the address it recovers to; the zero address stands for nonsense. */
import { ETH, type Address, type Bytes32 } from '../shared/ids.ts';
import { billFor, depositFor, feeFor } from '../shared/money.ts';
import type { RentalTerms } from '../shared/rental.ts';
import { leaseIdOf } from '../shared/typed-data.ts';
import { free, take } from './offers-model.ts';
import { lock, lockEth, pay, seize } from './vault-model.ts';
import { LEASE_STATE, Revert, overflow, withEntry, type LeaseState, type ModelLease, type World } from './world.ts';

/** How long a provider can answer a termination with a voucher. */
export const CLOSING_SECONDS = 86_400;
/** How long after its cap an open lease can still be settled. */
export const EXPIRY_SECONDS = 86_400;
/** What an underclaiming renter pays on top, within the cap. */
export const PENALTY_SECONDS = 600;

const UINT32_MAX = 0xffff_ffff;

/** Who calls, and with how much ETH. */
export interface Sender {
  caller: Address;
  value: bigint;
}

const NO_LEASE: ModelLease = {
  openedAt: 0,
  closeAt: 0,
  cap: 0,
  paidSeconds: 0,
  claimSeconds: 0,
  state: LEASE_STATE.NONE,
  underclaimed: false,
};

export const leaseOf = (world: World, leaseId: Bytes32): ModelLease => world.leases.get(leaseId) ?? NO_LEASE;

/**
 * Seconds that a voucher of `secs` pays for in total at `now`: cut to the cap and to what has elapsed (until the
 * termination, once there is one), never below what is already paid.
 */
export function payableSeconds(lease: ModelLease, secs: number, now: number): number {
  const end = lease.state === LEASE_STATE.OPEN ? now : lease.closeAt - CLOSING_SECONDS;
  return Math.max(lease.paidSeconds, Math.min(secs, lease.cap, end - lease.openedAt));
}

/** What an underclaiming renter owes on top of `secs`: f(min(secs + 600, cap)) - f(secs). */
export const penaltyFor = (terms: RentalTerms, cap: number, secs: number): bigint =>
  billFor(terms.price, terms.unit, Math.min(secs + PENALTY_SECONDS, cap)) - billFor(terms.price, terms.unit, secs);

/** How a lease's deposit is divided when it ends at `secs`. `paid + penalty + refund` is the deposit, always. */
export interface Division {
  deposit: bigint;
  /** Gross: the provider's share and the fee. */
  paid: bigint;
  fee: bigint;
  penalty: bigint;
  refund: bigint;
}

export function divide(terms: RentalTerms, cap: number, secs: number, penalised: boolean): Division {
  const deposit = depositFor(terms.price, terms.unit, cap);
  const paid = billFor(terms.price, terms.unit, secs);
  const penalty = penalised ? penaltyFor(terms, cap, secs) : 0n;
  return { deposit, paid, fee: feeFor(paid, terms.feeBps), penalty, refund: deposit - paid - penalty };
}

const withLease = (world: World, leaseId: Bytes32, lease: ModelLease): World => ({
  ...world,
  leases: withEntry(world.leases, leaseId, lease),
});

function inState(world: World, terms: RentalTerms, ...states: LeaseState[]): { leaseId: Bytes32; lease: ModelLease } {
  const leaseId = leaseIdOf(terms);
  const lease = leaseOf(world, leaseId);
  if (!states.includes(lease.state)) throw new Revert('Rentals', 'WrongState', [leaseId, lease.state]);
  return { leaseId, lease };
}

function onlyRenter(terms: RentalTerms, caller: Address): void {
  if (caller !== terms.renter) throw new Revert('Rentals', 'NotRenter', [caller, terms.renter]);
}

function onlyProvider(terms: RentalTerms, caller: Address): void {
  if (caller !== terms.provider && caller !== terms.providerSigner) {
    throw new Revert('Rentals', 'NotProvider', [caller, terms.provider]);
  }
}

function checkVoucher(terms: RentalTerms, signedBy: Address): void {
  if (signedBy === ETH || (signedBy !== terms.signer && signedBy !== terms.witness)) {
    throw new Revert('Rentals', 'BadSignature', [signedBy, terms.signer]);
  }
}

function checkEnd(openedAt: number, cap: number, endsBy: number): void {
  if (openedAt + cap > endsBy) throw new Revert('Rentals', 'PastOfferEnd', [openedAt + cap, endsBy]);
}

function escrow(world: World, terms: RentalTerms, amount: bigint, value: bigint): World {
  if (value === 0n) return lock(world, world.rentals, terms.token, terms.renter, amount);
  if (terms.token !== ETH) throw new Revert('Rentals', 'ValueForToken', [terms.token]);
  return lockEth(world, world.rentals, terms.renter, amount, value);
}

export function open(world: World, { caller, value }: Sender, terms: RentalTerms, cap: number): World {
  onlyRenter(terms, caller);
  if (world.now < world.newDealsPausedUntil) throw new Revert('Rentals', 'DealsPaused', [world.newDealsPausedUntil]);
  if (terms.feeBps !== world.feeBps) throw new Revert('Rentals', 'FeeChanged', [terms.feeBps, world.feeBps]);
  if (terms.signer === ETH) throw new Revert('Rentals', 'BadSigner', [terms.signer]);
  if (cap < terms.minSeconds) throw new Revert('Rentals', 'CapTooShort', [cap, terms.minSeconds]);
  checkEnd(world.now, cap, terms.endsBy);
  const leaseId = leaseIdOf(terms);
  if (world.leases.has(leaseId)) throw new Revert('Rentals', 'LeaseExists', [leaseId]);
  const lease: ModelLease = { ...NO_LEASE, openedAt: world.now, cap, state: LEASE_STATE.OPEN };
  const taken = take(withLease(world, leaseId, lease), terms);
  return escrow(taken, terms, depositFor(terms.price, terms.unit, cap), value);
}

export function extend(world: World, { caller, value }: Sender, terms: RentalTerms, addedSeconds: number): World {
  onlyRenter(terms, caller);
  const { leaseId, lease } = inState(world, terms, LEASE_STATE.OPEN);
  const cap = lease.cap + addedSeconds;
  if (cap > UINT32_MAX) throw overflow();
  checkEnd(lease.openedAt, cap, terms.endsBy);
  const added = depositFor(terms.price, terms.unit, cap) - depositFor(terms.price, terms.unit, lease.cap);
  return escrow(withLease(world, leaseId, { ...lease, cap }), terms, added, value);
}

export function terminate(world: World, { caller }: Sender, terms: RentalTerms, claimSeconds: number): World {
  onlyRenter(terms, caller);
  const { leaseId, lease } = inState(world, terms, LEASE_STATE.OPEN);
  return withLease(world, leaseId, {
    ...lease,
    state: LEASE_STATE.CLOSING,
    closeAt: world.now + CLOSING_SECONDS,
    claimSeconds: payableSeconds(lease, claimSeconds, world.now),
  });
}

/** The step from what is paid to `secs`, as the Vault pays it. */
function payStep(world: World, terms: RentalTerms, from: number, secs: number, refund: bigint): World {
  const before = billFor(terms.price, terms.unit, from);
  const total = billFor(terms.price, terms.unit, secs);
  const fee = feeFor(total, terms.feeBps) - feeFor(before, terms.feeBps);
  const amount = total - before - fee;
  return pay(world, world.rentals, { token: terms.token, from: terms.renter, to: terms.provider, amount, fee, refund });
}

function endAt(
  world: World,
  terms: RentalTerms,
  { leaseId, lease }: { leaseId: Bytes32; lease: ModelLease },
  secs: number,
  penalised = false,
): World {
  const { penalty, refund } = divide(terms, lease.cap, secs, penalised);
  const closed = withLease(world, leaseId, { ...lease, paidSeconds: secs, state: LEASE_STATE.CLOSED });
  const paid = payStep(free(closed, terms.offerId), terms, lease.paidSeconds, secs, refund);
  if (penalty === 0n) return paid;
  return seize(paid, world.rentals, { token: terms.token, from: terms.renter, to: terms.provider, amount: penalty });
}

export function settle(world: World, { caller }: Sender, terms: RentalTerms, secs: number, signedBy: Address): World {
  onlyProvider(terms, caller);
  const found = inState(world, terms, LEASE_STATE.OPEN);
  checkVoucher(terms, signedBy);
  return endAt(world, terms, found, payableSeconds(found.lease, secs, world.now));
}

export function release(world: World, { caller }: Sender, terms: RentalTerms): World {
  onlyProvider(terms, caller);
  const found = inState(world, terms, LEASE_STATE.OPEN);
  return endAt(world, terms, found, found.lease.paidSeconds);
}

export function raise(world: World, { caller }: Sender, terms: RentalTerms, secs: number, signedBy: Address): World {
  onlyProvider(terms, caller);
  const { leaseId, lease } = inState(world, terms, LEASE_STATE.CLOSING);
  if (world.now >= lease.closeAt) throw new Revert('Rentals', 'ClosingOver', [leaseId, lease.closeAt]);
  checkVoucher(terms, signedBy);
  const claimSeconds = payableSeconds(lease, secs, world.now);
  if (claimSeconds <= lease.claimSeconds) return world;
  const underclaimed = lease.underclaimed || signedBy === terms.signer;
  return withLease(world, leaseId, { ...lease, claimSeconds, underclaimed });
}

/** `signedBy` is the witness where the witness itself calls: it needs no signature then. */
export function draw(world: World, terms: RentalTerms, secs: number, signedBy: Address): World {
  const { leaseId, lease } = inState(world, terms, LEASE_STATE.OPEN);
  checkVoucher(terms, signedBy);
  const billable = payableSeconds(lease, secs, world.now);
  if (billable === lease.paidSeconds) {
    throw new Revert('Rentals', 'NothingToDraw', [leaseId, billable, lease.paidSeconds]);
  }
  const drawn = withLease(world, leaseId, { ...lease, paidSeconds: billable });
  return payStep(drawn, terms, lease.paidSeconds, billable, 0n);
}

export function close(
  world: World,
  terms: RentalTerms,
  secs: number,
  deadline: number,
  signedBy: { renter: Address; provider: Address },
): World {
  const found = inState(world, terms, LEASE_STATE.OPEN, LEASE_STATE.CLOSING);
  if (world.now > deadline) throw new Revert('Rentals', 'FinalExpired', [deadline]);
  for (const [by, expected] of [
    [signedBy.renter, terms.signer],
    [signedBy.provider, terms.providerSigner],
  ] as const) {
    if (by === ETH || by !== expected) throw new Revert('Rentals', 'BadSignature', [by, expected]);
  }
  return endAt(world, terms, found, payableSeconds(found.lease, secs, world.now));
}

export function finalize(world: World, terms: RentalTerms): World {
  const { leaseId, lease } = inState(world, terms, LEASE_STATE.CLOSING);
  if (world.now < lease.closeAt) throw new Revert('Rentals', 'StillClosing', [leaseId, lease.closeAt]);
  return endAt(world, terms, { leaseId, lease }, lease.claimSeconds, lease.underclaimed);
}

export function expire(world: World, terms: RentalTerms): World {
  const { leaseId, lease } = inState(world, terms, LEASE_STATE.OPEN);
  const expiresAt = lease.openedAt + lease.cap + EXPIRY_SECONDS;
  if (world.now < expiresAt) throw new Revert('Rentals', 'NotExpired', [leaseId, expiresAt]);
  return endAt(world, terms, { leaseId, lease }, lease.paidSeconds);
}
