import type { JobRequirements } from '../../chain/chain.ts';
import type { Address, Bytes32 } from '../../shared/ids.ts';
import type { JobSpec } from '../../shared/job-spec.ts';
import type { Standing } from '../../store/indexed-jobs.ts';
import type { IndexedOffer } from '../../store/market-rows.ts';
import { assign } from '../schedule/assign.ts';
import type { ScheduleOffer } from '../schedule/schedule-types.ts';
import type { StrategyName } from '../schedule/strategies.ts';

/** So many offers are out of the question for this reason. */
export interface WaitingReason {
  reason: string;
  offers: number;
}

/** Why a task waits. */
export interface Waiting {
  reasons: readonly WaitingReason[];
  /** For people. */
  sentence: string;
}

/** A task as the scheduler sees it. */
export interface PlannedTask {
  taskId: string;
  account: Address;
  spec: JobSpec;
  token: Address;
  /** Of all copies together. */
  bounty: bigint;
  priority: number;
  createdAt: number;
  /** Providers that are not asked (again). */
  excluded: readonly Address[];
}

export interface CyclePlan {
  /** As many offers as the task has copies, each of another provider. */
  chosen: Map<string, IndexedOffer[]>;
  waiting: Map<string, Waiting>;
  lastTurn: Address | null;
}

export interface CycleInput {
  tasks: readonly PlannedTask[];
  offers: readonly IndexedOffer[];
  strategy: StrategyName;
  lastTurn: Address | null;
  requirements: JobRequirements;
  standingOf: (provider: Address) => Standing;
  /** Units of an offer that are free and not promised. */
  freeOf: (offer: IndexedOffer) => number;
  /** What the provider of an offer that is left out for now has said. */
  leftOut: (offerId: Bytes32) => string | null;
  /** How fast its provider was so far, 1 as usual; undefined where nothing is known. */
  speedOf?: (offer: IndexedOffer) => number | undefined;
  /** Milliseconds of the line that is open to its provider. */
  rttOf?: (offer: IndexedOffer) => number | null;
  /** Unix seconds. */
  now: number;
}

/** Which task goes where now, and why the others wait. */
export function planCycle({
  tasks,
  offers,
  strategy,
  lastTurn,
  requirements,
  standingOf,
  freeOf,
  leftOut,
  speedOf,
  rttOf,
  now,
}: CycleInput): CyclePlan {
  const { minProviderStake, slashBps, inactiveBelow } = requirements;
  const risk = (minProviderStake * BigInt(slashBps)) / 10_000n;
  const standings = new Map<Address, Standing>();
  const refusals = new Map<string, number>();
  const pool: ScheduleOffer[] = [];
  for (const offer of offers) {
    const refusal = leftOut(offer.offerId);
    if (refusal !== null) {
      refusals.set(refusal, (refusals.get(refusal) ?? 0) + 1);
      continue;
    }
    const standing = standings.get(offer.provider) ?? standingOf(offer.provider);
    standings.set(offer.provider, standing);
    const score = speedOf?.(offer);
    const rttMs = rttOf?.(offer) ?? null;
    pool.push({
      ...offer,
      free: freeOf(offer),
      reputation: standing.reputation / 100,
      // What answers for other jobs already cannot answer for this one.
      stake: standing.staked - standing.atRisk >= risk ? standing.staked : 0n,
      active: standing.reputation >= inactiveBelow * 100,
      ...(score === undefined ? {} : { score }),
      ...(rttMs === null ? {} : { rttMs }),
    });
  }
  const copiesOf = new Map(tasks.map(({ taskId, spec }) => [taskId, copies(spec)]));
  const schedule = assign({
    offers: pool,
    strategy,
    now,
    lastTurn,
    tasks: tasks.map(({ taskId, account, spec, token, bounty, priority, createdAt, excluded }) => ({
      id: taskId,
      resources: spec.resources,
      bounty: bounty / BigInt(copies(spec)),
      token,
      runSeconds: spec.timeouts.runSeconds,
      minStake: minProviderStake,
      priority,
      createdAt,
      excluded: [account, ...excluded],
      copiesWanted: copies(spec),
    })),
  });
  const byId = new Map(offers.map((offer) => [offer.offerId, offer]));
  const chosen = new Map<string, IndexedOffer[]>();
  for (const { taskId, offerId } of schedule.assignments) {
    const offer = byId.get(offerId);
    if (offer) chosen.set(taskId, [...(chosen.get(taskId) ?? []), offer]);
  }
  // Copies are given away together or not at all.
  for (const [taskId, given] of chosen) if (given.length < (copiesOf.get(taskId) ?? 1)) chosen.delete(taskId);
  const said = [...refusals].map(([reason, many]) => ({ reason, offers: many }));
  const waiting = new Map<string, Waiting>();
  const more = said.map(({ reason, offers: many }) => ` ${many} left out for now (${reason})`).join('');
  for (const { taskId, reasons, sentence } of schedule.waiting) {
    waiting.set(taskId, {
      reasons: [...reasons, ...said],
      sentence: `${sentence}${more === '' ? '' : ` Also${more}.`}`,
    });
  }
  return { chosen, waiting, lastTurn: schedule.lastTurn };
}

const copies = ({ verification }: JobSpec): number => (verification.tier === 'redundancy' ? verification.copies : 1);
