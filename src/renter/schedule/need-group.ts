import { priceRow } from './first-affordable.ts';
import { firstIndex, judgeClasses } from './offer-pool.ts';
import type { OfferPool } from './offer-pool.ts';
import { codeOf } from './reasons.ts';
import type { Counts } from './reasons.ts';
import type { ScheduleTask } from './schedule-types.ts';

/** Tasks that may have the same offers, whatever they pay and whomever they exclude. */
export interface NeedGroup {
  /** Offers that fit. */
  size: number;
  /** Place in the pool of the first offer, from the turn of `after` on, that has a free unit, costs no more and is of none of the excluded; -1 where there is none. */
  find: (limit: number, excluded: ReadonlySet<number>, after: number | null) => number;
  /** All offers by reason, for a task that found none. */
  count: (limit: number, excluded: ReadonlySet<number>) => Counts;
}

const add = (counts: Counts, code: number, more: number): void => {
  counts[code] = (counts[code] ?? 0) + more;
};

const OVER = codeOf('over your price');
const EXCLUDED = codeOf('failed before or runs a copy');
const TAKEN = codeOf('taken');
const ENDS = codeOf('ends too soon');
const STAKE = codeOf('stake too low');

/**
 * @param order places of all offers in the strategy's order for the task's token
 * @param now unix seconds
 */
export function needGroup(pool: OfferPool, order: Int32Array, task: ScheduleTask, now: number): NeedGroup {
  const verdicts = judgeClasses(pool, task.resources);
  const { ranks } = pool.pricesIn(task.token);
  const until = now + task.runSeconds;
  const stakeNeeded = pool.stakeNeeded(task.minStake);
  const misfit = (place: number): number => {
    const code = verdicts[pool.classOf[place] ?? 0] ?? -1;
    if (code !== -1) return code;
    if ((pool.endsBy[place] ?? 0) < until) return ENDS;
    return (pool.stakeRanks[place] ?? 0) < stakeNeeded ? STAKE : -1;
  };
  const base = [...pool.outside];
  /** The offers that fit, in the strategy's order. */
  const fitting = order.filter((place) => {
    const code = misfit(place);
    if (code !== -1) add(base, code, 1);
    return code === -1;
  });
  const providerAt = Int32Array.from(fitting, (place) => pool.providerOf[place] ?? 0);
  const priceAt = Int32Array.from(fitting, (place) => ranks[place] ?? -1);
  const row = priceRow(priceAt);
  /** Next place with another provider: an excluded farm is passed in one step where its machines cost the same. */
  const nextOther = new Int32Array(fitting.length);
  for (let index = fitting.length - 1; index >= 0; index -= 1) {
    nextOther[index] = providerAt[index + 1] === providerAt[index] ? (nextOther[index + 1] ?? 0) : index + 1;
  }

  const findFrom = (from: number, limit: number, excluded: ReadonlySet<number>): number => {
    for (let start = from; ;) {
      const index = row.first(start, limit);
      if (index === -1) return -1;
      const place = fitting[index] ?? 0;
      if ((pool.free[place] ?? 0) <= 0) {
        row.remove(index);
        start = index + 1;
      } else if (excluded.has(providerAt[index] ?? 0)) start = nextOther[index] ?? index + 1;
      else return place;
    }
  };

  let sorted: Int32Array | null = null;
  const upTo = (prices: Int32Array, limit: number): number =>
    firstIndex(prices.length, (index) => (prices[index] ?? 0) > limit);
  return {
    size: fitting.length,
    find: (limit, excluded, after) => {
      if (after === null) return findFrom(0, limit, excluded);
      const turn = firstIndex(fitting.length, (index) => (providerAt[index] ?? 0) > after);
      const found = findFrom(turn, limit, excluded);
      return found === -1 ? findFrom(0, limit, excluded) : found;
    },
    count: (limit, excluded) => {
      sorted ??= priceAt.toSorted();
      const affordable = upTo(sorted, limit);
      const counts = [...base];
      let shut = 0;
      for (const provider of excluded) {
        for (const place of pool.placesOf[provider] ?? []) {
          if (misfit(place) === -1 && (ranks[place] ?? -1) <= limit) shut += 1;
        }
      }
      add(counts, OVER, fitting.length - affordable);
      add(counts, EXCLUDED, shut);
      // Whoever is left was looked at and had no free unit, and will not get one back in this cycle.
      add(counts, TAKEN, affordable - shut);
      return counts;
    },
  };
}
