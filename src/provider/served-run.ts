import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { JobEvent, JobOutcome } from '../chain/events.ts';
import { tokenOf } from '../chain/profile.ts';
import { cidToBytes32 } from '../content/address.ts';
import type { JobEnd, JobProcess } from '../runtime/job-runtime.ts';
import { AppError, toAppError, type ErrorCode } from '../shared/errors.ts';
import type { Bytes32 } from '../shared/ids.ts';
import type { RunStatus } from '../shared/job-protocol.ts';
import { jobSpecSchema, type JobSpec } from '../shared/job-spec.ts';
import { formatAmount } from '../shared/money.ts';
import type { Progress } from '../shared/ready-check.ts';
import { backoffMs, delay } from '../shared/retry.ts';
import type { JobRun, JobRunChange, JobRunPhase } from '../store/ledger.ts';
import { workSeconds } from './fair-time.ts';
import type { JobRoom } from './job-room.ts';
import { fetchInputs } from './run-inputs.ts';
import { mayShow, type RunMove } from './run-moves.ts';
import { notDelivered, patienceEnd, RenterFault, startFault } from './renter-fault.ts';
import { packFault, packResult } from './run-result.ts';
import { RunSender } from './run-sender.ts';
import { runEnv, pinOf } from './run-plan.ts';

const MAX_DETAIL = 500;
/** A submission that was mined just in time is heard of a little later. */
const LATE_SECONDS = 10;
/** Before an engine that was lost is looked for again. */
const ENGINE_MS = 500;
/** Failures that pass: the renter comes back, the engine starts, another download gives up its place. */
const PASSING: ReadonlySet<ErrorCode> = new Set(['peer-unreachable', 'network-down', 'engine-down', 'timeout', 'busy']);
/** Phases in which this computer works on it. */
const WORKING: ReadonlySet<JobRunPhase> = new Set(['assigned', 'fetching', 'preparing', 'running', 'packing']);

const OUTCOMES: Record<JobOutcome, string> = {
  verified: 'Paid.',
  refunded: 'No result was submitted in time; the late fee was taken out of the bond.',
  rejected: 'The result was rejected: the bond went to the renter, and part of the stake was taken.',
  outvoted: 'Not paid: its result was not one that enough copies agree on.',
};

/**
 * One job on the provider's side, from its assignment on chain until the chain has settled it. What has to survive is in
 * the ledger before it is acted on, so another life of this host goes on from whichever step was the last.
 */
export class ServedRun {
  readonly dealId: Bytes32;
  readonly #room: JobRoom;
  readonly #life = new AbortController();
  readonly #sender: RunSender;
  readonly #secrets = Promise.withResolvers<Readonly<Record<string, string>>>();
  #run: JobRun;
  /** Stops what is being done; the reason is an AppError to fail with, or nothing where another life goes on. */
  readonly #work = new AbortController();
  #working: Promise<void> = Promise.resolve();
  /** Aborted when something has been waited for long enough; null while nothing is. */
  #patience: AbortController | null = null;
  #process: JobProcess | null = null;
  #progress: Progress | null = null;
  #clearing: Promise<void> | null = null;
  #cleared: boolean;
  #isWarned = false;

  constructor(room: JobRoom, run: JobRun) {
    this.#room = room;
    this.#run = run;
    this.dealId = run.dealId;
    // What an earlier life left of a run that is not worked on is swept away with everybody's.
    this.#cleared = !this.needsItsParts;
    this.#sender = new RunSender(room, {
      run: () => this.#run,
      resultId: ({ resultCid }) => cidToBytes32(resultCid ?? ''),
      onMove: (move) => this.#moving(move),
      onWaiting: (reason) => this.#waiting(reason),
    });
  }

  get run(): JobRun {
    return this.#run;
  }

  get progress(): Progress | null {
    return this.#progress;
  }

  /** The work as it runs; null before, and once it is packed. */
  get process(): JobProcess | null {
    return this.#process;
  }

  /** This computer is busy with it, or will be at once. */
  get isWorking(): boolean {
    return WORKING.has(this.#run.phase);
  }

  /** Its process, folder and inputs are needed: until the result is on chain it may have to be packed again. */
  get needsItsParts(): boolean {
    return this.isWorking || this.#run.phase === 'submitting';
  }

  /** The chain has nothing more to say about it. */
  get isOver(): boolean {
    return this.#run.settledAt !== null;
  }

  /** Whether others may have the result's blocks: of a copy only once every copy has committed. */
  get isShown(): boolean {
    const { terms, jobId, resultCid } = this.#run;
    if (resultCid === null) return false;
    return terms.copies === 1 || mayShow(terms, this.#room.chain.job(jobId)?.until ?? 0, this.#room.clock.now());
  }

  status(): RunStatus {
    const { dealId, phase, detail, startedAt, finishedAt, exitCode, resultCid } = this.#run;
    return {
      dealId,
      phase: phase === 'claiming' ? 'unknown' : phase === 'revealing' ? 'submitted' : phase,
      detail,
      progress: this.#progress,
      startedAt,
      finishedAt,
      exitCode,
      resultCid: this.isShown ? resultCid : null,
    };
  }

  /** Goes on from where the ledger says it stands. */
  go(): void {
    if (this.#life.signal.aborted) return;
    const { phase, resultCid } = this.#run;
    // Packed, and then lost: what ran may still be there to be packed again.
    if (phase === 'submitting' && !this.#room.content.has(resultCid ?? '')) this.#set({ phase: 'packing' });
    if (!this.isWorking) return;
    this.#working = this.#toResult();
    // At once, not at the next look.
    void this.#working.then(() => this.tick()).catch(() => undefined);
  }

  /** Values of the spec's secrets, kept in memory only: a renter whose provider was restarted tells them again. */
  begin(secrets: Readonly<Record<string, string>>): RunStatus {
    const missing = this.#spec().secrets.filter((name) => secrets[name] === undefined);
    if (missing.length > 0) {
      throw new AppError('bad-input', `The secret ${missing[0]} is missing.`, { field: `secrets.${missing[0]}` });
    }
    this.#secrets.resolve(secrets);
    return this.status();
  }

  /** "Save your work": programs that know it write a checkpoint to their outputs. */
  async checkpoint(): Promise<void> {
    if (!this.#process) {
      throw new AppError('busy', 'The job is not running now.', { next: 'Wait until it runs.' });
    }
    await this.#process.checkpoint();
  }

  /** The owner's own wish: a chance to save what it has somewhere, then the end. Resolves when nothing of it runs any more. */
  async stop(reason: string): Promise<void> {
    if (!this.isWorking) return;
    await this.#process?.checkpoint().catch(() => undefined);
    await this.giveUp(reason);
    await this.#clearing;
  }

  /** The owner's own wish, or the deadline: what runs is stopped, nothing is submitted. */
  async giveUp(reason: string): Promise<void> {
    if (!this.isWorking) return;
    this.#work.abort(new AppError('cancelled', reason));
    await this.#working;
  }

  /** What the chain says about this run: in the book at once. */
  onChain(event: JobEvent): void {
    if (this.isOver) return;
    if (event.kind === 'JobSubmitted') {
      const wait =
        event.until === 0
          ? 'Submitted. Shown once every other copy has submitted too.'
          : 'Submitted. Paid when the renter accepts it, or stays silent for the whole window.';
      this.#set({ phase: 'submitted', detail: wait });
      void this.#clearAway();
    } else if (event.kind === 'JobChallenged') this.#set({ detail: 'The result was challenged; a jury looks at it.' });
    else if (event.kind === 'JobRevealed') this.#set({ phase: 'revealing', detail: 'Shown. Waiting for the others.' });
    else if (event.kind === 'JobSettled') this.#settled(event);
  }

  /** Once a moment: what is due on chain is sent, and what can not be done in time any more is not gone on with. */
  tick(): void {
    if (this.isOver || this.#life.signal.aborted) return;
    this.#sender.tick();
    const late = this.#room.clock.now() - this.#run.submitDeadline;
    if (this.#patience && !this.#isPatient) this.#patience.abort();
    if (late >= 0 && this.isWorking) void this.giveUp('The deadline passed before there was a result.');
    if (late >= LATE_SECONDS && this.#run.phase === 'submitting' && this.#onChainState() === 'assigned') {
      this.#fail(new AppError('timeout', 'The deadline passed before the result was on chain.'));
    }
  }

  /** What could not be removed before (an engine that was down) is tried again. */
  async tidy(): Promise<void> {
    if (!this.needsItsParts) await this.#clearAway();
  }

  /** Forgets the run in memory; processes, files and money stay as they are. */
  dispose(): void {
    this.#life.abort();
    this.#work.abort();
    this.#sender.close();
  }

  // ---------------------------------------------------------------------------------------------- the work itself

  /** From the assignment to a packed result. Each step looks first whether an earlier life has done it. */
  async #toResult(): Promise<void> {
    const { signal } = this.#work;
    try {
      const spec = this.#spec();
      let isTorn = false;
      let wasLost = false;
      for (;;) {
        const process = (await this.#found(signal)) ?? (await this.#start(spec, signal));
        const ended = await process.wait(signal);
        // Nothing is known about the run until the engine is back; then it is found as it is, or not at all.
        if (ended === 'engine-lost') {
          isTorn = true;
          await delay(ENGINE_MS, signal);
          continue;
        }
        const end = this.#resultOf(ended, { isTorn, wasLost }, spec);
        if (end === null) {
          [isTorn, wasLost] = [false, true];
          this.#room.log.info({ dealId: this.dealId, detail: ended.detail }, 'a run was lost; it is run again');
          this.#process = null;
          this.#set({ phase: 'fetching', detail: 'It was lost; it is run again.' });
          await this.#insist(signal, () => this.#room.runtimes.remove(this.dealId));
          continue;
        }
        this.#set({
          phase: 'packing',
          detail: '',
          startedAt: Math.floor(end.startedAtMs / 1000),
          finishedAt: Math.floor(end.finishedAtMs / 1000),
          exitCode: end.exitCode,
        });
        const resultCid = await packResult(this.#room, {
          spec,
          process,
          end,
          pin: pinOf(this.dealId),
          signal,
          onProgress: this.#onProgress,
        });
        this.#packed(resultCid, '');
        return;
      }
    } catch (thrown) {
      if (this.#life.signal.aborted || this.isOver) return;
      if (thrown instanceof RenterFault && !signal.aborted) await this.#handBack(thrown);
      else this.#fail(toAppError(signal.aborted ? signal.reason : thrown));
    } finally {
      this.#progress = null;
    }
  }

  /**
   * What an end is worth: a lost run is no result, and is run again (null) where there is time. A program may also give
   * itself the exit code of one that was killed, so that alone is believed once only.
   * @throws AppError timeout where it was lost and cannot be run again
   */
  #resultOf(
    end: JobEnd,
    { isTorn, wasLost }: { isTorn: boolean; wasLost: boolean },
    { timeouts }: JobSpec,
  ): (JobEnd & { reason: Exclude<JobEnd['reason'], 'lost'> }) | null {
    const { reason } = end;
    if (reason !== 'lost') return { ...end, reason };
    const isCertain = isTorn || end.exitCode === null;
    const hasTime = this.#room.clock.now() + timeouts.runSeconds < this.#run.submitDeadline;
    if (hasTime && (isCertain || !wasLost)) return null;
    if (!isCertain) return { ...end, reason: 'exited' };
    throw new AppError('timeout', `The run was lost, and there is no time to run it again. ${end.detail}`);
  }

  #packed(resultCid: string, detail: string): void {
    this.#work.signal.throwIfAborted();
    this.#process = null;
    this.#set({
      phase: 'submitting',
      detail,
      resultCid,
      // Without it in the book the result could never be revealed.
      salt: this.#run.terms.copies === 1 ? null : (this.#run.salt ?? this.#room.randomBytes32()),
    });
  }

  /** A result without a run: it says what the renter did not deliver. */
  async #handBack({ message }: RenterFault): Promise<void> {
    const { signal } = this.#work;
    try {
      this.#set({
        phase: 'packing',
        detail: message,
        startedAt: null,
        finishedAt: this.#room.clock.now(),
        exitCode: null,
      });
      const parts = { spec: this.#spec(), pin: pinOf(this.dealId), signal, onProgress: this.#onProgress };
      this.#packed(await packFault(this.#room, message, parts), message);
    } catch (thrown) {
      if (this.#life.signal.aborted || this.isOver) return;
      this.#fail(toAppError(signal.aborted ? signal.reason : thrown));
    }
  }

  /** What an earlier life, or this one before the engine was lost, has started. */
  #found(signal: AbortSignal): Promise<JobProcess | null> {
    if (this.#run.phase === 'assigned' || this.#run.phase === 'fetching') return Promise.resolve(null);
    return this.#insist(signal, async () => {
      const process = await this.#room.runtimes.find(this.dealId);
      this.#process = process;
      if (process && this.#run.phase !== 'packing') {
        this.#set({ phase: 'running', detail: '', startedAt: this.#run.startedAt ?? this.#room.clock.now() });
      }
      return process;
    });
  }

  async #start(spec: JobSpec, signal: AbortSignal): Promise<JobProcess> {
    const { runtimes, clock } = this.#room;
    const { dealId, offerId } = this.#run;
    const folder = this.#folder();
    const pin = pinOf(dealId);
    this.#set({ phase: 'fetching', detail: '', finishedAt: null, exitCode: null });
    const fetched = await this.#inTime('inputs', (patience) =>
      this.#insist(patience, () =>
        fetchInputs(this.#room, { run: this.#run, spec, folder, pin, signal: patience, onProgress: this.#onProgress }),
      ),
    );
    this.#progress = null;
    const secrets = spec.secrets.length === 0 ? {} : await this.#inTime('secrets', (patience) => this.#told(patience));
    this.#set({ phase: 'preparing', detail: '' });
    const start = () =>
      runtimes.start(
        {
          dealId,
          work: spec.work,
          env: runEnv(spec, secrets),
          inputs: fetched.inputs,
          ...(fetched.module === null ? {} : { module: fetched.module }),
          limits: this.#room.limitsFor(offerId, spec),
          network: spec.network,
          runSeconds: spec.timeouts.runSeconds,
          outputCaps: spec.outputs,
        },
        { signal, onProgress: this.#onProgress },
      );
    const process = await this.#insist(signal, () =>
      start().catch((thrown: unknown) => {
        throw this.#notStarted(toAppError(thrown));
      }),
    );
    this.#progress = null;
    this.#process = process;
    this.#set({ phase: 'running', detail: '', startedAt: clock.now() });
    await rm(folder, { recursive: true, force: true });
    await this.#unpinInputs();
    return process;
  }

  /** A registry that does not answer may answer later; one that never does was the renter's choice. */
  #notStarted(error: AppError): AppError {
    if (error.code !== 'image-missing' || error.field !== 'registry') return startFault(error);
    return this.#isPatient ? new AppError('network-down', error.message, { cause: error }) : this.#missing('image');
  }

  /** What was here already and is needed again, because the run was lost, is not the renter's to answer for. */
  #missing(what: 'inputs' | 'secrets' | 'image'): AppError {
    const fault = notDelivered(what);
    return this.#run.startedAt === null ? fault : new AppError('timeout', `The run was lost. ${fault.message}`);
  }

  get #isPatient(): boolean {
    const { createdAt, submitDeadline } = this.#run;
    return this.#room.clock.now() < patienceEnd(createdAt, submitDeadline, workSeconds(this.#spec()));
  }

  /** What only others can bring is waited for until there is just time left to say that it did not come. */
  async #inTime<T>(what: 'inputs' | 'secrets', step: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this.#work;
    this.#patience = new AbortController();
    const patience = this.#patience.signal;
    try {
      return await step(AbortSignal.any([signal, patience]));
    } catch (thrown) {
      signal.throwIfAborted();
      throw patience.aborted ? this.#missing(what) : thrown;
    } finally {
      this.#patience = null;
    }
  }

  async #told(signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    this.#set({ detail: 'Waiting for the renter to send the secrets.' });
    const { promise: stopped, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([this.#secrets.promise, stopped]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /**
   * Through failures that pass: the deadline ends it, and giving up earlier would win nothing, because unit and bond come
   * back only then.
   */
  async #insist<T>(signal: AbortSignal, step: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      signal.throwIfAborted();
      try {
        return await step();
      } catch (thrown) {
        signal.throwIfAborted();
        const error = toAppError(thrown);
        if (!PASSING.has(error.code)) throw error;
        this.#set({ detail: `Waits: ${error.message}` });
        await delay(500 + backoffMs(attempt, Math.random, 500), signal);
      }
    }
  }

  readonly #onProgress = (progress: Progress): void => {
    this.#progress = { ...progress, label: progress.label.slice(0, 200) };
    this.#room.onChange(this.#run);
  };

  // ------------------------------------------------------------------------------------------------- what it means

  #spec(): JobSpec {
    try {
      return jobSpecSchema.parse(JSON.parse(this.#run.specText));
    } catch (thrown) {
      throw new AppError('bad-input', 'The spec of this job makes no sense.', { field: 'spec', cause: thrown });
    }
  }

  /** A result that is not on chain before the deadline is lost, so the owner hears of it at once. */
  #waiting(reason: string): void {
    this.#set({ detail: `Waits: ${reason}` });
    if (this.#run.phase !== 'submitting' || this.#isWarned) return;
    this.#isWarned = true;
    this.#room.notify('warning', 'A finished job cannot be handed in', reason, this.dealId);
  }

  #onChainState(): string | null {
    return this.#room.chain.jobDeal(this.dealId)?.state ?? null;
  }

  #moving(move: RunMove): void {
    if (move === 'reveal') this.#set({ phase: 'revealing', detail: 'Every copy has submitted; showing the result.' });
    this.#room.log.info({ dealId: this.dealId, move }, 'a run moves on chain');
  }

  #settled({ state, paid, fee, at }: Extract<JobEvent, { kind: 'JobSettled' }>): void {
    const { terms, phase, detail } = this.#run;
    const isPaid = state === 'verified';
    this.#set({
      phase: isPaid ? 'settled' : 'failed',
      // A reason of its own says more than what followed from it.
      detail: phase === 'failed' && !isPaid ? detail : OUTCOMES[state],
      paid,
      settledAt: at,
    });
    this.#work.abort();
    void this.#working.then(() => this.#clearAway());
    if (isPaid) {
      const { symbol, decimals } = tokenOf(this.#room.chain.profile, terms.token);
      this.#room.notify(
        'success',
        'A job was paid',
        `${formatAmount(paid - fee, decimals)} ${symbol} earned.`,
        this.dealId,
      );
    } else if (phase !== 'failed') this.#room.notify('warning', 'A job was not paid', OUTCOMES[state], this.dealId);
  }

  #fail(error: AppError): void {
    const { code, message, cause } = error;
    this.#room.log.warn({ dealId: this.dealId, code, message, cause }, 'a run failed');
    this.#set({ phase: 'failed', detail: message });
    this.#room.notify('warning', 'A job could not be done', message, this.dealId);
    void this.#clearAway();
  }

  /** Into the book. What has ended stays ended, whatever an unfinished step still has to say. */
  #set(change: JobRunChange): void {
    if (this.isOver || this.#life.signal.aborted) return;
    const { phase, detail } = change;
    // The chain alone knows better than a failure.
    if (phase !== undefined && WORKING.has(phase) && this.#run.phase === 'failed') return;
    this.#run = this.#room.ledger.runs.update(this.dealId, {
      ...change,
      ...(detail === undefined ? {} : { detail: detail.slice(0, MAX_DETAIL) }),
    });
    this.#room.onChange(this.#run);
  }

  #folder(): string {
    return path.join(this.#room.runsDir, this.dealId);
  }

  async #unpinInputs(): Promise<void> {
    const { content } = this.#room;
    const pin = pinOf(this.dealId);
    for (const { cid, pins } of content.roots()) {
      if (pins.includes(pin) && cid !== this.#run.resultCid) await content.unpin(cid, pin);
    }
  }

  /** Container, volume, run folder: everything but the packed result. Again after the next start where it fails now. */
  #clearAway(): Promise<void> {
    if (this.#cleared) return Promise.resolve();
    this.#clearing ??= (async () => {
      try {
        this.#process = null;
        await this.#room.runtimes.remove(this.dealId);
        await rm(this.#folder(), { recursive: true, force: true });
        await this.#unpinInputs();
        this.#cleared = true;
      } catch (thrown) {
        this.#room.log.warn(
          { dealId: this.dealId, error: toAppError(thrown).message },
          'what a run left could not be removed yet',
        );
      } finally {
        this.#clearing = null;
      }
    })();
    return this.#clearing;
  }
}
