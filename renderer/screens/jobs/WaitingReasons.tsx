import type { Job } from '../../../src/api/contract.ts';
import { plainText } from '../../view/plain-text.ts';

/** Why nobody has it yet: how many offers fall out for which reason. */
export function WaitingReasons({ reasons }: { reasons: Job['waiting'] }) {
  if (reasons.length === 0) return null;
  return (
    <section className="waiting" aria-label="Why it waits">
      <ul>
        {reasons.map(({ reason, offers }) => (
          <li key={reason}>
            <span className="figure">{offers.toLocaleString('en')}</span>
            <span>
              {offers === 1 ? 'offer' : 'offers'} {plainText(reason, 80)}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
