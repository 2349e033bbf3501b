import type { Call } from '../chain/chain.ts';
import { insist } from '../chain/insist.ts';
import type { Deal } from '../store/ledger.ts';
import type { DealRoom } from './deal-room.ts';

/** How long a renter has to propose the exact seconds after the machine has stopped, before the voucher is settled. */
const CLOSE_WAIT_MS = 30_000;
/** A final that expires sooner than this may miss its block. */
const FINAL_MARGIN_SECONDS = 30;

/**
 * Brings what this side can prove onto the chain. Sends one transaction at a time, through everything that passes (a
 * locked wallet, a node that is down); the closing event, not the receipt, is what ends the lease.
 */
export class Settlement {
  readonly #room: DealRoom;
  readonly #deal: () => Deal;
  readonly #run: (step: () => Promise<void>) => Promise<void>;
  readonly #onWaiting: (reason: string) => void;
  readonly #life = new AbortController();
  #timer: NodeJS.Timeout | null = null;
  #sending = false;

  constructor(
    room: DealRoom,
    lease: {
      deal: () => Deal;
      /** The lease's own order of steps. */
      run: (step: () => Promise<void>) => Promise<void>;
      onWaiting: (reason: string) => void;
    },
  ) {
    this.#room = room;
    this.#deal = lease.deal;
    this.#run = lease.run;
    this.#onWaiting = lease.onWaiting;
  }

  /** Settles by itself unless the renter's close gets there first. */
  soon(): void {
    if (this.#timer || this.#sending || this.#deal().phase === 'closed') return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#run(async () => this.now());
    }, CLOSE_WAIT_MS);
  }

  /** The best evidence there is: both finals, else the newest voucher, else nothing was earned. */
  now(): void {
    const { terms, final, signedSeconds, voucherSignature, paidSeconds, phase } = this.#deal();
    if (phase === 'closed') return;
    const { calls } = this.#room.chain;
    if (
      final?.renterSignature &&
      final.providerSignature &&
      final.deadline > this.#room.clock.now() + FINAL_MARGIN_SECONDS
    ) {
      const { secs, deadline, renterSignature, providerSignature } = final;
      this.#send(calls.closeLease(terms, { secs, deadline, renterSignature, providerSignature }), `close:${secs}`);
    } else if (voucherSignature && signedSeconds > paidSeconds) {
      this.#send(calls.settleLease(terms, signedSeconds, voucherSignature), `settle:${signedSeconds}`);
    } else this.#send(calls.releaseLease(terms), 'release');
  }

  /** The renter claimed less on chain than its own key had signed. */
  raise(): void {
    const { terms, signedSeconds, voucherSignature } = this.#deal();
    if (!voucherSignature) return;
    this.#send(this.#room.chain.calls.raiseLease(terms, signedSeconds, voucherSignature), `raise:${signedSeconds}`);
  }

  draw(): void {
    const { terms, signedSeconds, voucherSignature } = this.#deal();
    if (!voucherSignature) return;
    this.#send(this.#room.chain.calls.drawLease(terms, signedSeconds, voucherSignature), `draw:${signedSeconds}`);
  }

  finalize(): void {
    this.#send(this.#room.chain.calls.finalizeLease(this.#deal().terms), 'finalize');
  }

  dispose(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#life.abort();
  }

  /** Not awaited by the lease's steps: the event it causes is one of them. */
  #send(call: Call, id: string): void {
    if (this.#sending) return;
    this.#sending = true;
    const { chain, log } = this.#room;
    const commandId = `provider:${this.#deal().leaseId}:${id}`;
    void insist(chain, call, { commandId, signal: this.#life.signal, log, onWaiting: this.#onWaiting })
      .catch(() => null)
      .finally(() => {
        this.#sending = false;
      });
  }
}
