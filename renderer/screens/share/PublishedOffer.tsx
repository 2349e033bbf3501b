import type { Offer } from '../../../src/api/contract.ts';
import { formatSeconds } from '../../../src/shared/time.ts';
import { Amount } from '../../parts/Amount.tsx';
import { Facts } from '../../parts/Figure.tsx';
import { MachineName } from '../../parts/MachineName.tsx';
import { Panel } from '../../parts/Panel.tsx';
import { StateMark } from '../../parts/StateMark.tsx';
import { unitName } from '../../view/money-view.ts';
import { dayOf } from '../../view/moment.ts';
import { plainText } from '../../../src/shared/plain-text.ts';

/** The offer as everybody sees it while sharing is on. */
export function PublishedOffer({ offer }: { offer: Offer }) {
  const active = offer.status === 'active';
  return (
    <Panel
      title="Your offer"
      aside={<StateMark shape={active ? 'flow' : 'stop'} label={active ? 'In the market' : 'Paused'} />}
    >
      <Facts
        two
        rows={[
          ['Machine', <MachineName key="machine" machine={offer} />],
          ['Price', <Amount key="price" amount={offer.price} token={offer.token} per={unitName(offer.unit)} />],
          ['Charged first', formatSeconds(offer.minSeconds)],
          ['Free now', `${offer.free} of ${offer.units}`],
          ['Region', plainText(offer.region)],
          ['In the market until', dayOf(offer.endsBy)],
        ]}
      />
      <p className="hint">Turn sharing off to change the price. Rentals that run keep the price they agreed on.</p>
    </Panel>
  );
}
