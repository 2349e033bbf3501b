import type { Rental } from '../../../src/api/contract.ts';
import { formatSeconds } from '../../../src/shared/time.ts';
import { Amount } from '../../parts/Amount.tsx';
import { LinkList } from '../../parts/LinkList.tsx';
import { MachineName } from '../../parts/MachineName.tsx';
import { StateMark } from '../../parts/StateMark.tsx';
import { hrefTo } from '../../state/screen.ts';
import { clockTime } from '../../view/moment.ts';
import { phaseWords } from '../../view/phase-words.ts';

export function RentalList({ rentals, current }: { rentals: Rental[]; current: string | null }) {
  return (
    <LinkList
      label="Rentals"
      items={rentals}
      idOf={({ rentalId }) => rentalId}
      hrefOf={({ rentalId }) => hrefTo('rentals', rentalId)}
      current={current}
    >
      {(rental) => <Line rental={rental} />}
    </LinkList>
  );
}

function Line({ rental }: { rental: Rental }) {
  const words = phaseWords(rental);
  return (
    <>
      <span className="pair">
        <MachineName machine={rental} maxLength={32} />
        <StateMark shape={words.shape} label={words.label} />
      </span>
      <span className="pair dim">
        <span>
          {rental.role === 'provider' ? 'You provide' : 'You rent'}, {clockTime(rental.openedAt)}
        </span>
        <span className="figure">{formatSeconds(rental.settlement?.seconds ?? rental.servedSeconds)}</span>
      </span>
      <span className="pair">
        <span className="dim">{rental.role === 'provider' ? 'Earned' : 'Spent'}</span>
        <Amount amount={rental.settlement?.paid ?? rental.spent} token={rental.token} />
      </span>
    </>
  );
}
