import type { LeaseEvent } from '../chain/events.ts';
import type { DealContainer } from '../runtime/engine.ts';
import type { DealStatus } from '../shared/deal-protocol.ts';
import { AppError, toAppError } from '../shared/errors.ts';
import type { Bytes32, Hex } from '../shared/ids.ts';
import type { Progress } from '../shared/ready-check.ts';
import type { RentalSpec } from '../shared/rental.ts';
import { Serial } from '../shared/serial.ts';
import type { Deal, DealChange } from '../store/ledger.ts';
import {
  NOTHING_SERVED,
  isNewerVoucher,
  pauseServing,
  providerVerdict,
  resumeServing,
  servedSeconds,
  type Served,
  type Tariff,
} from '../verify/meter.ts';
import type { DealRoom } from './deal-room.ts';
import { Settlement } from './settlement.ts';

/** The two hosts' clocks and one missed health check: how far below its own count a provider still signs. */
const CLOSE_SLACK_SECONDS = 12;
/** Long leases are paid out along the way, so that a provider is never owed more than this. */
const DRAW_AFTER_SECONDS = 6 * 3600;

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
  #served: Served = NOTHING_SERVED;
  #lastHealthyMs = 0;
  #lastCheckMs = 0;
  #heldSinceMs: number | null = null;
  /** After a restart, counting goes on when the renter is back: before that nobody had access. */
  #contact = false;
  #preparing: Promise<void> | null = null;
  readonly #settlement: Settlement;
  readonly #ticker: NodeJS.Timeout;

  constructor(room: DealRoom, deal: Deal) {
    this.#room = room;
    this.#deal = deal;
    this.leaseId = deal.leaseId;
    this.#served = { countedMs: deal.servedSeconds * 1000, sinceMs: null };
    this.#settlement = new Settlement(room, {
      deal: () => this.#deal,
      run: (step) => this.#steps.run(step),
      onWaiting: (reason) => this.#set({ detail: `Settling waits: ${reason}` }),
    });
    this.#ticker = setInterval(() => void this.#steps.run(() => this.#tick()), 1000);
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
    return Math.min(this.#deal.capSeconds, servedSeconds(this.#served, this.#nowMs()));
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
      if (this.#deal.phase === 'closing') {
        await this.#stopContainer();
        const lease = this.#room.chain.lease(this.leaseId);
        if (lease && this.#deal.signedSeconds > lease.claimSeconds) this.#settlement.raise();
        return;
      }
      if (this.#deal.phase === 'ending') {
        await this.#stopContainer();
        this.#settlement.soon();
        return;
      }
      const container = await this.#room.engine.find(this.leaseId).catch(() => null);
      if (!container) {
        if (this.#deal.signedSeconds > 0) await this.#finish('The machine was lost while this host was away.');
        else this.#set({ detail: 'Waiting for the renter.' });
        return;
      }
      const state = await container.inspect();
      this.#container = container;
      if (state.status === 'running' || state.status === 'paused') {
        if (state.status === 'paused') await container.resume();
        this.#stage = this.#deal.signedSeconds > 0 ? 'running' : 'ready';
        this.#lastHealthyMs = this.#nowMs();
        this.#watch(container);
        this.#set({ phase: 'running', detail: 'Taken up again after a restart.' });
      } else if (state.status === 'exited') await this.#finish('The machine ended while this host was away.');
    });
  }

  /** The renter tells its spec (hash in the terms). Preparation goes on by itself; the answer is how it stands. */
  async begin(spec: RentalSpec): Promise<DealStatus> {
    this.#contact = true;
    if (this.#room.keys.specHash(spec) !== this.#deal.terms.specHash) {
      throw new AppError('bad-input', 'This is not the spec whose hash the lease names.', { field: 'spec' });
    }
    if (!this.#deal.spec) this.#set({ spec, phase: 'preparing', detail: '' });
    if (this.#stage === 'unknown' && !this.isOver) {
      this.#stage = 'preparing';
      this.#preparing ??= this.#prepare(spec).finally(() => {
        this.#preparing = null;
      });
    }
    return this.status();
  }

  /** A voucher from the renter's session key. The first one gives access. */
  voucher(secs: number, signature: Hex): Promise<DealStatus> {
    return this.#steps.run(async () => {
      this.#contact = true;
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
        this.#served = resumeServing(this.#served, this.#nowMs());
        this.#set({ phase: 'running', detail: '' });
      }
      await this.#tick();
      return this.status();
    });
  }

  /** The renter (or its absence) touches the lease: a health check passes when the container answered lately. */
  heard(): DealStatus {
    this.#contact = true;
    const fresh = this.#nowMs() - this.#lastHealthyMs <= this.#room.rules.healthSeconds * 2000;
    const status = this.status();
    if (status.phase === 'running' && !fresh)
      return { ...status, phase: 'paused', detail: 'The machine does not answer.' };
    return status;
  }

  /** Stops the container and says the exact seconds. Both sides call this before anybody signs. */
  stop(): Promise<{ servedSeconds: number }> {
    return this.#steps.run(async () => {
      if (!this.isOver) this.#set({ phase: 'ending', detail: 'Stopping the machine.' });
      await this.#stopContainer();
      this.#settlement.soon();
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
      const { terms } = this.#deal;
      await this.#stopContainer();
      if (this.#room.keys.finalSigner(this.leaseId, secs, deadline, renterSignature) !== terms.signer) {
        throw new AppError('not-allowed', 'This final is not signed by the key that the lease names.', {
          field: 'signature',
        });
      }
      if (secs > this.#deal.capSeconds || secs < this.#deal.paidSeconds) {
        throw new AppError(
          'bad-input',
          `The final seconds lie between ${this.#deal.paidSeconds} and ${this.#deal.capSeconds}.`,
          {
            field: 'secs',
          },
        );
      }
      if (secs < this.servedSeconds - CLOSE_SLACK_SECONDS) {
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
      // The renter sends it; should it vanish now, this side does.
      this.#settlement.soon();
      return { secs, deadline, signature: providerSignature };
    });
  }

  /** The owner ends it: stop the machine, leave the renter a moment to sign the exact seconds, then settle. */
  end(reason: string): Promise<void> {
    return this.#steps.run(async () => {
      if (!this.isOver) await this.#finish(reason);
    });
  }

  /** What the chain says about this lease. */
  onChain(event: LeaseEvent): void {
    void this.#steps.run(async () => {
      switch (event.kind) {
        case 'LeaseOpened':
          this.#set({ openedAt: event.openedAt });
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
            detail: 'The renter ended it on chain; 24 hours remain to show a newer voucher.',
          });
          await this.#stopContainer();
          if (this.#deal.signedSeconds > event.claimSeconds) this.#settlement.raise();
          break;
        case 'LeaseRaised':
          break;
        case 'LeaseClosed':
          await this.#closed(event);
          break;
      }
    });
  }

  /** Forgets the lease in memory; containers and money stay as they are. */
  dispose(): void {
    clearInterval(this.#ticker);
    this.#settlement.dispose();
    this.#life.abort();
    if (!this.isOver) this.#set({ servedSeconds: this.servedSeconds });
  }

  #nowMs(): number {
    return this.#room.clock.monotonicMs();
  }

  #tariff(): Tariff {
    const { price, unit, minSeconds } = this.#deal.terms;
    return { price, unit, minSeconds, capSeconds: this.#deal.capSeconds };
  }

  #set(change: DealChange): void {
    this.#deal = this.#room.ledger.deals.update(this.leaseId, 'provider', change);
    if (change.detail !== undefined) this.#detail = change.detail;
    this.#room.onChange(this.#deal);
  }

  async #prepare(spec: RentalSpec): Promise<void> {
    const { engine } = this.#room;
    const signal = this.#life.signal;
    try {
      if (!(await engine.hasImage(spec.image))) {
        await engine.pull(spec.image, {
          signal,
          onProgress: (progress) => {
            this.#progress = progress;
            this.#room.onChange(this.#deal);
          },
        });
      }
      this.#progress = null;
      const limits = this.#room.limitsFor(this.#deal.offerId, spec);
      const container = await engine.start({ dealId: this.leaseId, spec, limits }, signal);
      await this.#steps.run(async () => {
        if (this.isOver || this.#deal.phase === 'ending' || this.#deal.phase === 'closing') {
          await container.remove();
          return;
        }
        this.#container = container;
        this.#lastHealthyMs = this.#nowMs();
        this.#stage = 'ready';
        this.#watch(container);
        this.#set({ detail: 'Ready. Waiting for the first voucher.' });
      });
    } catch (thrown) {
      if (signal.aborted) return;
      const error = toAppError(thrown);
      this.#progress = null;
      this.#room.log.warn({ leaseId: this.leaseId, code: error.code, cause: error.cause }, 'preparation failed');
      await this.#steps.run(async () => {
        this.#stage = 'failed';
        this.#set({ phase: 'ending', detail: error.message });
        this.#room.notify('warning', 'A rental could not start', error.message, this.leaseId);
        this.#settlement.now();
      });
    }
  }

  #watch(container: DealContainer): void {
    void container.supervise(this.#life.signal).then(
      (end) =>
        this.#steps.run(async () => {
          if (this.isOver || this.#stage === 'stopped' || this.#deal.phase === 'ending') return;
          if (end.kind === 'exited') {
            const ranMs = end.finishedAtMs - Date.now() + this.#nowMs();
            await this.#finish(`The program ended with exit code ${end.exitCode}.`, Math.min(this.#nowMs(), ranMs));
          } else if (end.kind === 'disk-limit') await this.#finish('The machine used all the disk it may use.');
          else if (end.kind === 'removed') await this.#finish('The machine was removed.', this.#lastHealthyMs);
          else await this.#finish('The container engine stopped.', this.#lastHealthyMs);
        }),
      () => undefined,
    );
  }

  async #tick(): Promise<void> {
    if (this.isOver) return;
    const chainNow = this.#room.clock.now();
    if (this.#deal.phase === 'closing') {
      const lease = this.#room.chain.lease(this.leaseId);
      if (lease && lease.closeAt > 0 && chainNow > lease.closeAt) this.#settlement.finalize();
      return;
    }
    if (this.#stage === 'unknown' && this.#deal.openedAt !== null) {
      // A renter that opened and never came holds a unit: give it back once its paid time is over.
      const idle = chainNow - this.#deal.openedAt;
      if (idle > Math.min(this.#deal.capSeconds, this.#room.rules.endAfterSeconds) && !this.#preparing) {
        await this.#finish('The renter never came.');
      }
      return;
    }
    if ((this.#stage !== 'running' && this.#stage !== 'paused') || !this.#container) return;
    const now = this.#nowMs();
    const held = this.#heldSinceMs === null ? 0 : Math.max(1, (now - this.#heldSinceMs) / 1000);
    const verdict = providerVerdict(this.#tariff(), this.#room.rules, {
      served: this.servedSeconds,
      signed: this.#deal.signedSeconds,
      pausedSeconds: held,
    });
    if (verdict === 'end') {
      await this.#finish(
        this.servedSeconds >= this.#deal.capSeconds ? 'The paid time is over.' : 'The renter stopped paying.',
      );
      return;
    }
    if (verdict === 'pause') {
      if (this.#heldSinceMs === null) {
        this.#heldSinceMs = now;
        this.#served = pauseServing(this.#served, now);
        this.#stage = 'paused';
        this.#set({
          phase: 'paused',
          detail: 'Held: no voucher covers the time that follows.',
          servedSeconds: this.servedSeconds,
        });
        await this.#container.pause();
      }
      return;
    }
    if (this.#heldSinceMs !== null) {
      await this.#container.resume();
      this.#heldSinceMs = null;
      this.#stage = 'running';
      this.#lastHealthyMs = this.#nowMs();
      this.#served = resumeServing(this.#served, this.#nowMs());
      this.#set({ phase: 'running', detail: '' });
    }
    if (now - this.#lastCheckMs >= this.#room.rules.healthSeconds * 1000 - 100) await this.#check();
    if (this.#deal.signedSeconds - this.#deal.paidSeconds > DRAW_AFTER_SECONDS) this.#settlement.draw();
  }

  /** One health check: time counts up to the last one that passed. */
  async #check(): Promise<void> {
    const container = this.#container;
    if (!container) return;
    this.#lastCheckMs = this.#nowMs();
    if (await container.healthy(this.#life.signal).catch(() => false)) {
      this.#lastHealthyMs = this.#nowMs();
      if (this.#contact) this.#served = resumeServing(this.#served, this.#lastHealthyMs);
      this.#set({ servedSeconds: this.servedSeconds });
    } else this.#served = pauseServing(this.#served, this.#lastHealthyMs);
  }

  /** Ends the counting, now or at the last good moment, and the container with it. */
  async #stopContainer(untilMs?: number): Promise<void> {
    const container = this.#container ?? (await this.#room.engine.find(this.leaseId).catch(() => null));
    if (this.#stage !== 'stopped') {
      const wasRunning = this.#stage === 'running' && container !== null && untilMs === undefined;
      const good = wasRunning && (await container.healthy(AbortSignal.timeout(3000)).catch(() => false));
      this.#served = pauseServing(this.#served, untilMs ?? (good ? this.#nowMs() : this.#lastHealthyMs));
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

  async #finish(reason: string, untilMs?: number): Promise<void> {
    this.#set({ phase: 'ending', detail: reason });
    await this.#stopContainer(untilMs);
    this.#set({ detail: reason });
    this.#settlement.soon();
  }

  async #closed(event: Extract<LeaseEvent, { kind: 'LeaseClosed' }>): Promise<void> {
    if (this.isOver) return;
    const { paidSeconds, paid, fee, penalty, refund, txHash, at } = event;
    if (this.#stage !== 'stopped') await this.#stopContainer();
    this.#set({
      phase: 'closed',
      paidSeconds,
      closedAt: at,
      closeReason: this.#detail,
      settlement: { seconds: paidSeconds, paid, fee, penalty, refund, txHash },
    });
    clearInterval(this.#ticker);
    this.#settlement.dispose();
    this.#life.abort();
    const container = this.#container ?? (await this.#room.engine.find(this.leaseId).catch(() => null));
    this.#container = null;
    await container?.remove().catch((thrown: unknown) => {
      this.#room.log.warn(
        { leaseId: this.leaseId, error: toAppError(thrown).message },
        'the container could not be removed',
      );
    });
  }
}
