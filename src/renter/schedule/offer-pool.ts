import type { Address } from '../../shared/ids.ts';
import { codeOf, noCounts } from './reasons.ts';
import type { Counts } from './reasons.ts';
import type { ScheduleOffer, ScheduleTask } from './schedule-types.ts';

/** Offers with the same hardware: one look answers for all of them. */
interface HardwareClass {
  gpuType: string;
  gpuModel: string;
  gpuCount: number;
  gpuMemoryGb: number;
  size: number;
}

/** Prices in one token, as ranks: comparing them is comparing numbers, and exact. */
export interface TokenPrices {
  /** Of each offer of the pool; -1 in another token. */
  ranks: Int32Array;
  /** Highest rank that the task pays for. */
  limitOf: (task: ScheduleTask) => number;
}

/** All offers of one cycle, in columns. Those that no task can have are only counted. */
export interface OfferPool {
  offers: readonly ScheduleOffer[];
  /** Offers outside the pool, by reason. */
  outside: Counts;
  classes: readonly HardwareClass[];
  classOf: Int32Array;
  /** Providers as numbers, in the order of their addresses. */
  providers: readonly Address[];
  providerOf: Int32Array;
  numberOf: ReadonlyMap<Address, number>;
  /** Places of each provider's offers, by its number. */
  placesOf: readonly (readonly number[])[];
  endsBy: Float64Array;
  stakeRanks: Int32Array;
  /** Different stakes. */
  stakeLevels: number;
  /** Lowest rank of a stake that is enough. */
  stakeNeeded: (minStake: bigint) => number;
  /** Units that are still free; goes down during the cycle. */
  free: Int32Array;
  pricesIn: (token: Address) => TokenPrices;
}

/** First index in 0..length at which `reached` holds; it must hold for all that follow. */
export function firstIndex(length: number, reached: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (reached(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

const compare = <T extends bigint | string>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);
/** price / unit of both, without dividing. */
const compareRates = (a: ScheduleOffer, b: ScheduleOffer): number =>
  a.unit === b.unit ? compare(a.price, b.price) : compare(a.price * BigInt(b.unit), b.price * BigInt(a.unit));

function pricesOf(offers: readonly ScheduleOffer[], token: Address): TokenPrices {
  const order = [...offers.keys()].filter((index) => offers[index]?.token === token);
  const at = (index: number): ScheduleOffer => offers[index] as ScheduleOffer;
  order.sort((a, b) => compareRates(at(a), at(b)));
  const ranks = new Int32Array(offers.length).fill(-1);
  /** One offer for each different price, cheapest first. */
  const levels: ScheduleOffer[] = [];
  for (const index of order) {
    const last = levels.at(-1);
    if (last === undefined || compareRates(last, at(index)) !== 0) levels.push(at(index));
    ranks[index] = levels.length - 1;
  }
  return {
    ranks,
    limitOf: ({ bounty, runSeconds }) => {
      const seconds = BigInt(runSeconds);
      // What the owner asks is rounded up to a whole smallest unit, which does not matter: the bounty is a whole number too.
      return (
        firstIndex(levels.length, (level) => {
          const { price, unit } = levels[level] as ScheduleOffer;
          return price * seconds > bounty * BigInt(unit);
        }) - 1
      );
    },
  };
}

export function createPool(all: readonly ScheduleOffer[]): OfferPool {
  const outside = noCounts();
  const offers: ScheduleOffer[] = [];
  for (const offer of all) {
    const code =
      offer.status !== 'active'
        ? codeOf('not on the market')
        : !offer.active
          ? codeOf('provider suspended')
          : offer.reachable === false
            ? codeOf('not reachable')
            : -1;
    if (code === -1) offers.push(offer);
    else outside[code] = (outside[code] ?? 0) + 1;
  }

  const classes: HardwareClass[] = [];
  const classNumbers = new Map<string, number>();
  const classOf = Int32Array.from(offers, ({ gpuType, gpuModel, gpuCount, gpuMemoryGb }) => {
    const key = JSON.stringify([gpuType.toLowerCase(), gpuModel.toLowerCase(), gpuCount, gpuMemoryGb]);
    let number = classNumbers.get(key);
    if (number === undefined) {
      number = classes.length;
      classNumbers.set(key, number);
      classes.push({
        gpuType: gpuType.toLowerCase(),
        gpuModel: gpuModel.toLowerCase(),
        gpuCount,
        gpuMemoryGb,
        size: 0,
      });
    }
    (classes[number] as HardwareClass).size += 1;
    return number;
  });

  const providers = [...new Set(offers.map(({ provider }) => provider))].toSorted(compare);
  const numberOf = new Map(providers.map((provider, number) => [provider, number]));
  const placesOf = providers.map((): number[] => []);
  for (const [place, { provider }] of offers.entries()) placesOf[numberOf.get(provider) ?? 0]?.push(place);
  const stakes = [...new Set(offers.map(({ stake }) => stake))].toSorted(compare);
  const stakeRank = new Map(stakes.map((stake, rank) => [stake, rank]));
  const prices = new Map<Address, TokenPrices>();
  return {
    offers,
    outside,
    classes,
    classOf,
    providers,
    providerOf: Int32Array.from(offers, ({ provider }) => numberOf.get(provider) ?? 0),
    numberOf,
    placesOf,
    endsBy: Float64Array.from(offers, ({ endsBy }) => endsBy),
    stakeRanks: Int32Array.from(offers, ({ stake }) => stakeRank.get(stake) ?? 0),
    stakeLevels: stakes.length,
    stakeNeeded: (minStake) => firstIndex(stakes.length, (rank) => (stakes[rank] ?? 0n) >= minStake),
    free: Int32Array.from(offers, ({ free }) => free),
    pricesIn: (token) => {
      let found = prices.get(token);
      if (!found) {
        found = pricesOf(offers, token);
        prices.set(token, found);
      }
      return found;
    },
  };
}

/** For each class the code of the reason why it does not do; -1 where it does. */
export function judgeClasses(pool: OfferPool, needs: ScheduleTask['resources']): Int8Array {
  const type = needs.gpuType?.toLowerCase();
  const model = needs.gpuModel?.toLowerCase();
  return Int8Array.from(pool.classes, ({ gpuType, gpuModel, gpuCount, gpuMemoryGb }) => {
    if (needs.gpuCount > 0 && gpuType === 'cpu') return codeOf('no graphics card');
    if (type !== undefined && type !== gpuType) return codeOf('another kind of card');
    if (model !== undefined && !gpuModel.includes(model)) return codeOf('another kind of card');
    if (needs.gpuCount > gpuCount) return codeOf('too few cards');
    if (needs.gpuMemoryGb > gpuMemoryGb) return codeOf('too little memory');
    return -1;
  });
}
