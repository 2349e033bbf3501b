import type { IndexedOffer } from './market-rows.ts';

export const OFFER_SORTS = ['price', 'gpuModel', 'gpuMemoryGb', 'gpuCount', 'region', 'createdAt'] as const;
export type OfferSort = (typeof OFFER_SORTS)[number];

export interface OfferSearch {
  /** The query language of src/shared/offer-query.ts. */
  text: string;
  sort: OfferSort;
  descending: boolean;
  /** 1 to 500. */
  limit: number;
  /** From the page before. */
  cursor?: string;
}

export interface OfferPage {
  offers: IndexedOffer[];
  /** Exact up to 3000, then null. */
  total: number | null;
  /** For the next page; null on the last. */
  cursor: string | null;
  tookMs: number;
}
