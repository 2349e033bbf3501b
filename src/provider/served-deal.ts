import type { LeaseEvent } from '../chain/events.ts';
import { factsOf, outcomeOf } from '../chain/lease-facts.ts';
import type { DealContainer } from '../runtime/engine.ts';
import type { DealStatus } from '../shared/deal-protocol.ts';
import { AppError, toAppError } from '../shared/errors.ts';
import type { Bytes32, Hex } from '../shared/ids.ts';
import type { Progress } from '../shared/ready-check.ts';
import type { RentalSpec } from '../shared/rental.ts';
import { Serial } from '../shared/serial.ts';
import type { Deal, DealChange } from '../store/ledger.ts';
import { isNewerVoucher, providerVerdict, type Tariff } from '../verify/meter.ts';
import type { DealRoom } from './deal-room.ts';
import { ServedCount } from './served-count.ts';
import { Settlement } from './settlement.ts';

/** The two hosts' clocks and one missed health check: how far below its own count a provider still signs. */
const CLOSE_SLACK_SECONDS = 12;
/** Long leases are paid out along the way, so that a provider is never owed more than this. */
const DRAW_AFTER_SECONDS = 6 * 3600;
/** A day after its time is over anybody may close a lease at what is paid by then; half a day before, this side does. */
const OVERTIME_SECONDS = 12 * 3600;
/** What the contract takes for a deadline (uint40). */
const LAST_DEADLINE = 2 ** 40 - 1;
const MAX_DETAIL = 500;

/**
 * One lease on the provider's side, from the moment the chain shows it until the chain has closed it. All steps run
 * one after the other; every fact that money hangs on is in the ledger before it is acted on.
 */
export class ServedDeal {
  readonly leaseId: Bytes32;
  readonly #room: DealRoom;
  readonly #steps = new Serial();
  readonly #life = new AbortController();
  #deal: Deal;
  #container: DealContainer | null = null;
  #stage: DealStatus['phase'] = 'unknown';
  #detail = '';
  #progress: Progress | null = null;
  readonly #count: ServedCount;
  #lastHealthyMs = 0;
  #lastCheckMs = 0;
  #heldSinceMs: number | null = null;
  #readySinceMs = 0;
  #preparation: AbortController | null = null;
  readonly #settlement: Settlement;
  readonly #ticker: NodeJS.Timeout;
  readonly #onCleared: () => void;

  /** @param onCleared the lease is closed, and nothing of it is left on this computer that this host could remove */
  constructor(room: DealRoom, deal: Deal, onCleared: () => void) {
    this.#room = room;
    this.#onCleared = onCleared;
    this.#deal = deal;
    this.leaseId = deal.leaseId;
    this.#count = new ServedCount(room.clock, room.rules, deal.servedSeconds);
    this.#settlement = new Settlement(room, {
      deal: () => this.#deal,
      onWaiting: (reason) => this.#set({ detail: `Settling waits: ${reason}` }),
    });
    this.#ticker = setInterval(() => this.#later(() => this.#tick()), room.tickMs ?? 1000);
  }

  get deal(): Deal {
    return this.#deal;
  }

  get container(): DealContainer | null {
    return this.#stage === 'running' ? this.#container : null;
  }

  get progress(): Progress | null {
    return this.#progress;
  }

  /** Live, by this host's clock. */
  get servedSeconds(): number {
    return Math.min(this.#deal.capSeconds, this.#count.seconds);
  }

  get isOver(): boolean {
    return this.#deal.phase === 'closed';
  }

  status(): DealStatus {
    return {
      leaseId: this.leaseId,
      phase: this.#stage,
      detail: this.#detail,
      progress: this.#progress,
      ports: this.#container ? [...this.#container.ports.keys()] : [],
      servedSeconds: this.servedSeconds,
      signedSeconds: this.#deal.signedSeconds,
    };
  }

  /** After a restart: take up whatever the engine still has. */
  adopt(): Promise<void> {
    return this.#steps.run(async () => {
      if (this.isOver) return;
      if (this.#isEnding) {
        await this.#stopContainer();
        this.#settlement.soon();
        return;
      }
      const container = await this.#room.engine.find(this.leaseId).catch(() => null);
      const state = await container?.inspect().catch(() => null);
      if (!container || !state || state.status === 'created' || state.status === 'missing') {
        // Half made when this host went away: the renter's next word makes it anew.
        await container?.remove().catch(() => undefined);
        if (this.#deal.signedSeconds > 0) await this.#finish('The machine was lost while this host was away.');
        else this.#set({ detail: 'Waiting for the renter.' });
        return;
      }
      this.#container = container;
      this.#lastHealthyMs = this.#readySinceMs = this.#nowMs();
      if (state.status === 'exited') {
        await this.#finish('The machine ended while this host was away.');
        return;
      }
      this.#watch(container);
      if (state.status === 'paused') {
        // It was held for want of a voucher, and that has not changed.
        this.#heldSinceMs = this.#nowMs();
        this.#stage = 'paused';
        this.#set({ phase: 'paused', detail: 'Held: no voucher covers the time that follows.' });
        return;
      }
      this.#stage = this.#deal.signedSeconds > 0 ? 'running' : 'ready';
      this.#set({
        phase: this.#stage === 'running' ? 'running' : 'preparing',
        detail: 'Taken up again after a restart.',
      });
    });
  }

  /** The renter tells its spec (hash in the terms). Preparation goes on by itself; the answer is how it stands. */
  async begin(spec: RentalSpec): Promise<DealStatus> {
    this.#count.touch();
    if (this.#room.keys.specHash(spec) !== this.#deal.terms.specHash) {
      throw new AppError('bad-input', 'This is not the spec whose hash the lease names.', { field: 'spec' });
    }
    if (!this.#deal.spec) this.#set({ spec, ...(this.#isEnding ? {} : { phase: 'preparing', detail: '' }) });
    if (this.#stage === 'unknown' && !this.isOver && !this.#isEnding) {
      this.#stage = 'preparing';
      void this.#prepare(spec);
    }
    return this.status();
  }

  /** A voucher from the renter's session key. The first one gives access. */
  voucher(secs: number, signature: Hex): Promise<DealStatus> {
    return this.#steps.run(async () => {
      const signer = this.#room.keys.voucherSigner(this.leaseId, secs, signature);
      if (signer !== this.#deal.terms.signer) {
        throw new AppError('not-allowed', 'This voucher is not signed by the key that the lease names.', {
          field: 'signature',
        });
      }
      if (secs > this.#deal.capSeconds) {
        throw new AppError('bad-input', `A voucher covers at most the lease's ${this.#deal.capSeconds} seconds.`, {
          field: 'secs',
        });
      }
      this.#count.touch();
      // An old or repeated voucher is no harm: the newest one stands.
      if (!isNewerVoucher(this.#tariff(), this.#deal.signedSeconds, secs)) return this.status();
      if (this.#deal.signedSeconds === 0 && secs < Math.min(this.#deal.terms.minSeconds, this.#deal.capSeconds)) {
        throw new AppError('bad-input', `The first voucher covers at least ${this.#deal.terms.minSeconds} seconds.`, {
          field: 'secs',
        });
      }
      this.#set({ signedSeconds: secs, voucherSignature: signature });
      if (this.#stage === 'ready') {
        this.#stage = 'running';
        this.#lastHealthyMs = this.#nowMs();
        this.#count.resume();
        this.#set({ phase: 'running', detail: '' });
      }
      await this.#tick();
      return this.status();
    });
  }

  /** The renter (or its absence) touches the lease: a health check passes when the container answered lately. */
  heard(): DealStatus {
    this.#count.touch();
    const fresh = this.#nowMs() - this.#lastHealthyMs <= this.#room.rules.healthSeconds * 2000;
    const status = this.status();
    if (status.phase === 'running' && !fresh)
      return { ...status, phase: 'paused', detail: 'The machine does not answer.' };
    return status;
  }

  /** Stops the container and says the exact seconds. Both sides call this before anybody signs. */
  stop(): Promise<{ servedSeconds: number }> {
    return this.#steps.run(async () => {
      if (!this.isOver) await this.#finish('The renter ended the rental.', { byRenter: true });
      return { servedSeconds: this.servedSeconds };
    });
  }

  /** Countersigns the renter's final seconds, or refuses with this side's figure. */
  close(
    secs: number,
    deadline: number,
    renterSignature: Hex,
  ): Promise<{ secs: number; deadline: number; signature: Hex }> {
    return this.#steps.run(async () => {
      const { terms, capSeconds, paidSeconds } = this.#deal;
      if (this.isOver) throw new AppError('conflict', 'This lease is closed already.', { field: 'leaseId' });
      if (deadline <= this.#room.clock.now() || deadline > LAST_DEADLINE) {
        throw new AppError('bad-input', 'The deadline is a moment ahead, in unix seconds.', { field: 'deadline' });
      }
      // Before anything is stopped: a forged message ends nothing.
      if (this.#room.keys.finalSigner(this.leaseId, secs, deadline, renterSignature) !== terms.signer) {
        throw new AppError('not-allowed', 'This final is not signed by the key that the lease names.', {
          field: 'signature',
        });
      }
      if (secs > capSeconds || secs < paidSeconds) {
        throw new AppError('bad-input', `The final seconds lie between ${paidSeconds} and ${capSeconds}.`, {
          field: 'secs',
        });
      }
      await this.#finish('The renter ended the rental.', { byRenter: true });
      if (secs < this.#count.owedSeconds - CLOSE_SLACK_SECONDS) {
        throw new AppError('conflict', `This machine was served for ${this.servedSeconds} seconds, not ${secs}.`, {
          field: 'secs',
          next: 'End with the seconds that were served, or let the newest voucher be settled.',
        });
      }
      const known = this.#deal.final;
      if (known?.secs === secs && known.deadline === deadline && known.providerSignature) {
        return { secs, deadline, signature: known.providerSignature };
      }
      const providerSignature = await this.#room.keys.signFinal(this.leaseId, secs, deadline);
      this.#set({ final: { secs, deadline, renterSignature, providerSignature } });
      // The renter sends it; should it vanish now, this side does (`finish` has set the time for that).
      return { secs, deadline, signature: providerSignature };
    });
  }

  /** The owner ends it: stop the machine, leave the renter a moment to sign the exact seconds, then settle. */
  end(reason: string): Promise<void> {
    return this.#steps.run(async () => {
      if (!this.isOver) await this.#finish(reason);
    });
  }

  /** What the chain says about this lease: in the book at once, acted upon in the order of steps. */
  onChain(event: LeaseEvent): void {
    if (this.isOver) return;
    this.#set(factsOf(event, this.#deal));
    if (event.kind === 'LeaseTerminated') {
      this.#later(async () => {
        await this.#stopContainer();
        this.#settlement.raise();
      });
    } else if (event.kind === 'LeaseClosed') {
      const title = this.#deal.settlement?.paid === 0n ? 'A rental ended unpaid' : 'A rental ended';
      this.#room.notify('info', title, outcomeOf(this.#deal, this.#room.chain.profile), this.leaseId);
      this.#later(() => this.#clearAway());
    }
  }

  /** Forgets the lease in memory; containers and money stay as they are. */
  dispose(): void {
    if (this.#life.signal.aborted) return;
    if (!this.isOver) this.#set({ servedSeconds: this.servedSeconds });
    clearInterval(this.#ticker);
    this.#settlement.dispose();
    this.#life.abort();
  }

  #nowMs(): number {
    return this.#room.clock.monotonicMs();
  }

  #tariff(): Tariff {
    const { price, unit, minSeconds } = this.#deal.terms;
    return { price, unit, minSeconds, capSeconds: this.#deal.capSeconds };
  }

  get #isEnding(): boolean {
    return this.#deal.phase === 'ending' || this.#deal.phase === 'closing';
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
        this.#room.log.warn({ leaseId: this.leaseId, code, message, cause }, 'a step of a served lease failed');
      });
  }

  /** Into the book. What the chain has ended stays ended, whatever an unfinished step still has to say. */
  #set(change: DealChange): void {
    if (this.isOver || this.#life.signal.aborted) return;
    const { phase, ...rest } = change;
    const moves = phase !== undefined && (this.#deal.phase !== 'closing' || phase === 'closed');
    this.#deal = this.#room.ledger.deals.update(this.leaseId, 'provider', moves ? { ...rest, phase } : rest);
    if (change.detail !== undefined) this.#detail = change.detail.slice(0, MAX_DETAIL);
    this.#room.onChange(this.#deal);
  }

  async #prepare(spec: RentalSpec): Promise<void> {
    const { engine } = this.#room;
    this.#preparation = new AbortController();
    const signal = AbortSignal.any([this.#life.signal, this.#preparation.signal]);
    try {
      if (!(await engine.hasImage(spec.image))) {
        await engine.pull(spec.image, {
          signal,
          onProgress: (progress) => {
            this.#progress = { ...progress, label: progress.label.slice(0, 200) };
            this.#room.onChange(this.#deal);
          },
        });
      }
      signal.throwIfAborted();
      const limits = this.#room.limitsFor(this.#deal.offerId, spec);
      const container = await engine.start({ dealId: this.leaseId, spec, limits }, signal);
      await this.#steps.run(async () => {
        if (this.isOver || this.#isEnding) {
          await container.remove();
          return;
        }
        // This host is closing: the next one takes the container up.
        if (this.#life.signal.aborted) return;
        this.#container = container;
        this.#lastHealthyMs = this.#readySinceMs = this.#nowMs();
        this.#stage = 'ready';
        this.#watch(container);
        this.#set({ detail: 'Ready. Waiting for the first voucher.' });
      });
    } catch (thrown) {
      if (signal.aborted) return;
      const error = toAppError(thrown);
      this.#room.log.warn({ leaseId: this.leaseId, code: error.code, cause: error.cause }, 'preparation failed');
      this.#later(async () => {
        if (this.isOver || this.#isEnding) return;
        this.#stage = 'failed';
        this.#set({ phase: 'ending', detail: error.message, closeReason: error.message });
        this.#room.notify('warning', 'A rental could not start', error.message, this.leaseId);
        this.#settlement.now();
      });
    } finally {
      this.#progress = null;
      this.#preparation = null;
    }
  }

  #watch(container: DealContainer): void {
    void container.supervise(this.#life.signal).then(
      (end) =>
        this.#later(async () => {
          if (this.isOver || this.#stage === 'stopped' || this.#isEnding) return;
          if (end.kind === 'exited') {
            const ranMs = end.finishedAtMs - Date.now() + this.#nowMs();
            await this.#finish(`The program ended with exit code ${end.exitCode}.`, {
              untilMs: Math.min(this.#nowMs(), ranMs),
            });
          } else if (end.kind === 'disk-limit') await this.#finish('The machine used all the disk it may use.');
          else if (end.kind === 'removed')
            await this.#finish('The machine was removed.', { untilMs: this.#lastHealthyMs });
          else await this.#finish('The container engine stopped.', { untilMs: this.#lastHealthyMs });
        }),
      () => undefined,
    );
  }

  async #tick(): Promise<void> {
    if (this.isOver) return;
    this.#settlement.tick();
    const chainNow = this.#room.clock.now();
    const { phase, openedAt, capSeconds } = this.#deal;
    if (phase === 'closing') {
      const lease = this.#room.chain.lease(this.leaseId);
      if (lease && lease.closeAt > 0 && chainNow > lease.closeAt) this.#settlement.finalize();
      else this.#settlement.raise();
      return;
    }
    if (phase === 'ending') return;
    if (openedAt !== null && chainNow > openedAt + capSeconds + OVERTIME_SECONDS) {
      await this.#finish('The time of this lease is long over.');
      return;
    }
    const { endAfterSeconds } = this.#room.rules;
    if (this.#stage === 'unknown' && openedAt !== null) {
      // A renter that opened and never came holds a unit: give it back once its paid time is over.
      if (chainNow - openedAt > Math.min(capSeconds, endAfterSeconds)) await this.#finish('The renter never came.');
      return;
    }
    if (this.#stage === 'ready' && this.#nowMs() - this.#readySinceMs > endAfterSeconds * 1000) {
      await this.#finish('The renter never paid.');
      return;
    }
    if ((this.#stage === 'running' || this.#stage === 'paused') && this.#container) await this.#meter(this.#container);
  }

  /** Serves what is paid for, holds what is not, ends what stays unpaid. */
  async #meter(container: DealContainer): Promise<void> {
    const now = this.#nowMs();
    const { rules } = this.#room;
    const { capSeconds, signedSeconds, paidSeconds } = this.#deal;
    // A computer that slept saw nothing in between.
    if (now - this.#lastHealthyMs > rules.graceSeconds * 1000) this.#count.pause(this.#lastHealthyMs);
    const verdict = providerVerdict(this.#tariff(), rules, {
      // Nothing is served past the grace; to go on, what this side insists on must be covered.
      served: this.#heldSinceMs === null ? this.#count.seconds : this.#count.owedSeconds,
      signed: signedSeconds,
      pausedSeconds: this.#heldSinceMs === null ? 0 : Math.max(1, (now - this.#heldSinceMs) / 1000),
    });
    if (verdict === 'end') {
      const isServed = this.#count.seconds >= capSeconds;
      await this.#finish(isServed ? 'The paid time is over.' : 'The renter stopped paying.');
      // Whoever has not paid for so long has nothing to agree about either.
      if (!isServed) this.#settlement.now();
      return;
    }
    // Nothing is counted before the renter has come back to a restarted host: that must not last for ever.
    const { absent } = this.#count;
    if (verdict === 'pause' || absent) {
      if (this.#heldSinceMs !== null) return;
      this.#heldSinceMs = now;
      this.#count.pause(now);
      this.#stage = 'paused';
      const detail = absent ? 'Held: the renter is away.' : 'Held: no voucher covers the time that follows.';
      this.#set({ phase: 'paused', detail, servedSeconds: this.servedSeconds });
      await container.pause();
      return;
    }
    if (this.#heldSinceMs !== null) {
      await container.resume();
      this.#heldSinceMs = null;
      this.#count.forgive();
      this.#stage = 'running';
      this.#lastHealthyMs = this.#nowMs();
      this.#count.resume();
      this.#set({ phase: 'running', detail: '' });
    }
    if (now - this.#lastCheckMs >= rules.healthSeconds * 1000 - 100) await this.#check(container);
    if (signedSeconds - paidSeconds > DRAW_AFTER_SECONDS) this.#settlement.draw();
  }

  /** One health check: time counts up to the last one that passed. */
  async #check(container: DealContainer): Promise<void> {
    this.#lastCheckMs = this.#nowMs();
    if (await container.healthy(this.#life.signal).catch(() => false)) {
      this.#lastHealthyMs = this.#nowMs();
      this.#count.resume();
      this.#set({ servedSeconds: this.servedSeconds });
    } else this.#count.pause(this.#lastHealthyMs);
  }

  /** Ends the counting, now or at the last good moment, and the container with it. */
  async #stopContainer(untilMs?: number): Promise<void> {
    this.#preparation?.abort();
    const container = this.#container ?? (await this.#room.engine.find(this.leaseId).catch(() => null));
    if (this.#stage !== 'stopped') {
      const wasRunning = this.#stage === 'running' && container !== null && untilMs === undefined;
      const good = wasRunning && (await container.healthy(AbortSignal.timeout(3000)).catch(() => false));
      this.#count.pause(untilMs ?? (good ? this.#nowMs() : this.#lastHealthyMs));
      if (this.#stage !== 'failed') this.#stage = 'stopped';
      this.#set({ servedSeconds: this.servedSeconds });
    }
    if (!container) return;
    if (this.#heldSinceMs !== null) await container.resume().catch(() => undefined);
    this.#heldSinceMs = null;
    await container.stop(2).catch((thrown: unknown) => {
      this.#room.log.warn(
        { leaseId: this.leaseId, error: toAppError(thrown).message },
        'the container could not be stopped',
      );
    });
  }

  /** The machine first, then the renter has a moment to sign the exact seconds, then the newest voucher is settled. */
  async #finish(reason: string, { untilMs, byRenter = false }: { untilMs?: number; byRenter?: boolean } = {}) {
    if (!this.#isEnding) this.#set({ phase: 'ending', detail: reason, closeReason: reason });
    await this.#stopContainer(untilMs);
    // Nothing was signed: there is nothing to agree about, and the renter's money comes back at once.
    if (this.#deal.signedSeconds === 0 && !byRenter) this.#settlement.now();
    else this.#settlement.soon();
  }

  async #clearAway(): Promise<void> {
    if (this.#stage !== 'stopped') await this.#stopContainer();
    this.dispose();
    const container = this.#container ?? (await this.#room.engine.find(this.leaseId).catch(() => null));
    this.#container = null;
    await container?.remove().catch((thrown: unknown) => {
      this.#room.log.warn(
        { leaseId: this.leaseId, error: toAppError(thrown).message },
        'the container could not be removed',
      );
    });
    this.#onCleared();
  }
}
