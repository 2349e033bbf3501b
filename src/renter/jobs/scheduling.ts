import type { Chain } from '../../chain/chain.ts';
import { toAppError, type ErrorCode } from '../../shared/errors.ts';
import { ETH, type Address, type Bytes32 } from '../../shared/ids.ts';
import type { Log } from '../../shared/log.ts';
import type { Clock } from '../../shared/time.ts';
import type { Ledger } from '../../store/ledger.ts';
import type { IndexedOffer } from '../../store/market-rows.ts';
import type { Refusal } from './assign-task.ts';
import { earlierRuns } from './earlier-runs.ts';
import { cachedRequirements } from './job-desk-room.ts';
import type { JobDesk } from './job-desk.ts';
import { planCycle, type CycleInput, type PlannedTask, type Waiting } from './plan-cycle.ts';
import { STRATEGIES, type StrategyName } from '../schedule/strategies.ts';
import type { TaskFlow } from './task-flow.ts';
import { waitingOffers } from './waiting-offers.ts';
import { openOutlooks } from './waiting-open.ts';

export interface SchedulingStatus {
  /** Cycles run by themselves at each change; off: only when triggered. */
  automatic: boolean;
  strategy: StrategyName;
  waiting: number;
  /** Unix seconds of the last cycle. */
  lastCycleAt: number | null;
  lastAssigned: number;
  lastMs: number;
}

export interface SchedulingParts {
  chain: Chain;
  ledger: Pick<Ledger, 'settings' | 'tasks'>;
  clock: Clock;
  log: Log;
  /** Reasons of these tasks, or the figures, changed. */
  onChange(taskIds: readonly string[]): void;
}

export const STRATEGY_NAMES = Object.keys(STRATEGIES) as StrategyName[];

const SETTING = 'jobs.scheduling';
/** How long an offer whose provider refused or cannot be reached is left out, doubling up to the most. */
const LEFT_OUT_SECONDS = 2;
const MOST_LEFT_OUT_SECONDS = 600;
/** How long an account whose own computer cannot send keeps its tasks, doubling up to the most. */
const MOST_HELD_SECONDS = 30;
/** Failures of an assignment that say nothing about those who were chosen. */
const OWN_TROUBLE: ReadonlySet<ErrorCode> = new Set([
  'locked',
  'network-down',
  'insufficient-funds',
  'timeout',
  'busy',
  'disk-full',
  'cancelled',
]);
/** After a cycle that failed, because the network did not answer. */
const AGAIN_MS = 1000;
/** Assignments under way at once, over all accounts. */
const AT_ONCE = 32;

/** Whose tasks a cycle is about. */
type Concerns = (desk: JobDesk) => boolean;
const EVERYBODY: Concerns = () => true;
/** Gives nothing away: only looks what could be taken by providers themselves. */
const NOBODY: Concerns = () => false;

interface LeftOut {
  until: number;
  times: number;
  reason: string;
}

/** The next time, twice as long. */
function leaveOut(before: LeftOut | undefined, now: number, mostSeconds: number, reason: string): LeftOut {
  const times = (before?.times ?? 0) + 1;
  return { until: now + Math.min(mostSeconds, LEFT_OUT_SECONDS * 2 ** (times - 1)), times, reason };
}

/**
 * Gives waiting tasks of every account of this host to providers, in cycles: at each change by itself, or when it is
 * told. What is chosen is asked for at once; whoever refuses is left out for a while, and another cycle follows.
 */
export class Scheduling {
  readonly #parts: SchedulingParts;
  readonly #desks = new Set<JobDesk>();
  /** Desks whose tasks wait until somebody triggers a cycle, whatever is set for all. */
  #isPaused: (desk: JobDesk) => boolean = () => false;
  readonly #reasons = new Map<string, Waiting>();
  readonly #leftOut = new Map<Bytes32, LeftOut>();
  /** Accounts that cannot give anything away now, for a reason of their own. */
  readonly #held = new Map<JobDesk, LeftOut>();
  /** Units of an offer that assignments under way will take. */
  readonly #promised = new Map<Bytes32, number>();
  readonly #under = new Set<Promise<unknown>>();
  readonly #offers: ReturnType<typeof waitingOffers>;
  readonly #earlierRuns: ReturnType<typeof earlierRuns>;
  #status: SchedulingStatus;
  #running: Promise<string[]> | null = null;
  #again = false;
  readonly #requirements: ReturnType<typeof cachedRequirements>;
  #closed = false;
  #retry: NodeJS.Timeout | null = null;
  #lastTurn: Address | null = null;
  readonly #off: () => void;

  constructor(parts: SchedulingParts) {
    this.#parts = parts;
    this.#requirements = cachedRequirements(parts);
    this.#offers = waitingOffers(parts.chain);
    this.#earlierRuns = earlierRuns({ chain: parts.chain, tasks: parts.ledger.tasks, clock: parts.clock });
    const stored = parts.ledger.settings.get(SETTING);
    const { automatic, strategy } =
      stored !== null && typeof stored === 'object' && !Array.isArray(stored)
        ? stored
        : { automatic: true, strategy: '' };
    this.#status = {
      automatic: automatic !== false,
      strategy: STRATEGY_NAMES.find((name) => name === strategy) ?? 'priority',
      waiting: 0,
      lastCycleAt: null,
      lastAssigned: 0,
      lastMs: 0,
    };
    let revision = -1;
    this.#off = parts.chain.sync.on((sync) => {
      if (sync.revision === revision) return;
      ({ revision } = sync);
      if (this.#reasons.size > 0) this.poke();
    });
  }

  get status(): SchedulingStatus {
    return { ...this.#status, waiting: this.#waiting().length };
  }

  add(desk: JobDesk): void {
    this.#desks.add(desk);
    this.poke();
  }

  remove(desk: JobDesk): void {
    this.#desks.delete(desk);
    this.#held.delete(desk);
  }

  /** Why a task waits, as the last cycle found it. */
  reasonsOf(taskId: string): Waiting {
    return this.#reasons.get(taskId) ?? { reasons: [], sentence: 'Waiting for a provider.' };
  }

  set({ automatic, strategy }: { automatic?: boolean; strategy?: StrategyName }): void {
    this.#status = {
      ...this.#status,
      ...(automatic === undefined ? {} : { automatic }),
      ...(strategy === undefined ? {} : { strategy }),
    };
    this.#parts.ledger.settings.set(SETTING, { automatic: this.#status.automatic, strategy: this.#status.strategy });
    this.#parts.onChange([]);
    this.poke();
  }

  /** What these desks wait for is given away only in cycles that somebody triggers, until this host starts again. */
  pause(isPaused: (desk: JobDesk) => boolean): void {
    this.#isPaused = isPaused;
    this.poke();
  }

  /** Something changed: a cycle follows; where they are triggered by hand, one that gives nothing away. */
  poke(): void {
    if (this.#closed) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    void this.#cycle(this.#status.automatic ? null : NOBODY).catch((thrown: unknown) => {
      if (this.#closed) return;
      this.#parts.log.warn({ message: toAppError(thrown).message }, 'a scheduling cycle failed');
      this.#pokeIn(AGAIN_MS);
    });
  }

  /**
   * One cycle now, for all or for the accounts it concerns. Resolves once every provider it chose has answered and what
   * they took is on chain.
   */
  async trigger(concerns?: Concerns): Promise<{ assigned: number; waiting: number; taskIds: string[] }> {
    // One that ends may have started the next, and neither was asked for.
    while (this.#running) await this.#running.catch(() => undefined);
    // Whoever triggers for all wants everybody asked.
    if (!concerns) this.#leftOut.clear();
    for (const desk of this.#held.keys()) if (concerns?.(desk) ?? true) this.#held.delete(desk);
    const chosen = await this.#cycle(concerns ?? EVERYBODY);
    await Promise.all(this.#under);
    const waiting = this.#waiting().filter(({ desk }) => concerns?.(desk) ?? true);
    const left = new Set(waiting.map(({ flow }) => flow.taskId));
    const taskIds = chosen.filter((taskId) => !left.has(taskId));
    return { assigned: taskIds.length, waiting: waiting.length, taskIds };
  }

  /** How many offers could take this work now, and what is against the others. */
  async outlook(task: PlannedTask): Promise<{ fitting: number } & Waiting> {
    // As if every unit were taken: whoever could take it stands under that reason.
    const { waiting } = planCycle({
      ...(await this.#input([task])),
      freeOf: () => 0,
      leftOut: () => null,
      tasks: [task],
    });
    const { reasons, sentence } = waiting.get(task.taskId) ?? { reasons: [], sentence: '' };
    const fitting = reasons.find(({ reason }) => reason === 'taken')?.offers ?? 0;
    return { fitting, reasons: reasons.filter(({ reason }) => reason !== 'taken'), sentence };
  }

  close(): void {
    this.#closed = true;
    this.#off();
    if (this.#retry) clearTimeout(this.#retry);
  }

  #waiting(): { desk: JobDesk; flow: TaskFlow }[] {
    return [...this.#desks].flatMap((desk) => desk.waiting().map((flow) => ({ desk, flow })));
  }

  #cycle(asked: Concerns | null): Promise<string[]> {
    this.#running ??= this.#plan(asked).finally(() => {
      this.#running = null;
      if (!this.#again) return;
      this.#again = false;
      this.poke();
    });
    return this.#running;
  }

  async #plan(asked: Concerns | null): Promise<string[]> {
    // Everything that changes in this turn of the event loop is one change.
    await new Promise((resolve) => setImmediate(resolve));
    const { clock, log } = this.#parts;
    const waiting = this.#waiting();
    const open = [...this.#desks].flatMap((desk) => desk.waiting('open').map(plannedTask));
    const before = [...this.#reasons.keys()];
    if (asked === NOBODY ? open.length === 0 : waiting.length + open.length + before.length === 0) return [];
    const input = await this.#input([...waiting.map(({ flow }) => plannedTask(flow)), ...open]);
    const room = Math.max(0, AT_ONCE - this.#under.size);
    const startedMs = clock.monotonicMs();
    const isConcerned = asked ?? ((desk: JobDesk) => !this.#isPaused(desk));
    const tasks = waiting
      .filter(({ desk }) => isConcerned(desk) && this.#holds(desk, input.now) === null)
      .map(({ flow }) => plannedTask(flow));
    const plan = planCycle({ ...input, tasks });
    // Of whom this cycle does not concern, what the one before found.
    const kept = waiting.flatMap(({ desk, flow: { taskId } }) => {
      const known = isConcerned(desk) ? undefined : this.#reasons.get(taskId);
      return known ? [[taskId, known] as const] : [];
    });
    const lastMs = clock.monotonicMs() - startedMs;
    this.#lastTurn = plan.lastTurn;
    this.#reasons.clear();
    for (const [taskId, reasons] of kept) this.#reasons.set(taskId, reasons);
    for (const [taskId, reasons] of plan.waiting) this.#reasons.set(taskId, reasons);
    for (const { desk, flow } of waiting) {
      const reason = this.#holds(desk, input.now);
      if (reason !== null)
        this.#reasons.set(flow.taskId, { reasons: [], sentence: `It is not given away yet: ${reason}` });
    }
    for (const [taskId, reasons] of openOutlooks(input, open)) this.#reasons.set(taskId, reasons);
    const chosen = waiting.filter(({ flow }) => plan.chosen.has(flow.taskId)).slice(0, room);
    if (plan.chosen.size > room) this.#again = true;
    for (const { desk, flow } of chosen) this.#give(desk, flow, plan.chosen.get(flow.taskId) ?? []);
    if (asked !== NOBODY) {
      this.#status = { ...this.#status, lastCycleAt: clock.now(), lastAssigned: chosen.length, lastMs };
    }
    log.debug({ waiting: waiting.length, chosen: chosen.length, ms: lastMs }, 'a scheduling cycle');
    this.#parts.onChange([...new Set([...before, ...this.#reasons.keys()])]);
    this.#wakeWhenLeftOutEnds();
    return chosen.map(({ flow }) => flow.taskId);
  }

  #give(desk: JobDesk, flow: TaskFlow, offers: readonly IndexedOffer[]): void {
    for (const { offerId } of offers) this.#promised.set(offerId, (this.#promised.get(offerId) ?? 0) + 1);
    const under = desk
      .assign(flow, offers)
      .then(
        (refusals) => {
          this.#held.delete(desk);
          if (refusals.length === 0) for (const { offerId } of offers) this.#leftOut.delete(offerId);
          this.#refused(refusals);
        },
        (thrown: unknown) => {
          const { code, message } = toAppError(thrown);
          this.#parts.log.info({ taskId: flow.taskId, code, message }, 'a task was not given away');
          if (OWN_TROUBLE.has(code)) {
            // A task that ended meanwhile is no trouble.
            if (!flow.signal.aborted) this.#hold(desk, message);
            return;
          }
          // Nobody refused: the contract did, for one of them.
          this.#refused(offers.map(({ offerId, provider }) => ({ offerId, provider, reason: message })));
        },
      )
      .finally(() => {
        for (const { offerId } of offers) {
          const left = (this.#promised.get(offerId) ?? 1) - 1;
          if (left > 0) this.#promised.set(offerId, left);
          else this.#promised.delete(offerId);
        }
        this.#under.delete(under);
        this.poke();
      });
    this.#under.add(under);
  }

  #refused(refusals: readonly Refusal[]): void {
    const now = this.#parts.clock.now();
    for (const { offerId, reason } of refusals) {
      this.#leftOut.set(offerId, leaveOut(this.#leftOut.get(offerId), now, MOST_LEFT_OUT_SECONDS, reason));
    }
  }

  #hold(desk: JobDesk, reason: string): void {
    const now = this.#parts.clock.now();
    const before = this.#held.get(desk);
    // What was on its way when it began adds nothing.
    if (!this.#desks.has(desk) || (before && before.until > now)) return;
    this.#held.set(desk, leaveOut(before, now, MOST_HELD_SECONDS, reason));
  }

  /** Why this account gives nothing away now. */
  #holds(desk: JobDesk, now: number): string | null {
    const held = this.#held.get(desk);
    return held && held.until > now ? held.reason : null;
  }

  #pokeIn(ms: number): void {
    if (this.#retry) clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.poke(), ms);
    this.#retry.unref();
  }

  #wakeWhenLeftOutEnds(): void {
    if (this.#reasons.size === 0) return;
    const now = this.#parts.clock.now();
    for (const [offerId, { until }] of this.#leftOut) {
      if (until + MOST_LEFT_OUT_SECONDS < now) this.#leftOut.delete(offerId);
    }
    const ends = [...this.#leftOut.values(), ...this.#held.values()]
      .map(({ until }) => until)
      .filter((until) => until > now);
    if (ends.length === 0) return;
    this.#pokeIn((Math.min(...ends) - now) * 1000 + 500);
  }

  /** Milliseconds of the line that is open to this provider, of whichever account. */
  #rttOf(offer: IndexedOffer): number | null {
    const measured = [...this.#desks].flatMap((desk) => desk.rttOf(offer) ?? []);
    return measured.length === 0 ? null : Math.min(...measured);
  }

  async #input(tasks: readonly PlannedTask[]): Promise<Omit<CycleInput, 'tasks'>> {
    const { chain, clock } = this.#parts;
    const needs = tasks.map(({ spec }) => spec.resources);
    const [offers, requirements] = await Promise.all([this.#offers(needs), this.#requirements.get()]);
    const now = clock.now();
    return {
      offers,
      requirements,
      strategy: this.#status.strategy,
      lastTurn: this.#lastTurn,
      standingOf: (provider) => chain.standing(provider),
      freeOf: ({ offerId, free }) => free - (this.#promised.get(offerId) ?? 0),
      leftOut: (offerId) => {
        const out = this.#leftOut.get(offerId);
        return out && out.until > now ? out.reason : null;
      },
      ...(this.#status.strategy === 'fastest'
        ? { speedOf: this.#earlierRuns(), rttOf: (offer: IndexedOffer) => this.#rttOf(offer) }
        : {}),
      now,
    };
  }
}

const plannedTask = ({ taskId, task, spec, excluded }: TaskFlow): PlannedTask => ({
  taskId,
  account: task.account,
  spec,
  token: task.terms?.token ?? ETH,
  bounty: task.terms?.bounty ?? 0n,
  priority: task.priority,
  createdAt: task.createdAt,
  excluded,
});
