import type { ChainEvent, JobEvent } from '../../chain/events.ts';
import type { PeerStream } from '../../peer/peer-link.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import type { Address, Bytes32 } from '../../shared/ids.ts';
import type { JobFile } from '../../shared/job-spec.ts';
import type { IndexedOffer } from '../../store/market-rows.ts';
import { everyRow } from '../../store/ledger-page.ts';
import type { JobTask } from '../../store/ledger.ts';
import { assignTask, recoverAssigning, type Refusal } from './assign-task.ts';
import { batchSummary } from './batch-summary.ts';
import { CallBatcher } from './call-batcher.ts';
import { cachedRequirements, type FlowRoom, type JobDeskRoom } from './job-desk-room.ts';
import { JobMoney, type JobCost } from './job-money.ts';
import { askJob, ProviderLines } from './provider-lines.ts';
import { Poster } from './poster.ts';
import { rerunFile } from './rerun-file.ts';
import type { ResolveImage } from './pin-image.ts';
import { letInputsGo, Submissions, type Submitted } from './submissions.ts';
import { currentDeals, isTaskOver } from './task-facts.ts';
import { TaskFlow } from './task-flow.ts';

const TICK_MS = 1000;
export interface JobDeskParts extends JobDeskRoom {
  /** Tags are posted as they are written where it is left out. */
  resolveImage?: ResolveImage;
}

/** Everything one account has others do: posts it, gives it to providers, fetches and checks results, pays, tries again. */
export class JobDesk {
  readonly #room: FlowRoom & { requirements: ReturnType<typeof cachedRequirements>['get'] };
  readonly #money: JobMoney;
  readonly #submissions: Submissions;
  readonly #requirements: ReturnType<typeof cachedRequirements>;
  readonly #flows = new Map<string, TaskFlow>();
  readonly #poster: Poster;
  readonly #life = new AbortController();
  readonly #ticker: NodeJS.Timeout;

  constructor(room: JobDeskParts) {
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
    const flows = () => this.#flows.values();
    this.#money = new JobMoney(this.#room, () => this.#requirements.get(), flows);
    this.#poster = new Poster({ room: this.#room, requirements: this.#requirements, flows, money: this.#money });
    this.#submissions = new Submissions({
      room: this.#room,
      money: this.#money,
      resolveImage: room.resolveImage ?? ((image) => Promise.resolve(image)),
      openTasks: () => this.#flows.size,
      onTasks: (tasks) => {
        for (const task of tasks) this.#flows.set(task.taskId, new TaskFlow(this.#room, task));
        this.#poster.post();
      },
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

  /** Tasks that this host may give to a provider now; `open`: that providers may take by themselves. */
  waiting(whose: JobFile['assignment'] = 'mine'): TaskFlow[] {
    const now = this.#room.clock.now();
    return [...this.#flows.values()].filter(
      ({ task, assignment, chosen }) =>
        task.phase === 'open' && assignment === whose && task.notBefore <= now && chosen.length === 0,
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
  submit(file: JobFile, commandId: string, signal?: AbortSignal): Promise<Submitted> {
    return this.#submissions.submit(file, commandId, signal);
  }

  /** What submitting would lock, and what of it is missing in the deposit account. @throws AppError bad-input */
  cost(file: JobFile): Promise<JobCost> {
    return this.#money.costOf(file);
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

  /** Milliseconds there and back, where a line to its provider is open and was measured. */
  rttOf({ provider, peerKey }: Pick<IndexedOffer, 'provider' | 'peerKey'>): number | null {
    return this.#room.lines.current({ wallet: provider, peerKey })?.rttMs() ?? null;
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
      // It was given up before it was in a block.
      if (event.kind === 'JobPosted' && task && isTaskOver(task)) this.#poster.takeOut(event);
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
      if (!task || this.#flows.has(taskId)) continue;
      try {
        this.#flows.set(taskId, new TaskFlow(this.#room, task));
      } catch (thrown) {
        // One that another version wrote keeps no other from going on.
        this.#room.log.error({ taskId, message: toAppError(thrown).message }, 'a task cannot be read');
        this.#room.notify('error', 'A job cannot be read', 'Another version of Commonwatt wrote it.', taskId);
      }
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
    letInputsGo(this.#room.content, log, task.batchId);
    policy.endDeal(task.batchId).catch((thrown: unknown) => {
      log.warn({ batchId: task.batchId, message: toAppError(thrown).message }, 'the spending limits were not written');
    });
    const said = batchSummary(task, counts);
    if (said) this.#room.notify(said.level, said.title, said.body, task.taskId);
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
