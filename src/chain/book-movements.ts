import { assertNever } from '../shared/errors.ts';
import type { Address } from '../shared/ids.ts';
import type { Ledger, Movement, MovementKind } from '../store/ledger.ts';
import type { ChainEvent } from './events.ts';

/** One amount with what it is for. */
interface Part {
  kind: MovementKind;
  amount: bigint;
}

/**
 * What an event moved in or out of an account's free balance in the Vault. Added up over all events they are that
 * balance, to the wei: a deposit comes in, opening a lease or posting a job locks (leaves), closing refunds (comes
 * back), a provider earns the gross and pays the fee of it. What is lost out of a lock (a forfeited bond, a slashed
 * stake) moves nothing: it left the balance when it was locked.
 */
export function movementsOf(chainId: number, event: ChainEvent, account: Address): Movement[] {
  const { txHash, logIndex, block, at } = event;
  const about = {
    leaseId: 'leaseId' in event ? event.leaseId : null,
    jobId: 'jobId' in event ? event.jobId : null,
    dealId: 'dealId' in event ? event.dealId : null,
  };
  const token = tokenOf(event);
  if (token === null) return [];
  // One row for each kind of an event: a provider that challenges itself gets two bonds back at once.
  const sums = new Map<MovementKind, bigint>();
  for (const { kind, amount } of partsOf(event, account)) sums.set(kind, (sums.get(kind) ?? 0n) + amount);
  return [...sums]
    .filter(([, amount]) => amount !== 0n)
    .map(([kind, amount]) => ({ chainId, txHash, logIndex, account, token, amount, kind, ...about, block, at }));
}

const tokenOf = (event: ChainEvent): Address | null => ('token' in event ? event.token : null);

function partsOf(event: ChainEvent, account: Address): Part[] {
  const of = (owner: Address | null, kind: MovementKind, amount: bigint): Part[] =>
    owner === account ? [{ kind, amount }] : [];
  switch (event.kind) {
    case 'VaultDeposited':
      return of(event.account, 'deposit', event.amount);
    case 'VaultWithdrawn':
      return of(event.account, 'withdraw', -event.amount);
    case 'LeaseOpened':
      return of(event.renter, 'lock', -event.deposit);
    case 'LeaseExtended':
      return of(event.renter, 'lock', -event.added);
    case 'LeaseDrawn':
      return [...of(event.provider, 'earned', event.paidNow), ...of(event.provider, 'fee', -event.feeNow)];
    case 'LeaseClosed':
      return [
        ...of(event.provider, 'earned', event.paidNow),
        ...of(event.provider, 'fee', -event.feeNow),
        ...of(event.provider, 'penalty', event.penalty),
        ...of(event.renter, 'refund', event.refund),
      ];
    case 'JobPosted':
      return of(event.renter, 'lock', -event.terms.bounty);
    case 'JobCancelled':
    case 'JobConcluded':
      return of(event.renter, 'refund', event.refund);
    case 'JobAssigned':
      return of(event.provider, 'bond', -event.terms.bond);
    case 'JobChallenged':
      return of(event.challenger, 'bond', -event.challengeBond);
    case 'JobSettled': {
      const { provider, renter, challenger, challengeBond, challengeBondTo } = event;
      return [
        ...of(provider, 'earned', event.paid),
        ...of(provider, 'fee', -event.fee),
        ...of(provider, 'bond-return', event.bond),
        ...of(renter, 'refund', event.refund),
        ...of(renter, 'forfeit', event.forfeit),
        ...of(challengeBondTo, challengeBondTo === challenger ? 'bond-return' : 'forfeit', challengeBond),
      ];
    }
    case 'StakeAdded':
      return of(event.account, 'stake', -event.amount);
    case 'StakeReleased':
      return of(event.account, 'unstake', event.amount);
    case 'StakeSlashed':
      return of(event.finder, 'reward', event.reward);
    case 'LeaseTerminated':
    case 'LeaseRaised':
    case 'OfferRegistered':
    case 'OfferChanged':
    case 'OfferStatusChanged':
    case 'VaultAuthorized':
    case 'JobSubmitted':
    case 'JobJuryOpened':
    case 'JobJuryDrawn':
    case 'JobJuryVoted':
    case 'JobRevealed':
    case 'JobOperatorSet':
    case 'StakeUnbonding':
    case 'ProviderStruck':
    case 'ProviderRejected':
    case 'ProviderRequalified':
    case 'DealRated':
      return [];
    default:
      return assertNever(event);
  }
}

/** Books what confirmed events moved for these accounts; booking twice changes nothing. */
export function bookMovements(
  ledger: Ledger,
  chainId: number,
  events: readonly ChainEvent[],
  accounts: readonly Address[],
): void {
  const movements = events.flatMap((event) => accounts.flatMap((account) => movementsOf(chainId, event, account)));
  if (movements.length === 0) return;
  ledger.transaction(() => {
    for (const movement of movements) ledger.movements.book(movement);
  });
}
