import { State } from '../shared/emitter.ts';
import { AppError, toAppError } from '../shared/errors.ts';
import type { Log } from '../shared/log.ts';
import { isReady, spawnHost, untilStatus, type SpawnedHost } from './spawned-host.ts';

export interface NeighbourState {
  state: 'off' | 'starting' | 'on' | 'failed';
  detail: string;
  wallet: string | null;
}

/**
 * A second, real host on this computer, with a wallet, a data directory and a process of its own: somebody to rent
 * from and to rent to while the network is only practice. It is this program, spoken to through its own interface.
 */
export interface Neighbour {
  readonly state: State<NeighbourState>;
  /** Resolves once its offer is on the market. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Its interface. @throws AppError conflict while it does not run. */
  client(): SpawnedHost['client'];
  close(): Promise<void>;
}

const OFF: NeighbourState = { state: 'off', detail: 'There is nobody to practise with yet.', wallet: null };

export function createNeighbour(options: {
  dataDir: string;
  joinUrl: string | null;
  /** Program and arguments that run this product's command line; null where there is none. */
  command: readonly string[] | null;
  log: Log;
}): Neighbour {
  const { dataDir, joinUrl, command, log } = options;
  const state = new State<NeighbourState>(OFF);
  let host: SpawnedHost | null = null;
  let starting: Promise<void> | null = null;

  async function launch(): Promise<SpawnedHost> {
    if (!command || !joinUrl) {
      throw new AppError('unsupported', 'A practice neighbour cannot be started here.', {
        next: 'Start a second host yourself: commonwatt serve --data-dir OTHER --network practice --rpc URL.',
      });
    }
    // In the packaged app the program is Electron's own binary.
    const env = { ELECTRON_RUN_AS_NODE: '1' };
    const started = await spawnHost({ command, dataDir, network: 'practice', rpcUrl: joinUrl, env });
    void started.exited.then((code) => {
      if (host !== started) return;
      host = null;
      log.warn({ code }, 'the practice neighbour ended');
      state.set({ state: 'failed', detail: 'The practice neighbour ended unexpectedly.', wallet: null });
    });
    return started;
  }

  async function begin(): Promise<void> {
    state.set({ state: 'starting', detail: 'Starting a second host on this computer.', wallet: null });
    try {
      host ??= await launch();
      const { client } = host;
      const { wallet } = await untilStatus(client, isReady);
      if ((await client.share.status()).state !== 'on') {
        const { offer } = await client.share.suggest();
        const features = [...new Set([...offer.features, 'practice neighbour'])];
        await client.share.start({ commandId: crypto.randomUUID(), offer: { ...offer, features } });
      }
      // A practice network from before there were jobs still has rentals.
      await client.work.start({ commandId: crypto.randomUUID(), claimsOpen: true }).catch((thrown: unknown) => {
        log.warn({ error: toAppError(thrown).message }, 'the practice neighbour takes no jobs');
      });
      state.set({
        state: 'on',
        detail: 'A second host on this computer shares its processor and takes jobs.',
        wallet: wallet.address,
      });
    } catch (thrown) {
      const error = toAppError(thrown);
      state.set({ state: 'failed', detail: error.message, wallet: null });
      throw error;
    }
  }

  async function stop(): Promise<void> {
    const running = host;
    host = null;
    state.set(OFF);
    if (!running) return;
    await running.client.share.stop({ commandId: crypto.randomUUID(), rentals: 'now' }).catch(() => undefined);
    await running.stop();
  }

  return {
    state,
    client() {
      if (host) return host.client;
      throw new AppError('conflict', 'The practice neighbour is not running.', { next: 'Start it first.' });
    },
    start() {
      if (state.value.state === 'on') return Promise.resolve();
      starting ??= begin().finally(() => {
        starting = null;
      });
      return starting;
    },
    stop,
    close: stop,
  };
}
