import type { Job } from '../../../src/api/contract.ts';
import { plainText } from '../../../src/shared/plain-text.ts';

/** Why nobody has it yet: how many offers fall out for which reason. */
export function WaitingReasons({ reasons }: { reasons: Job['waiting'] }) {
  if (reasons.length === 0) return null;
  const offers = reasons.reduce((sum, reason) => sum + reason.offers, 0);
  return (
    <section className="waiting" aria-label="Why it waits">
      <p className="dim">
        {offers === 1 ? 'The only offer does not fit:' : `None of ${offers.toLocaleString('en')} offers fits:`}
      </p>
      <ul>
        {reasons.map((one) => (
          <li key={one.reason}>
            <span className="figure">{one.offers.toLocaleString('en')}</span>
            <span>{plainText(one.reason, 80)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
