import { formatAmount } from '../shared/money.ts';
import type { Deal, DealChange } from '../store/ledger.ts';
import type { LeaseEvent, LeaseExit } from './events.ts';
import { tokenOf, type NetworkProfile } from './profile.ts';

const EXITS: Record<LeaseExit, string> = {
  close: 'Both sides signed the exact seconds.',
  settle: 'The provider settled the newest voucher.',
  release: 'The provider gave it back unpaid.',
  finalize: 'The claim stood for 24 hours.',
  expire: 'Nobody had ended it a day after its time was over.',
};

/**
 * What an event of the chain says about a deal, for the book. Written at once, in the transaction that also moves the
 * cursor of delivered events: a host that is killed in between hears the event again or has it in its book.
 */
export function factsOf(event: LeaseEvent, deal: Deal): DealChange {
  switch (event.kind) {
    case 'LeaseOpened':
      return deal.openedAt === null ? { openedAt: event.openedAt, capSeconds: event.capSeconds } : {};
    case 'LeaseExtended':
      return { capSeconds: event.capSeconds };
    case 'LeaseDrawn':
      return { paidSeconds: event.paidSeconds };
    case 'LeaseTerminated':
      return {
        phase: 'closing',
        detail:
          deal.role === 'renter'
            ? 'Ended without the provider. What is left comes back in 24 hours, or at once if the provider returns.'
            : 'The renter ended it on chain; 24 hours remain to show a newer voucher.',
        closeReason: deal.closeReason ?? 'The renter ended it on chain.',
      };
    case 'LeaseRaised':
      return {};
    case 'LeaseClosed': {
      const { paidSeconds, paid, fee, penalty, refund, txHash, at, exit } = event;
      const reason = deal.closeReason ?? EXITS[exit];
      return {
        phase: 'closed',
        detail: reason,
        paidSeconds,
        closedAt: at,
        closeReason: reason,
        settlement: { seconds: paidSeconds, paid, fee, penalty, refund, txHash },
      };
    }
  }
}

/** "0.25 PUSD paid, 1.1 PUSD back.": the end of a deal in one sentence for its own side. Empty when nothing was settled. */
export function outcomeOf({ role, settlement, terms }: Deal, profile: NetworkProfile): string {
  if (!settlement) return '';
  const { symbol, decimals } = tokenOf(profile, terms.token);
  const text = (amount: bigint) => `${formatAmount(amount, decimals)} ${symbol}`;
  const { paid, fee, penalty, refund } = settlement;
  if (role === 'provider') return `${text(paid - fee + penalty)} earned (${text(fee)} network fee).`;
  return `${text(paid + penalty)} paid, ${text(refund)} back.`;
}
