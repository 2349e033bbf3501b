import type { Call } from '../chain/chain.ts';
import type { LeaseEvent } from '../chain/events.ts';
import { LatestSend } from '../chain/latest-send.ts';
import { factsOf, outcomeOf } from '../chain/lease-facts.ts';
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
/** Failed attempts at an honest close, the line being up, after which the chain decides. */
const END_ATTEMPTS = 2;
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
  #lastEndTryMs: number;
  #failedEnds = 0;
  #wantsEnd: boolean;
  readonly #sender: LatestSend;
  readonly #closedWaiters = new Set<() => void>();

  constructor(room: RentalRoom, deal: Deal, provider: { peerKey: Hex; endpoints?: { host: string; port: number }[] }) {
    this.#room = room;
    this.#deal = deal;
    this.leaseId = deal.leaseId;
    this.#served = { countedMs: deal.servedSeconds * 1000, sinceMs: null };
    this.#wantsEnd = deal.phase === 'ending';
    // No line yet is no line: a provider that never answers is away from the start.
    this.#unreachableSince = room.clock.monotonicMs();
    this.#lastEndTryMs = room.clock.monotonicMs();
    const { chain, ledger, log } = room;
    this.#sender = new LatestSend({
      chain,
      ledger,
      log,
      onWaiting: (reason) => this.#set({ detail: `Settling waits: ${reason}` }),
      onRefused: () => undefined,
    });
    this.#line = new Line({
      leaseId: deal.leaseId,
      log: room.log,
      connect: (signal) => room.connect(provider, { signal, expectWallet: deal.terms.provider }),
      onUp: (connection) => this.#up(connection),
      onStatus: (status) => this.#later(() => this.#heard(status)),
      onDown: (reason) => this.#later(() => this.#down(reason)),
    });
    this.#ticker = setInterval(() => this.#later(() => this.#tick()), room.tickMs ?? 1000);
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

  /**
   * Ends it and resolves once the chain has closed it, or has begun its 24 hours because the provider is away. What was
   * begun goes on when the caller stops waiting.
   * @throws AppError cancelled when `signal` aborts
   */
  async end(signal?: AbortSignal): Promise<Deal> {
    if (this.isOver) return this.#deal;
    this.#wantsEnd = true;
    this.#later(() => this.#tryEnd());
    if (this.#deal.phase === 'closing') return this.#deal;
    this.#set({ phase: 'ending', detail: 'Ending the rental.', closeReason: 'You ended the rental.' });
    await new Promise<void>((resolve, reject) => {
      const done = () => {
        signal?.removeEventListener('abort', giveUp);
        this.#closedWaiters.delete(done);
        resolve();
      };
      const giveUp = () => {
        this.#closedWaiters.delete(done);
        reject(new AppError('cancelled', 'The rental goes on ending; nobody waits for it any more.'));
      };
      this.#closedWaiters.add(done);
      signal?.addEventListener('abort', giveUp, { once: true });
      if (signal?.aborted) giveUp();
    });
    return this.#deal;
  }

  /** What the chain says about this lease: in the book at once. */
  onChain(event: LeaseEvent): void {
    if (this.isOver) return;
    this.#set(factsOf(event, this.#deal));
    if (event.kind === 'LeaseTerminated') this.#release();
    if (event.kind !== 'LeaseClosed') return;
    this.#room.notify('success', 'Your rental ended', outcomeOf(this.#deal, this.#room.chain.profile), this.leaseId);
    this.dispose();
  }

  /** Forgets the rental in memory; whoever waits for its end hears how it stands now. */
  dispose(): void {
    clearInterval(this.#ticker);
    this.#life.abort();
    this.#sender.close();
    this.#line.close();
    this.#release();
  }

  #nowMs(): number {
    return this.#room.clock.monotonicMs();
  }

  #tariff(): Tariff {
    const { price, unit, minSeconds } = this.#deal.terms;
    return { price, unit, minSeconds, capSeconds: this.#deal.capSeconds };
  }

  /** A step that nobody waits for: what it throws is logged, and the next one comes. */
  #later(step: () => Promise<void>): void {
    this.#steps
      .run(async () => {
        if (!this.#life.signal.aborted) await step();
      })
      .catch((thrown: unknown) => {
        if (this.#life.signal.aborted) return;
        const { code, message, cause } = toAppError(thrown);
        this.#room.log.warn({ leaseId: this.leaseId, code, message, cause }, 'a step of a rental failed');
      });
  }

  /** Into the book. What the chain has ended stays ended, whatever an unfinished step still has to say. */
  #set(change: DealChange): void {
    if (this.isOver || this.#life.signal.aborted) return;
    const { phase, ...rest } = change;
    const moves = phase !== undefined && (this.#deal.phase !== 'closing' || phase === 'closed');
    this.#deal = this.#room.ledger.deals.update(this.leaseId, 'renter', moves ? { ...rest, phase } : rest);
    this.#room.onChange(this.#deal);
  }

  async #up(connection: PeerConnection): Promise<void> {
    if (this.isOver || !this.#deal.spec) return;
    const { spec } = this.#deal;
    const status = await ask(
      connection,
      'deal.begin',
      { leaseId: this.leaseId, spec },
      { timeoutMs: 30_000, signal: this.#life.signal },
    );
    this.#unreachableSince = null;
    this.#later(() => this.#heard(status));
    // The provider is back: a terminated lease need not wait for its 24 hours.
    if (this.#deal.phase === 'closing') this.#later(() => this.#tryEnd());
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
        if (phase !== 'running') this.#running();
        break;
      case 'paused':
        this.#served = pauseServing(this.#served, this.#lastPassMs);
        this.#set({ phase: 'paused', detail: status.detail });
        await this.#pay();
        break;
      case 'stopped':
        this.#served = pauseServing(this.#served, this.#lastPassMs);
        this.#wantsEnd = true;
        this.#set({ phase: 'ending', detail: status.detail, closeReason: status.detail });
        this.#later(() => this.#tryEnd());
        break;
      case 'failed':
        this.#wantsEnd = true;
        this.#lastEndTryMs = this.#nowMs();
        this.#set({
          phase: 'ending',
          detail: `The provider could not start the machine: ${status.detail}`,
          closeReason: `The provider could not start the machine: ${status.detail}`,
        });
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
      } else if (this.#nowMs() - this.#lastEndTryMs > END_RETRY_MS) await this.#tryEnd();
      return;
    }
    const { openedAt } = this.#deal;
    if (this.#isExpired) {
      this.#terminate();
      return;
    }
    if (this.#wantsEnd) {
      if (this.#nowMs() - this.#lastEndTryMs > END_RETRY_MS) await this.#tryEnd();
      return;
    }
    if (openedAt !== null && this.#goneForMs() > this.#room.rules.endAfterSeconds * 1000) {
      this.#wantsEnd = true;
      const reason = 'The provider has been away for too long.';
      this.#set({ phase: 'ending', detail: reason, closeReason: reason });
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

  #running(): void {
    const first = this.#deal.servedSeconds === 0 && this.#served.sinceMs === null && this.#deal.phase === 'preparing';
    this.#pass();
    this.#set({ phase: 'running', detail: '' });
    if (first) this.#room.notify('success', 'Your machine is ready', 'You can open a terminal now.', this.leaseId);
  }

  #pass(): void {
    // A computer that slept saw nothing in between.
    const slept = this.#nowMs() - this.#lastPassMs > this.#room.rules.intervalSeconds * 1000;
    if (slept) this.#served = pauseServing(this.#served, this.#lastPassMs);
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
    if (status.phase === 'running' && this.#deal.phase !== 'running') this.#running();
  }

  /** The honest way (both sign the exact seconds) while there is a line; the chain's 24 hours where there is none. */
  async #tryEnd(): Promise<void> {
    if (this.isOver || this.#sender.isOnItsWay) return;
    this.#lastEndTryMs = this.#nowMs();
    if (this.#isExpired) {
      this.#terminate();
      return;
    }
    const { connection } = this.#line;
    if (connection) {
      try {
        await this.#endTogether(connection);
        this.#failedEnds = 0;
        return;
      } catch (thrown) {
        if (this.#life.signal.aborted) return;
        const error = toAppError(thrown);
        this.#failedEnds += 1;
        this.#room.log.warn({ leaseId: this.leaseId, code: error.code, message: error.message }, 'no honest close');
        this.#set({ detail: `The provider did not agree to the seconds: ${error.message}` });
        if (error.code !== 'conflict' && this.#failedEnds < END_ATTEMPTS) return;
      }
    } else if (this.#goneForMs() < CALL_TIMEOUT_MS) return;
    this.#terminate();
  }

  async #endTogether(connection: PeerConnection): Promise<void> {
    const { terms, paidSeconds } = this.#deal;
    const leaseId = this.leaseId;
    const { servedSeconds: theirs } = await ask(
      connection,
      'deal.stop',
      { leaseId },
      { timeoutMs: CALL_TIMEOUT_MS, signal: this.#life.signal },
    );
    const ours = this.servedSeconds;
    this.#served = pauseServing(this.#served, this.#lastPassMs);
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
      { timeoutMs: CALL_TIMEOUT_MS, signal: this.#life.signal },
    );
    const providerSignature = answer.signature as Hex;
    if (this.#room.keys.finalSigner(leaseId, secs, deadline, providerSignature) !== terms.providerSigner) {
      throw new AppError('conflict', 'The provider answered with a signature that is not its own.');
    }
    this.#set({ final: { secs, deadline, renterSignature, providerSignature } });
    const call = this.#room.chain.calls.closeLease(terms, { secs, deadline, renterSignature, providerSignature });
    this.#send(call, `close:${secs}:${deadline}`);
  }

  get #isExpired(): boolean {
    const { openedAt, capSeconds } = this.#deal;
    return openedAt !== null && this.#room.clock.now() > openedAt + capSeconds + DAY;
  }

  #terminate(): void {
    const { phase, terms, paidSeconds, signedSeconds } = this.#deal;
    if (phase === 'closing') return;
    const { calls } = this.#room.chain;
    // Claim what this side's own checks saw, and never less than its key has signed: that would cost a penalty.
    const claim = Math.max(paidSeconds, signedSeconds);
    if (this.#isExpired) this.#send(calls.expireLease(terms), 'expire');
    else this.#send(calls.terminateLease(terms, claim), `terminate:${claim}`);
  }

  #send(call: Call, id: string): void {
    this.#sender.send(call, `renter:${this.leaseId}:${id}`);
  }

  #release(): void {
    for (const wake of this.#closedWaiters) wake();
  }
}
