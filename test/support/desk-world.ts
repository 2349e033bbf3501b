/**
 * A renter's desk and several providers in one process: the product's own rooms on both sides, real ledgers, a real
 * practice chain, real lines and content stores. Only what runs a job is in memory.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startPracticeNetwork, type PracticeNetwork } from '../../src/chain/practice/practice-network.ts';
import type { JobWork } from '../../src/provider/job-work.ts';
import { serveContent } from '../../src/host/serve-content.ts';
import { JobDesk } from '../../src/renter/jobs/job-desk.ts';
import type { ResolveImage } from '../../src/renter/jobs/pin-image.ts';
import { Scheduling } from '../../src/renter/jobs/scheduling.ts';
import { AppError } from '../../src/shared/errors.ts';
import { Emitter } from '../../src/shared/emitter.ts';
import { ETH, type Address, type Bytes32 } from '../../src/shared/ids.ts';
import { jobFileSchema, type JobFile } from '../../src/shared/job-spec.ts';
import { silentLog } from '../../src/shared/log.ts';
import type { JobTask, Notification } from '../../src/store/ledger.ts';
import { FakeRuntimes } from './fake-runtimes.ts';
import { JumpClock } from './jump-clock.ts';
import { TICK_MS, partyWork } from './party-work.ts';
import { Party } from './party.ts';
import { untilRow } from './until-row.ts';

export const WATT = 10n ** 18n;

export interface Provider {
  party: Party;
  work: JobWork;
  runtimes: FakeRuntimes;
  offerId: Bytes32;
  /** The owner's answer. */
  policy: { free: boolean; reason: string };
}

export class DeskWorld {
  readonly clock = new JumpClock();
  readonly providers: Provider[] = [];
  readonly changed = new Emitter<string>();
  readonly notes: (Pick<Notification, 'level' | 'title' | 'body'> & { taskId: string })[] = [];
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'commonwatt-desk-'));
  network!: PracticeNetwork;
  renter!: Party;
  desk!: JobDesk;
  scheduling!: Scheduling;
  /** Kills the desk right after the book says this. */
  killAt: JobTask['phase'] | null = null;
  /** No new line to a provider opens while this says so. */
  linesDown = false;
  gateways: readonly string[] = [];
  /** As the renter's container engine answers. */
  resolveImage: ResolveImage = (image) => Promise.resolve(image);
  #commands = 0;
  #life = { over: false };
  #closing: Promise<void> | null = null;
  #died: (() => void) | null = null;

  static async open({ providers = 1, units = 1 } = {}): Promise<DeskWorld> {
    const world = new DeskWorld();
    world.network = await startPracticeNetwork({ dataDir: world.#folder, log: silentLog, clock: world.clock });
    world.renter = await Party.withMoney('renter', world.network, world.clock, 900n * WATT);
    for (let index = 0; index < providers; index += 1) world.providers.push(await world.#provider(index, units));
    await world.startDesk();
    return world;
  }

  get watt(): Address {
    return this.network.profile.contracts.watt as Address;
  }

  async #provider(index: number, units: number): Promise<Provider> {
    const party = await Party.withMoney(`provider ${index}`, this.network, this.clock, 500n * WATT);
    const { chain, content, account } = party;
    const offerId = await party.offer({ price: WATT / 100n + BigInt(index), units });
    const runtimes = new FakeRuntimes();
    const policy = { free: true, reason: '' };
    const work = partyWork(party, { renter: this.renter, offerId, runtimes, mayTake: () => policy });
    party.handler = {
      onRequest: (connection, kind, body) => work.onRequest(connection, kind, body),
      onStream: async (connection, stream) => {
        if (stream.kind !== 'content.blocks') return work.onStream(connection, stream);
        serveContent(stream, content, (root) => work.mayRead(root, connection.remote.wallet));
      },
    };
    await work.recover();
    chain.onEvents((events) => work.onChain(events));
    await chain.watch([account]);
    await work.start({ commandId: 'start', claimsOpen: true });
    return { party, work, runtimes, offerId, policy };
  }

  /** A new life of the desk on the same book, chain, store and line. */
  async startDesk(): Promise<void> {
    const { renter, clock } = this;
    if (this.#closing) {
      await this.#closing;
      this.#closing = null;
      await renter.shut();
      await renter.open();
    }
    const { chain, ledger, content, account, peerKey } = renter;
    this.killAt = null;
    const life = { over: false };
    this.#life = life;
    const scheduling = new Scheduling({ chain, ledger, clock, log: silentLog, onChange: () => this.changed.emit('') });
    const desk: JobDesk = new JobDesk({
      account: {
        address: account,
        peerKey,
        // The dead send nothing.
        send: (call, options) => (life.over ? new Promise(() => {}) : chain.send(call, options)),
      },
      chain,
      ledger,
      content,
      gateways: () => this.gateways,
      resolveImage: (image, signal) => this.resolveImage(image, signal),
      connect: (to, options) => {
        if (this.linesDown) return Promise.reject(new AppError('peer-unreachable', 'No line.'));
        const endpoints = this.providers.find(({ party }) => party.peerKey === to.peerKey)?.party.link.endpoints ?? [];
        return renter.link.connect({ ...to, endpoints }, options);
      },
      policy: { reserve: nothing, commit: nothing, release: nothing, endDeal: nothing },
      marginSeconds: 60,
      tickMs: TICK_MS,
      clock,
      log: silentLog,
      randomSeed: () => 7,
      onChange: (taskId) => {
        if (this.killAt !== null && ledger.tasks.get(taskId)?.phase === this.killAt) this.kill();
        this.changed.emit(taskId);
      },
      onWaiting: () => scheduling.poke(),
      notify: (level, title, body, taskId) => this.notes.push({ level, title, body, taskId }),
    });
    this.desk = desk;
    this.scheduling = scheduling;
    renter.handler = {
      onRequest: () => Promise.reject(new Error('the renter is asked nothing')),
      onStream: (connection, stream) =>
        serveContent(stream, content, (root) => desk.mayRead(connection.remote.wallet, root)),
    };
    await desk.recover();
    scheduling.add(desk);
    chain.onEvents((events) => {
      if (!life.over) desk.onChain(events);
    });
    await chain.watch([account]);
  }

  /** As kill -9 leaves it: what is in memory is gone, what is being done is not finished. */
  kill(): void {
    this.killAt = null;
    this.#life.over = true;
    this.desk.close();
    this.scheduling.close();
    // From here on nothing is delivered: the next life hears it.
    this.#closing = this.renter.chain.close();
    this.#died?.();
  }

  /** Resolves once the desk has died of `killAt`. */
  died(): Promise<void> {
    return new Promise((resolve) => {
      this.#died = resolve;
    });
  }

  file(change: object = {}): JobFile {
    return jobFileSchema.parse({
      name: 'A test',
      work: { type: 'docker', image: 'commonwatt/practice:1' },
      timeouts: { runSeconds: 60, queueSeconds: 3600 },
      bounty: '1',
      ...change,
    });
  }

  submit(change: object = {}): Promise<{ batchId: string; taskIds: string[] }> {
    this.#commands += 1;
    return this.desk.submit(this.file(change), `test-command-${this.#commands}`);
  }

  task(taskId: string): JobTask {
    const task = this.renter.ledger.tasks.get(taskId);
    if (!task) throw new Error('no such task');
    return task;
  }

  until(taskId: string, test: (task: JobTask) => boolean, timeoutMs = 30_000): Promise<JobTask> {
    const read = () => this.task(taskId);
    const late = (task: JobTask | null) =>
      `the task stayed ${task?.phase}: ${task?.detail} (${this.scheduling.reasonsOf(taskId).sentence})`;
    return untilRow({ changed: this.changed, read, late, timeoutMs }, test);
  }

  ended(taskId: string): Promise<JobTask> {
    return this.until(taskId, ({ endedAt }) => endedAt !== null);
  }

  balance(party: Party): Promise<bigint> {
    return party.chain.reads.vaultBalance(party.account, this.watt);
  }

  /** Puts the clock forward, with a block that says so. */
  async jump(seconds: number): Promise<void> {
    this.clock.jump(seconds);
    await this.network.fund(this.renter.account, { token: ETH, amount: 1n });
  }

  async close(): Promise<void> {
    this.kill();
    await this.#closing;
    for (const { work } of this.providers) work.close();
    for (const party of [this.renter, ...this.providers.map((provider) => provider.party)]) await party.remove();
    await this.network.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const nothing = (): Promise<void> => Promise.resolve();
