import type { OfferFields } from '../../src/chain/events.ts';

type Given = 'token' | 'peerKey' | 'providerSigner' | 'endsBy' | 'units';

/** An offer of a plain processor, complete but for what only its provider knows. */
export const cpuOffer = (
  offer: Pick<OfferFields, Given> & Partial<Omit<OfferFields, 'provider'>>,
): Omit<OfferFields, 'provider'> => ({
  gpuType: 'CPU',
  gpuModel: 'Test processor',
  gpuCount: 1,
  gpuMemoryGb: 4,
  price: 360n,
  unit: 3600,
  region: 'eu',
  features: [],
  minSeconds: 60,
  ...offer,
});
