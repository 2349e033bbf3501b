import type { JobEvent } from '../../chain/events.ts';
import type { Bytes32 } from '../../shared/ids.ts';
import { insist } from '../../chain/insist.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import { delay } from '../../shared/retry.ts';
import { CallBatcher } from './call-batcher.ts';
import { termsPartsOf } from './assign-task.ts';
import type { cachedRequirements, FlowRoom } from './job-desk-room.ts';
import type { JobMoney } from './job-money.ts';
import { waitingTerms } from './make-terms.ts';
import { CANCELLED } from './task-facts.ts';
import type { TaskFlow } from './task-flow.ts';

/** Posted in one transaction at most. */
const POST_TOGETHER = 20;
const POST_AGAIN_SECONDS = 3;
const MOST_POST_FAILURES = 5;

const postKey = (jobId: Bytes32): string => `job:post:${jobId}`;

/** Puts the bounties of waiting tasks into escrow, several in one transaction. */
export class Poster {
  readonly #room: FlowRoom;
  readonly #requirements: ReturnType<typeof cachedRequirements>;
  readonly #flows: () => Iterable<TaskFlow>;
  readonly #money: JobMoney;
  readonly #failures = new Map<string, number>();
  /** Of its own: a post that waits for money holds up no payment and no challenge. */
  readonly #batcher: CallBatcher;
  readonly #life = new AbortController();
  #posting = false;
  #authorized = false;

  constructor(parts: {
    room: FlowRoom;
    requirements: ReturnType<typeof cachedRequirements>;
    flows: () => Iterable<TaskFlow>;
    money: JobMoney;
  }) {
    this.#room = parts.room;
    const { account, chain, log } = parts.room;
    this.#batcher = new CallBatcher({ sender: account, calls: chain.calls, log });
    this.#requirements = parts.requirements;
    this.#flows = parts.flows;
    this.#money = parts.money;
  }

  /** Posts what waits, several in one transaction. */
  post(): void {
    if (this.#posting || this.#life.signal.aborted) return;
    this.#posting = true;
    void this.#postAll()
      .catch((thrown: unknown) => {
        if (!this.#life.signal.aborted) this.#room.log.warn({ message: toAppError(thrown).message }, 'posting waits');
      })
      .finally(() => {
        this.#posting = false;
      });
  }

  due(): TaskFlow[] {
    const now = this.#room.clock.now();
    return [...this.#flows()].filter(({ task }) => task.phase === 'waiting' && task.notBefore <= now);
  }

  async #postAll(): Promise<void> {
    // Events that are just being written move tasks: look after them.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.due().length === 0) return;
    await this.#authorize();
    const { ledger, chain } = this.#room;
    for (let group = this.due().slice(0, POST_TOGETHER); group.length > 0; group = this.due().slice(0, POST_TOGETHER)) {
      const requirements = await this.#requirements.get();
      if (this.#life.signal.aborted) return;
      ledger.transaction(() => {
        for (const flow of group) {
          if (flow.task.phase !== 'waiting') continue;
          const { token, bounty } = this.#money.bountyOf(flow.file);
          const money = { token: token.address, bounty };
          const nonce = `${flow.taskId}:${crypto.randomUUID()}`;
          const parts = termsPartsOf(this.#room, flow, money, requirements, nonce);
          const terms = waitingTerms(parts, flow.assignment);
          flow.set({
            phase: 'posting',
            detail: 'The bounty is being put into escrow.',
            terms,
            jobId: chain.calls.jobId(terms),
            attempts: flow.task.attempts + 1,
          });
        }
      });
      for (const flow of group) this.send(flow);
      // Hashing and encoding a thousand tasks takes a second: others have a turn in between.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  send(flow: TaskFlow): void {
    const { terms, jobId, specText: text } = flow.task;
    const { chain, clock, log } = this.#room;
    if (!terms || !jobId || flow.task.phase !== 'posting') return;
    const isNeeded = async () => (await chain.reads.jobDeal(jobId)).state === 'none';
    this.#batcher
      .add(postKey(jobId), chain.calls.postJob(terms, text), isNeeded, (reason) => {
        if (flow.task.phase === 'posting') flow.set({ detail: `Posting waits: ${reason}` });
      })
      .then(
        () => this.#failures.delete(flow.taskId),
        (thrown: unknown) => {
          if (this.#life.signal.aborted || flow.task.phase !== 'posting') return;
          const { code, message } = toAppError(thrown);
          log.warn({ taskId: flow.taskId, code, message }, 'a job could not be posted');
          this.#requirements.forget();
          const failures = (this.#failures.get(flow.taskId) ?? 0) + 1;
          this.#failures.set(flow.taskId, failures);
          const attempts = flow.task.attempts - 1;
          if (failures >= MOST_POST_FAILURES) {
            flow.set({
              phase: 'failed',
              detail: `It could not be posted: ${message}`,
              refund: 0n,
              endedAt: clock.now(),
            });
          } else if (code === 'conflict') {
            // Something else of this wallet took its place, or seems to have: under the same terms it is the same job.
            flow.set({ detail: `Not posted yet: ${message}` });
            this.#later(() => this.send(flow));
          } else {
            const notBefore = clock.now() + POST_AGAIN_SECONDS;
            flow.set({
              phase: 'waiting',
              detail: `Not posted yet: ${message}`,
              terms: null,
              jobId: null,
              attempts,
              notBefore,
            });
          }
        },
      );
  }

  /** Ends a task whose bounty is not in escrow: its posting waits. @throws AppError conflict while it may be on its way */
  takeBack(flow: TaskFlow): void {
    const { jobId } = flow.task;
    const { account, chain, clock, ledger } = this.#room;
    // What an earlier life of this host stored is sent on, whoever waits for it.
    const isQuiet = ledger.outgoing.pending(chain.profile.chainId, account.address).length === 0;
    if (!jobId || !isQuiet || !this.#batcher.withdraw(postKey(jobId))) {
      throw new AppError('conflict', 'It is just being put on chain.', {
        field: 'taskId',
        next: 'Try again in a moment.',
      });
    }
    flow.set({ phase: 'cancelled', detail: CANCELLED, refund: 0n, endedAt: clock.now() });
  }

  /** Takes the bounty of a job back that nobody waits for any more. */
  takeOut({ jobId, terms }: Pick<JobEvent, 'jobId' | 'terms'>): void {
    const { chain, log } = this.#room;
    const isOpen = async () => (await chain.reads.jobDeal(jobId)).state === 'open';
    this.#batcher.add(`job:cancel:${jobId}`, chain.calls.cancelJob(terms), isOpen).catch((thrown: unknown) => {
      if (!this.#life.signal.aborted) log.warn({ jobId, message: toAppError(thrown).message }, 'a bounty stays locked');
    });
  }

  #later(step: () => void): void {
    delay(POST_AGAIN_SECONDS * 1000, this.#life.signal).then(step, () => undefined);
  }

  async #authorize(): Promise<void> {
    if (this.#authorized) return;
    const { chain, account, clock, log } = this.#room;
    const { jobs } = chain.profile.contracts;
    if (!jobs) throw new AppError('unsupported', `The network ${chain.profile.name} has no contract for jobs.`);
    if (!(await chain.reads.isAuthorized(account.address, jobs))) {
      // It may have been taken back since: the same command would have the same answer for ever.
      const commandId = `authorize:${account.address}:${jobs}:${clock.now()}`;
      await insist(account, chain.calls.authorize(jobs, true), { commandId, signal: this.#life.signal, log });
    }
    this.#authorized = true;
  }

  forget(taskId: string): void {
    this.#failures.delete(taskId);
  }

  close(): void {
    this.#life.abort();
    this.#batcher.close();
  }
}
