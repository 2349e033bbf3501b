import type { Rental } from '../../../src/api/contract.ts';
import { formatSeconds } from '../../../src/shared/time.ts';
import { formatBytes } from '../../../src/shared/units.ts';
import { Amount } from '../../parts/Amount.tsx';
import { CopyButton } from '../../parts/CopyButton.tsx';
import { Facts } from '../../parts/Figure.tsx';
import { unitName } from '../../view/money-view.ts';
import { exactTime } from '../../view/moment.ts';
import { plainText } from '../../../src/shared/plain-text.ts';

/** What both sides agreed on; nothing of it can change while the rental lives. */
export function Agreement({ rental }: { rental: Rental }) {
  const { spec } = rental;
  return (
    <div className="agreement">
      <Facts
        two
        rows={[
          [
            'Opened',
            <span key="o" className="figure">
              {exactTime(rental.openedAt)}
            </span>,
          ],
          ['Price', <Amount key="p" amount={rental.price} token={rental.token} per={unitName(rental.unit)} />],
          ['Deposit', <Amount key="d" amount={rental.deposit} token={rental.token} />],
          [
            'Longest',
            <span key="l" className="figure">
              {formatSeconds(rental.capSeconds)}
            </span>,
          ],
          ...(spec === null
            ? []
            : ([
                ['Image', <code key="i">{plainText(spec.image, 120)}</code>],
                [
                  'Command',
                  spec.command ? <code key="c">{plainText(spec.command.join(' '), 160)}</code> : 'the image’s own',
                ],
                [
                  'Ports',
                  spec.ports.length === 0 ? (
                    'none'
                  ) : (
                    <span key="ports" className="figure">
                      {spec.ports.join(', ')}
                    </span>
                  ),
                ],
                [
                  'Disk',
                  <span key="disk" className="figure">
                    {formatBytes(spec.diskBytes)}
                  </span>,
                ],
                ['Internet', spec.internet ? 'yes' : 'no'],
                [
                  'Variables',
                  Object.keys(spec.env).length === 0 ? 'none' : plainText(Object.keys(spec.env).join(', '), 160),
                ],
              ] as const)),
          ['Rental id', <IdWithCopy key="id" id={rental.rentalId} label="Copy rental id" />],
          [
            rental.role === 'renter' ? 'Provider' : 'Renter',
            <IdWithCopy key="other" id={rental.counterparty} label="Copy address" />,
          ],
        ]}
      />
    </div>
  );
}

const IdWithCopy = ({ id, label }: { id: string; label: string }) => (
  <span className="hash">
    <code title={id}>{`${id.slice(0, 10)}…${id.slice(-6)}`}</code>
    <CopyButton text={id} label={label} />
  </span>
);
