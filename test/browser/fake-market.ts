import type { Offer } from '../../src/api/contract.ts';
import { ETH, type Address, type Bytes32 } from '../../src/shared/ids.ts';
import { readFilters } from '../../renderer/view/market-query.ts';

export const CUSD = {
  address: `0x${'c0'.repeat(20)}` satisfies Address,
  symbol: 'CUSD',
  name: 'Practice dollar',
  decimals: 6,
};
export const ETHER = { address: ETH, symbol: 'ETH', name: 'Ether', decimals: 18 };
export const WATT = {
  address: `0x${'3a'.repeat(20)}` satisfies Address,
  symbol: 'WATT',
  name: 'Watt',
  decimals: 18,
};

/** Fake ids that look like real ones and stay the same from run to run. */
export function fakeHash(seed: number, bytes = 32): Bytes32 {
  let state = (seed * 2_654_435_761 + 12_345) >>> 0;
  let hex = '';
  while (hex.length < bytes * 2) {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 3_266_489_917) >>> 0;
    hex += state.toString(16).padStart(8, '0');
  }
  return `0x${hex.slice(0, bytes * 2)}`;
}

const MODELS: readonly (readonly [string, number, number])[] = [
  ['EPYC 7443P', 16, 18_000],
  ['GeForce RTX 3060', 12, 70_000],
  ['GeForce RTX 3090', 24, 190_000],
  ['GeForce RTX 4070 Ti', 12, 160_000],
  ['GeForce RTX 4090', 24, 340_000],
  ['GeForce RTX 5090', 32, 520_000],
  ['RTX A6000', 48, 480_000],
  ['L40S', 48, 720_000],
  ['A100 PCIe', 80, 1_150_000],
  ['H100 SXM', 80, 2_150_000],
];
const REGIONS = ['EU', 'US', 'Asia', 'EU', 'America'];
const FEATURES = [['CUDA'], ['CUDA', 'NVMe'], ['CUDA', 'static IP'], ['CUDA', '10 Gbit/s', 'NVMe'], []];

const pick = <T>(list: readonly T[], index: number): T => list[index % list.length] as T;

/** `count` offers of made-up providers, the cheapest models the most common. */
export function fakeOffers(count: number, now: number): Offer[] {
  return Array.from({ length: count }, (_, index) => {
    const [gpuModel, gpuMemoryGb, base] = pick(MODELS, index * 7 + Math.floor(index / 5));
    const processor = gpuModel.startsWith('EPYC');
    const gpuCount = processor ? 1 : pick([1, 1, 1, 2, 1, 4, 1, 8], index);
    const units = index % 11 === 0 ? 4 : 1;
    return {
      offerId: fakeHash(1000 + index),
      version: 1,
      provider: fakeHash(5000 + index, 20),
      gpuType: processor ? 'CPU' : 'NVIDIA',
      gpuModel,
      gpuCount,
      gpuMemoryGb,
      token: CUSD,
      price: String(Math.round((base * gpuCount * (52 + ((index * 53) % 101))) / 100)),
      unit: 3600 as const,
      minSeconds: 60,
      region: pick(REGIONS, index * 3 + Math.floor(index / 7)),
      features: processor ? [] : [...pick(FEATURES, index * 3 + Math.floor(index / 4))],
      units,
      free: index % 6 === 4 ? 0 : units,
      status: 'active' as const,
      endsBy: now + 86_400 * (10 + (index % 80)),
      createdAt: now - 3600 * (1 + ((index * 13) % 900)),
      mine: false,
    };
  });
}

/** Enough of the host's search to try the screen with. */
export function searchFakeOffers(offers: Offer[], query: string): Offer[] {
  const { gpu, vram, price, region, free } = readFilters(query);
  const words = query
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => /^[a-z0-9]+$/.test(word) && word !== 'free');
  const has = (text: string, part: string | undefined) =>
    part === undefined || text.toLowerCase().includes(part.toLowerCase());
  return offers.filter(
    (offer) =>
      has(offer.gpuModel, gpu) &&
      has(offer.region, region) &&
      (vram === undefined || offer.gpuMemoryGb >= Number(vram)) &&
      (price === undefined || Number(offer.price) / 10 ** offer.token.decimals < Number(price)) &&
      (!free || offer.free > 0) &&
      words.every((word) => has(offer.gpuModel, word) || has(offer.region, word)),
  );
}

const SORTS: Record<string, (offer: Offer) => bigint | number | string> = {
  price: (offer) => BigInt(offer.price),
  gpuModel: (offer) => offer.gpuModel,
  gpuMemoryGb: (offer) => offer.gpuMemoryGb,
  gpuCount: (offer) => offer.gpuCount,
  region: (offer) => offer.region,
  createdAt: (offer) => offer.createdAt,
};

export function sortFakeOffers(offers: Offer[], key: string, descending: boolean): Offer[] {
  const by = SORTS[key] ?? (() => 0);
  const sign = descending ? -1 : 1;
  return offers.toSorted((a, b) => (by(a) < by(b) ? -sign : by(a) > by(b) ? sign : 0));
}
