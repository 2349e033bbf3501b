import type { Call } from '../chain/chain.ts';
import { LatestSend } from '../chain/latest-send.ts';
import { toAppError } from '../shared/errors.ts';
import type { Bytes32 } from '../shared/ids.ts';
import type { JobRun } from '../store/ledger.ts';
import type { JobRoom } from './job-room.ts';
import { nextMove, type RunMove, type RunView } from './run-moves.ts';

/** Anybody may conclude a job with copies: each of them waits this much longer than the one before, so that one does. */
const TURN_SECONDS = 20;
const JURY_LOOK_SECONDS = 10;

interface RunParts {
  run: () => JobRun;
  /** 32 bytes that name the result on chain. */
  resultId: (run: JobRun) => Bytes32;
  /** About to be sent: into the book first. */
  onMove: (move: RunMove) => void;
  /** Why it waits: a locked wallet, a node that is down. */
  onWaiting: (reason: string) => void;
}

/**
 * Brings a run's result, and what follows from it, onto the chain: one transaction at a time, through everything that
 * passes. The events, not the receipts, move the run on.
 */
export class RunSender {
  readonly #room: JobRoom;
  readonly #parts: RunParts;
  readonly #sender: LatestSend;
  #move: RunMove | null = null;
  /** Each try has an id of its own: a transaction that reverted is never sent again. */
  #refused = 0;
  #notBefore = 0;
  #jury: RunView['jury'] = null;
  #lookAgainAt = 0;
  #concludeAt: number | null = null;

  constructor(room: JobRoom, parts: RunParts) {
    this.#room = room;
    this.#parts = parts;
    const { account, ledger, log } = room;
    this.#sender = new LatestSend({
      chain: account,
      ledger,
      log,
      onWaiting: parts.onWaiting,
      // What it was based on may have changed: a little later, with whatever is due by then.
      onRefused: () => {
        this.#move = null;
        this.#refused += 1;
        this.#notBefore = room.clock.now() + Math.min(60, 2 ** this.#refused);
      },
    });
  }

  /** Called every moment of the run's life. */
  tick(): void {
    const run = this.#parts.run();
    const { chain, clock } = this.#room;
    const now = clock.now();
    if (now < this.#notBefore) return;
    const deal = chain.jobDeal(run.dealId);
    if (deal?.state === 'disputed') this.#lookAtJury(run.jobId, now);
    const move = nextMove(run, { now, job: chain.job(run.jobId), deal, jury: this.#jury });
    if (move === null || (move === 'conclude' && !this.#isMyTurn(run, now))) return;
    if (this.#move !== move) this.#parts.onMove(move);
    const id = `job:${run.account}:${run.dealId}:${move}:${this.#refused}`;
    if (this.#sender.send(this.#call(move, this.#parts.run()), id)) this.#move = move;
  }

  /** Stops waiting; what was sent stays sent. */
  close(): void {
    this.#sender.close();
  }

  #call(move: RunMove, run: JobRun): Call {
    const { calls } = this.#room.chain;
    const { terms, offerId, account, jobId, salt } = run;
    switch (move) {
      case 'submit': {
        const resultId = this.#parts.resultId(run);
        return calls.submitJob(
          terms,
          offerId,
          salt === null ? resultId : calls.commitmentOf(jobId, account, resultId, salt),
        );
      }
      case 'reveal':
        return calls.revealJob(terms, offerId, this.#parts.resultId(run), salt as Bytes32);
      case 'conclude':
        return calls.concludeJob(terms);
      case 'collect':
        return calls.collectJob(terms, offerId);
      case 'finalize':
        return calls.finalizeJob(terms, offerId);
      case 'draw':
        return calls.drawJury(terms, offerId);
      case 'resolve':
        return calls.resolveJob(terms, offerId);
      case 'expire':
        return calls.expireJob(terms, offerId);
    }
  }

  #isMyTurn(run: JobRun, now: number): boolean {
    const revealed = this.#room.chain.jobDeals(run.jobId).filter(({ state }) => state === 'revealed');
    const turn = revealed.findIndex(({ dealId }) => dealId === run.dealId);
    this.#concludeAt ??= now + Math.max(0, turn) * TURN_SECONDS;
    return now >= this.#concludeAt;
  }

  #lookAtJury(jobId: Bytes32, now: number): void {
    if (now < this.#lookAgainAt) return;
    this.#lookAgainAt = now + JURY_LOOK_SECONDS;
    this.#room.chain.reads.jury(jobId).then(
      (jury) => {
        this.#jury = jury;
      },
      (thrown: unknown) => this.#room.log.debug({ jobId, error: toAppError(thrown).message }, 'the jury was not read'),
    );
  }
}
