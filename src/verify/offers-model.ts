/** Offers.sol and Parameters.sol as values. */
import { ETH, type Address, type Bytes32 } from '../shared/ids.ts';
import type { RentalTerms } from '../shared/rental.ts';
import { offerIdOf } from '../shared/typed-data.ts';
import { OFFER_STATUS, Revert, withEntry, type ModelOffer, type OfferStatus, type World } from './world.ts';

const PAUSE_SECONDS = 7 * 86_400;
const PAUSE_REST_SECONDS = 30 * 86_400;
const MAX_FEE_BPS = 1000;
const MAX_WORD_BYTES = 64;
const MAX_FEATURES_BYTES = 1024;

/** What a provider describes, as the contract's OfferParams. */
export type ModelOfferParams = Omit<ModelOffer, 'version' | 'taken' | 'status'> & {
  gpuType: string;
  gpuModel: string;
  region: string;
  features: string;
  peerKey: Bytes32;
};

export function setFee(world: World, feeBps: number): World {
  if (feeBps > MAX_FEE_BPS) throw new Revert('Parameters', 'FeeTooHigh', [feeBps, MAX_FEE_BPS]);
  return { ...world, feeBps };
}

export function pauseNewDeals(world: World): World {
  if (world.now < world.pauseAllowedAt) throw new Revert('Parameters', 'PauseNotAllowedYet', [world.pauseAllowedAt]);
  const newDealsPausedUntil = world.now + PAUSE_SECONDS;
  return { ...world, newDealsPausedUntil, pauseAllowedAt: newDealsPausedUntil + PAUSE_REST_SECONDS };
}

export function resumeNewDeals(world: World): World {
  if (world.now >= world.newDealsPausedUntil) throw new Revert('Parameters', 'NotPaused', []);
  return { ...world, newDealsPausedUntil: world.now };
}

const utf8Bytes = (text: string): number => new TextEncoder().encode(text).length;

function refuse(error: string, ...args: unknown[]): never {
  throw new Revert('Offers', error, args);
}

function validate(world: World, params: ModelOfferParams): void {
  if (params.price === 0n) refuse('BadPrice', params.price);
  if (![60, 3600, 86_400].includes(params.unit)) refuse('BadUnit', params.unit);
  if (params.minSeconds < 60 || params.minSeconds > 600) refuse('BadMinSeconds', params.minSeconds);
  if (params.endsBy <= world.now) refuse('BadEnd', params.endsBy);
  if (params.units === 0) refuse('BadUnits', params.units);
  if (params.gpuCount > 0xff || params.gpuMemoryGb > 0xffff) {
    refuse('BadHardware', params.gpuCount, params.gpuMemoryGb);
  }
  if (params.providerSigner === ETH) refuse('BadSigner', params.providerSigner);
  for (const word of [params.gpuType, params.gpuModel, params.region]) {
    if (utf8Bytes(word) > MAX_WORD_BYTES) refuse('TextTooLong', utf8Bytes(word), MAX_WORD_BYTES);
  }
  if (utf8Bytes(params.features) > MAX_FEATURES_BYTES) {
    refuse('TextTooLong', utf8Bytes(params.features), MAX_FEATURES_BYTES);
  }
  if (!world.tokens.has(params.token)) refuse('TokenNotAllowed', params.token);
}

const described = (p: ModelOfferParams, kept: Pick<ModelOffer, 'version' | 'taken' | 'status'>): ModelOffer => ({
  providerSigner: p.providerSigner,
  token: p.token,
  price: p.price,
  unit: p.unit,
  minSeconds: p.minSeconds,
  endsBy: p.endsBy,
  gpuCount: p.gpuCount,
  gpuMemoryGb: p.gpuMemoryGb,
  units: p.units,
  ...kept,
});

const store = (world: World, offerId: Bytes32, offer: ModelOffer): World => ({
  ...world,
  offers: withEntry(world.offers, offerId, offer),
});

export function register(world: World, caller: Address, params: ModelOfferParams, salt: Bytes32): World {
  const offerId = offerIdOf(caller, salt);
  if (world.offers.has(offerId)) throw new Revert('Offers', 'OfferExists', [offerId]);
  validate(world, params);
  return store(world, offerId, described(params, { version: 1, taken: 0, status: OFFER_STATUS.ACTIVE }));
}

/** The provider's address stands at the front of the id. */
export const providerOf = (offerId: Bytes32): Address => offerId.slice(0, 42) as Address;

function ownedAlive(world: World, caller: Address, offerId: Bytes32): ModelOffer {
  const offer = world.offers.get(offerId);
  if (!offer) throw new Revert('Offers', 'UnknownOffer', [offerId]);
  if (providerOf(offerId) !== caller) throw new Revert('Offers', 'NotProvider', [offerId, caller]);
  if (offer.status === OFFER_STATUS.DELISTED) throw new Revert('Offers', 'WrongStatus', [offerId, offer.status]);
  return offer;
}

export function update(world: World, caller: Address, offerId: Bytes32, params: ModelOfferParams): World {
  const { version, taken, status } = ownedAlive(world, caller, offerId);
  validate(world, params);
  return store(world, offerId, described(params, { version: version + 1, taken, status }));
}

/** `pause`, `resume` and `delist`. */
export function setStatus(world: World, caller: Address, offerId: Bytes32, status: OfferStatus): World {
  const offer = ownedAlive(world, caller, offerId);
  const from = status === OFFER_STATUS.ACTIVE ? OFFER_STATUS.PAUSED : OFFER_STATUS.ACTIVE;
  if (status !== OFFER_STATUS.DELISTED && offer.status !== from) {
    throw new Revert('Offers', 'WrongStatus', [offerId, offer.status]);
  }
  return store(world, offerId, { ...offer, status, version: offer.version + 1 });
}

/** `suspend` and `unsuspend`, by the attestations contract. */
export function setSuspended(world: World, offerId: Bytes32, suspended: boolean): World {
  const { ACTIVE, PAUSED, SUSPENDED } = OFFER_STATUS;
  const offer = world.offers.get(offerId);
  const from: readonly OfferStatus[] = suspended ? [ACTIVE, PAUSED] : [SUSPENDED];
  if (!offer || !from.includes(offer.status)) refuse('WrongStatus', offerId, offer?.status ?? OFFER_STATUS.NONE);
  return store(world, offerId, { ...offer, status: suspended ? SUSPENDED : PAUSED, version: offer.version + 1 });
}

/** What a deal has to know of an offer to take a unit of it. */
export type TakenTerms = Pick<
  RentalTerms,
  'offerId' | 'offerVersion' | 'provider' | 'providerSigner' | 'token' | 'price' | 'unit' | 'minSeconds' | 'endsBy'
>;

/** Takes a unit for a deal on these terms. */
export function take(world: World, terms: TakenTerms): World {
  const { offerId, offerVersion } = terms;
  const offer = world.offers.get(offerId);
  if (!offer) throw new Revert('Offers', 'UnknownOffer', [offerId]);
  if (offer.status !== OFFER_STATUS.ACTIVE) throw new Revert('Offers', 'WrongStatus', [offerId, offer.status]);
  if (offer.version !== offerVersion) throw new Revert('Offers', 'StaleOffer', [offerId, offerVersion, offer.version]);
  const same = (['providerSigner', 'token', 'price', 'unit', 'minSeconds', 'endsBy'] as const).every(
    (field) => offer[field] === terms[field],
  );
  if (providerOf(offerId) !== terms.provider || !same) throw new Revert('Offers', 'TermsMismatch', [offerId]);
  if (offer.taken >= offer.units) throw new Revert('Offers', 'NoFreeUnit', [offerId, offer.units]);
  return store(world, offerId, { ...offer, taken: offer.taken + 1 });
}

export function free(world: World, offerId: Bytes32): World {
  const offer = world.offers.get(offerId);
  if (!offer) throw new Revert('Offers', 'UnknownOffer', [offerId]);
  return store(world, offerId, { ...offer, taken: offer.taken - 1 });
}
