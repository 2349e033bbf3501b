import { assertNever } from '../shared/errors.ts';
import type { Address } from '../shared/ids.ts';
import type { Ledger, Movement, MovementKind } from '../store/ledger.ts';
import type { ChainEvent } from './events.ts';

/**
 * What an event moved in or out of an account's free balance in the Vault. Added up over all events they are that
 * balance, to the wei: a deposit comes in, opening a lease locks (leaves), closing refunds (comes back), a provider
 * earns the gross and pays the fee of it.
 */
export function movementsOf(chainId: number, event: ChainEvent, account: Address): Movement[] {
  const move = (kind: MovementKind, amount: bigint, token: Address, leaseId: Movement['leaseId']): Movement[] => {
    if (amount === 0n) return [];
    const { txHash, logIndex, block, at } = event;
    return [{ chainId, txHash, logIndex, account, token, amount, kind, leaseId, block, at }];
  };
  switch (event.kind) {
    case 'VaultDeposited':
      return event.account === account ? move('deposit', event.amount, event.token, null) : [];
    case 'VaultWithdrawn':
      return event.account === account ? move('withdraw', -event.amount, event.token, null) : [];
    case 'LeaseOpened':
      return event.renter === account ? move('lock', -event.deposit, event.terms.token, event.leaseId) : [];
    case 'LeaseExtended':
    case 'LeaseDrawn':
    case 'LeaseClosed':
      return leaseMovements(event, account, move);
    case 'LeaseTerminated':
    case 'LeaseRaised':
    case 'OfferRegistered':
    case 'OfferChanged':
    case 'OfferStatusChanged':
    case 'VaultAuthorized':
      return [];
    default:
      return assertNever(event);
  }
}

function leaseMovements(
  event: Extract<ChainEvent, { kind: 'LeaseExtended' | 'LeaseDrawn' | 'LeaseClosed' }>,
  account: Address,
  move: (kind: MovementKind, amount: bigint, token: Address, leaseId: Movement['leaseId']) => Movement[],
): Movement[] {
  const { token, leaseId } = event;
  if (event.kind === 'LeaseExtended') {
    return event.renter === account ? move('lock', -event.added, token, leaseId) : [];
  }
  const earned =
    event.provider === account
      ? [...move('earned', event.paidNow, token, leaseId), ...move('fee', -event.feeNow, token, leaseId)]
      : [];
  if (event.kind === 'LeaseDrawn') return earned;
  return [
    ...earned,
    ...(event.provider === account ? move('penalty', event.penalty, token, leaseId) : []),
    ...(event.renter === account ? move('refund', event.refund, token, leaseId) : []),
  ];
}

/** Books what confirmed events moved for one account; booking twice changes nothing. */
export function bookMovements(ledger: Ledger, chainId: number, events: readonly ChainEvent[], account: Address): void {
  const movements = events.flatMap((event) => movementsOf(chainId, event, account));
  if (movements.length === 0) return;
  ledger.transaction(() => {
    for (const movement of movements) ledger.movements.book(movement);
  });
}
