/**
 * A provider that works on jobs and a renter that posts them, in one process: real ledgers, a real practice chain, a real
 * line between them, real content stores. The renter here is a pair of hands that calls the contracts itself.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Wallet, hexlify, keccak256, randomBytes, toUtf8Bytes } from 'ethers';
import type { Call, Chain } from '../../src/chain/chain.ts';
import { openChain } from '../../src/chain/open-chain.ts';
import { startPracticeNetwork, type PracticeNetwork } from '../../src/chain/practice/practice-network.ts';
import { BLOCKS_STREAM } from '../../src/content/block-frames.ts';
import type { ContentStore } from '../../src/content/content-store.ts';
import { openContentStore } from '../../src/content/open-content-store.ts';
import { serveBlocks } from '../../src/content/serve-blocks.ts';
import type { PeerConnection, PeerHandler, PeerLink, PeerStream } from '../../src/peer/peer-link.ts';
import { keyPairOf, testLink } from '../../src/peer/test-link.ts';
import { JobWork } from '../../src/provider/job-work.ts';
import type { JobRuntimes } from '../../src/runtime/job-runtime.ts';
import { ETH, type Address, type Bytes32, type Hex } from '../../src/shared/ids.ts';
import { JOB_REQUESTS, jobTermsAsJson } from '../../src/shared/job-protocol.ts';
import { jobSpecSchema, type JobSpec } from '../../src/shared/job-spec.ts';
import { lateFeeOf, type JobTerms } from '../../src/shared/job-terms.ts';
import type { Json } from '../../src/shared/json.ts';
import { silentLog } from '../../src/shared/log.ts';
import type { Clock } from '../../src/shared/time.ts';
import { acceptancePayload, peerBindingPayload, signerOf, type TypedPayload } from '../../src/shared/typed-data.ts';
import { GIB } from '../../src/shared/units.ts';
import type { JobRun, Ledger, Notification } from '../../src/store/ledger.ts';
import { openLedger } from '../../src/store/open-ledger.ts';

const WATT = 10n ** 18n;
const TICK_MS = 25;

/** Real time that can be put forward. */
class JumpClock implements Clock {
  #jumpedMs = 0;
  readonly monotonicMs = (): number => performance.now() + this.#jumpedMs;
  readonly now = (): number => Math.floor((Date.now() + this.#jumpedMs) / 1000);

  jump(seconds: number): void {
    this.#jumpedMs += seconds * 1000;
  }
}

const signed = async (wallet: Wallet, { domain, types, message }: TypedPayload): Promise<Hex> =>
  (await wallet.signTypedData(
    domain,
    Object.fromEntries(Object.entries(types).map(([name, fields]) => [name, [...fields]])),
    message,
  )) as Hex;

/** One computer: a wallet, a book, a store and a line, all of which outlive what runs in memory. */
export class Party {
  readonly name: string;
  readonly wallet = new Wallet(Wallet.createRandom().privateKey);
  readonly hostKey = new Wallet(Wallet.createRandom().privateKey);
  readonly account = this.wallet.address.toLowerCase() as Address;
  readonly folder = mkdtempSync(path.join(tmpdir(), 'commonwatt-work-'));
  readonly #network: PracticeNetwork;
  readonly #clock: Clock;
  handler: Partial<PeerHandler> = {};
  ledger!: Ledger;
  chain!: Chain;
  content!: ContentStore;
  link!: PeerLink;
  #commands = 0;

  constructor(name: string, network: PracticeNetwork, clock: Clock) {
    this.name = name;
    this.#network = network;
    this.#clock = clock;
  }

  async open(): Promise<void> {
    const { account, wallet, folder } = this;
    const clock = this.#clock;
    const { profile } = this.#network;
    this.ledger = openLedger(path.join(folder, 'ledger.db'), clock.now);
    this.chain = await openChain({
      profile,
      indexPath: path.join(folder, 'index.db'),
      ledger: this.ledger,
      signer: {
        address: account,
        signTransaction: async (transaction) => (await wallet.signTransaction({ type: 2, ...transaction })) as Hex,
      },
      clock,
      log: silentLog,
    });
    this.content = await openContentStore({
      dir: path.join(folder, 'content'),
      limitBytes: () => GIB,
      log: silentLog,
      clock,
    });
    const payload = (peerKey: Hex, role: 'provider' | 'renter' | 'validator', notAfter: number) =>
      peerBindingPayload(profile.chainId, { peerKey, role, notAfter });
    this.link = await testLink(
      `${this.name} ${account}`,
      {
        onRequest: (connection, kind, body) => this.handler.onRequest!(connection, kind, body),
        onStream: (connection, stream) => this.handler.onStream!(connection, stream),
      },
      {
        clock,
        binder: {
          wallet: account,
          chainId: profile.chainId,
          sign: (peerKey, role, notAfter) => signed(wallet, payload(peerKey, role, notAfter)),
          recover: (peerKey, role, notAfter, signature) => signerOf(payload(peerKey, role, notAfter), signature),
        },
      },
    );
  }

  get peerKey(): Bytes32 {
    return hexlify(keyPairOf(`${this.name} ${this.account}`).publicKey) as Bytes32;
  }

  send(call: Call): Promise<unknown> {
    this.#commands += 1;
    return this.chain.send(call, { commandId: `${this.name}-${performance.now()}-${this.#commands}` });
  }

  async shut(): Promise<void> {
    await this.link.close();
    await this.chain.close();
    await this.content.close();
    this.ledger.close();
  }
}

export class WorkWorld {
  readonly clock = new JumpClock();
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'commonwatt-work-world-'));
  readonly runtimes: JobRuntimes;
  network!: PracticeNetwork;
  provider!: Party;
  renter!: Party;
  work!: JobWork;
  offerId!: Bytes32;
  readonly notes: Pick<Notification, 'level' | 'title' | 'body'>[] = [];
  /** The owner's answer. */
  policy = { free: true, reason: '' };
  gateways: string[] = [];
  /** Held up here, whatever the provider sends. */
  beforeSend: (call: Call) => Promise<unknown> = async () => undefined;
  /** Content that the renter hands out to the provider. */
  readonly shared = new Set<string>();
  readonly #looks = new Set<() => void>();

  private constructor(runtimes: JobRuntimes) {
    this.runtimes = runtimes;
  }

  /** @param units how many jobs the offer takes at once */
  static async open(runtimes: JobRuntimes, { units = 1 } = {}): Promise<WorkWorld> {
    const world = new WorkWorld(runtimes);
    world.network = await startPracticeNetwork({ dataDir: world.#folder, log: silentLog, clock: world.clock });
    world.provider = new Party('provider', world.network, world.clock);
    world.renter = new Party('renter', world.network, world.clock);
    for (const party of [world.provider, world.renter]) {
      await world.network.faucet(party.account);
      await party.open();
      const { chain, account } = party;
      const { watt } = world;
      await party.send(chain.calls.approve(watt, 500n * WATT));
      await party.send(chain.calls.deposit(watt, 500n * WATT, account));
    }
    world.renter.handler = {
      onRequest: () => Promise.reject(new Error('the renter is asked nothing')),
      onStream: async (connection, stream) => {
        const isProvider = connection.remote.wallet === world.provider.account;
        await serveBlocks(stream, world.renter.content, (root) => isProvider && world.shared.has(root));
      },
    };
    const { chain, account, peerKey, hostKey } = world.provider;
    const salt = hexlify(randomBytes(32)) as Bytes32;
    world.offerId = chain.calls.offerId(account, salt);
    await world.provider.send(
      chain.calls.registerOffer(
        {
          gpuType: 'CPU',
          gpuModel: 'Test processor',
          gpuCount: 1,
          gpuMemoryGb: 4,
          price: WATT / 100n,
          unit: 3600,
          token: world.watt,
          region: 'eu',
          features: [],
          peerKey,
          providerSigner: hostKey.address.toLowerCase() as Address,
          endsBy: world.clock.now() + 80 * 86_400,
          minSeconds: 60,
          units,
        },
        salt,
      ),
    );
    const { jobs } = chain.profile.contracts;
    await world.renter.send(world.renter.chain.calls.authorize(jobs as Address, true));
    await world.startProvider();
    await world.work.start({ commandId: 'start', claimsOpen: false });
    return world;
  }

  get watt(): Address {
    return this.network.profile.contracts.watt as Address;
  }

  async startProvider(): Promise<void> {
    const { provider, clock, runtimes } = this;
    const { chain, ledger, content, account, hostKey } = provider;
    const at = { chainId: chain.profile.chainId, jobs: chain.profile.contracts.jobs as Address };
    const work = new JobWork(
      {
        account: {
          address: account,
          acceptanceSigner: hostKey.address.toLowerCase() as Address,
          send: async (call, options) => {
            await this.beforeSend(call);
            return chain.send(call, options);
          },
          signAcceptance: (jobId, offerId, validUntil) =>
            signed(hostKey, acceptancePayload(at, { jobId, offerId, validUntil })),
        },
        chain,
        ledger,
        runtimes,
        content,
        connect: (_to, options) =>
          provider.link.connect({ peerKey: this.renter.peerKey, endpoints: this.renter.link.endpoints }, options),
        runsDir: path.join(provider.folder, 'runs'),
        gateways: () => this.gateways,
        clock,
        log: silentLog,
        randomBytes32: () => hexlify(randomBytes(32)) as Bytes32,
        tickMs: TICK_MS,
        limitsFor: (_offerId, { resources }) => ({
          cpus: resources.cpus,
          memoryBytes: resources.memoryBytes,
          diskBytes: resources.diskBytes,
          pids: 128,
          uploadBitsPerSecond: null,
          gpuIds: [],
        }),
        onChange: ({ phase }) => {
          if (phase === this.#killAt?.phase) {
            this.kill();
            this.#killAt.done();
            this.#killAt = null;
          }
          for (const look of this.#looks) look();
        },
        notify: (level, title, body) => this.notes.push({ level, title, body }),
      },
      { offers: () => [this.offerId], mayTake: () => this.policy },
    );
    this.work = work;
    provider.handler = {
      onRequest: (connection, kind, body) => this.work.onRequest(connection, kind, body),
      onStream: (connection, stream) => this.#onStream(connection, stream),
    };
    this.#isDead = false;
    await work.recover();
    chain.onEvents((events) => {
      if (this.#isDead) throw new Error('killed');
      work.onChain(events);
      // Killed by what it heard: it is heard again.
      if (this.#isDead) throw new Error('killed');
    });
    await chain.watch([account]);
  }

  async #onStream(connection: PeerConnection, stream: PeerStream): Promise<void> {
    if (stream.kind !== BLOCKS_STREAM) return this.work.onStream(connection, stream);
    await serveBlocks(stream, this.provider.content, (root) => this.work.mayRead(root, connection.remote.wallet));
  }

  /** As kill -9 leaves it: what is in memory is gone, nothing more is written, no event is heard. */
  kill(): void {
    this.#isDead = true;
    this.work.close();
  }
  #isDead = false;

  /** The whole host is gone until `startAgain`. */
  async die(): Promise<void> {
    this.kill();
    await this.provider.shut();
  }

  /** Another life of the provider's host, on the same folders. */
  async startAgain(): Promise<void> {
    await this.provider.open();
    this.#line = null;
    await this.startProvider();
    await this.work.state.until(({ state }) => state !== 'starting');
  }

  async restart(): Promise<void> {
    await this.die();
    await this.startAgain();
  }

  #killAt: { phase: JobRun['phase']; done: () => void } | null = null;

  /** Kills the provider as soon as a run's row says this, before anything that follows is done. */
  killedAt(phase: JobRun['phase']): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#killAt = { phase, done: resolve };
    return promise;
  }

  spec(change: object = {}): JobSpec {
    return jobSpecSchema.parse({
      name: 'A test',
      work: { type: 'docker', image: 'commonwatt/practice:1' },
      timeouts: { runSeconds: 60 },
      renterPeer: this.renter.peerKey,
      ...change,
    });
  }

  async terms(spec: JobSpec, change: Partial<JobTerms> = {}): Promise<{ terms: JobTerms; text: string }> {
    const text = JSON.stringify(spec);
    const { minProviderStake, slashBps, feeBps } = await this.renter.chain.reads.jobRequirements();
    const bounty = change.bounty ?? WATT;
    const { copies, agree } = spec.verification.tier === 'redundancy' ? spec.verification : { copies: 1, agree: 1 };
    return {
      text,
      terms: {
        renter: this.renter.account,
        assignee: ETH,
        arbiter: ETH,
        token: this.watt,
        bounty,
        bond: lateFeeOf({ bounty, copies }),
        deadline: this.clock.now() + 600,
        minRun: 30,
        window: 1800,
        minStake: minProviderStake,
        gpuCount: 0,
        gpuMemoryGb: 0,
        tier: copies === 1 ? 0 : 2,
        copies,
        agree,
        feeBps,
        slashBps,
        specHash: keccak256(toUtf8Bytes(text)) as Bytes32,
        salt: hexlify(randomBytes(32)) as Bytes32,
        ...change,
      },
    };
  }

  #line: Promise<PeerConnection> | null = null;

  /** The renter's line to the provider. */
  line(): Promise<PeerConnection> {
    this.#line ??= this.renter.link.connect(
      { peerKey: this.provider.peerKey, endpoints: this.provider.link.endpoints },
      { expectWallet: this.provider.account },
    );
    return this.#line;
  }

  async request(kind: keyof typeof JOB_REQUESTS, body: Json): Promise<Json> {
    return (await this.line()).request(kind, body);
  }

  async ask(terms: JobTerms, text: string) {
    const body = { offerId: this.offerId, terms: jobTermsAsJson(terms), spec: text };
    return JOB_REQUESTS['job.ask'].output.parse(await this.request('job.ask', body));
  }

  /** Posts a job and gives it to the provider with its signed acceptance. */
  async assign(spec: JobSpec, change: Partial<JobTerms> = {}): Promise<{ terms: JobTerms; dealId: Bytes32 }> {
    const { terms, text } = await this.terms(spec, change);
    const { acceptance, reason } = await this.ask(terms, text);
    if (!acceptance) throw new Error(`the provider declines: ${reason}`);
    const { calls } = this.renter.chain;
    const { validUntil, signature } = acceptance;
    await this.renter.send(
      calls.batch([calls.postJob(terms, text), calls.assignJob(terms, this.offerId, validUntil, signature as Hex)]),
    );
    return { terms, dealId: calls.jobDealId(terms, this.offerId) };
  }

  /** Resolves with the run once `test` accepts it. */
  until(dealId: Bytes32, test: (run: JobRun) => boolean, timeoutMs = 20_000): Promise<JobRun> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const run = this.provider.ledger.runs.get(dealId);
        if (!run || !test(run)) return;
        this.#looks.delete(look);
        clearTimeout(timer);
        resolve(run);
      };
      const timer = setTimeout(() => {
        this.#looks.delete(look);
        const run = this.provider.ledger.runs.get(dealId);
        reject(new Error(`the run stayed ${run?.phase}: ${run?.detail}`));
      }, timeoutMs);
      this.#looks.add(look);
      look();
    });
  }

  phase(dealId: Bytes32, ...phases: JobRun['phase'][]): Promise<JobRun> {
    return this.until(dealId, ({ phase }) => phases.includes(phase));
  }

  /** Puts the clock forward, with a block that says so. */
  async jump(seconds: number): Promise<void> {
    this.clock.jump(seconds);
    await this.network.fund(this.renter.account, { token: ETH, amount: 1n });
  }

  async close(): Promise<void> {
    this.work.close();
    await this.renter.shut();
    await this.provider.shut();
    await this.runtimes.close();
    await this.network.close();
    for (const folder of [this.#folder, this.provider.folder, this.renter.folder]) {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
