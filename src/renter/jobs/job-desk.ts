import { keccak256, toUtf8Bytes } from 'ethers';
import type { ChainEvent, JobEvent } from '../../chain/events.ts';
import type { PeerStream } from '../../peer/peer-link.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import type { Address, Bytes32 } from '../../shared/ids.ts';
import { jobFileSchema, type JobFile } from '../../shared/job-spec.ts';
import { canonicalJson } from '../../shared/json.ts';
import { formatAmount, parseAmount, type Token } from '../../shared/money.ts';
import type { IndexedOffer } from '../../store/market-rows.ts';
import { everyRow } from '../../store/ledger-page.ts';
import type { JobTask } from '../../store/ledger.ts';
import { expandJob } from '../job-files/expand-job.ts';
import { specText } from '../job-files/spec-text.ts';
import { assignTask, recoverAssigning, type Refusal } from './assign-task.ts';
import { availableMoney } from './available-money.ts';
import { batchSummary } from './batch-summary.ts';
import { CallBatcher } from './call-batcher.ts';
import { cachedRequirements, type FlowRoom, type JobDeskRoom } from './job-desk-room.ts';
import { askJob, ProviderLines } from './provider-lines.ts';
import { Poster } from './poster.ts';
import { rerunFile } from './rerun-file.ts';
import { pinImage, unpinnedNotice, type ResolveImage } from './pin-image.ts';
import { inputsPin, resolveInputs, withSampleParams } from './resolve-inputs.ts';
import { currentDeals, isTaskOver } from './task-facts.ts';
import { TaskFlow } from './task-flow.ts';

const TICK_MS = 1000;
/** Tasks of one account that have not ended. */
const MOST_OPEN = 20_000;

export interface Submitted {
  batchId: string;
  taskIds: string[];
}

export interface JobDeskParts extends JobDeskRoom {
  /** Tags are posted as they are written where it is left out. */
  resolveImage?: ResolveImage;
}

/** Everything one account has others do: posts it, gives it to providers, fetches and checks results, pays, tries again. */
export class JobDesk {
  readonly #room: FlowRoom & { requirements: ReturnType<typeof cachedRequirements>['get'] };
  readonly #resolveImage: ResolveImage;
  readonly #requirements: ReturnType<typeof cachedRequirements>;
  readonly #flows = new Map<string, TaskFlow>();
  readonly #poster: Poster;
  readonly #submitting = new Map<string, { isSame: (file: JobFile) => boolean; submitted: Promise<Submitted> }>();
  readonly #life = new AbortController();
  readonly #ticker: NodeJS.Timeout;

  constructor(room: JobDeskParts) {
    this.#resolveImage = room.resolveImage ?? ((image) => Promise.resolve(image));
    this.#requirements = cachedRequirements(room);
    const { account, chain, log } = room;
    this.#room = {
      ...room,
      get account() {
        return room.account;
      },
      lines: new ProviderLines({ connect: room.connect, log }),
      batcher: new CallBatcher({ sender: account, calls: chain.calls, log }),
      challenges: new CallBatcher({ sender: account, calls: chain.calls, log }),
      requirements: () => this.#requirements.get(),
      onTask: (task) => this.#onTask(task),
    };
    this.#poster = new Poster({
      room: this.#room,
      requirements: this.#requirements,
      flows: () => this.#flows.values(),
      bountyOf: (flow) => this.#bountyOf(flow),
    });
    this.#ticker = setInterval(() => this.#tick(), room.tickMs ?? TICK_MS);
    this.#ticker.unref();
  }

  get address(): Address {
    return this.#room.account.address;
  }

  /** A task that has not ended, as it runs here. */
  flow(taskId: string): TaskFlow | undefined {
    return this.#flows.get(taskId);
  }

  /** Tasks that this host may give to a provider now. */
  waiting(): TaskFlow[] {
    const now = this.#room.clock.now();
    return [...this.#flows.values()].filter(
      ({ task, file, chosen }) =>
        task.phase === 'open' && file.assignment === 'mine' && task.notBefore <= now && chosen.length === 0,
    );
  }

  /** Whether a peer with this wallet may have these blocks: it works on a task that needs them. */
  mayRead(wallet: Address, cid: string): boolean {
    for (const flow of this.#flows.values()) {
      const { inputs, work } = flow.spec;
      const needs =
        (work.type === 'wasm' && work.module === cid) ||
        inputs.some((input) => input.from === 'renter' && input.cid === cid);
      if (needs && flow.isReader(wallet)) return true;
    }
    return false;
  }

  /**
   * Puts every task of the file into the book; posting goes on by itself. Idempotent by `commandId`: the same file, its
   * secrets aside, is the same submission.
   * @throws AppError bad-input naming the field, insufficient-funds naming what is missing, over-limit; conflict where
   *   this command id was used for another job
   */
  async submit(given: JobFile, commandId: string, signal?: AbortSignal): Promise<Submitted> {
    const batchId = keccak256(toUtf8Bytes(`jobs:${this.address}:${commandId}`)).slice(2, 26);
    const file = withSampleParams(given);
    const first = this.#room.ledger.tasks.get(`${batchId}-0`);
    if (first) {
      if (!isSameFile(jobFileSchema.parse(first.file), file)) throw usedForAnother();
      return { batchId, taskIds: Array.from({ length: first.of }, (_, index) => `${batchId}-${index}`) };
    }
    const under = this.#submitting.get(batchId);
    if (under) {
      if (!under.isSame(file)) throw usedForAnother();
      return under.submitted;
    }
    const submitted = this.#submit(file, { batchId, commandId, signal }).finally(() =>
      this.#submitting.delete(batchId),
    );
    this.#submitting.set(batchId, { isSame: (other) => isSameFile(file, other), submitted });
    return submitted;
  }

  async #submit(
    file: JobFile,
    { batchId, commandId, signal }: { batchId: string; commandId: string; signal: AbortSignal | undefined },
  ): Promise<Submitted> {
    const { account, ledger, content, policy, clock, log } = this.#room;
    const token = this.tokenOf(file.token);
    const bounty = bountyOf(file, token);
    // Cheap mistakes are found before anything is read.
    const count = expandJob(file, { inputs: [] }).length;
    this.#checkRoom(count);
    await this.#checkMoney(token, bounty, count);
    const pin = inputsPin(batchId);
    let taskIds: string[];
    let unpinned: string | null;
    try {
      const [inputs, pinned] = await Promise.all([
        resolveInputs(content, file, { pin, ...(signal === undefined ? {} : { signal }) }),
        pinImage(file, this.#resolveImage, { signal }),
      ]);
      unpinned = pinned?.unpinned ?? null;
      const image = pinned ? { image: pinned.image } : {};
      const specs = expandJob(file, { inputs, renterPeer: account.peerKey, ...image });
      const texts = specs.map((spec) => specText(spec));
      taskIds = texts.map((_, index) => `${batchId}-${index}`);
      await policy.reserve({
        id: `jobs:${batchId}`,
        deal: batchId,
        token: token.address,
        amount: bounty * BigInt(specs.length),
      });
      const { secrets, ...open } = file;
      const rows = ledger.transaction(() =>
        texts.map((text, index) =>
          ledger.tasks.put({
            taskId: taskIds[index] ?? '',
            batchId,
            account: account.address,
            commandId,
            name: file.name,
            index,
            of: texts.length,
            file: JSON.parse(JSON.stringify(open)) as JobTask['file'],
            secrets: Object.keys(secrets).length === 0 ? null : secrets,
            specText: text,
            terms: null,
            jobId: null,
            attempts: 0,
            phase: 'waiting',
            detail: 'It is being posted.',
            priority: file.priority,
            notBefore: 0,
            deals: [],
            resultCid: null,
            verdict: null,
            paid: null,
            refund: null,
            endedAt: null,
            createdAt: clock.now(),
          }),
        ),
      );
      for (const row of rows) this.#flows.set(row.taskId, new TaskFlow(this.#room, row));
    } catch (thrown) {
      await policy.release(`jobs:${batchId}`);
      this.#letGo(batchId);
      throw thrown;
    }
    await policy.commit(`jobs:${batchId}`);
    for (const taskId of taskIds) this.#room.onChange(taskId);
    if (unpinned !== null) {
      const { level, title, body } = unpinnedNotice(file, unpinned);
      log.info({ batchId, body }, title);
      this.#room.notify(level, title, body, taskIds[0] ?? '');
    }
    this.#poster.post();
    return { batchId, taskIds };
  }

  /** The same work again, as a new job: the exact inputs, with the values this task had. @throws AppError not-found, bad-input */
  async rerun(task: JobTask, commandId: string): Promise<Submitted> {
    return this.submit(rerunFile(task), commandId);
  }

  /** Before anybody took it: the bounty comes back. @throws AppError conflict */
  async cancel(taskId: string): Promise<void> {
    if (this.#room.ledger.tasks.get(taskId)?.phase === 'cancelled') return;
    const flow = this.#open(taskId);
    if (flow.task.phase === 'posting') this.#poster.takeBack(flow);
    else await flow.cancel();
  }

  /** Pays a result that waits for its owner's word. @throws AppError not-found, conflict */
  accept(taskId: string): void {
    this.#open(taskId).accept();
  }

  /** Challenges it, for a reason in the owner's words. @throws AppError not-found, conflict, insufficient-funds */
  async reject(taskId: string, reason: string): Promise<void> {
    await this.#open(taskId).reject(reason);
  }

  /** What one provider's run writes, live. @throws AppError not-found, peer-unreachable */
  async logs(
    taskId: string,
    options: { dealId?: Bytes32; follow: boolean; fromByte: number },
    signal: AbortSignal,
  ): Promise<PeerStream> {
    const { provider, dealId } = this.#running(taskId, options.dealId);
    const connection = await this.#room.lines.reach(provider, signal);
    return connection.open('job.logs', { dealId, follow: options.follow, fromByte: options.fromByte }, { signal });
  }

  /** Asks the work to save what it has. @throws AppError not-found, peer-unreachable, busy */
  async checkpoint(taskId: string, signal: AbortSignal): Promise<void> {
    const { provider, dealId } = this.#running(taskId);
    await askJob(await this.#room.lines.reach(provider, signal), 'job.checkpoint', { dealId }, { signal });
  }

  /** Whether there is a line to the provider of a run now. */
  isConnected(flow: TaskFlow, offerId: Bytes32): boolean {
    const provider = flow.providerOf({ offerId });
    return provider !== null && this.#room.lines.current(provider) !== null;
  }

  /** Asks the providers of these offers and gives them the task; says who refused and why. */
  assign(flow: TaskFlow, offers: readonly IndexedOffer[]): Promise<Refusal[]> {
    return assignTask(this.#room, flow, offers, `${flow.taskId}:${crypto.randomUUID()}`);
  }

  onChain(events: readonly ChainEvent[]): void {
    for (const event of events) {
      if (!isJobEvent(event) || event.renter !== this.#addressOrNull()) continue;
      const task = this.#room.ledger.tasks.byJob(event.jobId);
      const flow = task && this.#flows.get(task.taskId);
      flow?.onChain(event);
      if (event.kind === 'JobSettled' || event.kind === 'JobConcluded' || event.kind === 'JobCancelled')
        this.#poster.post();
    }
  }

  /** Takes up every task that has not ended. Before the chain's events are delivered. */
  async recover(): Promise<void> {
    const account = this.#addressOrNull();
    if (!account) return;
    const { ledger } = this.#room;
    for (const { taskId } of everyRow((page) => ledger.tasks.list({ account, open: true, ...page }))) {
      const task = ledger.tasks.get(taskId);
      if (task && !this.#flows.has(taskId)) this.#flows.set(taskId, new TaskFlow(this.#room, task));
    }
    for (const flow of this.#flows.values()) {
      if (flow.task.phase === 'posting') this.#poster.send(flow);
      else if (flow.task.phase === 'assigning') this.#recoverAssigning(flow);
      else flow.poke();
    }
    this.#poster.post();
  }

  close(): void {
    this.#life.abort();
    this.#poster.close();
    clearInterval(this.#ticker);
    for (const flow of this.#flows.values()) flow.dispose();
    this.#room.batcher.close();
    this.#room.challenges.close();
    this.#room.lines.close();
  }

  /** @throws AppError bad-input */
  tokenOf(text: string): Token {
    const { tokens, name } = this.#room.chain.profile;
    const found = tokens.find(
      (token) => token.symbol.toLowerCase() === text.toLowerCase() || token.address === text.toLowerCase(),
    );
    if (found) return found;
    throw new AppError('bad-input', `${text} is not a payment token of the network ${name}.`, {
      field: 'token',
      next: `Use one of: ${tokens.map((token) => token.symbol).join(', ')}.`,
    });
  }

  /** What submitting locks, and what of it is missing in the deposit account. */
  async cost(
    given: JobFile,
  ): Promise<{ tasks: number; token: Token; escrow: bigint; available: bigint; missing: bigint; feeBps: number }> {
    const file = withSampleParams(given);
    const token = this.tokenOf(file.token);
    const tasks = expandJob(file, { inputs: [] }).length;
    const escrow = bountyOf(file, token) * BigInt(tasks);
    const [available, { feeBps }] = await Promise.all([this.#available(token), this.#requirements.get()]);
    return { tasks, token, escrow, available, missing: escrow > available ? escrow - available : 0n, feeBps };
  }

  #bountyOf({ file }: TaskFlow): { token: Address; bounty: bigint } {
    const token = this.tokenOf(file.token);
    return { token: token.address, bounty: bountyOf(file, token) };
  }

  #available(token: Token): Promise<bigint> {
    const { chain } = this.#room;
    const flows = () => this.#flows.values();
    const parts = { flows, bountyOf: (flow: TaskFlow) => this.#bountyOf(flow), reads: chain.reads };
    return availableMoney(this.address, token.address, parts);
  }

  async #checkMoney(token: Token, bounty: bigint, tasks: number): Promise<void> {
    const escrow = bounty * BigInt(tasks);
    const available = await this.#available(token);
    if (available >= escrow) return;
    const text = (amount: bigint) => `${formatAmount(amount, token.decimals)} ${token.symbol}`;
    const each = tasks === 1 ? '' : ` (${tasks} tasks of ${text(bounty)})`;
    throw new AppError(
      'insufficient-funds',
      `The bounty is ${text(escrow)}${each}; ${text(escrow - available)} are missing in the deposit account.`,
      { field: 'bounty', next: `Deposit ${text(escrow - available)} in the wallet first, or offer less.` },
    );
  }

  #checkRoom(tasks: number): void {
    if (this.#flows.size + tasks <= MOST_OPEN) return;
    throw new AppError('busy', `More than ${MOST_OPEN} tasks would be waiting.`, {
      next: 'Wait until some have ended.',
    });
  }

  #recoverAssigning(flow: TaskFlow): void {
    recoverAssigning(this.#room, flow).catch((thrown: unknown) => {
      if (this.#life.signal.aborted) return;
      this.#room.log.warn(
        { taskId: flow.taskId, message: toAppError(thrown).message },
        'an assignment is not known yet',
      );
      const timer = setTimeout(() => {
        if (!this.#life.signal.aborted) this.#recoverAssigning(flow);
      }, 5000);
      timer.unref();
    });
  }

  /** @throws AppError not-found, conflict where it has ended */
  #open(taskId: string): TaskFlow {
    const flow = this.#flows.get(taskId);
    if (flow) return flow;
    if (this.#room.ledger.tasks.get(taskId)?.account === this.address)
      throw new AppError('conflict', 'This job has ended already.', { field: 'taskId' });
    throw new AppError('not-found', 'There is no such job.', { field: 'taskId' });
  }

  #running(taskId: string, dealId?: Bytes32): { provider: { wallet: Address; peerKey: Bytes32 }; dealId: Bytes32 } {
    const flow = this.#flows.get(taskId);
    const deals = flow ? currentDeals(flow.task) : [];
    const deal = dealId === undefined ? deals[0] : deals.find((one) => one.dealId === dealId);
    const provider = deal && flow?.providerOf(deal);
    if (deal && provider) return { provider, dealId: deal.dealId };
    throw new AppError('not-found', 'No provider works on this job now.', {
      field: 'taskId',
      next: 'Wait until it runs.',
    });
  }

  #tick(): void {
    const now = this.#room.chain.now();
    for (const flow of this.#flows.values()) flow.tick(now);
    if (this.#poster.due().length > 0) this.#poster.post();
  }

  #onTask(task: JobTask): void {
    const { ledger, policy, log } = this.#room;
    this.#room.onChange(task.taskId);
    if (task.phase === 'open') this.#room.onWaiting();
    if (!isTaskOver(task)) return;
    this.#flows.delete(task.taskId);
    this.#poster.forget(task.taskId);
    const counts = ledger.tasks.count({ account: task.account, batchId: task.batchId });
    const ended = (counts.verified ?? 0) + (counts.failed ?? 0) + (counts.cancelled ?? 0);
    if (ended < task.of) return;
    this.#letGo(task.batchId);
    policy.endDeal(task.batchId).catch((thrown: unknown) => {
      log.warn({ batchId: task.batchId, message: toAppError(thrown).message }, 'the spending limits were not written');
    });
    const said = batchSummary(task, counts);
    if (said) this.#room.notify(said.level, said.title, said.body, task.taskId);
  }

  /** Inputs of an ended submission may be evicted. */
  #letGo(batchId: string): void {
    const { content, log } = this.#room;
    const pin = inputsPin(batchId);
    for (const root of content.roots()) {
      if (!root.pins.includes(pin)) continue;
      content.unpin(root.cid, pin).catch((thrown: unknown) => {
        log.warn({ cid: root.cid, message: toAppError(thrown).message }, 'an input was not let go');
      });
    }
  }

  #addressOrNull(): Address | null {
    try {
      return this.address;
    } catch {
      return null;
    }
  }
}

const isJobEvent = (event: ChainEvent): event is JobEvent => 'jobId' in event && 'renter' in event;

/** Secrets are not kept with a job, so they are not compared. */
function isSameFile(one: JobFile, other: JobFile): boolean {
  return canonicalJson({ ...one, secrets: null }) === canonicalJson({ ...other, secrets: null });
}

const usedForAnother = (): AppError =>
  new AppError('conflict', 'This command id was used for another job.', {
    field: 'commandId',
    next: 'Submit with a new command id.',
  });

function bountyOf(file: JobFile, token: Token): bigint {
  const bounty = parseAmount(file.bounty, token.decimals, 'bounty');
  if (bounty > 0n) return bounty;
  throw new AppError('bad-input', 'A job needs a bounty: nobody works for nothing.', { field: 'bounty' });
}
