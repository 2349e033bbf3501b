import type { Chain } from '../../chain/chain.ts';
import type { JobSpec } from '../../shared/job-spec.ts';
import type { IndexedOffer } from '../../store/market-rows.ts';

type Needs = Pick<JobSpec['resources'], 'gpuModel' | 'gpuCount' | 'gpuMemoryGb'>;

export interface OfferBounds {
  /** Cheapest offers that every task sees. */
  most: number;
  /** Offers that are asked for at once, and of each need. */
  page: number;
}

const BOUNDS: OfferBounds = { most: 10_000, page: 500 };
/** Different needs that are looked up for one cycle; the others follow in the next. */
const MOST_LOOKUPS = 32;

/** What a job needs in the words of src/shared/offer-query.ts; empty where any offer will do. */
function queryOf({ gpuModel, gpuCount, gpuMemoryGb }: Needs): string {
  const model = gpuModel?.trim() ?? '';
  return [
    ...(model === '' || model.includes('"') ? [] : [`gpu:"${model}"`]),
    ...(gpuMemoryGb > 0 ? [`vram>=${gpuMemoryGb}`] : []),
    ...(gpuCount > 1 ? [`count>=${gpuCount}`] : []),
  ].join(' ');
}

/**
 * The offers that waiting tasks are held against: the cheapest of all, and where the market is larger than that, the
 * cheapest of those with what each task needs, so that a dear card is not out of sight of the task that wants it.
 */
export function waitingOffers(
  chain: Pick<Chain, 'search' | 'sync'>,
  { most, page }: OfferBounds = BOUNDS,
): (needs: readonly Needs[]) => Promise<IndexedOffer[]> {
  let known: { revision: number; cheapest: IndexedOffer[]; all: boolean; extra: Map<string, IndexedOffer[]> } | null =
    null;
  const search = (text: string, cursor?: string) =>
    chain.search({
      text,
      sort: 'price',
      descending: false,
      limit: page,
      ...(cursor === undefined ? {} : { cursor }),
    });
  const read = async (revision: number) => {
    const cheapest: IndexedOffer[] = [];
    let cursor: string | null | undefined;
    while (cursor !== null && cheapest.length < most) {
      const found = await search('', cursor);
      cheapest.push(...found.offers);
      ({ cursor } = found);
    }
    return { revision, cheapest, all: cursor === null, extra: new Map<string, IndexedOffer[]>() };
  };
  return async (needs) => {
    const { revision } = chain.sync.value;
    const current = known?.revision === revision ? known : await read(revision);
    known = current;
    const { cheapest, all, extra } = current;
    if (all) return cheapest;
    const texts = new Set(needs.map(queryOf));
    texts.delete('');
    const missing = [...texts].filter((text) => !extra.has(text)).slice(0, MOST_LOOKUPS);
    for (const text of missing) {
      // Free ones are what can be had; the others tell why it waits.
      const free = await search(`${text} free`);
      const any = await search(text);
      extra.set(text, [...free.offers, ...any.offers]);
    }
    const offers = new Map(cheapest.map((offer) => [offer.offerId, offer]));
    for (const text of texts) for (const offer of extra.get(text) ?? []) offers.set(offer.offerId, offer);
    return [...offers.values()];
  };
}
