import { useRef, type KeyboardEvent } from 'react';
import type { Rental } from '../../../src/api/contract.ts';
import { formatSeconds } from '../../../src/shared/time.ts';
import { Amount } from '../../parts/Amount.tsx';
import { MachineName } from '../../parts/MachineName.tsx';
import { StateMark } from '../../parts/StateMark.tsx';
import { hrefTo } from '../../state/screen.ts';
import { clockTime } from '../../view/moment.ts';
import { phaseWords } from '../../view/phase-words.ts';

/** Arrows move between rentals; Enter opens one. */
export function RentalList({ rentals, current }: { rentals: Rental[]; current: string | null }) {
  const list = useRef<HTMLUListElement>(null);
  const onKey = (event: KeyboardEvent) => {
    const links = [...(list.current?.querySelectorAll<HTMLElement>('a') ?? [])];
    const at = links.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    links[Math.max(0, Math.min(links.length - 1, to))]?.focus();
  };
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <ul ref={list} className="rental-list" aria-label="Rentals" onKeyDown={onKey}>
      {rentals.map((rental) => {
        const words = phaseWords(rental);
        return (
          <li key={rental.rentalId}>
            <a
              href={hrefTo('rentals', rental.rentalId)}
              {...(rental.rentalId === current ? { 'aria-current': 'true' as const } : {})}
            >
              <span className="rental-line">
                <MachineName machine={rental} maxLength={32} />
                <StateMark shape={words.shape} label={words.label} />
              </span>
              <span className="rental-line dim">
                <span>
                  {rental.role === 'provider' ? 'You provide' : 'You rent'}, {clockTime(rental.openedAt)}
                </span>
                <span className="figure">{formatSeconds(rental.settlement?.seconds ?? rental.servedSeconds)}</span>
              </span>
              <span className="rental-line">
                <span className="dim">{rental.role === 'provider' ? 'Earned' : 'Spent'}</span>
                <Amount amount={rental.settlement?.paid ?? rental.spent} token={rental.token} />
              </span>
            </a>
          </li>
        );
      })}
    </ul>
  );
}
