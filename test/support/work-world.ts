/**
 * A provider that works on jobs and a renter that posts them, in one process: real ledgers, a real practice chain, a real
 * line between them, real content stores. The renter here is a pair of hands that calls the contracts itself.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { hexlify, keccak256, randomBytes, toUtf8Bytes } from 'ethers';
import type { Call } from '../../src/chain/chain.ts';
import { startPracticeNetwork, type PracticeNetwork } from '../../src/chain/practice/practice-network.ts';
import { BLOCKS_STREAM } from '../../src/content/block-frames.ts';
import { serveBlocks } from '../../src/content/serve-blocks.ts';
import type { PeerConnection, PeerStream } from '../../src/peer/peer-link.ts';
import type { JobWork } from '../../src/provider/job-work.ts';
import type { JobRuntimes } from '../../src/runtime/job-runtime.ts';
import { Emitter } from '../../src/shared/emitter.ts';
import { ETH, type Address, type Bytes32, type Hex } from '../../src/shared/ids.ts';
import { JOB_REQUESTS, jobTermsAsJson } from '../../src/shared/job-protocol.ts';
import { jobSpecSchema, type JobSpec } from '../../src/shared/job-spec.ts';
import { lateFeeOf, type JobTerms } from '../../src/shared/job-terms.ts';
import type { Json } from '../../src/shared/json.ts';
import { silentLog } from '../../src/shared/log.ts';
import type { JobRun, Notification } from '../../src/store/ledger.ts';
import { JumpClock } from './jump-clock.ts';
import { partyWork } from './party-work.ts';
import { Party } from './party.ts';
import { untilRow } from './until-row.ts';

const WATT = 10n ** 18n;

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
  readonly #changed = new Emitter<void>();

  private constructor(runtimes: JobRuntimes) {
    this.runtimes = runtimes;
  }

  /** @param units how many jobs the offer takes at once */
  static async open(runtimes: JobRuntimes, { units = 1 } = {}): Promise<WorkWorld> {
    const world = new WorkWorld(runtimes);
    world.network = await startPracticeNetwork({ dataDir: world.#folder, log: silentLog, clock: world.clock });
    world.provider = await Party.withMoney('provider', world.network, world.clock, 500n * WATT);
    world.renter = await Party.withMoney('renter', world.network, world.clock, 500n * WATT);
    world.renter.handler = {
      onRequest: () => Promise.reject(new Error('the renter is asked nothing')),
      onStream: async (connection, stream) => {
        const isProvider = connection.remote.wallet === world.provider.account;
        await serveBlocks(stream, world.renter.content, (root) => isProvider && world.shared.has(root));
      },
    };
    world.offerId = await world.provider.offer({ price: WATT / 100n, units });
    const { calls, profile } = world.renter.chain;
    await world.renter.send(calls.authorize(profile.contracts.jobs as Address, true));
    await world.startProvider();
    await world.work.start({ commandId: 'start', claimsOpen: false });
    return world;
  }

  get watt(): Address {
    return this.network.profile.contracts.watt as Address;
  }

  async startProvider(): Promise<void> {
    const { provider, renter, offerId, runtimes } = this;
    const { chain, account } = provider;
    const work = partyWork(
      provider,
      { renter, offerId, runtimes, mayTake: () => this.policy },
      {
        send: async (call, options) => {
          await this.beforeSend(call);
          return chain.send(call, options);
        },
        gateways: () => this.gateways,
        onChange: ({ phase }) => {
          if (phase === this.#killAt?.phase) {
            this.kill();
            this.#killAt.done();
            this.#killAt = null;
          }
          this.#changed.emit();
        },
        notify: (level, title, body) => this.notes.push({ level, title, body }),
      },
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
    const read = () => this.provider.ledger.runs.get(dealId);
    const late = (run: JobRun | null) => `the run stayed ${run?.phase}: ${run?.detail}`;
    return untilRow({ changed: this.#changed, read, late, timeoutMs }, test);
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
    await this.renter.remove();
    await this.provider.remove();
    await this.runtimes.close();
    await this.network.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
