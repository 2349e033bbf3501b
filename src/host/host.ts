import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { ApiServices } from '../api/services.ts';
import { openChain } from '../chain/open-chain.ts';
import type { Chain } from '../chain/chain.ts';
import { openGpus } from '../gpu/gpus.ts';
import { Deals } from '../provider/deals.ts';
import { Sharing } from '../provider/sharing.ts';
import { Rentals } from '../renter/rentals.ts';
import { openDockerEngine } from '../runtime/docker-engine.ts';
import type { DealKeys } from '../shared/deal-keys.ts';
import { Emitter } from '../shared/emitter.ts';
import { toAppError } from '../shared/errors.ts';
import type { Address, Bytes32 } from '../shared/ids.ts';
import type { Log } from '../shared/log.ts';
import { systemClock } from '../shared/time.ts';
import { finalPayload, signerOf, specHash, voucherPayload, type RentalsPlace } from '../shared/typed-data.ts';
import type { Deal, Notification } from '../store/ledger.ts';
import { openLedger } from '../store/open-ledger.ts';
import { openPracticeWallet } from '../wallet/practice-wallet.ts';
import { openWallet, type Secrets, type Wallet } from '../wallet/wallet.ts';
import { createFounding } from './founding/founding-service.ts';
import type { Founding } from './founding/founding.ts';
import { openLine, type Line } from './line.ts';
import { meterRules } from './meter-rules.ts';
import { openNetwork } from './network.ts';
import { openJobRooms, type OpenJobRooms } from './open-job-rooms.ts';
import { createNeighbour } from './neighbour.ts';
import type { Rooms } from './rooms.ts';
import { gpuServices } from './services/gpu.ts';
import { jobsServices } from './services/jobs.ts';
import { marketServices } from './services/market.ts';
import { practiceServices } from './services/practice.ts';
import { rentalsServices } from './services/rentals.ts';
import { Sessions } from './services/sessions.ts';
import { shareServices } from './services/share.ts';
import { systemServices } from './services/system.ts';
import { walletServices } from './services/wallet.ts';
import { workServices } from './services/work.ts';
import { VERSION } from './version.ts';

/** What a door (command line, desktop shell, test) decides; everything else is found in the data directory. */
export interface HostOptions {
  dataDir: string;
  /** `practice`, or the name of a profile. */
  network: string;
  /** Practice: join the network of another host at this URL instead of starting one. Else: an RPC URL to prefer. */
  rpcUrl?: string;
  log: Log;
  /** The system's secret store, where the shell has one. */
  secrets?: Secrets;
  /** Engine socket, where it is not the usual one. */
  dockerSocket?: string;
  /** Starts the practice neighbour's process; left out where there is no command to start one with. */
  serveCommand?: readonly string[];
  /** Called when a door asks the host to stop. */
  onShutdown?: () => void;
}

export interface Host {
  services: ApiServices;
  founding: { service: Founding; practice: boolean };
  rooms: Rooms;
  /** Resolves once everything that survives is on disk. Running rentals go on: their containers outlive this process. */
  close(): Promise<void>;
}

/**
 * Wires the rooms. Returns as soon as the interface can answer; whatever can be slow (the engine, the peer line, the
 * index's catch-up) goes on by itself and shows as state.
 */
export async function createHost(options: HostOptions): Promise<Host> {
  const { dataDir, log } = options;
  const clock = systemClock;
  const stack = new AsyncDisposableStack();
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    const ledger = openLedger(path.join(dataDir, 'ledger.db'), clock.now);
    stack.defer(() => ledger.close());
    const network = await openNetwork(options);
    stack.defer(() => network.close());
    const { profile } = network;
    const walletOptions = {
      dir: path.join(dataDir, 'wallet', profile.name),
      chainId: profile.chainId,
      clock,
      log,
      ...(options.secrets === undefined ? {} : { secrets: options.secrets }),
    };
    const wallet = profile.practice ? await openPracticeWallet(walletOptions) : await openWallet(walletOptions);
    stack.defer(() => wallet.close());
    const chain = await openChain({
      profile,
      indexPath: path.join(dataDir, `index-${profile.name}-${profile.chainId}.db`),
      ledger,
      signer: {
        get address() {
          return wallet.signer().address;
        },
        signTransaction: (transaction) => wallet.signer().signTransaction(transaction),
      },
      clock,
      log,
    });
    stack.defer(() => chain.close());
    const gpus = await openGpus({ log });
    stack.defer(() => gpus.close());
    const engine = openDockerEngine({
      installId: installId(ledger),
      dataDir,
      clock,
      log,
      ...(options.dockerSocket === undefined ? {} : { socketPath: options.dockerSocket }),
    });
    stack.defer(() => engine.close());

    const dealChanged = new Emitter<Deal>();
    const notified = new Emitter<Notification>();
    const notifyAbout = (
      level: Notification['level'],
      title: string,
      body: string,
      about: Partial<Pick<Notification, 'leaseId' | 'taskId' | 'dealId'>>,
    ) => {
      const notification = { id: crypto.randomUUID(), at: clock.now(), level, title, body, leaseId: null, ...about };
      ledger.notifications.add(notification);
      notified.emit(notification);
    };
    const notify = (level: Notification['level'], title: string, body: string, leaseId: Bytes32 | null) =>
      notifyAbout(level, title, body, { leaseId });
    const keys = dealKeys(wallet, { chainId: profile.chainId, rentals: profile.contracts.rentals });
    const shared = {
      chain,
      ledger,
      keys,
      clock,
      log,
      rules: meterRules(process.env['COMMONWATT_METER']),
      onChange: (deal: Deal) => dealChanged.emit(deal),
      notify,
    };

    const line: Line = openLine({
      dataDir,
      wallet,
      chainId: profile.chainId,
      peers: network.peers,
      clock,
      log,
      handler: {
        onRequest: (connection, kind, body) =>
          (isAboutJobs(kind) ? jobs.handler : deals).onRequest(connection, kind, body),
        onStream: (connection, stream) =>
          (isAboutJobs(stream.kind) ? jobs.handler : deals).onStream(connection, stream),
      },
    });
    stack.defer(() => line.close());
    const sharing = new Sharing({
      chain,
      ledger,
      engine,
      clock,
      log,
      provider: () => wallet.signer().address,
      peerKey: await line.peerKey,
      providerSigner: keys.address,
      devices: () => gpus.devices,
      activeRentals: () => deals.active().length,
      endRentals: (reason) => deals.endAll(reason),
      activeJobs: () => jobs.work.active().length,
      endJobs: (reason) => jobs.work.endAll(reason),
    });
    stack.defer(() => sharing.close());
    const deals: Deals = new Deals(
      { ...shared, engine, limitsFor: (offerId, spec) => sharing.limitsFor(offerId, spec) },
      sharing,
    );
    stack.defer(() => deals.close());
    const rentals = new Rentals({
      ...shared,
      connect: (to, connectOptions) => line.connect(to, connectOptions),
      renter: () => wallet.signer().address,
      policy: wallet.policy,
      tokenOf: (token) => profile.tokens.find((known) => known.address === token) ?? { symbol: token, decimals: 0 },
    });
    stack.defer(() => rentals.close());
    const jobs: OpenJobRooms = await openJobRooms({
      dataDir,
      installId: installId(ledger),
      chain,
      ledger,
      wallet,
      engine,
      line,
      network,
      sharing,
      deals,
      clock,
      log,
      notify: notifyAbout,
    });
    stack.defer(() => jobs.close());
    chain.onEvents((events) => {
      deals.onChain(events);
      rentals.onChain(events);
      jobs.onChain(events);
    });

    const neighbour = createNeighbour({
      dataDir: path.join(dataDir, 'neighbour'),
      joinUrl: network.joinUrl,
      command: options.serveCommand ?? null,
      log,
    });
    stack.defer(() => neighbour.close());
    const rooms: Rooms = {
      version: VERSION,
      dataDir,
      startedAt: clock.now(),
      clock,
      log,
      ledger,
      chain,
      wallet,
      engine,
      checks: () => readyChecks({ wallet, chain, line }),
      gpus,
      line: line.state,
      sharing,
      deals,
      rentals,
      content: jobs.content,
      jobs,
      practice: network.faucet && { faucet: network.faucet, joinUrl: network.joinUrl, neighbour },
      dealChanged,
      notified,
      shutdown: () => options.onShutdown?.(),
    };
    const prepareImages = () => {
      if (!engine.info) return;
      engine.ensureSystemImages().catch((thrown: unknown) => {
        const error = toAppError(thrown);
        log.warn({ code: error.code, error: error.message }, 'the guard and practice images could not be made');
      });
    };
    engine.onChange(prepareImages);
    prepareImages();
    void begin(rooms, jobs).catch((thrown: unknown) => {
      log.error(
        { error: toAppError(thrown).message, cause: toAppError(thrown).cause },
        'taking up where we left off failed',
      );
    });
    const founding = { service: createFounding(rooms), practice: profile.practice };
    return { services: createServices(rooms), founding, rooms, close: () => stack.disposeAsync() };
  } catch (thrown) {
    await stack.disposeAsync();
    throw thrown;
  }
}

function createServices(rooms: Rooms): ApiServices {
  // One set for both: acknowledgements name a session, not what it belongs to.
  const sessions = new Sessions(() => crypto.randomUUID());
  return {
    system: systemServices(rooms),
    gpu: gpuServices(rooms),
    wallet: walletServices(rooms),
    share: shareServices(rooms),
    market: marketServices(rooms),
    rentals: rentalsServices(rooms, sessions),
    jobs: jobsServices(rooms, sessions),
    work: workServices(rooms),
    practice: practiceServices(rooms),
  };
}

/** Takes up what the last run left, in the order money needs: leases first, then their events, then the switch. */
async function begin(rooms: Rooms, jobs: OpenJobRooms): Promise<void> {
  const { chain, wallet, deals, rentals, sharing, engine, ledger, clock } = rooms;
  let main: Address | null = null;
  const watch = () => chain.watch([...(main ? [main] : []), ...jobs.otherAccounts]);
  const follow = async (address: Address | null) => {
    if (!address || address === main) return;
    main = address;
    // Before its events come, so that they find the tasks and runs that they are about.
    await jobs.recoverMain();
    await watch();
  };
  if (rooms.practice && wallet.status.value.address && ledger.settings.get('practice.welcomed') === undefined) {
    await rooms.practice.faucet(wallet.status.value.address);
    ledger.settings.set('practice.welcomed', clock.now());
  }
  if (!engine.info && ledger.deals.list({ role: 'provider', open: true }).length > 0) await engineUp(rooms);
  await deals.recover();
  await rentals.recover();
  await jobs.recover();
  await follow(wallet.status.value.address);
  wallet.status.on((status) => void follow(status.address));
  jobs.onAccounts.on(() => void watch());
  engine.onChange((info) => {
    if (info) void deals.sweep();
  });
  await sharing.recover();
}

const isAboutJobs = (kind: string): boolean => kind.startsWith('job.') || kind.startsWith('content.');

/** Leases of ours may still run in an engine that starts slower than we do; give it a minute before judging them lost. */
function engineUp({ engine }: Rooms): Promise<void> {
  return new Promise((resolve) => {
    const off = engine.onChange((info) => {
      if (info) done();
    });
    const timer = setTimeout(done, 60_000);
    function done() {
      clearTimeout(timer);
      off();
      resolve();
    }
    if (engine.info) done();
  });
}

/** Made once per data directory: the label by which this installation knows its own containers. */
function installId(ledger: { settings: { get(key: string): unknown; set(key: string, value: string): void } }): string {
  const known = ledger.settings.get('install.id');
  if (typeof known === 'string') return known;
  const made = crypto.randomUUID();
  ledger.settings.set('install.id', made);
  return made;
}

const dealKeys = (wallet: Wallet, at: RentalsPlace): DealKeys => ({
  get address() {
    return wallet.hostKey.address;
  },
  signVoucher: (leaseId, secs) => wallet.hostKey.signTypedData(voucherPayload(at, leaseId, secs)),
  signFinal: (leaseId, secs, deadline) => wallet.hostKey.signTypedData(finalPayload(at, leaseId, secs, deadline)),
  voucherSigner: (leaseId, secs, signature) => signerOf(voucherPayload(at, leaseId, secs), signature),
  finalSigner: (leaseId, secs, deadline, signature) => signerOf(finalPayload(at, leaseId, secs, deadline), signature),
  specHash,
});

async function readyChecks({
  wallet,
  chain,
  line,
}: {
  wallet: Wallet;
  chain: Chain;
  line: Line;
}): ReturnType<Rooms['checks']> {
  const { exists, locked } = wallet.status.value;
  const { state, detail } = chain.sync.value;
  const { state: lineState } = line.state.value;
  return [
    {
      id: 'wallet',
      title: 'Wallet',
      state: exists ? (locked ? 'warn' : 'ok') : 'fail',
      detail: exists
        ? locked
          ? 'The wallet is locked: nothing new can be opened or settled.'
          : 'The wallet is open.'
        : 'There is no wallet yet.',
      ...(exists && !locked ? {} : { fix: { text: exists ? 'Unlock the wallet.' : 'Make or import a wallet.' } }),
    },
    {
      id: 'network',
      title: `Network ${chain.profile.name}`,
      state: state === 'live' ? 'ok' : state === 'catching-up' || state === 'connecting' ? 'warn' : 'fail',
      detail,
      ...(state === 'down' || state === 'wrong-network'
        ? { fix: { text: 'Check the RPC address of this network.' } }
        : {}),
    },
    {
      id: 'line',
      title: 'Direct line',
      state: lineState === 'online' ? 'ok' : lineState === 'starting' ? 'warn' : 'fail',
      detail:
        lineState === 'online'
          ? 'Other computers can reach this one.'
          : lineState === 'starting'
            ? 'The line is being opened.'
            : 'Other computers cannot reach this one.',
      ...(lineState === 'offline'
        ? { fix: { text: 'Allow UDP out of this network, or forward a TCP port to this computer.' } }
        : {}),
    },
  ];
}
