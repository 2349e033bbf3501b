import type { Rental } from '../../../src/api/contract.ts';
import { formatSeconds } from '../../../src/shared/time.ts';
import { Amount } from '../../parts/Amount.tsx';
import { Facts } from '../../parts/Figure.tsx';
import { TransactionLink } from '../../parts/TransactionLink.tsx';
import { exactTime } from '../../view/moment.ts';
import { plainText } from '../../../src/shared/plain-text.ts';

interface SettlementProps {
  rental: Rental;
  settlement: NonNullable<Rental['settlement']>;
}

/** What the chain booked at the end. */
export function Settlement({ rental, settlement }: SettlementProps) {
  const { token } = rental;
  const money = (amount: string) => <Amount amount={amount} token={token} digits={Math.min(12, token.decimals)} />;
  return (
    <section className="settlement" aria-label="Settlement">
      <h3>Settled on the network</h3>
      <Facts
        rows={[
          [
            'Time used',
            <span key="t" className="figure">
              {formatSeconds(settlement.seconds)} ({settlement.seconds.toLocaleString('en')} s)
            </span>,
          ],
          ['Deposit', money(rental.deposit)],
          [rental.role === 'provider' ? 'Paid to you' : 'Paid to the provider', money(settlement.paid)],
          [rental.role === 'provider' ? 'Refunded to the renter' : 'Refunded to you', money(settlement.refund)],
          ['Network fee, from the provider’s part', money(settlement.fee)],
          ...(settlement.penalty === '0' ? [] : [['Penalty', money(settlement.penalty)] as const]),
          ['How it ended', plainText(settlement.reason, 120)],
          [
            'When',
            <span key="w" className="figure">
              {exactTime(settlement.closedAt)}
            </span>,
          ],
          ['Transaction', <TransactionLink key="tx" hash={settlement.txHash} />],
        ]}
      />
    </section>
  );
}
