import type { Address, Bytes32 } from '../../shared/ids.ts';
import type { JobSpec } from '../../shared/job-spec.ts';
import type { Standing } from '../../store/indexed-jobs.ts';
import type { IndexedOffer } from '../../store/market-rows.ts';

export const STRATEGY_NAMES = ['cheapest'] as const;
export type StrategyName = (typeof STRATEGY_NAMES)[number];

/** So many offers are out of the question for this reason. */
export interface WaitingReason {
  reason: string;
  offers: number;
}

/** A task as the scheduler sees it. */
export interface PlannedTask {
  taskId: string;
  account: Address;
  spec: JobSpec;
  token: Address;
  bounty: bigint;
  priority: number;
  createdAt: number;
  minStake: bigint;
  /** Providers that are not asked (again). */
  excluded: readonly Address[];
}

export interface CyclePlan {
  /** As many offers as the task has copies, each of another provider. */
  chosen: Map<string, IndexedOffer[]>;
  waiting: Map<string, WaitingReason[]>;
  /** Offers that could take a task now or once they are free. */
  fitting: Map<string, number>;
}

export interface CycleInput {
  tasks: readonly PlannedTask[];
  offers: readonly IndexedOffer[];
  strategy: StrategyName;
  standingOf(provider: Address): Standing;
  /** Units of an offer that are free and not promised. */
  freeOf(offer: IndexedOffer): number;
  /** Why an offer is left out for now, whatever the task. */
  leftOut(offerId: Bytes32): string | null;
  /** Unix seconds. */
  now: number;
  practice: boolean;
}

/** Which task goes where now, and why the others wait. */
export function planCycle(input: CycleInput): CyclePlan {
  const { tasks, offers, standingOf, freeOf, leftOut } = input;
  const standings = new Map<Address, Standing>();
  const standing = (provider: Address): Standing => {
    const known = standings.get(provider) ?? standingOf(provider);
    standings.set(provider, known);
    return known;
  };
  const free = new Map(offers.map((offer) => [offer.offerId, freeOf(offer)]));
  const plan: CyclePlan = { chosen: new Map(), waiting: new Map(), fitting: new Map() };
  const order = tasks.toSorted((a, b) => b.priority - a.priority || a.createdAt - b.createdAt);
  for (const task of order) {
    const counts = new Map<string, number>();
    const no = (reason: string) => counts.set(reason, (counts.get(reason) ?? 0) + 1);
    const fitting: IndexedOffer[] = [];
    let able = 0;
    for (const offer of offers) {
      const why = misfit(task, offer, standing(offer.provider), input);
      if (why !== null) {
        no(why);
        continue;
      }
      able += 1;
      const passing = leftOut(offer.offerId) ?? ((free.get(offer.offerId) ?? 0) < 1 ? 'busy with other work' : null);
      if (passing === null) fitting.push(offer);
      else no(passing);
    }
    plan.fitting.set(task.taskId, able);
    const { verification } = task.spec;
    const copies = verification.tier === 'redundancy' ? verification.copies : 1;
    const chosen: IndexedOffer[] = [];
    for (const offer of fitting.toSorted((a, b) => costOf(a) - costOf(b))) {
      if (chosen.length < copies && !chosen.some(({ provider }) => provider === offer.provider)) chosen.push(offer);
    }
    if (chosen.length === copies) {
      plan.chosen.set(task.taskId, chosen);
      for (const { offerId } of chosen) free.set(offerId, (free.get(offerId) ?? 0) - 1);
    } else {
      if (chosen.length > 0) no(`free, but the job needs ${copies} different owners at once`);
      plan.waiting.set(
        task.taskId,
        [...counts].map(([reason, many]) => ({ reason, offers: many })),
      );
    }
  }
  return plan;
}

const costOf = ({ price, unit }: IndexedOffer): number => Number(price) / unit;

function misfit(
  task: PlannedTask,
  offer: IndexedOffer,
  standing: Standing,
  { now, practice }: Pick<CycleInput, 'now' | 'practice'>,
): string | null {
  const { resources, timeouts } = task.spec;
  if (offer.provider === task.account) return 'your own';
  if (task.excluded.includes(offer.provider)) return 'of providers that failed this job before';
  if (offer.status !== 'active' || offer.endsBy < now) return 'not on the market now';
  const cards = offer.gpuType === 'CPU' ? 0 : offer.gpuCount;
  if (resources.gpuCount > cards) return 'with too few cards';
  if (resources.gpuMemoryGb > offer.gpuMemoryGb) return 'with too little memory';
  if (resources.gpuType && resources.gpuType.toLowerCase() !== offer.gpuType.toLowerCase()) return 'of another type';
  if (resources.gpuModel && !offer.gpuModel.toLowerCase().includes(resources.gpuModel.toLowerCase()))
    return 'of another model';
  if (offer.token !== task.token) {
    if (!practice) return 'priced in another token';
  } else if ((offer.price * BigInt(timeouts.runSeconds) + BigInt(offer.unit) - 1n) / BigInt(offer.unit) > task.bounty) {
    return 'over your price';
  }
  if (standing.staked < task.minStake) return 'of providers that take no jobs (too little stake)';
  return null;
}
