import { keccak256, toUtf8Bytes } from 'ethers';
import type { Chain } from '../chain/chain.ts';
import type { DealLimits, Engine } from '../runtime/engine.ts';
import { State } from '../shared/emitter.ts';
import { AppError, toAppError } from '../shared/errors.ts';
import type { Device } from '../shared/gpu.ts';
import type { Address, Bytes32 } from '../shared/ids.ts';
import type { Log } from '../shared/log.ts';
import type { RentalSpec } from '../shared/rental.ts';
import { Serial } from '../shared/serial.ts';
import type { Clock } from '../shared/time.ts';
import type { Ledger } from '../store/ledger.ts';
import type { DealDoor } from './deals.ts';
import { devicesOf, offerFields, ownOfferSchema, sameOffer, type OwnOfferParams } from './own-offer.ts';

const KEY = 'main';
const PIDS = 512;

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
    if (own.sharing) await this.start(params.data).catch((thrown: unknown) => this.#failed(thrown));
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
      this.#set({ state: 'starting', detail: 'Publishing the offer.', snoozedUntil: null });
      try {
        const known = ledger.offers.get(KEY);
        const seq = Number(ledger.settings.get('offer.sequence') ?? 0) + 1;
        ledger.transaction(() => {
          ledger.settings.set('offer.sequence', seq);
          ledger.offers.put({ key: KEY, offerId: known?.offerId ?? null, sharing: true, params: { ...params } });
        });
        const current = known?.offerId ? await chain.reads.offer(known.offerId) : null;
        const mine = current !== null && current.offer.provider === provider && current.status !== 'delisted';
        let offerId = known?.offerId ?? null;
        if (!mine || offerId === null) {
          const salt = keccak256(toUtf8Bytes(`offer:${provider}:${seq}`)) as Bytes32;
          offerId = chain.calls.offerId(provider, salt);
          ledger.offers.put({ key: KEY, offerId, sharing: true, params: { ...params } });
          await chain.send(chain.calls.registerOffer(fields, salt), { commandId: `offer:register:${offerId}` });
        } else {
          if (!sameOffer(current.offer, fields)) {
            await chain.send(chain.calls.changeOffer(offerId, fields), { commandId: `offer:change:${offerId}:${seq}` });
          }
          if (current.status === 'paused') {
            await chain.send(chain.calls.setOfferStatus(offerId, 'active'), {
              commandId: `offer:active:${offerId}:${seq}`,
            });
          }
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

  /** Takes the offer off the market; what runs finishes unless `rentals` is `now`. */
  stop(rentals: 'after' | 'now'): Promise<void> {
    return this.#steps.run(async () => {
      const { ledger, engine } = this.#ports;
      const own = ledger.offers.get(KEY);
      this.#clearSnooze();
      if (own) ledger.offers.put({ key: KEY, offerId: own.offerId, sharing: false, params: own.params });
      this.#set({ state: 'stopping', detail: 'Taking the offer off the market.', snoozedUntil: null });
      try {
        await this.#pauseOnChain('stop');
        if (rentals === 'now') await this.#ports.endRentals('The owner stopped sharing.');
        await engine.keepWarm(0).catch(() => undefined);
        const left = this.#ports.activeRentals();
        this.#set({
          state: 'off',
          detail:
            left === 0
              ? 'Nobody can rent this computer.'
              : `Not on the market; ${left} rental${left === 1 ? '' : 's'} may finish.`,
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
      await this.#pauseOnChain('snooze');
      const until = this.#ports.clock.now() + seconds;
      this.#set({ snoozedUntil: until, detail: 'Snoozed: not on the market until then.' });
      this.#snooze = setTimeout(() => {
        void this.#steps.run(() => this.#wake()).catch((thrown: unknown) => this.#failed(thrown));
      }, seconds * 1000);
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
    this.#clearSnooze();
  }

  async #wake(): Promise<void> {
    const { chain, ledger } = this.#ports;
    const { offerId } = this.state.value;
    const seq = Number(ledger.settings.get('offer.sequence') ?? 0) + 1;
    ledger.settings.set('offer.sequence', seq);
    if (offerId && (await chain.reads.offer(offerId))?.status === 'paused') {
      await chain.send(chain.calls.setOfferStatus(offerId, 'active'), { commandId: `offer:active:${offerId}:${seq}` });
    }
    this.#set({ snoozedUntil: null, detail: 'Anybody can rent this computer now.' });
  }

  async #pauseOnChain(why: string): Promise<void> {
    const { chain, ledger } = this.#ports;
    const offerId = this.state.value.offerId ?? ledger.offers.get(KEY)?.offerId;
    if (!offerId || (await chain.reads.offer(offerId))?.status !== 'active') return;
    const seq = Number(ledger.settings.get('offer.sequence') ?? 0) + 1;
    ledger.settings.set('offer.sequence', seq);
    await chain.send(chain.calls.setOfferStatus(offerId, 'paused'), { commandId: `offer:${why}:${offerId}:${seq}` });
  }

  #failed(thrown: unknown): void {
    const error = toAppError(thrown);
    this.#ports.log.warn({ code: error.code, message: error.message, cause: error.cause }, 'sharing failed');
    this.#set({ state: 'off', detail: error.message });
  }

  #clearSnooze(): void {
    if (this.#snooze) clearTimeout(this.#snooze);
    this.#snooze = null;
  }

  #set(change: Partial<SharingState>): void {
    this.state.set({ ...this.state.value, ...change });
  }
}
