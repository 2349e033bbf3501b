import type { Call } from '../chain/chain.ts';
import { LatestSend } from '../chain/latest-send.ts';
import type { Deal } from '../store/ledger.ts';
import type { DealRoom } from './deal-room.ts';

/** How long a renter has to propose the exact seconds after the machine has stopped, before the voucher is settled. */
const CLOSE_WAIT_MS = 30_000;
/** A final that expires sooner than this may miss its block. */
const FINAL_MARGIN_SECONDS = 30;
/** The contract's own window for answering a termination. */
const CLOSING_SECONDS = 86_400;

/**
 * Brings what this side can prove onto the chain, through everything that passes (a locked wallet, a node that is down);
 * the closing event, not the receipt, is what ends the lease.
 */
export class Settlement {
  readonly #room: DealRoom;
  readonly #deal: () => Deal;
  readonly #sender: LatestSend;
  #dueMs: number | null = null;

  constructor(room: DealRoom, lease: { deal: () => Deal; onWaiting: (reason: string) => void }) {
    this.#room = room;
    this.#deal = lease.deal;
    const { chain, ledger, log } = room;
    // Refused: an expired final, or the lease has moved on. Once more, with whatever there is by then.
    this.#sender = new LatestSend({ chain, ledger, log, onWaiting: lease.onWaiting, onRefused: () => this.soon() });
  }

  /** Settles by itself unless the renter's close gets there first. */
  soon(): void {
    this.#dueMs ??= this.#room.clock.monotonicMs() + CLOSE_WAIT_MS;
  }

  /** Nothing to wait for: at the next tick. */
  now(): void {
    this.#dueMs = this.#room.clock.monotonicMs();
    this.tick();
  }

  /** Called every moment of the lease's life. */
  tick(): void {
    if (this.#dueMs === null || this.#room.clock.monotonicMs() < this.#dueMs) return;
    const best = this.#best();
    if (best === null || this.#send(...best)) this.#dueMs = null;
  }

  /** Answers a termination with the voucher, where it is worth more than what the renter claimed. */
  raise(): void {
    const { terms, signedSeconds, voucherSignature, capSeconds } = this.#deal();
    const lease = this.#room.chain.lease(this.#deal().leaseId);
    if (!voucherSignature || lease?.state !== 'closing' || this.#room.clock.now() >= lease.closeAt) return;
    // The contract cuts a voucher to what had passed at the termination: a longer one adds nothing.
    const worth = Math.min(signedSeconds, capSeconds, lease.closeAt - CLOSING_SECONDS - lease.openedAt);
    if (worth <= lease.claimSeconds) return;
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
    this.#dueMs = null;
    this.#sender.close();
  }

  /** The best evidence there is: both finals, else the newest voucher, else nothing was earned. */
  #best(): [Call, string] | null {
    const { terms, final, signedSeconds, voucherSignature, paidSeconds, phase } = this.#deal();
    const { calls } = this.#room.chain;
    if (phase === 'closed') return null;
    const inTime = final !== null && final.deadline > this.#room.clock.now() + FINAL_MARGIN_SECONDS;
    if (inTime && final.renterSignature && final.providerSignature) {
      const { secs, deadline, renterSignature, providerSignature } = final;
      const call = calls.closeLease(terms, { secs, deadline, renterSignature, providerSignature });
      return [call, `close:${secs}:${deadline}`];
    }
    // A terminated lease takes no voucher this way: its claim stands, or is raised.
    if (phase === 'closing') return null;
    if (voucherSignature && signedSeconds > paidSeconds)
      return [calls.settleLease(terms, signedSeconds, voucherSignature), `settle:${signedSeconds}`];
    return [calls.releaseLease(terms), 'release'];
  }

  #send(call: Call, id: string): boolean {
    return this.#sender.send(call, `provider:${this.#deal().leaseId}:${id}`);
  }
}
