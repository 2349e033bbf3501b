import type { Address, Bytes32 } from '../../shared/ids.ts';
import { needGroup } from './need-group.ts';
import type { NeedGroup } from './need-group.ts';
import { createPool, firstIndex } from './offer-pool.ts';
import type { OfferPool } from './offer-pool.ts';
import { reasonCounts, waitingSentence } from './reasons.ts';
import type { ReasonCount } from './reasons.ts';
import type { ScheduleOffer, ScheduleTask } from './schedule-types.ts';
import { STRATEGIES } from './strategies.ts';
import type { Strategy, StrategyName } from './strategies.ts';

export interface ScheduleInput {
  tasks: readonly ScheduleTask[];
  offers: readonly ScheduleOffer[];
  strategy: StrategyName;
  /** Unix seconds. */
  now: number;
  /** Provider that had the last turn: `lastTurn` of the cycle before. Only for round-robin. */
  lastTurn?: Address | null;
}

export interface WaitingTask {
  taskId: string;
  /** Copies that found no provider. */
  missing: number;
  /** Every offer under exactly one reason, as things stand when the cycle is over. */
  reasons: ReasonCount[];
  /** For people: "Waiting: 12 offers over your price, 3 too little memory, 2 taken." */
  sentence: string;
}

export interface Schedule {
  /** In the order in which they were made. A task with several copies stands there once for each. */
  assignments: { taskId: string; offerId: Bytes32 }[];
  /** In the strategy's order of tasks. */
  waiting: WaitingTask[];
  lastTurn: Address | null;
}

/** Offers in all groups together: about 200 MB. Past it the oldest group is made again when it is needed again. */
const MOST_HELD = 8_000_000;

/** Within a step, offers that end too soon or have too little stake are passed over one by one. */
const STEPS = 8;
const stepOf = (rank: number, levels: number): number => Math.floor((rank * STEPS) / Math.max(1, levels));
const startOf = (step: number, levels: number): number => Math.ceil((step * levels) / STEPS);

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Places of the pool in the order in which a task that pays in `token` would take them. */
function orderFor(pool: OfferPool, strategy: Strategy, token: Address): Int32Array {
  const { ranks } = pool.pricesIn(token);
  const candidates = pool.offers.map((offer, place) => ({ offer, place, priceRank: ranks[place] ?? -1 }));
  candidates.sort(
    (a, b) =>
      (strategy.ring ? 0 : strategy.offers(a, b)) ||
      (pool.providerOf[a.place] ?? 0) - (pool.providerOf[b.place] ?? 0) ||
      byText(a.offer.offerId, b.offer.offerId),
  );
  return Int32Array.from(candidates, ({ place }) => place);
}

/** Makes the groups of a cycle: one for each different need, however many tasks have it. */
function grouping(pool: OfferPool, strategy: Strategy, now: number): (task: ScheduleTask) => NeedGroup {
  const orders = new Map<Address, Int32Array>();
  const groups = new Map<string, NeedGroup>();
  const ends = Float64Array.from(new Set(pool.endsBy)).toSorted();
  let held = 0;
  return (task) => {
    const { token, runSeconds, minStake, resources } = task;
    const { gpuType, gpuModel, gpuCount, gpuMemoryGb } = resources;
    // What differs from task to task is cut into a few steps, so that the number of groups does not grow with the tasks.
    const gone = firstIndex(ends.length, (index) => (ends[index] ?? 0) >= now + runSeconds);
    const long = stepOf(gone, ends.length);
    const staked = stepOf(pool.stakeNeeded(minStake), pool.stakeLevels);
    const hardware = [gpuCount, gpuMemoryGb, gpuType?.toLowerCase() ?? null, gpuModel?.toLowerCase() ?? null];
    const key = JSON.stringify([token, long, staked, ...hardware]);
    let group = groups.get(key);
    if (!group) {
      let order = orders.get(token);
      if (!order) {
        order = orderFor(pool, strategy, token);
        orders.set(token, order);
      }
      group = needGroup(pool, order, task, {
        leastStake: startOf(staked, pool.stakeLevels),
        mostStake: startOf(staked + 1, pool.stakeLevels),
        leastUntil: long === 0 ? 0 : (ends[startOf(long, ends.length)] ?? Infinity),
      });
      held += group.size;
      for (const [oldest, { size }] of groups) {
        if (held <= MOST_HELD) break;
        groups.delete(oldest);
        held -= size;
      }
      groups.set(key, group);
    }
    return group;
  };
}

/**
 * One scheduling cycle: gives tasks to offers by the strategy, one unit of an offer for each copy, copies of one task to
 * different providers. Decides only; whoever calls asks the providers. An offer in another token than the bounty may be
 * chosen: its owner decides.
 */
export function assign({ tasks, offers, strategy: name, now, lastTurn = null }: ScheduleInput): Schedule {
  const strategy: Strategy = STRATEGIES[name];
  const pool = createPool(offers);
  const groupOf = grouping(pool, strategy, now);
  const assignments: Schedule['assignments'] = [];
  const waiting: WaitingTask[] = [];
  let turn = lastTurn;
  const ordered = tasks.toSorted((a, b) => strategy.tasks(a, b) || byText(a.id, b.id));
  for (const task of ordered) {
    const group = groupOf(task);
    const excluded = new Set(task.excluded.flatMap((provider) => pool.numberOf.get(provider) ?? []));
    const wish = {
      limit: pool.pricesIn(task.token).limitOf(task),
      until: now + task.runSeconds,
      stake: pool.stakeNeeded(task.minStake),
      excluded,
    };
    let missing = task.copiesWanted;
    for (; missing > 0; missing -= 1) {
      const after = strategy.ring ? turnOf(pool, turn) : null;
      const place = group.find(wish, after);
      const offer = pool.offers[place];
      if (!offer) break;
      pool.free[place] = (pool.free[place] ?? 0) - 1;
      excluded.add(pool.providerOf[place] ?? 0);
      turn = offer.provider;
      assignments.push({ taskId: task.id, offerId: offer.offerId });
    }
    if (missing > 0) {
      const reasons = reasonCounts(group.count(wish));
      const sentence = waitingSentence(reasons, missing, task.copiesWanted);
      waiting.push({ taskId: task.id, missing, reasons, sentence });
    }
  }
  return { assignments, waiting, lastTurn: turn };
}

/** Number of the provider with the last turn, also where it is gone: the one before its place then. */
const turnOf = (pool: OfferPool, provider: Address | null): number =>
  provider === null
    ? -1
    : (pool.numberOf.get(provider) ??
      firstIndex(pool.providers.length, (index) => (pool.providers[index] ?? '') > provider) - 1);
