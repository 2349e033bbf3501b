import { Drawer } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { Offer } from '../../../src/api/contract.ts';
import type { Bytes32 } from '../../../src/shared/ids.ts';
import { shortId } from '../../../src/shared/ids.ts';
import { Amount } from '../../parts/Amount.tsx';
import { LoadingRows } from '../../parts/Blank.tsx';
import { Facts } from '../../parts/Figure.tsx';
import { MachineName } from '../../parts/MachineName.tsx';
import { FailureNote, Note } from '../../parts/Note.tsx';
import { useApi } from '../../state/host.ts';
import { isProcessor } from '../../view/machine.ts';
import { unitName } from '../../view/money-view.ts';
import { dayOf } from '../../view/moment.ts';
import { plainText } from '../../../src/shared/plain-text.ts';
import { RentForm } from './RentForm.tsx';

/** One offer, what renting it costs, and the button. */
export function RentDrawer({ offerId, onClose }: { offerId: string | null; onClose: () => void }) {
  return (
    <Drawer
      opened={offerId !== null}
      onClose={onClose}
      size={520}
      title="Rent this machine"
      classNames={{ body: 'drawer-body' }}
    >
      {offerId === null ? null : <OfferToRent key={offerId} offerId={offerId as Bytes32} />}
    </Drawer>
  );
}

function OfferToRent({ offerId }: { offerId: Bytes32 }) {
  const offer = useQuery(useApi().market.get.queryOptions({ input: { offerId }, refetchInterval: 5000 }));
  if (!offer.data) {
    return offer.error ? <FailureNote error={offer.error} /> : <LoadingRows lines={8} label="Loading the offer" />;
  }
  return (
    <>
      <OfferFacts offer={offer.data} />
      {blockOf(offer.data) ?? <RentForm offer={offer.data} />}
    </>
  );
}

/** Why this offer cannot be rented now, or nothing. */
function blockOf(offer: Offer) {
  if (offer.mine) {
    return <Note title="This is your own offer">Others see it like this. Change it on the Share screen.</Note>;
  }
  if (offer.status !== 'active') {
    return (
      <Note kind="warn" title="The provider has paused this offer">
        Choose another, or look again later.
      </Note>
    );
  }
  if (offer.free === 0) {
    return (
      <Note kind="warn" title="Somebody is using this machine">
        It may be free again in minutes. Search with “free” for machines that are free now.
      </Note>
    );
  }
  return null;
}

function OfferFacts({ offer }: { offer: Offer }) {
  return (
    <section aria-label="Offer">
      <h3 className="offer-name">
        <MachineName machine={offer} maxLength={60} />
      </h3>
      {isProcessor(offer) ? (
        <p className="offer-kind">A processor without a graphics card: for programs that need none.</p>
      ) : null}
      <Facts
        two
        rows={[
          ['Price', <Amount key="price" amount={offer.price} token={offer.token} per={unitName(offer.unit)} />],
          [
            isProcessor(offer) ? 'Main memory' : 'Memory of each card',
            <span key="memory" className="figure">
              {offer.gpuMemoryGb} GB
            </span>,
          ],
          ['Region', plainText(offer.region)],
          ...(offer.features.length === 0
            ? []
            : [['Features', offer.features.map((feature) => plainText(feature, 32)).join(', ')] as const]),
          [
            'Provider',
            <code key="provider" title={offer.provider}>
              {shortId(offer.provider)}
            </code>,
          ],
          ['In the market until', dayOf(offer.endsBy)],
        ]}
      />
    </section>
  );
}
