/**
 * Both sides of leases in one process: the product's own provider and renter rooms, real ledgers and a real practice
 * chain, on a clock that runs faster than the sun and can be put forward. Only the engine and the wire are in memory.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Wallet } from 'ethers';
import type { Chain, SendOptions, Call } from '../../src/chain/chain.ts';
import { openChain } from '../../src/chain/open-chain.ts';
import { startPracticeNetwork, type PracticeNetwork } from '../../src/chain/practice/practice-network.ts';
import { signTyped } from '../../src/chain/testing-host.ts';
import type { PeerAddress, PeerConnection } from '../../src/peer/peer-link.ts';
import { Deals } from '../../src/provider/deals.ts';
import type { OwnOfferParams } from '../../src/provider/own-offer.ts';
import { Sharing } from '../../src/provider/sharing.ts';
import { Rentals } from '../../src/renter/rentals.ts';
import type { DealKeys } from '../../src/shared/deal-keys.ts';
import { Emitter } from '../../src/shared/emitter.ts';
import { AppError, toAppError } from '../../src/shared/errors.ts';
import { ETH, type Address, type Bytes32, type Hex } from '../../src/shared/ids.ts';
import type { Json } from '../../src/shared/json.ts';
import { silentLog } from '../../src/shared/log.ts';
import { rentalSpecSchema, type RentalSpec } from '../../src/shared/rental.ts';
import type { Clock } from '../../src/shared/time.ts';
import { finalPayload, signerOf, specHash, voucherPayload } from '../../src/shared/typed-data.ts';
import { GIB } from '../../src/shared/units.ts';
import type { Deal, DealRole, Ledger, Notification } from '../../src/store/ledger.ts';
import { openLedger } from '../../src/store/open-ledger.ts';
import type { MeterRules } from '../../src/verify/meter.ts';
import { openSpendingPolicy, type SpendingPolicy } from '../../src/wallet/spending-policy.ts';
import { FakeEngine } from './fake-engine.ts';
import { untilRow } from './until-row.ts';

/** Seconds of the world per real second. */
const SPEED = 20;
const TICK_MS = 25;
export const RULES: MeterRules = { intervalSeconds: 60, graceSeconds: 60, endAfterSeconds: 60, healthSeconds: 5 };
/** Wei per second. */
export const RATE = 10n ** 12n;
export const SPEC: RentalSpec = rentalSpecSchema.parse({ image: 'commonwatt/practice:1', internet: false });

class WorldClock implements Clock {
  readonly #startMs = performance.now();
  readonly #epoch = Math.floor(Date.now() / 1000);
  #jumpedMs = 0;

  #stoppedMs: number | null = null;

  readonly monotonicMs = (): number => this.#stoppedMs ?? (performance.now() - this.#startMs) * SPEED + this.#jumpedMs;
  readonly now = (): number => this.#epoch + Math.floor(this.monotonicMs() / 1000);

  /** Starting a host again takes real time, which would be minutes in here. */
  stop(): void {
    this.#stoppedMs ??= this.monotonicMs();
  }

  go(): void {
    if (this.#stoppedMs === null) return;
    const before = this.#stoppedMs;
    this.#stoppedMs = null;
    this.#jumpedMs += before - this.monotonicMs();
  }

  jump(seconds: number): void {
    this.#jumpedMs += seconds * 1000;
  }
}

const plain = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;

/** One computer: a wallet, a book on disk, a line to the chain. What runs in memory can be lost and made anew. */
export class Side {
  readonly wallet = new Wallet(Wallet.createRandom().privateKey);
  readonly session = new Wallet(Wallet.createRandom().privateKey);
  readonly account = this.wallet.address.toLowerCase() as Address;
  readonly notes: Notification[] = [];
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'commonwatt-lease-'));
  readonly #network: PracticeNetwork;
  readonly #clock: WorldClock;
  /** The wallet is locked: nothing can be sent. */
  locked = false;
  /** Counts down with every write of a deal; at 0 this side is as good as killed. */
  writesLeft = Infinity;
  /** Killed, and being taken apart: what it still tries to write is lost. */
  gone = false;
  ledger!: Ledger;
  chain!: Chain;
  policy!: SpendingPolicy;
  readonly #changed = new Emitter<void>();

  constructor(network: PracticeNetwork, clock: WorldClock) {
    this.#network = network;
    this.#clock = clock;
  }

  get isDead(): boolean {
    return this.writesLeft <= 0;
  }

  get keys(): DealKeys {
    const at = { chainId: this.#network.profile.chainId, rentals: this.#network.profile.contracts.rentals };
    return {
      address: this.session.address.toLowerCase() as Address,
      signVoucher: (leaseId, secs) => signTyped(this.session, voucherPayload(at, leaseId, secs)),
      signFinal: (leaseId, secs, deadline) => signTyped(this.session, finalPayload(at, leaseId, secs, deadline)),
      voucherSigner: (leaseId, secs, signature) => signerOf(voucherPayload(at, leaseId, secs), signature),
      finalSigner: (leaseId, secs, deadline, signature) =>
        signerOf(finalPayload(at, leaseId, secs, deadline), signature),
      specHash,
    };
  }

  async open(): Promise<void> {
    this.writesLeft = Infinity;
    this.gone = false;
    this.ledger = openLedger(path.join(this.#folder, 'ledger.db'), this.#clock.now);
    this.policy = await openSpendingPolicy({ file: path.join(this.#folder, 'spending.json'), clock: this.#clock });
    const { account, wallet } = this;
    this.chain = await openChain({
      profile: this.#network.profile,
      indexPath: path.join(this.#folder, 'index.db'),
      ledger: this.ledger,
      signer: {
        address: account,
        signTransaction: async (transaction) => {
          if (this.locked) throw new AppError('locked', 'The wallet is locked.');
          return (await wallet.signTransaction({ type: 2, ...transaction })) as Hex;
        },
      },
      clock: this.#clock,
      log: silentLog,
    });
  }

  /** The book and the chain as the rooms see them: dead silent once this side is killed. */
  get parts() {
    const { ledger, chain } = this;
    const dead = () => new Error('killed');
    const update: Ledger['deals']['update'] = (leaseId, role, change) => {
      const known = ledger.deals.get(leaseId, role);
      if (this.gone && known) return known;
      this.writesLeft -= 1;
      if (this.writesLeft < 0) throw dead();
      return ledger.deals.update(leaseId, role, change);
    };
    const book: Ledger = { ...ledger, deals: { ...ledger.deals, update } };
    const send = (call: Call, options: SendOptions) =>
      this.isDead ? new Promise<never>(() => {}) : chain.send(call, options);
    return {
      chain: { ...chain, now: () => chain.now(), send },
      ledger: book,
      keys: this.keys,
      clock: this.#clock,
      log: silentLog,
      rules: RULES,
      tickMs: TICK_MS,
      onChange: (): void => this.#changed.emit(),
      notify: (level: Notification['level'], title: string, body: string, leaseId: Bytes32): void => {
        this.notes.push({ id: '', at: 0, level, title, body, leaseId });
      },
    };
  }

  /** Resolves with the deal once `test` accepts it. */
  until(leaseId: Bytes32, role: DealRole, test: (deal: Deal) => boolean, timeoutMs = 20_000): Promise<Deal> {
    const read = () => this.ledger.deals.get(leaseId, role);
    const late = (deal: Deal | null) => `the ${role}'s deal stayed ${deal?.phase}: ${deal?.detail}`;
    return untilRow({ changed: this.#changed, read, late, timeoutMs }, test);
  }

  async shut(): Promise<void> {
    await this.chain.close();
    await this.policy.close();
    this.ledger.close();
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export class LeaseWorld {
  readonly clock = new WorldClock();
  readonly engine = new FakeEngine();
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'commonwatt-world-'));
  network!: PracticeNetwork;
  provider!: Side;
  renter!: Side;
  deals!: Deals;
  sharing!: Sharing;
  rentals!: Rentals;
  offerId!: Bytes32;
  /** False: nobody reaches the provider. */
  online = true;
  /** True: the provider hears requests of this kind and never answers. */
  mute: ((kind: string) => boolean) | null = null;
  /** What the provider answers may be changed on its way. */
  tamper: ((kind: string, answer: Json) => Json) | null = null;
  #commands = 0;
  readonly #lines = new Set<(reason: string) => void>();

  static async open({ share = true } = {}): Promise<LeaseWorld> {
    const world = new LeaseWorld();
    world.network = await startPracticeNetwork({ dataDir: world.#folder, log: silentLog, clock: world.clock });
    world.provider = new Side(world.network, world.clock);
    world.renter = new Side(world.network, world.clock);
    await Promise.all([world.network.faucet(world.provider.account), world.network.faucet(world.renter.account)]);
    await Promise.all([world.startProvider(), world.startRenter()]);
    const { chain, account } = world.renter;
    await chain.send(chain.calls.deposit(ETH, 10n ** 18n, account), { commandId: 'deposit' });
    if (!share) return world;
    world.offerId = await world.sharing.start(world.offer());
    await chain.sync.until(() => chain.offer(world.offerId) !== null);
    return world;
  }

  offer(change: Partial<OwnOfferParams> = {}): OwnOfferParams {
    return {
      deviceIds: ['cpu'],
      price: `${RATE * 3600n}`,
      unit: 3600,
      token: ETH,
      region: 'eu',
      features: [],
      minSeconds: 60,
      endsBy: this.clock.now() + 30 * 86_400,
      limits: { cpus: 2, memoryBytes: 4 * GIB, diskBytes: 20 * GIB, uploadBitsPerSecond: null },
      ...change,
    };
  }

  async startProvider(): Promise<void> {
    const { provider, engine } = this;
    await provider.open();
    const parts = provider.parts;
    this.sharing = new Sharing({
      ...parts,
      engine,
      provider: () => provider.account,
      peerKey: `0x${'09'.repeat(32)}`,
      providerSigner: parts.keys.address,
      devices: () => [{ id: 'cpu', kind: 'cpu', vendor: 'Test', model: 'Processor', memoryBytes: 4 * GIB } as never],
      activeRentals: () => deals.active().length,
      endRentals: (reason) => deals.endAll(reason),
      activeJobs: () => 0,
      endJobs: async () => undefined,
    });
    const deals: Deals = new Deals(
      { ...parts, engine, limitsFor: (offerId, spec) => this.sharing.limitsFor(offerId, spec) },
      this.sharing,
    );
    this.deals = deals;
    await deals.recover();
    provider.chain.onEvents((events) => {
      if (!provider.isDead) deals.onChain(events);
      else throw new Error('killed');
    });
    await provider.chain.watch([provider.account]);
    await this.sharing.recover();
    this.clock.go();
  }

  async startRenter(): Promise<void> {
    const { renter } = this;
    await renter.open();
    const rentals = new Rentals({
      ...renter.parts,
      connect: (to, options) => this.#connect(to, options.signal),
      renter: () => renter.account,
      policy: renter.policy,
      tokenOf: () => ({ symbol: 'ETH', decimals: 18 }),
    });
    this.rentals = rentals;
    await rentals.recover();
    renter.chain.onEvents((events) => {
      if (!renter.isDead) rentals.onChain(events);
      else throw new Error('killed');
    });
    await renter.chain.watch([renter.account]);
    this.clock.go();
  }

  /** As kill -9 leaves it: nothing more is written, nobody is told. */
  async killProvider(): Promise<void> {
    this.clock.stop();
    this.provider.writesLeft = 0;
    this.provider.gone = true;
    this.cut('The provider was killed.');
    this.deals.close();
    this.sharing.close();
    await this.provider.shut();
  }

  async killRenter(): Promise<void> {
    this.clock.stop();
    this.renter.writesLeft = 0;
    this.renter.gone = true;
    this.cut('The renter was killed.');
    this.rentals.close();
    await this.renter.shut();
  }

  /** Drops every line; a new one may be made at once unless `online` is false. */
  cut(reason = 'The line was cut.'): void {
    for (const drop of this.#lines) drop(reason);
  }

  open(seconds = 600, spec: RentalSpec = SPEC): Promise<Bytes32> {
    this.#commands += 1;
    const request = { commandId: `rent-${this.#commands}`, offerId: this.offerId, seconds, spec };
    return this.rentals.open(request, AbortSignal.timeout(20_000));
  }

  /** Rents and waits until access is given. */
  async run(seconds = 600): Promise<Bytes32> {
    await this.freed();
    const leaseId = await this.open(seconds);
    await this.renter.until(leaseId, 'renter', ({ phase }) => phase === 'running');
    return leaseId;
  }

  /** The machine is free for the next rental. */
  async freed(): Promise<void> {
    const giveUp = performance.now() + 20_000;
    while (this.deals.active().length > 0 || this.renter.chain.offer(this.offerId)?.free !== 1) {
      if (performance.now() > giveUp) throw new Error('the machine did not come free');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Resolves when the world's clock is this much later. */
  passes(seconds: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, (seconds * 1000) / SPEED));
  }

  /** Puts the clock forward, with a block that says so. */
  async jump(seconds: number): Promise<void> {
    this.clock.jump(seconds);
    await this.network.faucet(this.renter.account);
  }

  /** Both sides' rows once the chain has closed the lease. */
  async closed(leaseId: Bytes32, timeoutMs = 20_000): Promise<{ renter: Deal; provider: Deal }> {
    const over = ({ phase }: Deal) => phase === 'closed';
    const [renter, provider] = await Promise.all([
      this.renter.until(leaseId, 'renter', over, timeoutMs),
      this.provider.until(leaseId, 'provider', over, timeoutMs),
    ]);
    return { renter, provider };
  }

  /** Booked movements and the Vault's balance, for both sides. */
  async booksAgree(): Promise<boolean> {
    for (const { ledger, chain, account } of [this.renter, this.provider]) {
      const booked = ledger.movements.sum({ chainId: chain.profile.chainId, account }).get(ETH) ?? 0n;
      if (booked !== (await chain.reads.vaultBalance(account, ETH))) return false;
    }
    return true;
  }

  async close(): Promise<void> {
    this.rentals.close();
    this.deals.close();
    this.sharing.close();
    await Promise.all([this.provider.shut(), this.renter.shut()]);
    await this.network.close();
    this.provider.remove();
    this.renter.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** A line of the renter to the provider, as a stranger with another wallet where one is given. */
  line(wallet: Address = this.renter.account): PeerConnection {
    return this.#pair(wallet);
  }

  async #connect(_to: PeerAddress, signal: AbortSignal): Promise<PeerConnection> {
    signal.throwIfAborted();
    if (!this.online || this.provider.isDead) throw new AppError('peer-unreachable', 'Nobody answers there.');
    return this.#pair(this.renter.account);
  }

  #pair(wallet: Address): PeerConnection {
    const { promise: closed, resolve } = Promise.withResolvers<{ reason: string }>();
    let open = true;
    const drop = (reason: string) => {
      open = false;
      this.#lines.delete(drop);
      resolve({ reason });
    };
    this.#lines.add(drop);
    const listeners = new Set<(kind: string, body: Json) => void>();
    const base = {
      carrier: 'tcp' as const,
      purpose: 'control' as const,
      relayed: false,
      rttMs: () => 1,
      close: (reason = '') => drop(reason),
      closed,
      open: () => Promise.reject(new AppError('unsupported', 'No streams here.')),
    };
    const far: PeerConnection = {
      ...base,
      remote: { peerKey: `0x${'08'.repeat(32)}`, wallet, role: 'renter' },
      request: () => Promise.reject(new AppError('unsupported', 'Providers ask nothing.')),
      event: (kind, body) => {
        const text = plain(body);
        queueMicrotask(() => {
          if (open) for (const listener of listeners) listener(kind, text);
        });
      },
      onEvent: () => () => undefined,
    };
    return {
      ...base,
      remote: { peerKey: `0x${'09'.repeat(32)}`, wallet: this.provider.account, role: 'provider' },
      request: async (kind, body, options = {}) => {
        if (!open || this.renter.isDead) throw new AppError('peer-unreachable', 'The line is closed.');
        const lost = closed.then(({ reason }): never => {
          throw new AppError('peer-unreachable', reason);
        });
        const late = new Promise<never>((_resolve, reject) => {
          const timer = setTimeout(
            () => reject(new AppError('timeout', `No answer to ${kind}.`)),
            (options.timeoutMs ?? 30_000) / SPEED + 500,
          );
          void closed.then(() => clearTimeout(timer));
        });
        const heard =
          this.provider.isDead || this.mute?.(kind)
            ? new Promise<never>(() => {})
            : this.deals.onRequest(far, kind, plain(body)).then(
                (answer) => plain(this.tamper ? this.tamper(kind, answer) : answer),
                (thrown: unknown) => {
                  const { code, message } = toAppError(thrown);
                  throw new AppError(code, message);
                },
              );
        late.catch(() => undefined);
        lost.catch(() => undefined);
        return Promise.race([heard, late, lost]);
      },
      event: () => undefined,
      onEvent: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    };
  }
}
