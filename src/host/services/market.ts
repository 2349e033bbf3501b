import type { Offer } from '../../api/contract.ts';
import type { ApiServices } from '../../api/services.ts';
import { tokenOf } from '../../chain/profile.ts';
import { AppError } from '../../shared/errors.ts';
import type { Address } from '../../shared/ids.ts';
import type { IndexedOffer } from '../../store/market-rows.ts';
import type { Rooms } from '../rooms.ts';

export function marketServices(rooms: Rooms): ApiServices['market'] {
  const { chain, rentals } = rooms;
  return {
    search: async ({ query, sort, descending, limit, cursor }) => {
      const page = await chain.search({
        text: query,
        sort,
        descending,
        limit,
        ...(cursor === undefined ? {} : { cursor }),
      });
      return { ...page, offers: page.offers.map((offer) => offerView(rooms, offer)) };
    },
    get: async ({ offerId }) => {
      const offer = chain.offer(offerId);
      if (!offer) throw new AppError('not-found', 'There is no such offer on this network.', { field: 'offerId' });
      return offerView(rooms, offer);
    },
    quote: async ({ offerId, seconds }) => {
      const quote = await rentals.quote(offerId, seconds);
      return {
        offerId,
        seconds,
        token: tokenOf(chain.profile, quote.offer.token),
        deposit: `${quote.deposit}`,
        chargedFirst: `${quote.chargedFirst}`,
        firstSeconds: quote.firstSeconds,
        maxSeconds: quote.maxSeconds,
        feeBps: quote.feeBps,
        available: `${quote.available}`,
        missing: `${quote.missing}`,
      };
    },
    ask: ({ offerId, spec }, { signal }) => rentals.ask(offerId, spec, signal),
  };
}

export function offerView({ chain, wallet }: Pick<Rooms, 'chain' | 'wallet'>, offer: IndexedOffer): Offer {
  const { peerKey: _peerKey, providerSigner: _providerSigner, ...shown } = offer;
  return {
    ...shown,
    token: knownToken(chain.profile.tokens, offer.token),
    price: `${offer.price}`,
    unit: offer.unit as Offer['unit'],
    mine: offer.provider === wallet.status.value.address,
  };
}

/** An offer may be priced in a token that the profile does not name: show it by its address, in whole units. */
const knownToken = (tokens: Rooms['chain']['profile']['tokens'], token: Address): Offer['token'] =>
  tokens.find((known) => known.address === token) ?? { address: token, symbol: 'unknown', name: token, decimals: 0 };
