import type { Rental } from '../../../src/api/contract.ts';
import { formatSeconds } from '../../../src/shared/time.ts';
import { Amount } from '../../parts/Amount.tsx';
import { Figure } from '../../parts/Figure.tsx';
import { Meter } from '../../parts/Meter.tsx';
import { unitName } from '../../view/money-view.ts';
import { usedShare } from '../../view/phase-words.ts';

/** Seconds, spent and left, running. */
export function LiveMeter({ rental }: { rental: Rental }) {
  const provider = rental.role === 'provider';
  const left = Math.max(0, rental.capSeconds - rental.servedSeconds);
  return (
    <section className="live-meter" aria-label="Meter">
      <dl className="stats">
        <Figure label="Time used" note={<>signed for {formatSeconds(rental.signedSeconds)}</>}>
          <span className="figure">{formatSeconds(rental.servedSeconds)}</span>
        </Figure>
        <Figure label="Time left" note={<>of {formatSeconds(rental.capSeconds)}</>}>
          <span className="figure">{formatSeconds(left)}</span>
        </Figure>
        <Figure
          label={provider ? 'Earned' : 'Spent'}
          note={<Amount amount={rental.price} token={rental.token} per={unitName(rental.unit)} />}
        >
          <Amount amount={rental.spent} token={rental.token} digits={9} />
        </Figure>
        <Figure
          label={provider ? 'Not used yet' : 'Left'}
          note={<>{provider ? 'goes back' : 'comes back'} if ended now</>}
        >
          <Amount amount={rental.left} token={rental.token} digits={9} />
        </Figure>
      </dl>
      <Meter
        label="Rented time used"
        share={usedShare(rental)}
        text={`${formatSeconds(rental.servedSeconds)} of ${formatSeconds(rental.capSeconds)} used`}
        running={rental.phase === 'running'}
      />
    </section>
  );
}
