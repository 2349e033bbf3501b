import type { JobEvent } from '../../chain/events.ts';
import { AppError, assertNever, toAppError } from '../../shared/errors.ts';
import type { Address, Bytes32 } from '../../shared/ids.ts';
import type { RunStatus } from '../../shared/job-protocol.ts';
import { jobFileSchema, jobSpecSchema, type JobFile, type JobSpec } from '../../shared/job-spec.ts';
import { challengeBondOf, lastStartOf, revealEndOf } from '../../shared/job-terms.ts';
import type { Progress } from '../../shared/ready-check.ts';
import { backoffMs } from '../../shared/retry.ts';
import { Serial } from '../../shared/serial.ts';
import { formatSeconds } from '../../shared/time.ts';
import { providerOfOffer } from '../../shared/typed-data.ts';
import type { IndexedJobDeal } from '../../store/indexed-jobs.ts';
import type { JobTask, JobTaskChange, JobTaskDeal } from '../../store/ledger.ts';
import type { CallBatcher } from './call-batcher.ts';
import { checkResult } from './check-result.ts';
import { fetchResult, resultPin } from './fetch-result.ts';
import type { JobDeskRoom } from './job-desk-room.ts';
import type { ProviderAt, ProviderLines } from './provider-lines.ts';
import {
  CANCELLED,
  currentDeals,
  endOf,
  isDealOver,
  isTaskOver,
  isOwnTrouble,
  taskFactsOf,
  verdictOfTask,
  withDeal,
  type TaskVerdict,
} from './task-facts.ts';
import { TaskLines } from './task-lines.ts';

export interface FlowRoom extends JobDeskRoom {
  lines: ProviderLines;
  batcher: CallBatcher;
  /** Challenges lock money, which may be missing: what is stuck there holds nothing else up. */
  challenges: CallBatcher;
  /** The task was written: whoever counts and shows looks again; `over` once at its end. */
  onTask(task: JobTask): void;
}

/** A clock a little ahead of the chain's sends nothing that reverts. */
const PATIENCE_SECONDS = 2;
/** Copies that do not show themselves are waited for by everybody; who concludes is one of many. */
const CONCLUDE_PATIENCE_SECONDS = 5;
/** Part of a window that is kept for challenging a result that cannot be had. */
const LAST_PART = 5;
/** A result that was paid and cannot be fetched is given up after this long. */
const FETCH_PAID_SECONDS = 6 * 3600;
const MAX_DETAIL = 500;

/**
 * One task, from its posting until its money has moved and its result is here. Looks at the book and at the chain, and
 * does the next thing: whatever is interrupted is looked at again by another life of this host.
 */
export class TaskFlow {
  readonly taskId: string;
  readonly spec: JobSpec;
  /** Without its secrets. */
  readonly file: JobFile;
  /** Of the result on its way here. */
  fetching: Progress | null = null;
  /** Providers asked to take it now; they may read its inputs. */
  chosen: readonly Address[] = [];
  readonly #room: FlowRoom;
  readonly #steps = new Serial();
  readonly #life = new AbortController();
  readonly #lines: TaskLines;
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
      this.set({ phase: 'refunding', detail: CANCELLED });
      await this.#cancelOnChain();
      if (this.#task.phase === 'refunding' || this.#task.phase === 'cancelled') return;
    }
    throw new AppError(
      'conflict',
      phase === 'posting' || phase === 'assigning'
        ? 'It is just being put on chain.'
        : 'A provider has taken this job; it cannot be taken back any more.',
      { field: 'taskId', next: phase === 'posting' ? 'Try again in a moment.' : 'Wait for its end.' },
    );
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
          await this.#stepVerifying();
        } else await this.#stepCopies();
        return;
      case 'verifying':
        await this.#stepVerifying();
        return;
      case 'accepting':
        await this.#accept();
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
      await this.#send('conclude', job.jobId, this.#room.chain.calls.concludeJob(terms), (state) => state === 'open');
    }
    this.#dueAt = revealing ? end + CONCLUDE_PATIENCE_SECONDS : terms.deadline + PATIENCE_SECONDS;
    // The last copy may show itself at any time.
    if (revealing) this.later();
  }

  async #stepVerifying(): Promise<void> {
    const { jobId, terms, resultCid } = this.#task;
    if (!jobId || !terms || !resultCid) return;
    const verdict = verdictOfTask(this.#task);
    const deal = currentDeals(this.#task).find((one) => one.resultCid === resultCid);
    const onChain = deal && this.#room.chain.jobDeal(deal.dealId);
    if (!deal || !onChain) {
      this.later();
      return;
    }
    if (onChain.state === 'disputed') {
      await this.#stepDisputed(onChain);
      return;
    }
    if (verdict) await this.#judged(verdict, onChain);
    else await this.#fetchAndCheck(onChain, resultCid);
  }

  async #fetchAndCheck(onChain: IndexedJobDeal, cid: string): Promise<void> {
    const { content, clock } = this.#room;
    const agreed = this.#task.detail;
    try {
      if (content.has(cid)) await content.pin(cid, resultPin(this.taskId));
      else await this.#fetch(onChain, cid);
      this.set({ detail: 'The result is here and is being checked.' });
      const verdict = await checkResult(content, {
        spec: this.spec,
        cid,
        run: { tookSeconds: (onChain.submittedAt ?? clock.now()) - onChain.assignedAt },
        agreed,
        seed: this.#room.randomSeed(),
      });
      this.#attempt = 0;
      this.set({ verdict: { ...verdict }, detail: verdict.reason });
      await this.#judged(verdict, onChain);
    } catch (thrown) {
      if (this.#life.signal.aborted) return;
      await this.#notFetched(onChain, toAppError(thrown));
    } finally {
      this.fetching = null;
    }
  }

  async #fetch(onChain: IndexedJobDeal, cid: string): Promise<void> {
    const agreeing = currentDeals(this.#task).filter((deal) => deal.resultCid === cid);
    let failure = new AppError('peer-unreachable', 'No provider of this result is known here.');
    for (const deal of [...agreeing, onChain]) {
      const provider = this.providerOf(deal);
      if (!provider) continue;
      try {
        const line = await this.#room.lines.bulk(provider, this.#life.signal);
        await fetchResult(this.#room.content, line, {
          cid,
          taskId: this.taskId,
          spec: this.spec,
          signal: this.#life.signal,
          onProgress: (progress) => {
            this.fetching = progress;
            this.#room.onChange(this.taskId);
          },
        });
        return;
      } catch (thrown) {
        this.#life.signal.throwIfAborted();
        failure = toAppError(thrown);
      }
    }
    throw failure;
  }

  async #notFetched(onChain: IndexedJobDeal, error: AppError): Promise<void> {
    const now = this.#room.chain.now();
    this.#room.log.info({ taskId: this.taskId, code: error.code, message: error.message }, 'a result is not here yet');
    const paid = this.#task.paid !== null;
    if (paid && now - (onChain.settledAt ?? now) > FETCH_PAID_SECONDS) {
      this.set({
        phase: 'failed',
        detail: `It was paid, and its result cannot be had: ${error.message}`,
        endedAt: now,
      });
      return;
    }
    // Not the provider's fault: the owner may mend it while the window lasts, and nobody is accused.
    if (error.field === 'inputs' || (!paid && isOwnTrouble(error))) {
      this.set({ detail: error.message });
      this.#tell('error', 'A result cannot be checked', error.message);
      this.later();
      return;
    }
    const tampered = error.code === 'bad-input' || error.code === 'over-limit';
    const lastPart = Math.floor((this.#task.terms?.window ?? 0) / LAST_PART);
    if (!paid && (tampered || now > onChain.until - lastPart)) {
      const verdict = this.#verdict(false, `The result cannot be had: ${error.message}`);
      this.set({ verdict: { ...verdict }, detail: verdict.reason });
      await this.#judged(verdict, onChain);
      return;
    }
    this.set({ detail: `The result is not here yet: ${error.message}` });
    this.later();
  }

  #verdict(valid: boolean, reason: string): TaskVerdict {
    return { tier: this.spec.verification.tier, valid, reason, checks: [], run: null };
  }

  async #judged(verdict: TaskVerdict, onChain: IndexedJobDeal): Promise<void> {
    const single = this.#task.terms?.copies === 1;
    // Copies are paid by their agreement, and a window that passed has paid already.
    if (!single || this.#task.paid !== null) {
      this.set(endOf(this.#task, this.#room.clock.now()));
      return;
    }
    if (onChain.state !== 'submitted') {
      this.later();
      return;
    }
    if (verdict.valid) {
      this.set({ phase: 'accepting', detail: 'The result is accepted; the bounty is being paid.' });
      await this.#accept();
    } else await this.#challenge(verdict, onChain);
  }

  async #accept(): Promise<void> {
    const { terms, jobId } = this.#task;
    const [deal] = currentDeals(this.#task);
    if (!terms || !jobId || !deal) return;
    const call = this.#room.chain.calls.acceptJob(terms, deal.offerId);
    await this.#send('accept', jobId, call, (state) => state === 'submitted');
  }

  async #challenge(verdict: TaskVerdict, onChain: IndexedJobDeal): Promise<void> {
    const { terms, jobId } = this.#task;
    const { chain, policy } = this.#room;
    if (!terms || !jobId) return;
    const now = chain.now();
    if (now >= onChain.until) {
      this.#tell('warning', 'A wrong result will be paid', `${verdict.reason} The time to challenge it is over.`);
      this.later();
      return;
    }
    const bond = challengeBondOf(terms);
    const spending = `challenge:${jobId}`;
    try {
      await policy.reserve({ id: spending, deal: this.#task.batchId, token: terms.token, amount: bond });
      if ((await chain.reads.vaultBalance(terms.renter, terms.token)) < bond) {
        throw new AppError('insufficient-funds', 'The deposit account does not hold the bond of a challenge.');
      }
      this.#tell('warning', 'A result is being challenged', verdict.reason);
      const call = chain.calls.challengeJob(terms, onChain.offerId);
      const sent = await this.#send('challenge', jobId, call, (state) => state === 'submitted');
      if (sent) await policy.commit(spending);
      else await policy.release(spending);
    } catch (thrown) {
      await policy.release(spending);
      const { message } = toAppError(thrown);
      this.set({ detail: `${verdict.reason} It cannot be challenged: ${message}` });
      this.#tell('error', 'A wrong result needs you', `${verdict.reason} It cannot be challenged: ${message}`);
      this.later();
    }
  }

  async #stepDisputed({ dealId, offerId }: IndexedJobDeal): Promise<void> {
    const { terms } = this.#task;
    const jury = await this.#room.chain.reads.jury(dealId);
    if (jury.over && terms) {
      const call = this.#room.chain.calls.resolveJob(terms, offerId);
      await this.#send('resolve', dealId, call, (state) => state === 'disputed');
      this.later();
    } else this.#dueAt = jury.endsAt + PATIENCE_SECONDS;
  }

  async #expire({ dealId, offerId }: Pick<JobTaskDeal, 'dealId' | 'offerId'>): Promise<void> {
    const { terms } = this.#task;
    if (!terms) return;
    const call = this.#room.chain.calls.expireJob(terms, offerId);
    await this.#send('expire', dealId, call, (state) => state === 'assigned');
  }

  async #cancelOnChain(): Promise<void> {
    const { terms, jobId } = this.#task;
    if (!terms || !jobId) return;
    const call = this.#room.chain.calls.cancelJob(terms);
    const sent = await this.#send('cancel', jobId, call, (state) => state === 'open');
    if (!sent) this.later();
  }

  /** True once it is in a block, false where the chain says that it is not needed (any more). */
  #send(
    what: string,
    id: Bytes32,
    call: Parameters<CallBatcher['add']>[1],
    isState: (state: string) => boolean,
  ): Promise<boolean> {
    const { batcher, challenges, chain } = this.#room;
    const needed = async () => isState((await chain.reads.jobDeal(id)).state);
    return (what === 'challenge' ? challenges : batcher).add(`job:${what}:${id}`, call, needed, (reason) => {
      if (this.#told !== reason) this.set({ detail: `Waits: ${reason}` });
      this.#told = reason;
    });
  }

  #tell(level: 'warning' | 'error', title: string, body: string): void {
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
