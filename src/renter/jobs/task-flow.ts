import type { JobEvent } from '../../chain/events.ts';
import { AppError, assertNever, toAppError } from '../../shared/errors.ts';
import type { Address, Bytes32 } from '../../shared/ids.ts';
import type { RunStatus } from '../../shared/job-protocol.ts';
import { jobFileSchema, jobSpecSchema, needsRenter, type JobFile, type JobSpec } from '../../shared/job-spec.ts';
import { lastStartOf, revealEndOf } from '../../shared/job-terms.ts';
import type { Progress } from '../../shared/ready-check.ts';
import { backoffMs } from '../../shared/retry.ts';
import { Serial } from '../../shared/serial.ts';
import { formatSeconds } from '../../shared/time.ts';
import { providerOfOffer } from '../../shared/typed-data.ts';
import type { JobTask, JobTaskChange, JobTaskDeal } from '../../store/ledger.ts';
import type { CallBatcher } from './call-batcher.ts';
import type { FlowRoom } from './job-desk-room.ts';
import type { ProviderAt } from './provider-lines.ts';
import { CANCELLED, currentDeals, isDealOver, isTaskOver, taskFactsOf, withDeal } from './task-facts.ts';
import { ResultFlow, type TaskAtHand } from './result-flow.ts';
import { TaskLines } from './task-lines.ts';

/** A clock a little ahead of the chain's sends nothing that reverts. */
const PATIENCE_SECONDS = 2;
/** Copies that do not show themselves are waited for by everybody; who concludes is one of many. */
const CONCLUDE_PATIENCE_SECONDS = 5;
const MAX_DETAIL = 500;

/**
 * One task, from its posting until its money has moved and its result is here. Looks at the book and at the chain, and
 * does the next thing: whatever is interrupted is looked at again by another life of this host.
 */
export class TaskFlow implements TaskAtHand {
  readonly taskId: string;
  readonly spec: JobSpec;
  /** Without its secrets. */
  readonly file: JobFile;
  /** Providers asked to take it now; they may read its inputs. */
  chosen: readonly Address[] = [];
  readonly #room: FlowRoom;
  readonly #steps = new Serial();
  readonly #life = new AbortController();
  readonly #lines: TaskLines;
  readonly #result: ResultFlow;
  #task: JobTask;
  #queued = false;
  /** Real milliseconds, and unix seconds by the chain, from which it is looked at again. */
  #dueMs = Infinity;
  #dueAt = Infinity;
  #attempt = 0;
  #told = '';

  constructor(room: FlowRoom, task: JobTask) {
    this.#room = room;
    this.#task = task;
    this.taskId = task.taskId;
    this.spec = jobSpecSchema.parse(JSON.parse(task.specText));
    this.file = jobFileSchema.parse(task.file);
    this.#result = new ResultFlow(room, this);
    this.#lines = new TaskLines({
      lines: room.lines,
      signal: this.#life.signal,
      task: () => this.#task,
      providerOf: (deal) => this.providerOf(deal),
      onChange: () => room.onChange(this.taskId),
      onStatus: (deal, status) => this.#heard(deal, status),
    });
  }

  /** What providers say about their runs now. */
  get live(): ReadonlyMap<Bytes32, RunStatus> {
    return this.#lines.live;
  }

  /** Of the result on its way here. */
  get fetching(): Progress | null {
    return this.#result.fetching;
  }

  /** @see ResultFlow.review */
  get review(): ResultFlow['review'] {
    return this.#result.review;
  }

  get task(): JobTask {
    return this.#task;
  }

  get isOver(): boolean {
    return isTaskOver(this.#task);
  }

  get signal(): AbortSignal {
    return this.#life.signal;
  }

  /** Providers of earlier attempts, and of the other copies of this one. */
  get excluded(): Address[] {
    return this.#task.deals.map((deal) => deal.provider);
  }

  /** Who may take it: what only this host can deliver is given away by this host, for it has to be awake all the same. */
  get assignment(): JobFile['assignment'] {
    return needsRenter(this.spec) ? 'mine' : this.file.assignment;
  }

  /** Where a deal's provider is; null while its offer is not known here. */
  providerOf({ offerId }: Pick<JobTaskDeal, 'offerId'>): ProviderAt | null {
    const offer = this.#room.chain.offer(offerId);
    return offer && { wallet: providerOfOffer(offerId), peerKey: offer.peerKey };
  }

  /** Whether this account works on the task, or is about to, and so may read what the task needs. */
  isReader(wallet: Address): boolean {
    if (this.chosen.includes(wallet)) return true;
    return currentDeals(this.#task).some((deal) => deal.provider === wallet && !isDealOver(deal));
  }

  /** Looks at the task as soon as what is under way with it is done. */
  poke(): void {
    if (this.#queued || this.#life.signal.aborted) return;
    this.#queued = true;
    this.#steps
      .run(async () => {
        this.#queued = false;
        if (!this.#life.signal.aborted && !this.isOver) await this.#step();
      })
      .catch((thrown: unknown) => {
        if (this.#life.signal.aborted) return;
        const { code, message, cause } = toAppError(thrown);
        this.#room.log.warn({ taskId: this.taskId, code, message, cause }, 'a step of a task failed');
        this.later();
      });
  }

  /** Again in a while, longer after each time in a row. */
  later(): void {
    this.#attempt += 1;
    this.#dueMs = this.#room.clock.monotonicMs() + 1000 + backoffMs(this.#attempt, Math.random, 1000, 30_000);
  }

  wakeAt(chainSeconds: number): void {
    this.#dueAt = chainSeconds;
  }

  tick(chainNow: number): void {
    if (chainNow < this.#dueAt && this.#room.clock.monotonicMs() < this.#dueMs) return;
    this.#dueAt = this.#dueMs = Infinity;
    this.poke();
  }

  /** What the chain says: in the book at once. */
  onChain(event: JobEvent): void {
    this.set(taskFactsOf(event, this.#task, this.file.retries));
    this.#attempt = 0;
    this.poke();
  }

  /** Into the book. What has ended stays ended. */
  set(change: JobTaskChange): void {
    if (this.isOver || this.#life.signal.aborted || Object.keys(change).length === 0) return;
    const { detail } = change;
    this.#task = this.#room.ledger.tasks.update(this.taskId, {
      ...change,
      ...(detail === undefined ? {} : { detail: detail.slice(0, MAX_DETAIL) }),
    });
    if (this.isOver) this.dispose();
    this.#room.onTask(this.#task);
  }

  /** @throws AppError conflict once somebody has taken it */
  async cancel(): Promise<void> {
    const { phase } = this.#task;
    if (phase === 'waiting') {
      this.set({ phase: 'cancelled', detail: CANCELLED, refund: 0n, endedAt: this.#room.clock.now() });
      return;
    }
    // A copy that somebody has taken is under way: the contract takes nothing back then.
    if (phase === 'refunding' || (phase === 'open' && currentDeals(this.#task).length === 0)) {
      // Whatever becomes of it, it is not posted once more.
      const attempts = Math.max(this.#task.attempts, this.file.retries + 1);
      this.set({ phase: 'refunding', detail: CANCELLED, attempts });
      const sent = await this.#cancelOnChain();
      if (sent || this.isOver) return;
      // Otherwise a provider was quicker.
    }
    throw new AppError(
      'conflict',
      phase === 'assigning'
        ? 'It is just being given to a provider.'
        : 'A provider has taken this job; it cannot be taken back any more.',
      { field: 'taskId', next: 'Wait for its end.' },
    );
  }

  /** Pays the result that waits for its owner's word. @throws AppError conflict where none does */
  accept(): void {
    this.#result.accept();
    this.poke();
  }

  /** Challenges it. @throws AppError conflict; insufficient-funds where the bond is missing */
  async reject(reason: string): Promise<void> {
    await this.#result.reject(reason);
    this.poke();
  }

  /** Forgets the task in memory. */
  dispose(): void {
    this.#life.abort();
    this.#lines.leave();
  }

  async #step(): Promise<void> {
    const { phase } = this.#task;
    switch (phase) {
      case 'waiting':
      case 'posting':
      case 'assigning':
        return;
      case 'open':
        await this.#stepOpen();
        if (!this.#lines.follow()) this.later();
        return;
      case 'assigned':
        if (!this.#lines.follow()) this.later();
        await this.#stepAssigned();
        return;
      case 'submitted':
        this.#lines.leave();
        if (this.#task.terms?.copies === 1) {
          this.set({ phase: 'verifying', detail: 'The result is on its way here.' });
          await this.#result.step();
        } else await this.#stepCopies();
        return;
      case 'verifying':
      case 'review':
        await this.#result.step();
        return;
      case 'accepting':
        await this.#result.pay();
        return;
      case 'refunding':
        // Somebody was quicker than the cancelling: what is taken runs to its end.
        if (currentDeals(this.#task).length > 0) await this.#stepCopies();
        else await this.#cancelOnChain();
        return;
      case 'verified':
      case 'failed':
      case 'cancelled':
        return;
      default:
        assertNever(phase);
    }
  }

  async #stepOpen(): Promise<void> {
    const { terms } = this.#task;
    if (!terms) return;
    const last = lastStartOf(terms);
    const taken = currentDeals(this.#task).length;
    if (this.#room.chain.now() <= last) {
      this.#dueAt = last + PATIENCE_SECONDS;
      this.#room.onWaiting();
      return;
    }
    if (taken > 0) {
      await this.#stepCopies();
      return;
    }
    const asked = formatSeconds(this.spec.timeouts.queueSeconds);
    this.set({ phase: 'refunding', detail: `Nobody took it within ${asked}; the bounty comes back.` });
    await this.#cancelOnChain();
  }

  async #stepAssigned(): Promise<void> {
    const { terms } = this.#task;
    if (!terms) return;
    if (this.#room.chain.now() < terms.deadline) {
      this.#dueAt = terms.deadline + PATIENCE_SECONDS;
      return;
    }
    if (terms.copies > 1) await this.#stepCopies();
    else for (const deal of currentDeals(this.#task)) await this.#expire(deal);
    this.later();
  }

  /** Ends what came too late, and concludes once nothing more can be revealed. */
  async #stepCopies(): Promise<void> {
    const { terms, jobId } = this.#task;
    const job = jobId && this.#room.chain.job(jobId);
    if (!terms || !job) return;
    const now = this.#room.chain.now();
    if (now >= terms.deadline) {
      for (const deal of this.#room.chain.jobDeals(job.jobId)) {
        if (deal.state === 'assigned') await this.#expire(deal);
      }
    }
    const revealing = job.until !== 0 || now >= terms.deadline;
    const end = revealEndOf(terms, job.until);
    const allShown = job.revealed === job.submitted;
    if (job.state === 'open' && revealing && (allShown || now >= end + CONCLUDE_PATIENCE_SECONDS)) {
      await this.send('conclude', job.jobId, this.#room.chain.calls.concludeJob(terms), (state) => state === 'open');
    }
    this.#dueAt = revealing ? end + CONCLUDE_PATIENCE_SECONDS : terms.deadline + PATIENCE_SECONDS;
    // The last copy may show itself at any time.
    if (revealing) this.later();
  }

  async #expire({ dealId, offerId }: Pick<JobTaskDeal, 'dealId' | 'offerId'>): Promise<void> {
    const { terms } = this.#task;
    if (!terms) return;
    const call = this.#room.chain.calls.expireJob(terms, offerId);
    await this.send('expire', dealId, call, (state) => state === 'assigned');
  }

  /** True once it is in a block. */
  async #cancelOnChain(): Promise<boolean> {
    const { terms, jobId } = this.#task;
    if (!terms || !jobId) return false;
    const call = this.#room.chain.calls.cancelJob(terms);
    const sent = await this.send('cancel', jobId, call, (state) => state === 'open');
    if (!sent) this.later();
    return sent;
  }

  send(
    what: string,
    id: Bytes32,
    call: Parameters<CallBatcher['add']>[1],
    isState: (state: string) => boolean | Promise<boolean>,
  ): Promise<boolean> {
    const { batcher, challenges, chain } = this.#room;
    const needed = async () => isState((await chain.reads.jobDeal(id)).state);
    return (what === 'challenge' ? challenges : batcher).add(`job:${what}:${id}`, call, needed, (reason) => {
      // While it is taken back the detail says by whom.
      if (this.#told !== reason && this.#task.phase !== 'refunding') this.set({ detail: `Waits: ${reason}` });
      this.#told = reason;
    });
  }

  tell(level: 'warning' | 'error', title: string, body: string): void {
    if (this.#told === body) return;
    this.#told = body;
    this.#room.notify(level, title, body, this.taskId);
  }

  /** The chain alone moves the task; the book keeps the figures. */
  #heard(deal: JobTaskDeal, { detail, startedAt, finishedAt, exitCode }: RunStatus): void {
    const isNew = deal.startedAt !== startedAt || deal.finishedAt !== finishedAt || deal.exitCode !== exitCode;
    const change = { detail, startedAt, finishedAt, exitCode };
    if (isNew) this.set({ deals: withDeal(this.#task.deals, deal.dealId, change) });
    else this.#room.onChange(this.taskId);
  }
}
