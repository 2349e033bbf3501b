import { keccak256, toUtf8Bytes } from 'ethers';
import type { Chain } from '../chain/chain.ts';
import type { DealLimits, Engine } from '../runtime/engine.ts';
import { State } from '../shared/emitter.ts';
import { AppError, toAppError, type ErrorCode } from '../shared/errors.ts';
import type { Device } from '../shared/gpu.ts';
import type { Address, Bytes32 } from '../shared/ids.ts';
import type { Log } from '../shared/log.ts';
import type { RentalSpec } from '../shared/rental.ts';
import { Serial } from '../shared/serial.ts';
import type { Clock } from '../shared/time.ts';
import type { Ledger } from '../store/ledger.ts';
import type { DealDoor } from './deals.ts';
import type { OfferFields } from '../chain/events.ts';
import { devicesOf, offerFields, ownOfferSchema, sameOffer, type OwnOfferParams } from './own-offer.ts';

const KEY = 'main';
/** The salt of the offer's id. */
const SALT = 'offer.salt';
/** Unix seconds until which the owner has snoozed. */
const SNOOZED = 'offer.snoozedUntil';
const PIDS = 512;
/** What keeps an offer off the market for a while only: it is published as soon as that is over. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  'locked',
  'network-down',
  'insufficient-funds',
  'timeout',
  'busy',
  'engine-down',
]);
const RETRY_MS = 5000;
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface SharingState {
  state: 'off' | 'starting' | 'on' | 'stopping';
  detail: string;
  snoozedUntil: number | null;
  offerId: Bytes32 | null;
}

export interface SharingPorts {
  chain: Chain;
  ledger: Ledger;
  engine: Engine;
  clock: Clock;
  log: Log;
  /** The wallet that owns the offer and is paid; throws AppError while there is none. */
  provider(): Address;
  peerKey: Bytes32;
  providerSigner: Address;
  devices(): readonly Device[];
  /** Leases being served now. */
  activeRentals(): number;
  endRentals(reason: string): Promise<void>;
  /** Jobs that this computer is busy with now. */
  activeJobs(): number;
  endJobs(reason: string): Promise<void>;
}

/**
 * The one big switch. The owner's wish is written to the ledger first; the chain is then brought to say the same, again
 * after every restart.
 */
export class Sharing implements DealDoor {
  readonly state = new State<SharingState>({
    state: 'off',
    detail: 'Nobody can rent this computer.',
    snoozedUntil: null,
    offerId: null,
  });
  readonly #ports: SharingPorts;
  readonly #steps = new Serial();
  #params: OwnOfferParams | null = null;
  #snooze: NodeJS.Timeout | null = null;
  /** The owner's wish of an earlier run waits for something that passes. */
  #retry: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(ports: SharingPorts) {
    this.#ports = ports;
  }

  /** What the owner shares (or shared last), null before the first time. */
  get params(): OwnOfferParams | null {
    return this.#params;
  }

  /** Goes back to what the owner wanted when this host last ran. */
  async recover(): Promise<void> {
    const own = this.#ports.ledger.offers.get(KEY);
    if (!own) return;
    const params = ownOfferSchema.safeParse(own.params);
    if (!params.success) return;
    this.#params = params.data;
    this.#set({ offerId: own.offerId });
    if (!own.sharing) return;
    const until = Number(this.#ports.ledger.settings.get(SNOOZED) ?? 0);
    if (until > this.#ports.clock.now()) {
      this.#set({ state: 'on' });
      this.#sleepUntil(until);
      return;
    }
    try {
      await this.start(params.data);
    } catch (thrown) {
      this.#failed(thrown);
      if (!PASSING.has(toAppError(thrown).code) || this.#closed) return;
      this.#retry = setTimeout(() => {
        this.recover().catch((again: unknown) => this.#failed(again));
      }, RETRY_MS);
    }
  }

  start(params: OwnOfferParams): Promise<Bytes32> {
    return this.#steps.run(async () => {
      const { chain, ledger, engine, clock, peerKey, providerSigner } = this.#ports;
      const provider = this.#ports.provider();
      const fields = offerFields(params, this.#ports.devices(), {
        now: clock.now(),
        provider,
        peerKey,
        providerSigner,
      });
      if (!engine.info) {
        throw new AppError('engine-down', 'The Docker engine does not answer, so nothing can be run for others.', {
          next: 'Start Docker, then share again.',
        });
      }
      this.#clearSnooze();
      ledger.settings.remove(SNOOZED);
      this.#set({ state: 'starting', detail: 'Publishing the offer.', snoozedUntil: null });
      try {
        const known = ledger.offers.get(KEY);
        ledger.offers.put({ key: KEY, offerId: known?.offerId ?? null, sharing: true, params: { ...params } });
        const offerId = await this.#registered(provider, fields, params);
        const current = await chain.reads.offer(offerId);
        if (current && !sameOffer(current.offer, fields)) {
          await chain.send(chain.calls.changeOffer(offerId, fields), {
            commandId: `offer:change:${offerId}:${this.#nextSeq()}`,
          });
        }
        if (current?.status === 'paused') {
          await chain.send(chain.calls.setOfferStatus(offerId, 'active'), {
            commandId: `offer:active:${offerId}:${this.#nextSeq()}`,
          });
        }
        this.#params = params;
        await engine.keepWarm(1).catch(() => undefined);
        this.#set({ state: 'on', detail: 'Anybody can rent this computer now.', offerId });
        return offerId;
      } catch (thrown) {
        this.#failed(thrown);
        throw thrown;
      }
    });
  }

  /** Takes the offer off the market; rentals and jobs that run finish unless `rentals` is `now`. */
  stop(rentals: 'after' | 'now'): Promise<void> {
    return this.#steps.run(async () => {
      const { ledger, engine } = this.#ports;
      const own = ledger.offers.get(KEY);
      this.#clearSnooze();
      ledger.settings.remove(SNOOZED);
      if (own) ledger.offers.put({ key: KEY, offerId: own.offerId, sharing: false, params: own.params });
      this.#set({ state: 'stopping', detail: 'Taking the offer off the market.', snoozedUntil: null });
      try {
        await this.#pauseOnChain('stop');
        if (rentals === 'now') {
          const reason = 'The owner stopped sharing.';
          await Promise.all([this.#ports.endRentals(reason), this.#ports.endJobs(reason)]);
        }
        await engine.keepWarm(0).catch(() => undefined);
        const left = this.#left();
        this.#set({
          state: 'off',
          detail: left === '' ? 'Nobody can rent this computer.' : `Not on the market; ${left}`,
        });
      } catch (thrown) {
        this.#failed(thrown);
        throw thrown;
      }
    });
  }

  /** Off the market for a while; 0 wakes at once. */
  snooze(seconds: number): Promise<void> {
    return this.#steps.run(async () => {
      if (this.state.value.state !== 'on') {
        throw new AppError('conflict', 'Sharing is off, so there is nothing to snooze.', { next: 'Share first.' });
      }
      this.#clearSnooze();
      if (seconds === 0) {
        await this.#wake();
        return;
      }
      const until = this.#ports.clock.now() + seconds;
      this.#ports.ledger.settings.set(SNOOZED, until);
      await this.#pauseOnChain('snooze');
      this.#sleepUntil(until);
    });
  }

  mayServe(offerId: Bytes32): boolean {
    const { state, offerId: mine } = this.state.value;
    return mine === offerId && (state === 'on' || state === 'starting');
  }

  accepts(offerId: Bytes32, spec: RentalSpec): { free: boolean; reason: string } {
    const { snoozedUntil } = this.state.value;
    if (!this.mayServe(offerId) || !this.#params) return { free: false, reason: 'This computer does not share now.' };
    if (snoozedUntil !== null) return { free: false, reason: 'The owner has snoozed sharing.' };
    if (!this.#ports.engine.info) return { free: false, reason: 'The Docker engine of this computer is down.' };
    if (this.#ports.activeRentals() > 0) return { free: false, reason: 'This computer is rented now.' };
    const { limits } = this.#params;
    if (spec.memoryBytes !== undefined && spec.memoryBytes > limits.memoryBytes) {
      return { free: false, reason: `At most ${limits.memoryBytes} bytes of memory are offered.` };
    }
    if (spec.cpus !== undefined && spec.cpus > limits.cpus) {
      return { free: false, reason: `At most ${limits.cpus} processors are offered.` };
    }
    return { free: true, reason: '' };
  }

  /** The owner's limits, narrowed by what the renter asked for. */
  limitsFor(_offerId: Bytes32, spec: RentalSpec): DealLimits {
    if (!this.#params) throw new AppError('conflict', 'This computer has never shared anything.');
    const { limits } = this.#params;
    const devices = devicesOf(this.#params, this.#ports.devices());
    return {
      cpus: Math.min(limits.cpus, spec.cpus ?? limits.cpus),
      memoryBytes: Math.min(limits.memoryBytes, spec.memoryBytes ?? limits.memoryBytes),
      diskBytes: Math.min(limits.diskBytes, spec.diskBytes),
      pids: PIDS,
      uploadBitsPerSecond: limits.uploadBitsPerSecond,
      gpuIds: devices.filter((device) => device.kind === 'gpu').map((device) => device.id),
    };
  }

  close(): void {
    this.#closed = true;
    this.#clearSnooze();
  }

  /**
   * The id of this wallet's one offer, on chain when it resolves. The salt is in the book before anything is sent: a host
   * that was killed in between sends the same registration again, never a second offer.
   */
  async #registered(provider: Address, fields: OfferFields, params: OwnOfferParams): Promise<Bytes32> {
    const { chain, ledger } = this.#ports;
    const known = ledger.offers.get(KEY)?.offerId ?? null;
    const found = known ? await chain.reads.offer(known) : null;
    if (known && found?.offer.provider === provider && found.status !== 'delisted') return known;
    const salt = ledger.settings.get(SALT) as Bytes32 | undefined;
    if (known && !found && salt !== undefined && chain.calls.offerId(provider, salt) === known) {
      const commandId = `offer:register:${known}`;
      if (ledger.outgoing.byCommand(commandId)?.state !== 'reverted') {
        await chain.send(chain.calls.registerOffer(fields, salt), { commandId });
        return known;
      }
    }
    const fresh = keccak256(toUtf8Bytes(`offer:${provider}:${this.#nextSeq()}`)) as Bytes32;
    const offerId = chain.calls.offerId(provider, fresh);
    ledger.transaction(() => {
      ledger.settings.set(SALT, fresh);
      ledger.offers.put({ key: KEY, offerId, sharing: true, params: { ...params } });
    });
    await chain.send(chain.calls.registerOffer(fields, fresh), { commandId: `offer:register:${offerId}` });
    return offerId;
  }

  /** For commands that may be given many times: each is its own. */
  #nextSeq(): number {
    const { settings } = this.#ports.ledger;
    const seq = Number(settings.get('offer.sequence') ?? 0) + 1;
    settings.set('offer.sequence', seq);
    return seq;
  }

  /** What still keeps this computer busy, as the end of a sentence; empty where nothing does. */
  #left(): string {
    const count = (number: number, word: string) =>
      number === 0 ? [] : [`${number} ${word}${number === 1 ? '' : 's'}`];
    const left = [...count(this.#ports.activeRentals(), 'rental'), ...count(this.#ports.activeJobs(), 'job')];
    return left.length === 0 ? '' : `${left.join(' and ')} may finish.`;
  }

  #sleepUntil(until: number): void {
    const left = this.#left();
    const detail = left === '' ? 'not on the market until then.' : `not on the market until then; ${left}`;
    this.#set({ snoozedUntil: until, detail: `Snoozed: ${detail}` });
    const ms = (until - this.#ports.clock.now()) * 1000;
    this.#snooze = setTimeout(
      () => {
        this.#steps.run(() => this.#wake()).catch((thrown: unknown) => this.#failed(thrown));
      },
      Math.min(MAX_TIMER_MS, ms),
    );
  }

  async #wake(): Promise<void> {
    const { chain, ledger } = this.#ports;
    const { offerId } = this.state.value;
    ledger.settings.remove(SNOOZED);
    if (offerId && (await chain.reads.offer(offerId))?.status === 'paused') {
      await chain.send(chain.calls.setOfferStatus(offerId, 'active'), {
        commandId: `offer:active:${offerId}:${this.#nextSeq()}`,
      });
    }
    this.#set({ snoozedUntil: null, detail: 'Anybody can rent this computer now.' });
  }

  async #pauseOnChain(why: string): Promise<void> {
    const { chain, ledger } = this.#ports;
    const offerId = this.state.value.offerId ?? ledger.offers.get(KEY)?.offerId;
    if (!offerId || (await chain.reads.offer(offerId))?.status !== 'active') return;
    await chain.send(chain.calls.setOfferStatus(offerId, 'paused'), {
      commandId: `offer:${why}:${offerId}:${this.#nextSeq()}`,
    });
  }

  #failed(thrown: unknown): void {
    const error = toAppError(thrown);
    this.#ports.log.warn({ code: error.code, message: error.message, cause: error.cause }, 'sharing failed');
    this.#set({ state: 'off', detail: error.message });
  }

  #clearSnooze(): void {
    if (this.#snooze) clearTimeout(this.#snooze);
    if (this.#retry) clearTimeout(this.#retry);
    this.#snooze = this.#retry = null;
  }

  #set(change: Partial<SharingState>): void {
    this.state.set({ ...this.state.value, ...change });
  }
}
