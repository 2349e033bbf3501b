import { AppError, toAppError } from '../../shared/errors.ts';
import type { Bytes32 } from '../../shared/ids.ts';
import type { JobFile, JobSpec } from '../../shared/job-spec.ts';
import { challengeBondOf, MIN_WINDOW_SECONDS } from '../../shared/job-terms.ts';
import type { Progress } from '../../shared/ready-check.ts';
import type { IndexedJobDeal } from '../../store/indexed-jobs.ts';
import type { JobTask, JobTaskChange, JobTaskDeal } from '../../store/ledger.ts';
import type { CallBatcher } from './call-batcher.ts';
import { checkResult } from './check-result.ts';
import { fetchResult, resultPin } from './fetch-result.ts';
import type { FlowRoom } from './job-desk-room.ts';
import type { ProviderAt } from './provider-lines.ts';
import { currentDeals, doubtOf, endOf, isOwnTrouble, verdictOfTask, type TaskVerdict } from './task-facts.ts';

/** The task whose result this is, and how its flow goes on. */
export interface TaskAtHand {
  readonly taskId: string;
  readonly spec: JobSpec;
  readonly file: JobFile;
  readonly task: JobTask;
  readonly signal: AbortSignal;
  providerOf(deal: Pick<JobTaskDeal, 'offerId'>): ProviderAt | null;
  /** Into the book. */
  set(change: JobTaskChange): void;
  /** Looks again in a while. */
  later(): void;
  /** Looks again at this time of the chain, unix seconds. */
  wakeAt(chainSeconds: number): void;
  /** True once it is in a block, false where the chain says that it is not needed (any more). */
  send(
    what: 'accept' | 'challenge' | 'draw' | 'resolve',
    id: Bytes32,
    call: Parameters<CallBatcher['add']>[1],
    isState: (state: string) => boolean | Promise<boolean>,
  ): Promise<boolean>;
  tell(level: 'warning' | 'error', title: string, body: string): void;
}

/** A clock a little ahead of the chain's sends nothing that reverts. */
const PATIENCE_SECONDS = 2;
/** Part of a window that is kept for challenging a result that cannot be had. */
const LAST_PART = 5;
/** A result that was paid and cannot be fetched is given up after this long. */
const FETCH_PAID_SECONDS = 6 * 3600;

/** The second half of a task: a result was submitted, and is fetched, checked, reviewed, paid or challenged. */
export class ResultFlow {
  /** Of the result on its way here. */
  fetching: Progress | null = null;
  readonly #room: FlowRoom;
  readonly #at: TaskAtHand;

  constructor(room: FlowRoom, at: TaskAtHand) {
    this.#room = room;
    this.#at = at;
  }

  /** Does the next thing there is to do about the result. */
  async step(): Promise<void> {
    const { resultCid } = this.#at.task;
    const found = this.#submitted();
    if (!resultCid || !found) {
      this.#at.later();
      return;
    }
    if (found.state === 'disputed') {
      await this.#stepDisputed(found);
      return;
    }
    const verdict = verdictOfTask(this.#at.task);
    if (verdict) await this.#judged(verdict, found);
    else await this.#fetchAndCheck(found, resultCid);
  }

  /** Pays the result that was accepted. */
  async pay(): Promise<void> {
    const { terms, jobId } = this.#at.task;
    const [deal] = currentDeals(this.#at.task);
    if (!terms || !jobId || !deal) return;
    const call = this.#room.chain.calls.acceptJob(terms, deal.offerId);
    await this.#at.send('accept', jobId, call, (state) => state === 'submitted');
  }

  /** By when (unix seconds) its owner can accept or reject it, and what rejecting locks; null where nothing waits. */
  get review(): { until: number; bond: bigint } | null {
    const { phase, terms } = this.#at.task;
    const found = phase === 'review' && terms ? this.#submitted() : null;
    if (found?.state !== 'submitted' || !terms) return null;
    return { until: this.#reviewEnd(found), bond: challengeBondOf(terms) };
  }

  /** Its owner takes the result. @throws AppError conflict where none waits for that */
  accept(): void {
    this.#reviewed();
    this.#at.set({ phase: 'accepting', detail: 'You accepted it; the bounty is being paid.' });
  }

  /** Its owner does not: it will be challenged. @throws AppError conflict; insufficient-funds where the bond is missing */
  async reject(reason: string): Promise<void> {
    const { bond } = this.#reviewed();
    await this.#checkBond(bond);
    this.#reviewed();
    const run = verdictOfTask(this.#at.task)?.run ?? null;
    const said = this.#invalid(`You rejected it: ${/[.!?]$/.test(reason) ? reason : `${reason}.`}`);
    this.#at.set({ phase: 'verifying', verdict: { ...said, run }, detail: said.reason });
  }

  #reviewed(): { until: number; bond: bigint } {
    const { review } = this;
    if (review && this.#room.chain.now() < review.until) return review;
    throw new AppError('conflict', 'No result of this job waits for your word.', {
      field: 'taskId',
      next: 'See where the job stands.',
    });
  }

  /**
   * A failure holds the provider's machine for half an hour at most from when its owner could see it: this computer may
   * have slept. Who wants to see everything has the whole window.
   */
  #reviewEnd({ until }: IndexedJobDeal): number {
    const verdict = verdictOfTask(this.#at.task);
    return verdict && this.#at.file.review !== 'always' ? Math.min(until, verdict.at + MIN_WINDOW_SECONDS) : until;
  }

  /** Whether its owner accepted or rejected while the result was being looked at. */
  #hasOwnersWord(): boolean {
    return this.#at.task.phase === 'accepting' || verdictOfTask(this.#at.task) !== null;
  }

  /** The run, as the chain knows it, whose result is the task's. */
  #submitted(): IndexedJobDeal | null {
    const { task } = this.#at;
    const deal = currentDeals(task).find((one) => one.resultCid !== null && one.resultCid === task.resultCid);
    return deal ? this.#room.chain.jobDeal(deal.dealId) : null;
  }

  async #fetchAndCheck(onChain: IndexedJobDeal, cid: string): Promise<void> {
    const { content, clock } = this.#room;
    const { taskId, spec, signal, task } = this.#at;
    const agreeing = currentDeals(task).filter((deal) => deal.resultCid === cid);
    try {
      if (content.has(cid)) await content.pin(cid, resultPin(taskId));
      else await this.#fetch(agreeing, cid);
      if (task.phase !== 'review') this.#at.set({ detail: 'The result is here and is being checked.' });
      const finding = await checkResult(content, {
        spec,
        cid,
        run: { tookSeconds: (onChain.submittedAt ?? clock.now()) - onChain.assignedAt },
        agreed: `${agreeing.length} of ${task.terms?.copies ?? 1} copies agree to the byte.`,
        seed: this.#room.randomSeed(),
      });
      if (this.#hasOwnersWord()) return;
      const verdict = { ...finding, at: this.#room.chain.now() };
      this.#at.set({ verdict, detail: verdict.reason });
      await this.#judged(verdict, onChain);
    } catch (thrown) {
      if (signal.aborted || this.#hasOwnersWord()) return;
      await this.#notChecked(onChain, cid, toAppError(thrown));
    } finally {
      this.fetching = null;
    }
  }

  /** From whoever made it, one after the other, and from gateways. @throws AppError what the last of them said */
  async #fetch(agreeing: readonly JobTaskDeal[], cid: string): Promise<void> {
    const { taskId, spec, signal } = this.#at;
    const gateways = this.#room.gateways().map((gateway) => ({ gateway }));
    const options = {
      cid,
      taskId,
      spec,
      signal,
      onProgress: (progress: Progress) => {
        this.fetching = progress;
        this.#room.onChange(taskId);
      },
    };
    let failure = new AppError('peer-unreachable', 'No provider of this result is known here.');
    for (const deal of agreeing) {
      const provider = this.#at.providerOf(deal);
      if (!provider) continue;
      try {
        const peer = await this.#room.lines.bulk(provider, signal);
        await fetchResult(this.#room.content, [{ peer }, ...gateways], options);
        return;
      } catch (thrown) {
        signal.throwIfAborted();
        failure = toAppError(thrown);
      }
    }
    if (failure.code !== 'peer-unreachable' || gateways.length === 0) throw failure;
    await fetchResult(this.#room.content, gateways, options);
  }

  async #notChecked(onChain: IndexedJobDeal, cid: string, error: AppError): Promise<void> {
    const { taskId, task } = this.#at;
    const now = this.#room.chain.now();
    this.#room.log.info({ taskId, code: error.code, message: error.message }, 'a result is not checked yet');
    const paid = task.paid !== null;
    // Of several copies each provider comes for its money when it likes: the conclusion counts.
    const paidAt = onChain.settledAt ?? (task.jobId && this.#room.chain.job(task.jobId)?.endedAt) ?? now;
    if (paid && now - paidAt > FETCH_PAID_SECONDS) {
      const detail = `It was paid, and its result cannot be had: ${error.message}`;
      this.#at.set({ phase: 'failed', detail, endedAt: now });
      return;
    }
    // Not the provider's fault: the owner may mend it, accept or reject while the window lasts, and nobody is accused.
    if (error.field === 'inputs' || (!paid && isOwnTrouble(error))) {
      const isHere = !paid && task.terms?.copies === 1 && this.#room.content.has(cid);
      this.#at.set({ detail: error.message, ...(isHere ? { phase: 'review' as const } : {}) });
      this.#at.tell('error', 'A result cannot be checked', error.message);
      this.#at.later();
      return;
    }
    const tampered = error.code === 'bad-input' || error.code === 'over-limit';
    const lastPart = Math.floor((task.terms?.window ?? 0) / LAST_PART);
    if (!paid && (tampered || now > onChain.until - lastPart)) {
      const verdict = this.#invalid(`The result cannot be had: ${error.message}`);
      this.#at.set({ verdict: { ...verdict }, detail: verdict.reason });
      await this.#judged(verdict, onChain);
      return;
    }
    this.#at.set({ detail: `The result is not here yet: ${error.message}` });
    this.#at.later();
  }

  #invalid(reason: string): TaskVerdict {
    const { tier } = this.#at.spec.verification;
    return { tier, valid: false, reason, checks: [], run: null, at: this.#room.chain.now() };
  }

  async #judged(verdict: TaskVerdict, onChain: IndexedJobDeal): Promise<void> {
    const { task, file } = this.#at;
    const single = task.terms?.copies === 1;
    // Copies are paid by their agreement, and a window that passed has paid already.
    if (!single || task.paid !== null) {
      this.#at.set(endOf(task, this.#room.clock.now()));
      return;
    }
    if (onChain.state !== 'submitted') {
      this.#at.later();
      return;
    }
    if (!verdict.valid) {
      await this.#challenge(verdict, onChain);
      return;
    }
    const doubt = doubtOf(verdict, file.review);
    const reviewEnd = this.#reviewEnd(onChain);
    if (doubt !== null && this.#room.chain.now() < reviewEnd) {
      this.#at.set({ phase: 'review', detail: doubt });
      this.#at.tell('warning', 'A result waits for your word', doubt);
      this.#at.wakeAt(reviewEnd + PATIENCE_SECONDS);
      return;
    }
    this.#at.set({ phase: 'accepting', detail: 'The result is accepted; the bounty is being paid.' });
    await this.pay();
  }

  async #challenge(verdict: TaskVerdict, onChain: IndexedJobDeal): Promise<void> {
    const { terms, jobId, batchId } = this.#at.task;
    const { chain, policy } = this.#room;
    if (!terms || !jobId) return;
    if (chain.now() >= onChain.until) {
      this.#at.tell('warning', 'A wrong result will be paid', `${verdict.reason} The time to challenge it is over.`);
      // Its provider may never come for the bounty; the task shall end all the same.
      await this.pay();
      return;
    }
    const bond = challengeBondOf(terms);
    const spending = `challenge:${jobId}`;
    try {
      await policy.reserve({ id: spending, deal: batchId, token: terms.token, amount: bond });
      await this.#checkBond(bond);
      this.#at.tell('warning', 'A result is being challenged', verdict.reason);
      const call = chain.calls.challengeJob(terms, onChain.offerId);
      const sent = await this.#at.send('challenge', jobId, call, (state) => state === 'submitted');
      if (sent) await policy.commit(spending);
      else await policy.release(spending);
    } catch (thrown) {
      await policy.release(spending);
      const detail = `${verdict.reason} It cannot be challenged: ${toAppError(thrown).message}`;
      this.#at.set({ detail });
      this.#at.tell('error', 'A wrong result needs you', detail);
      this.#at.later();
    }
  }

  /** @throws AppError insufficient-funds */
  async #checkBond(bond: bigint): Promise<void> {
    const { terms } = this.#at.task;
    if (!terms || (await this.#room.chain.reads.vaultBalance(terms.renter, terms.token)) >= bond) return;
    throw new AppError('insufficient-funds', 'The deposit account does not hold the bond of a challenge.', {
      field: 'bond',
      next: 'Deposit what is missing, then challenge again.',
    });
  }

  async #stepDisputed({ dealId, offerId }: IndexedJobDeal): Promise<void> {
    const { terms } = this.#at.task;
    const { calls, reads } = this.#room.chain;
    const jury = await reads.jury(dealId);
    if (jury.drawFrom !== null && terms) {
      const soonest = jury.drawFrom + PATIENCE_SECONDS;
      if (this.#room.chain.now() < soonest) this.#at.wakeAt(soonest);
      else {
        const isUndrawn = async () => (await reads.jury(dealId)).drawFrom !== null;
        await this.#at.send('draw', dealId, calls.drawJury(terms, offerId), isUndrawn);
        this.#at.later();
      }
      return;
    }
    if (jury.over && terms) {
      const call = calls.resolveJob(terms, offerId);
      await this.#at.send('resolve', dealId, call, (state) => state === 'disputed');
      this.#at.later();
    } else this.#at.wakeAt(jury.endsAt + PATIENCE_SECONDS);
  }
}
