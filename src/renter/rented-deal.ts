import { insist } from '../chain/insist.ts';
import type { LeaseEvent } from '../chain/events.ts';
import type { PeerConnection, PeerStream } from '../peer/peer-link.ts';
import type { DealStatus } from '../shared/deal-protocol.ts';
import { AppError, toAppError } from '../shared/errors.ts';
import type { Bytes32, Hex } from '../shared/ids.ts';
import type { Json } from '../shared/json.ts';
import type { Progress } from '../shared/ready-check.ts';
import { Serial } from '../shared/serial.ts';
import type { Deal, DealChange } from '../store/ledger.ts';
import {
  agreedSeconds,
  nextVoucher,
  pauseServing,
  resumeServing,
  servedSeconds,
  type Served,
  type Tariff,
} from '../verify/meter.ts';
import { Line, ask } from './line.ts';
import type { RentalRoom } from './rental-room.ts';

/** Clocks of two computers: how far the provider's count may be above ours and still be signed. */
const CLOSE_SLACK_SECONDS = 2;
/** A Final is good for this long; the close is sent at once. */
const FINAL_SECONDS = 600;
const CALL_TIMEOUT_MS = 15_000;
const END_RETRY_MS = 20_000;
const DAY = 86_400;

/**
 * One lease on the renter's side: keeps the line, checks the machine's health, signs what was served, ends it. Vouchers
 * are in the ledger before they leave this host.
 */
export class RentedDeal {
  readonly leaseId: Bytes32;
  readonly #room: RentalRoom;
  readonly #steps = new Serial();
  readonly #life = new AbortController();
  readonly #line: Line;
  readonly #ticker: NodeJS.Timeout;
  #deal: Deal;
  #remote: DealStatus | null = null;
  #served: Served;
  #lastPassMs = 0;
  #unreachableSince: number | null = null;
  #lastEndTryMs = 0;
  #wantsEnd: boolean;
  #sending = false;
  #closedWaiters: (() => void)[] = [];

  constructor(room: RentalRoom, deal: Deal, provider: { peerKey: Hex; endpoints?: { host: string; port: number }[] }) {
    this.#room = room;
    this.#deal = deal;
    this.leaseId = deal.leaseId;
    this.#served = { countedMs: deal.servedSeconds * 1000, sinceMs: null };
    this.#wantsEnd = deal.phase === 'ending';
    this.#line = new Line({
      leaseId: deal.leaseId,
      log: room.log,
      connect: (signal) => room.connect(provider, { signal, expectWallet: deal.terms.provider }),
      onUp: (connection) => this.#up(connection),
      onStatus: (status) => void this.#steps.run(() => this.#heard(status)),
      onDown: (reason) => void this.#steps.run(() => this.#down(reason)),
    });
    this.#ticker = setInterval(() => void this.#steps.run(() => this.#tick()), 1000);
  }

  get deal(): Deal {
    return this.#deal;
  }

  get connection(): PeerConnection | null {
    return this.#line.connection;
  }

  get progress(): Progress | null {
    return this.#remote?.progress ?? null;
  }

  /** Live, by this host's count of passed health checks. */
  get servedSeconds(): number {
    const upTo = this.#deal.phase === 'running' ? this.#nowMs() : this.#lastPassMs;
    return Math.min(this.#deal.capSeconds, servedSeconds(this.#served, upTo));
  }

  get isOver(): boolean {
    return this.#deal.phase === 'closed';
  }

  /** A byte stream into the machine. @throws AppError when it does not run or the line is down. */
  openStream(kind: string, params: Record<string, Json>): Promise<PeerStream> {
    if (this.isOver) throw new AppError('conflict', 'This rental is over.');
    return this.#line.open(kind, { ...params, leaseId: this.leaseId });
  }

  /** Ends it and resolves once the chain has closed it, or has begun its 24 hours because the provider is away. */
  async end(signal?: AbortSignal): Promise<Deal> {
    if (this.isOver) return this.#deal;
    this.#wantsEnd = true;
    if (this.#deal.phase !== 'closing') this.#set({ phase: 'ending', detail: 'Ending the rental.' });
    const done = new Promise<void>((resolve, reject) => {
      this.#closedWaiters.push(resolve);
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    void this.#steps.run(() => this.#tryEnd());
    await done;
    return this.#deal;
  }

  onChain(event: LeaseEvent): void {
    void this.#steps.run(async () => {
      switch (event.kind) {
        case 'LeaseOpened':
          if (this.#deal.openedAt === null) this.#set({ openedAt: event.openedAt, phase: 'preparing', detail: '' });
          break;
        case 'LeaseExtended':
          this.#set({ capSeconds: event.capSeconds });
          break;
        case 'LeaseDrawn':
          this.#set({ paidSeconds: event.paidSeconds });
          break;
        case 'LeaseTerminated':
          this.#set({
            phase: 'closing',
            detail:
              'Ended without the provider. What is left comes back in 24 hours, or at once if the provider returns.',
          });
          this.#release();
          break;
        case 'LeaseRaised':
          break;
        case 'LeaseClosed':
          this.#closed(event);
          break;
      }
    });
  }

  dispose(): void {
    clearInterval(this.#ticker);
    this.#life.abort();
    this.#line.close();
  }

  #nowMs(): number {
    return this.#room.clock.monotonicMs();
  }

  #tariff(): Tariff {
    const { price, unit, minSeconds } = this.#deal.terms;
    return { price, unit, minSeconds, capSeconds: this.#deal.capSeconds };
  }

  #set(change: DealChange): void {
    this.#deal = this.#room.ledger.deals.update(this.leaseId, 'renter', change);
    this.#room.onChange(this.#deal);
  }

  async #up(connection: PeerConnection): Promise<void> {
    this.#unreachableSince = null;
    if (this.isOver || !this.#deal.spec) return;
    const { spec } = this.#deal;
    const status = await ask(connection, 'deal.begin', { leaseId: this.leaseId, spec }, { timeoutMs: 30_000 });
    await this.#steps.run(() => this.#heard(status));
  }

  async #down(reason: string): Promise<void> {
    if (this.isOver) return;
    this.#unreachableSince ??= this.#nowMs();
    this.#served = pauseServing(this.#served, this.#lastPassMs);
    if (this.#deal.phase === 'running' || this.#deal.phase === 'preparing' || this.#deal.phase === 'paused') {
      this.#set({ detail: `No line to the provider: ${reason} Trying again.` });
    }
  }

  /** What the provider says about itself moves the phase; money moves only by what passes a health check. */
  async #heard(status: DealStatus): Promise<void> {
    this.#remote = status;
    const { phase } = this.#deal;
    if (this.isOver || phase === 'closing') return;
    if (this.#wantsEnd) return;
    switch (status.phase) {
      case 'unknown':
      case 'preparing':
        this.#set({ phase: 'preparing', detail: status.detail });
        break;
      case 'ready':
        if (phase !== 'running') this.#set({ phase: 'preparing', detail: 'Giving access.' });
        await this.#pay();
        break;
      case 'running':
        if (phase !== 'running') {
          this.#pass();
          this.#set({ phase: 'running', detail: '' });
        }
        break;
      case 'paused':
        this.#served = pauseServing(this.#served, this.#lastPassMs);
        this.#set({ phase: 'paused', detail: status.detail });
        await this.#pay();
        break;
      case 'stopped':
        this.#served = pauseServing(this.#served, this.#nowMs());
        this.#wantsEnd = true;
        this.#set({ phase: 'ending', detail: status.detail });
        void this.#steps.run(() => this.#tryEnd());
        break;
      case 'failed':
        this.#wantsEnd = true;
        this.#lastEndTryMs = this.#nowMs();
        this.#set({ phase: 'ending', detail: `The provider could not start the machine: ${status.detail}` });
        this.#room.notify('error', 'The machine could not be started', status.detail, this.leaseId);
        break;
    }
  }

  async #tick(): Promise<void> {
    if (this.isOver) return;
    const chainNow = this.#room.clock.now();
    if (this.#deal.phase === 'closing') {
      const lease = this.#room.chain.lease(this.leaseId);
      if (lease && lease.closeAt > 0 && chainNow > lease.closeAt) {
        this.#send(this.#room.chain.calls.finalizeLease(this.#deal.terms), 'finalize');
      }
      return;
    }
    const { openedAt, capSeconds } = this.#deal;
    if (openedAt !== null && chainNow > openedAt + capSeconds + DAY) {
      this.#send(this.#room.chain.calls.expireLease(this.#deal.terms), 'expire');
      return;
    }
    if (this.#wantsEnd) {
      if (this.#nowMs() - this.#lastEndTryMs > END_RETRY_MS) await this.#tryEnd();
      return;
    }
    if (openedAt !== null && this.#goneForMs() > this.#room.rules.endAfterSeconds * 1000) {
      this.#wantsEnd = true;
      this.#set({ phase: 'ending', detail: 'The provider has been away for too long.' });
      await this.#tryEnd();
      return;
    }
    const due = this.#nowMs() - this.#lastPassMs >= this.#room.rules.healthSeconds * 1000 - 100;
    if (due && (this.#deal.phase === 'running' || this.#deal.phase === 'paused')) await this.#check();
    else if (this.#deal.phase === 'running') this.#room.onChange(this.#deal);
  }

  #goneForMs(): number {
    return this.#unreachableSince === null ? 0 : this.#nowMs() - this.#unreachableSince;
  }

  /** One health check; only a passed one lets time count and a voucher be signed. */
  async #check(): Promise<void> {
    const { connection } = this.#line;
    if (!connection) return;
    try {
      const status = await ask(
        connection,
        'deal.status',
        { leaseId: this.leaseId },
        { timeoutMs: 5000, signal: this.#life.signal },
      );
      if (status.phase === 'running') {
        this.#pass();
        this.#set({ servedSeconds: this.servedSeconds });
        await this.#pay();
      }
      if (status.phase !== 'running' || this.#deal.phase !== 'running') await this.#heard(status);
    } catch (thrown) {
      if (this.#life.signal.aborted) return;
      this.#served = pauseServing(this.#served, this.#lastPassMs);
      this.#set({ detail: `The last health check failed: ${toAppError(thrown).message}` });
    }
  }

  #pass(): void {
    this.#lastPassMs = this.#nowMs();
    this.#served = resumeServing(this.#served, this.#lastPassMs);
    if (this.#deal.detail !== '' && this.#deal.phase === 'running') this.#set({ detail: '' });
  }

  /** Signs the next voucher if one is due: into the ledger first, then to the provider. */
  async #pay(): Promise<void> {
    const { connection } = this.#line;
    if (!connection || this.#wantsEnd) return;
    const accessGiven = this.#remote !== null && this.#remote.signedSeconds > 0;
    const signed = accessGiven ? this.#deal.signedSeconds : 0;
    const secs = nextVoucher(this.#tariff(), this.#room.rules, { served: this.servedSeconds, signed, accessGiven });
    // A voucher that was signed but never arrived (a crash, a lost line) is sent again rather than raised.
    const again = this.#remote !== null && this.#remote.signedSeconds < this.#deal.signedSeconds;
    if (secs === null && !again) return;
    const next = Math.max(secs ?? 0, this.#deal.signedSeconds);
    const signature = await this.#room.keys.signVoucher(this.leaseId, next);
    this.#set({ signedSeconds: next, voucherSignature: signature });
    const status = await ask(
      connection,
      'deal.voucher',
      { leaseId: this.leaseId, secs: next, signature },
      { timeoutMs: 5000 },
    );
    this.#remote = status;
    if (status.phase === 'running' && this.#deal.phase !== 'running') {
      this.#pass();
      this.#set({ phase: 'running', detail: '' });
    }
  }

  /** The honest way (both sign the exact seconds) while there is a line; the chain's 24 hours where there is none. */
  async #tryEnd(): Promise<void> {
    if (this.isOver || this.#sending) return;
    this.#lastEndTryMs = this.#nowMs();
    const { connection } = this.#line;
    if (connection) {
      try {
        await this.#endTogether(connection);
        return;
      } catch (thrown) {
        const error = toAppError(thrown);
        this.#room.log.warn({ leaseId: this.leaseId, code: error.code, message: error.message }, 'no honest close');
        this.#set({ detail: `The provider did not agree to the seconds: ${error.message}` });
        if (error.code === 'conflict') return this.#terminate();
      }
    }
    if (this.#goneForMs() >= CALL_TIMEOUT_MS || this.#unreachableSince === null) return this.#terminate();
    return undefined;
  }

  async #endTogether(connection: PeerConnection): Promise<void> {
    const { terms, paidSeconds } = this.#deal;
    const leaseId = this.leaseId;
    const { servedSeconds: theirs } = await ask(connection, 'deal.stop', { leaseId }, { timeoutMs: CALL_TIMEOUT_MS });
    const ours = this.servedSeconds;
    this.#served = pauseServing(this.#served, this.#nowMs());
    const secs = agreedSeconds(this.#tariff(), {
      provider: theirs,
      renter: ours,
      paid: paidSeconds,
      slack: CLOSE_SLACK_SECONDS,
    });
    const deadline = this.#room.clock.now() + FINAL_SECONDS;
    const renterSignature = await this.#room.keys.signFinal(leaseId, secs, deadline);
    this.#set({ servedSeconds: secs, final: { secs, deadline, renterSignature, providerSignature: null } });
    const answer = await ask(
      connection,
      'deal.close',
      { leaseId, secs, deadline, signature: renterSignature },
      { timeoutMs: CALL_TIMEOUT_MS },
    );
    const providerSignature = answer.signature as Hex;
    if (this.#room.keys.finalSigner(leaseId, secs, deadline, providerSignature) !== terms.providerSigner) {
      throw new AppError('conflict', 'The provider answered with a signature that is not its own.');
    }
    this.#set({ final: { secs, deadline, renterSignature, providerSignature } });
    const call = this.#room.chain.calls.closeLease(terms, { secs, deadline, renterSignature, providerSignature });
    this.#send(call, `close:${secs}:${deadline}`);
  }

  async #terminate(): Promise<void> {
    if (this.#deal.phase === 'closing') return;
    // Claim what this side's own checks saw, and never less than its key has signed: that would cost a penalty.
    const claim = Math.max(this.#deal.paidSeconds, this.#deal.signedSeconds);
    this.#send(this.#room.chain.calls.terminateLease(this.#deal.terms, claim), `terminate:${claim}`);
  }

  #send(call: Parameters<typeof insist>[1], id: string): void {
    if (this.#sending) return;
    this.#sending = true;
    const { chain, log } = this.#room;
    const onWaiting = (reason: string) => this.#set({ detail: `Settling waits: ${reason}` });
    void insist(chain, call, { commandId: `renter:${this.leaseId}:${id}`, signal: this.#life.signal, log, onWaiting })
      .catch(() => null)
      .finally(() => {
        this.#sending = false;
      });
  }

  #closed(event: Extract<LeaseEvent, { kind: 'LeaseClosed' }>): void {
    const { paidSeconds, paid, fee, penalty, refund, txHash, at } = event;
    this.#set({
      phase: 'closed',
      paidSeconds,
      closedAt: at,
      closeReason: this.#deal.detail,
      settlement: { seconds: paidSeconds, paid, fee, penalty, refund, txHash },
    });
    this.dispose();
    this.#release();
  }

  #release(): void {
    for (const wake of this.#closedWaiters) wake();
    this.#closedWaiters = [];
  }
}
