import { IconUser } from '@tabler/icons-react';
import type { ShareStatus } from '../../../src/api/contract.ts';
import { shortId } from '../../../src/shared/ids.ts';
import { formatSeconds } from '../../../src/shared/time.ts';
import { Amount } from '../../parts/Amount.tsx';
import { Blank } from '../../parts/Blank.tsx';
import { Panel } from '../../parts/Panel.tsx';
import { StateMark } from '../../parts/StateMark.tsx';
import { hrefTo } from '../../state/screen.ts';
import { useRentals } from '../../state/status.ts';
import { phaseWords } from '../../view/phase-words.ts';

/** Who is on this computer now. */
export function Tenants({ share }: { share: ShareStatus }) {
  const rentals = (useRentals().data ?? []).filter(
    (rental) => rental.role === 'provider' && share.rentals.includes(rental.rentalId),
  );
  return (
    <Panel title="On it now" flush>
      {rentals.length === 0 ? (
        <Blank icon={IconUser} title="Nobody">
          {share.state === 'on'
            ? 'The next renter appears here at once.'
            : 'Turn sharing on, and whoever rents appears here.'}
        </Blank>
      ) : (
        <ul className="tenants">
          {rentals.map((rental) => (
            <li key={rental.rentalId}>
              <a href={hrefTo('rentals', rental.rentalId)}>
                <span>
                  <code>{shortId(rental.counterparty)}</code>
                  <StateMark shape={phaseWords(rental).shape} label={phaseWords(rental).label} />
                </span>
                <span>
                  <span className="figure dim">{formatSeconds(rental.servedSeconds)}</span>
                  <Amount amount={rental.spent} token={rental.token} />
                </span>
              </a>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
