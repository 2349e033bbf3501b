import type { CSSProperties } from 'react';
import { createColumnHelper, tableFeatures } from '@tanstack/react-table';
import type { Offer } from '../../../src/api/contract.ts';
import { shortId } from '../../../src/shared/ids.ts';
import { Amount } from '../../parts/Amount.tsx';
import { MachineName } from '../../parts/MachineName.tsx';
import { StateMark } from '../../parts/StateMark.tsx';
import { isProcessor } from '../../view/machine.ts';
import { hourly } from '../../view/money-view.ts';
import { dayOf } from '../../view/moment.ts';
import { plainText } from '../../../src/shared/plain-text.ts';
import type { SortKey } from './MarketScreen.tsx';

export const features = tableFeatures({});
const column = createColumnHelper<typeof features, Offer>();

export interface ColumnLook {
  /** CSS grid track. */
  width: string;
  sort?: SortKey;
  right?: boolean;
  /** Only where the window is wide. */
  wide?: boolean;
}

/** How each column stands, by its id. */
export const LOOKS: Record<string, ColumnLook> = {
  machine: { width: 'minmax(190px, 2fr)', sort: 'gpuModel' },
  memory: { width: '72px', sort: 'gpuMemoryGb', right: true },
  price: { width: '148px', sort: 'price', right: true },
  free: { width: '80px' },
  region: { width: '72px', sort: 'region' },
  features: { width: 'minmax(96px, 1.2fr)' },
  provider: { width: '104px' },
  until: { width: '96px', right: true, wide: true },
  since: { width: '96px', sort: 'createdAt', right: true },
};

export const columns = column.columns([
  column.display({
    id: 'machine',
    header: 'Machine',
    cell: ({ row: { original: offer } }) => (
      <>
        <MachineName machine={offer} />
        {offer.mine ? <span className="tag">yours</span> : null}
      </>
    ),
  }),
  column.display({
    id: 'memory',
    header: 'Memory',
    cell: ({ row: { original: offer } }) => (
      <span className="amount" title={isProcessor(offer) ? 'Main memory' : 'Memory of each card'}>
        <span className="figure">{offer.gpuMemoryGb}</span> <span className="unit">GB</span>
      </span>
    ),
  }),
  column.display({
    id: 'price',
    header: 'Price',
    cell: ({ row: { original: offer } }) => (
      <Amount amount={hourly(offer.price, offer.unit)} token={offer.token} per="h" {...priceDigits(offer)} />
    ),
  }),
  column.display({
    id: 'free',
    header: 'Free',
    cell: ({ row: { original: offer } }) =>
      offer.status !== 'active' ? (
        <StateMark shape="stop" label="paused" />
      ) : offer.free > 0 ? (
        <StateMark shape="ok" label={offer.units > 1 ? `${offer.free} of ${offer.units}` : 'free'} />
      ) : (
        <StateMark shape="wait" label="in use" />
      ),
  }),
  column.display({ id: 'region', header: 'Region', cell: ({ row }) => plainText(row.original.region, 16) }),
  column.display({
    id: 'features',
    header: 'Features',
    cell: ({ row }) => (
      <span className="dim">{row.original.features.map((feature) => plainText(feature, 24)).join(', ')}</span>
    ),
  }),
  column.display({
    id: 'provider',
    header: 'Provider',
    cell: ({ row }) => <code className="dim">{shortId(row.original.provider)}</code>,
  }),
  column.display({
    id: 'until',
    header: 'Until',
    cell: ({ row }) => <span className="figure dim">{dayOf(row.original.endsBy)}</span>,
  }),
  column.display({
    id: 'since',
    header: 'Since',
    cell: ({ row }) => <span className="figure dim">{dayOf(row.original.createdAt)}</span>,
  }),
]);

const tracks = (wide: boolean) =>
  columns
    .map(({ id }) => LOOKS[id ?? ''])
    .filter((look) => look && (wide || !look.wide))
    .map((look) => look?.width ?? '1fr')
    .join(' ');

/** Tracks of the rows in a narrow and a wide window, for the style sheet to choose from. */
export const gridTracks = { '--columns': tracks(false), '--columns-wide': tracks(true) } as CSSProperties;

export const cellClass = (id: string): string =>
  `cell${LOOKS[id]?.right ? ' cell-right' : ''}${LOOKS[id]?.wide ? ' cell-wide' : ''}`;

const CENTS = 4;

/** Dollars read best with four digits; what is under a cent, and other currencies, keep all they need. */
function priceDigits({ price, unit, token }: Offer): { digits?: number } {
  const readable = token.decimals <= 8 && hourly(price, unit) * 100n >= 10n ** BigInt(token.decimals);
  return readable ? { digits: CENTS } : {};
}
