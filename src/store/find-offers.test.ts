import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AppError } from '../shared/errors.ts';
import { ETH } from '../shared/ids.ts';
import type { Bytes32 } from '../shared/ids.ts';
import { offerFinder } from './find-offers.ts';
import type { IndexedOffer } from './market-rows.ts';
import { openIndexWriter } from './open-index.ts';
import type { IndexWriter } from './open-index.ts';
import { OFFER_SORTS } from './search-offers.ts';
import type { OfferPage, OfferSearch } from './search-offers.ts';

const NOW = 1000;
const tokens = [{ address: ETH, symbol: 'ETH', name: 'Ether', decimals: 18 }];
const MODELS = ['GeForce RTX 3090', 'GeForce RTX 4090', 'A100 80GB', 'Radeon RX 7900 XTX', 'CPU only'];
const REGIONS = ['eu-central', 'us-east', 'asia-south'];
const FEATURES = ['docker', 'pytorch', 'jupyter', 'comfyui'];

let folder: string;
let writer: IndexWriter;
let search: (change: Partial<OfferSearch>) => OfferPage;
const offers: (Omit<IndexedOffer, 'free'> & { priceHour: number })[] = [];

beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'index-'));
  const file = path.join(folder, 'index.db');
  writer = openIndexWriter(file, 'test');
  writer.transaction(() => {
    for (let n = 0; n < 5000; n += 1) {
      const priceHour = ((n * 7919) % 1000) / 1000;
      const offer = {
        offerId: `0x${n.toString(16).padStart(64, '0')}` satisfies Bytes32,
        version: 1,
        provider: ETH,
        gpuType: n % 5 === 4 ? 'cpu' : 'gpu',
        gpuModel: MODELS[n % 5] ?? '',
        gpuCount: 1 + (n % 4),
        gpuMemoryGb: [24, 24, 80, 24, 0][n % 5] ?? 0,
        price: BigInt(Math.round(priceHour * 1e18)),
        unit: 3600,
        token: ETH,
        region: REGIONS[n % 3] ?? '',
        features: ['docker', FEATURES[n % 4] ?? '', `rare${n % 500}`],
        peerKey: `0x${'09'.repeat(32)}` satisfies Bytes32,
        providerSigner: ETH,
        endsBy: n % 10 === 0 ? NOW : NOW + 1000,
        minSeconds: 60,
        units: 1,
        status: n % 20 === 1 ? ('paused' as const) : ('active' as const),
        createdAt: n,
      };
      offers.push({ ...offer, priceHour });
      writer.putOffer(offer, priceHour);
    }
  });
  const find = offerFinder(new Database(file, { readonly: true }), tokens);
  search = (change) => find({ text: '', sort: 'price', descending: false, limit: 50, ...change }, NOW);
});

afterAll(() => {
  writer.close();
  rmSync(folder, { recursive: true });
});

const visible = (fits: (offer: (typeof offers)[number]) => boolean) =>
  offers.filter((offer) => offer.status === 'active' && offer.endsBy > NOW && fits(offer));

/** Every page of a search, one after the other. */
function all(change: Partial<OfferSearch>): IndexedOffer[] {
  const found: IndexedOffer[] = [];
  let cursor: string | null = null;
  do {
    const page: OfferPage = search({ ...change, limit: 500, ...(cursor === null ? {} : { cursor }) });
    found.push(...page.offers);
    ({ cursor } = page);
  } while (cursor !== null);
  return found;
}

describe('searching offers', () => {
  test.each<[string, (offer: (typeof offers)[number]) => boolean]>([
    ['', () => true],
    ['gpu:"rtx 3090"', (offer) => offer.gpuModel.includes('3090')],
    ['rtx', (offer) => offer.gpuModel.includes('RTX')],
    ['3090 eu', (offer) => offer.gpuModel.includes('3090') && offer.region.startsWith('eu')],
    ['region:asia vram>=80 price<0.5', (o) => o.region.startsWith('asia') && o.gpuMemoryGb >= 80 && o.priceHour < 0.5],
    ['comfyui', (offer) => offer.features.includes('comfyui')],
    ['docker', () => true],
    ['docker rtx', (offer) => offer.gpuModel.includes('RTX')],
    ['rare17 feature:docker', (offer) => offer.features.some((feature) => feature.startsWith('rare17'))],
    ['count=2 price>=0.2 price<=0.4', (o) => o.gpuCount === 2 && o.priceHour >= 0.2 && o.priceHour <= 0.4],
    ['cpu unit:hour token:eth', (offer) => offer.gpuType === 'cpu'],
    ['nothing-like-this', () => false],
    ['gpu:voodoo', () => false],
    ['region:atlantis', () => false],
  ])('%s finds exactly what it should, each once', (text, fits) => {
    const expected = visible(fits);
    for (const sort of OFFER_SORTS) {
      const found = all({ text, sort, descending: sort === 'createdAt' });
      expect(found.map(({ offerId }) => offerId).toSorted()).toEqual(expected.map(({ offerId }) => offerId).toSorted());
    }
    const { total } = search({ text });
    expect(total).toBe(expected.length > 3000 ? null : expected.length);
  });

  test('pages come in order', () => {
    const prices = all({ text: 'rtx' }).map(({ price }) => price);
    expect(prices).toEqual(prices.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
    const ages = all({ text: '', sort: 'createdAt', descending: true }).map(({ createdAt }) => createdAt);
    expect(ages).toEqual(ages.toSorted((a, b) => b - a));
  });

  test('changed and removed offers are found by their new words only', () => {
    const first = offers[2];
    if (!first) throw new Error('no offer');
    const { priceHour, ...offer } = first;
    writer.putOffer({ ...offer, features: ['brandnew'] }, priceHour);
    expect(search({ text: 'brandnew' }).offers.map(({ offerId }) => offerId)).toEqual([first.offerId]);
    expect(search({ text: 'rare2 gpu:a100' }).offers.map(({ offerId }) => offerId)).not.toContain(first.offerId);
    writer.removeOffer(first.offerId);
    expect(search({ text: 'brandnew' }).offers).toEqual([]);
    writer.putOffer(offer, priceHour);
  });

  test('a cursor of another search and a token of another network are refused', () => {
    const { cursor } = search({ limit: 1 });
    expect(() => search({ sort: 'region', cursor: cursor ?? '' })).toThrow(AppError);
    expect(() => search({ cursor: 'AAAA' })).toThrow(/cursor/);
    expect(() => search({ text: 'token:doge' })).toThrow(/doge/);
  });
});
