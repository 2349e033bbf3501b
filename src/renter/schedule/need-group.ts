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
  /** Place in the pool of the first offer that does, counted from the turn after `after` where that is given; -1 where there is none. */
  find: (wish: Wish, after: number | null) => number;
  /** All offers by reason, for a task that found none. */
  count: (wish: Wish) => Counts;
}

export interface GroupBounds {
  /** Every task needs a stake of this rank. */
  leastStake: number;
  /** For every task a stake of this rank is enough. */
  mostStake: number;
  /** Unix seconds up to which every task needs its offer. */
  leastUntil: number;
}

/** What sets a task apart from the others of its group. */
export interface Wish {
  /** Highest rank of a price that it pays. */
  limit: number;
  /** Unix seconds up to which the offer has to last. */
  until: number;
  /** Lowest rank of a stake that is enough. */
  stake: number;
  /** Providers, by number. */
  excluded: ReadonlySet<number>;
}

const add = (counts: Counts, code: number, more: number): void => {
  counts[code] = (counts[code] ?? 0) + more;
};

const sortedBy = (values: Float64Array | Int32Array): number[] =>
  [...values.keys()].toSorted((a, b) => (values[a] ?? 0) - (values[b] ?? 0));

const OVER = codeOf('over your price');
const EXCLUDED = codeOf('failed before or runs a copy');
const TAKEN = codeOf('taken');
const ENDS = codeOf('ends too soon');
const STAKE = codeOf('stake too low');

/**
 * @param order places of all offers in the strategy's order for the task's token
 * @param bounds of what the group's tasks want
 */
export function needGroup(pool: OfferPool, order: Int32Array, task: ScheduleTask, bounds: GroupBounds): NeedGroup {
  const verdicts = judgeClasses(pool, task.resources);
  const { ranks } = pool.pricesIn(task.token);
  const misfit = (place: number): number => {
    const code = verdicts[pool.classOf[place] ?? 0] ?? -1;
    if (code !== -1) return code;
    const stake = pool.stakeRanks[place] ?? 0;
    if (stake < bounds.leastStake) return STAKE;
    // Where it depends on the task whether the stake is enough, so does the reason.
    return (pool.endsBy[place] ?? 0) < bounds.leastUntil && stake >= bounds.mostStake ? ENDS : -1;
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
  const endAt = Float64Array.from(fitting, (place) => pool.endsBy[place] ?? 0);
  const stakeAt = Int32Array.from(fitting, (place) => pool.stakeRanks[place] ?? 0);
  const row = priceRow(priceAt);
  /** Next place with another provider: an excluded farm is passed in one step where its machines cost the same. */
  const nextOther = new Int32Array(fitting.length);
  for (let index = fitting.length - 1; index >= 0; index -= 1) {
    nextOther[index] = providerAt[index + 1] === providerAt[index] ? (nextOther[index + 1] ?? 0) : index + 1;
  }

  const findFrom = (from: number, { limit, until, stake, excluded }: Wish): number => {
    for (let start = from; ;) {
      const index = row.first(start, limit);
      if (index === -1) return -1;
      const place = fitting[index] ?? 0;
      if ((pool.free[place] ?? 0) <= 0) {
        row.remove(index);
        start = index + 1;
      } else if ((endAt[index] ?? 0) < until || (stakeAt[index] ?? 0) < stake) start = index + 1;
      else if (excluded.has(providerAt[index] ?? 0)) start = nextOther[index] ?? index + 1;
      else return place;
    }
  };

  const soonest = endAt.reduce((first, end) => Math.min(first, end), Infinity);
  const lowest = stakeAt.reduce((least, rank) => Math.min(least, rank), pool.stakeLevels);
  let sorted: Int32Array | null = null;
  let byEnd: number[] | null = null;
  let byStake: number[] | null = null;
  /** Places before the first whose value is enough. */
  const below = (places: number[], values: Float64Array | Int32Array, enough: number): number[] =>
    places.slice(
      0,
      firstIndex(places.length, (index) => (values[places[index] ?? 0] ?? 0) >= enough),
    );
  return {
    size: fitting.length,
    find: (wish, after) => {
      if (after === null) return findFrom(0, wish);
      const turn = firstIndex(fitting.length, (index) => (providerAt[index] ?? 0) > after);
      const found = findFrom(turn, wish);
      return found === -1 ? findFrom(0, wish) : found;
    },
    count: ({ limit, until, stake, excluded }) => {
      const prices = (sorted ??= priceAt.toSorted());
      const weak = stake <= lowest ? [] : below((byStake ??= sortedBy(stakeAt)), stakeAt, stake);
      const soon = until <= soonest ? [] : below((byEnd ??= sortedBy(endAt)), endAt, until);
      const dear = (index: number): number => ((priceAt[index] ?? 0) > limit ? 1 : 0);
      let over = prices.length - firstIndex(prices.length, (index) => (prices[index] ?? 0) > limit);
      for (const index of weak) over -= dear(index);
      let ending = 0;
      for (const index of soon) {
        if ((stakeAt[index] ?? 0) < stake) continue;
        ending += 1;
        over -= dear(index);
      }
      let shut = 0;
      for (const provider of excluded) {
        for (const place of pool.placesOf[provider] ?? []) {
          const stays = (pool.endsBy[place] ?? 0) >= until && (pool.stakeRanks[place] ?? 0) >= stake;
          if (stays && misfit(place) === -1 && (ranks[place] ?? -1) <= limit) shut += 1;
        }
      }
      const counts = [...base];
      add(counts, STAKE, weak.length);
      add(counts, ENDS, ending);
      add(counts, OVER, over);
      add(counts, EXCLUDED, shut);
      // Whoever is left was looked at and had no free unit, and will not get one back in this cycle.
      add(counts, TAKEN, fitting.length - weak.length - ending - over - shut);
      return counts;
    },
  };
}
