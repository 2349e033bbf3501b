import { useQuery } from '@tanstack/react-query';
import { NeighbourCard } from '../../app/Neighbour.tsx';
import { LoadingRows } from '../../parts/Blank.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { useApi } from '../../state/host.ts';
import { Checks } from './Checks.tsx';
import { Devices } from './Devices.tsx';
import { OfferForm } from './OfferForm.tsx';
import { PublishedOffer } from './PublishedOffer.tsx';
import { useOfferDraft } from './offer-draft.ts';
import { Tenants } from './Tenants.tsx';
import { SharePower } from './SharePower.tsx';
import { WorkPanel } from './WorkPanel.tsx';

export function ShareScreen() {
  const api = useApi();
  const share = useQuery(api.share.status.queryOptions());
  const devices = useQuery(api.gpu.list.queryOptions());
  const draft = useOfferDraft();
  if (!share.data) {
    return share.error ? (
      <FailureNote error={share.error} />
    ) : (
      <LoadingRows lines={6} label="Loading what this computer shares" />
    );
  }
  const { state, offer } = share.data;
  const published = offer !== null && state !== 'off';
  return (
    <>
      <SharePower share={share.data} draft={draft} devices={devices.data ?? []} />
      <div className="share-grid">
        <div className="share-main">
          <Devices devices={devices.data} error={devices.error} onLook={() => void devices.refetch()} />
          {published ? <PublishedOffer offer={offer} /> : null}
          {published || devices.data?.length === 0 ? null : <OfferForm draft={draft} devices={devices.data ?? []} />}
        </div>
        <div className="share-side">
          <Tenants share={share.data} />
          <WorkPanel share={share.data} />
          <NeighbourCard purpose="rent-to" canRent={state === 'on' && offer !== null && offer.free > 0} />
          <Checks />
        </div>
      </div>
    </>
  );
}
