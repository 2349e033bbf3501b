import { keccak256, toUtf8Bytes } from 'ethers';
import type { z } from 'zod';
import type { Chain } from '../chain/chain.ts';
import type { ChainEvent, JobEvent } from '../chain/events.ts';
import type { Cid } from '../content/content-store.ts';
import type { PeerConnection, PeerStream } from '../peer/peer-link.ts';
import type { State } from '../shared/emitter.ts';
import { AppError, assertNever, toAppError } from '../shared/errors.ts';
import type { Address, Bytes32 } from '../shared/ids.ts';
import {
  JOB_REQUESTS,
  JOB_STATUS_EVENT,
  JOB_STREAMS,
  type JobRequest,
  type RunStatus,
} from '../shared/job-protocol.ts';
import { jobSpecSchema, type JobSpec } from '../shared/job-spec.ts';
import type { JobTerms } from '../shared/job-terms.ts';
import type { Json } from '../shared/json.ts';
import { everyRow } from '../store/ledger-page.ts';
import type { JobRun } from '../store/ledger.ts';
import { FirstWords } from './first-words.ts';
import { JobClaims } from './job-claims.ts';
import type { JobRoom, WorkDoor } from './job-room.ts';
import { serveRunLogs } from './run-logs.ts';
import { pinOf } from './run-plan.ts';
import { ServedRun } from './served-run.ts';
import { sweepRuns } from './sweep-runs.ts';
import { WorkChoice } from './work-choice.ts';
import { workFigures, type WorkFigures } from './work-setup.ts';
import { WorkSwitch, type WorkState } from './work-switch.ts';

/** How long a renter's first word may be ahead of our view of the chain. */
const CHAIN_LAG_MS = 20_000;
/** How long an acceptance counts: the renter has it mined meanwhile, and its unit is held. */
const ACCEPTANCE_SECONDS = 60;
/** How long a result is kept for its renter after the job is over, as long as there is room. */
const KEEP_SECONDS = 7 * 86_400;
/** Of the store's limit that results of jobs that are over may take before the oldest of them go. */
const KEEP_SHARE = 0.5;
const TIDY_SECONDS = 60;

/** Every job that one account runs for others: asked by renters, fed by the chain, taken up again after a restart. */
export class JobWork {
  readonly #room: JobRoom;
  readonly #door: WorkDoor;
  readonly #switch: WorkSwitch;
  readonly #choice: WorkChoice;
  readonly #claims: JobClaims;
  readonly #runs = new Map<Bytes32, ServedRun>();
  readonly #lines = new Map<Bytes32, Set<PeerConnection>>();
  readonly #assigned = new FirstWords(CHAIN_LAG_MS);
  #ticker: NodeJS.Timeout | null = null;
  #sweeping: Promise<void> = Promise.resolve();
  #offEngine: (() => void) | null = null;
  #tidyAt = 0;
  #offers = '';

  constructor(room: JobRoom, door: WorkDoor) {
    this.#door = door;
    this.#room = {
      ...room,
      onChange: (run) => {
        room.onChange(run);
        this.#tellRenter(run.dealId);
      },
    };
    this.#switch = new WorkSwitch(this.#room, door);
    this.#choice = new WorkChoice(this.#room, door);
    this.#claims = new JobClaims(
      this.#room,
      door,
      this.#choice,
      () => this.#switch.isOn && this.state.value.claimsOpen,
    );
    this.state.on(() => this.#claims.look());
  }

  get state(): State<WorkState> {
    return this.#switch.state;
  }

  /** Runs that this computer is busy with now. */
  active(): JobRun[] {
    return [...this.#runs.values()].filter(({ isWorking }) => isWorking).map(({ run }) => run);
  }

  get(dealId: Bytes32): ServedRun | undefined {
    return this.#runs.get(dealId);
  }

  /** @throws AppError unsupported where the network has no jobs, network-down */
  figures(): Promise<WorkFigures> {
    return workFigures(this.#room);
  }

  /** Whether this wallet may have the blocks of this content: its renter those of a result. */
  mayRead(root: Cid, wallet: Address): boolean {
    for (const { run, isShown } of this.#runs.values()) {
      if (run.resultCid === root && run.terms.renter === wallet && isShown) return true;
    }
    return false;
  }

  /** Takes up every run of the ledger that is not over, clears away what no run needs, does what the owner wanted. */
  async recover(): Promise<void> {
    const { ledger, account, clock } = this.#room;
    const since = clock.now() - KEEP_SECONDS;
    const found: ServedRun[] = [];
    for (const run of everyRow((page) => ledger.runs.list({ account: account.address, ...page }))) {
      if (this.#runs.has(run.dealId)) continue;
      if (run.settledAt === null || run.settledAt > since) found.push(this.#serve(run));
    }
    // Of an engine that is down nothing can be seen: once more when it comes up, if that is while this host starts.
    this.#offEngine ??= this.#room.runtimes.onBack(() => void this.#sweep());
    await this.#sweep();
    for (const run of found) run.go();
    this.#ticker ??= setInterval(() => this.#tick(), this.#room.tickMs ?? 1000);
    void this.#switch.recover();
  }

  /** One sweep at a time; it never throws. */
  #sweep(): Promise<void> {
    this.#sweeping = this.#sweeping
      .then(() => sweepRuns(this.#room, (dealId) => this.#runs.get(dealId)))
      .catch((thrown: unknown) => {
        this.#room.log.warn({ error: toAppError(thrown).message }, 'what earlier lives left was not cleared away');
      });
    return this.#sweeping;
  }

  onChain(events: readonly ChainEvent[]): void {
    for (const event of events) {
      if (!('dealId' in event) || !('terms' in event) || event.provider !== this.#room.account.address) continue;
      if (event.kind === 'JobAssigned') this.#takeOn(event);
      this.#runs.get(event.dealId)?.onChain(event);
      // A unit came free.
      if (event.kind === 'JobSettled') this.#claims.look();
    }
  }

  /** A request whose kind begins with `job.`. @throws AppError not-found for anybody but the deal's renter */
  async onRequest(connection: PeerConnection, kind: string, body: Json): Promise<Json> {
    if (!isRequest(kind))
      throw new AppError('unsupported', `This host does not know the request ${kind.slice(0, 60)}.`);
    switch (kind) {
      case 'job.ask':
        return this.#ask(connection, parse(kind, JOB_REQUESTS[kind].input, body));
      case 'job.begin': {
        const { dealId, secrets } = parse(kind, JOB_REQUESTS[kind].input, body);
        return (await this.#runOf(connection, dealId as Bytes32)).begin(secrets);
      }
      case 'job.status': {
        const { dealId } = parse(kind, JOB_REQUESTS[kind].input, body);
        // Asked too early it is no error: the renter asks again.
        if (!this.#runs.has(dealId as Bytes32)) return unknown(dealId as Bytes32);
        return (await this.#runOf(connection, dealId as Bytes32)).status();
      }
      case 'job.checkpoint': {
        const { dealId } = parse(kind, JOB_REQUESTS[kind].input, body);
        await (await this.#runOf(connection, dealId as Bytes32)).checkpoint();
        return { ok: true };
      }
      default:
        return assertNever(kind);
    }
  }

  /** A stream whose kind begins with `job.`. */
  async onStream(connection: PeerConnection, stream: PeerStream): Promise<void> {
    if (stream.kind !== 'job.logs') {
      throw new AppError('unsupported', `This host does not know the stream ${stream.kind.slice(0, 60)}.`);
    }
    const params = parse(stream.kind, JOB_STREAMS['job.logs'], stream.params);
    const run = await this.#runOf(connection, params.dealId as Bytes32);
    const { finishedAt, terms } = run.run;
    serveRunLogs(run.process, { isPacked: finishedAt !== null, isCopy: terms.copies > 1 }, params, stream);
  }

  /**
   * Stakes what is missing, lets Jobs lock bonds, names the operator. The owner's wish is in the book first, and is gone
   * back to after a restart.
   */
  start(wish: { commandId: string; claimsOpen: boolean }): Promise<void> {
    return this.#switch.start(wish);
  }

  /** Takes no more; what runs is finished. */
  stop(): Promise<void> {
    return this.#switch.stop(() => this.active().length);
  }

  /** The owner's explicit wish: this run is stopped and fails; its late fee is lost when the deadline has passed. */
  async stopRun(dealId: Bytes32, reason: string): Promise<void> {
    const run = this.#runs.get(dealId);
    if (!run?.isWorking) {
      throw new AppError('conflict', 'This job does not run now.', { field: 'dealId' });
    }
    await run.stop(reason);
  }

  /** As `stopRun`, every run that this computer is busy with. */
  async endAll(reason: string): Promise<void> {
    await Promise.all([...this.#runs.values()].map((run) => run.stop(reason)));
  }

  /** Lets go of everything in memory. Runs live on. */
  close(): void {
    this.#switch.close();
    this.#offEngine?.();
    if (this.#ticker) clearInterval(this.#ticker);
    this.#claims.close();
    for (const run of this.#runs.values()) run.dispose();
    this.#assigned.close();
  }

  // --------------------------------------------------------------------------------------------------- its runs

  #takeOn(event: Extract<JobEvent, { kind: 'JobAssigned' }>): void {
    const { ledger, chain, clock, log } = this.#room;
    const { dealId, jobId, provider, offerId, terms } = event;
    if (this.#runs.has(dealId) || ledger.runs.get(dealId)) return;
    const run = this.#serve(
      ledger.runs.put({
        dealId,
        jobId,
        account: provider,
        offerId,
        terms,
        specText: chain.job(jobId)?.spec ?? '',
        phase: 'assigned',
        detail: '',
        startedAt: null,
        finishedAt: null,
        exitCode: null,
        resultCid: null,
        salt: null,
        submitDeadline: terms.deadline,
        paid: null,
        settledAt: null,
        createdAt: clock.now(),
      }),
    );
    log.info({ dealId, renter: terms.renter }, 'job taken');
    this.#room.notify('info', 'This computer took a job', parsedSpec(run.run.specText)?.name ?? '', dealId);
    this.#room.onChange(run.run);
    run.go();
    this.#assigned.seen(dealId);
  }

  #serve(run: JobRun): ServedRun {
    const served = new ServedRun(this.#room, run);
    this.#runs.set(run.dealId, served);
    return served;
  }

  #tick(): void {
    for (const run of this.#runs.values()) {
      try {
        run.tick();
      } catch (thrown) {
        const { code, message, cause } = toAppError(thrown);
        this.#room.log.warn({ dealId: run.dealId, code, message, cause }, 'a run was not looked at');
      }
    }
    const offers = this.#door.offers().join();
    // Sharing is on again: nothing on chain need have changed by that.
    if (offers !== this.#offers) this.#claims.look();
    this.#offers = offers;
    this.#letGo();
  }

  /** Results of jobs that are over go after their time, or earlier, the oldest first, where they take too much. */
  #letGo(): void {
    const { clock, content, log } = this.#room;
    const now = clock.now();
    if (now < this.#tidyAt) return;
    this.#tidyAt = now + TIDY_SECONDS;
    for (const run of this.#runs.values()) void run.tidy();
    const { pinnedBytes, limitBytes } = content.usage();
    let over = pinnedBytes - limitBytes * KEEP_SHARE;
    const ended = [...this.#runs.values()]
      .filter(({ isOver }) => isOver)
      .toSorted((a, b) => (a.run.settledAt ?? 0) - (b.run.settledAt ?? 0));
    for (const { dealId, run } of ended) {
      const old = (run.settledAt ?? 0) + KEEP_SECONDS <= now;
      if (old) {
        this.#runs.delete(dealId);
        this.#lines.delete(dealId);
      }
      const held = run.resultCid === null ? null : content.stat(run.resultCid);
      if (!held?.pins.includes(pinOf(dealId)) || (!old && over <= 0)) continue;
      over -= held.storedBytes;
      content.unpin(held.cid, pinOf(dealId)).catch((thrown: unknown) => {
        log.warn({ dealId, error: toAppError(thrown).message }, 'an old result was not let go');
      });
    }
  }

  // --------------------------------------------------------------------------------------------------- renters

  async #ask(
    connection: PeerConnection,
    input: z.infer<(typeof JOB_REQUESTS)['job.ask']['input']>,
  ): Promise<z.infer<(typeof JOB_REQUESTS)['job.ask']['output']>> {
    const no = (reason: string) => ({ acceptance: null, reason });
    if (!this.#switch.isOn) return no('This computer takes no jobs now.');
    const { chain, clock, account } = this.#room;
    const offerId = input.offerId as Bytes32;
    const terms = input.terms as JobTerms;
    const jobId = idOf(chain, terms);
    if (terms.renter !== connection.remote.wallet) return no('Only its renter asks about a job.');
    if (keccak256(toUtf8Bytes(input.spec)) !== terms.specHash) return no('This is not the spec of this job.');
    // It need not be posted yet; where it is, somebody may have been quicker.
    if ((chain.job(jobId)?.state ?? 'open') !== 'open') return no('This job is not open any more.');
    const spec = parsedSpec(input.spec);
    if (!spec) return no('The spec of this job makes no sense to this host.');
    const validUntil = Math.max(chain.now(), clock.now()) + ACCEPTANCE_SECONDS;
    const why = await this.#choice.take({ jobId, terms, spec }, offerId, validUntil, { asked: true });
    if (why !== null) return no(why);
    try {
      const signature = await account.signAcceptance(jobId, offerId, validUntil);
      return { acceptance: { validUntil, signature }, reason: '' };
    } catch (thrown) {
      this.#choice.release(jobId);
      throw thrown;
    }
  }

  /** The run, if this connection's wallet is its renter. Waits a moment where the renter is ahead of our chain view. */
  async #runOf(connection: PeerConnection, dealId: Bytes32): Promise<ServedRun> {
    if (!this.#runs.has(dealId)) await this.#assigned.until(dealId, connection);
    const run = this.#runs.get(dealId);
    if (!run || run.run.terms.renter !== connection.remote.wallet) {
      throw new AppError('not-found', 'There is no such job between these two hosts.', { field: 'dealId' });
    }
    const lines = this.#lines.get(dealId) ?? new Set();
    if (!lines.has(connection)) {
      this.#lines.set(dealId, lines.add(connection));
      void connection.closed.then(() => {
        lines.delete(connection);
        if (lines.size === 0 && this.#lines.get(dealId) === lines) this.#lines.delete(dealId);
      });
    }
    return run;
  }

  #tellRenter(dealId: Bytes32): void {
    const run = this.#runs.get(dealId);
    if (!run) return;
    for (const line of this.#lines.get(dealId) ?? []) line.event(JOB_STATUS_EVENT, run.status());
  }
}

const unknown = (dealId: Bytes32): RunStatus => ({
  dealId,
  phase: 'unknown',
  detail: '',
  progress: null,
  startedAt: null,
  finishedAt: null,
  exitCode: null,
  resultCid: null,
});

/** @throws AppError bad-input for numbers that do not fit the contract's */
function idOf(chain: Chain, terms: JobTerms): Bytes32 {
  try {
    return chain.calls.jobId(terms);
  } catch (thrown) {
    throw new AppError('bad-input', 'These terms do not fit what the contract takes.', {
      field: 'terms',
      cause: thrown,
    });
  }
}

/** A stranger's text as a spec; null where it is none. */
function parsedSpec(text: string): JobSpec | null {
  try {
    return jobSpecSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

const isRequest = (kind: string): kind is JobRequest => Object.hasOwn(JOB_REQUESTS, kind);

function parse<Schema extends z.ZodType>(kind: string, schema: Schema, body: Json): z.infer<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  throw new AppError('bad-input', `${kind}: ${field || 'message'} ${issue?.message ?? 'is wrong'}.`, { field });
}
