import { spawn, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { connectWebSocket, type ApiConnection } from '../api/client.ts';
import { State } from '../shared/emitter.ts';
import { AppError, toAppError } from '../shared/errors.ts';
import type { Log } from '../shared/log.ts';
import { readHostInfo } from './lock.ts';

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
  connection(): ApiConnection;
  close(): Promise<void>;
}

const READY_TIMEOUT_MS = 60_000;
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
  let child: ChildProcess | null = null;
  let line: ApiConnection | null = null;

  async function launch(): Promise<void> {
    const [program, ...args] = command ?? [];
    if (!program || !joinUrl) {
      throw new AppError('unsupported', 'A practice neighbour cannot be started here.', {
        next: 'Start a second host yourself: commonwatt serve --data-dir OTHER --network practice --rpc URL.',
      });
    }
    const serve = ['serve', '--data-dir', dataDir, '--network', 'practice', '--rpc', joinUrl, '--port', '0'];
    const started = spawn(program, [...args, ...serve], {
      stdio: ['ignore', 'ignore', 'pipe'],
      // In the packaged app the program is Electron's own binary.
      env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' },
    });
    child = started;
    let lastWords = '';
    started.stderr?.on('data', (chunk: Buffer) => {
      lastWords = (lastWords + chunk.toString()).slice(-2000);
    });
    started.on('error', (error) => log.warn({ error: error.message }, 'the practice neighbour could not be started'));
    started.on('exit', (code) => {
      if (child !== started) return;
      child = null;
      line?.close();
      line = null;
      if (state.value.state !== 'off') {
        log.warn({ code, lastWords }, 'the practice neighbour ended');
        state.set({ state: 'failed', detail: 'The practice neighbour ended unexpectedly.', wallet: null });
      }
    });
    const url = await answering(started);
    const token = (await readFile(path.join(dataDir, 'token'), 'utf8')).trim();
    line = connectWebSocket(`${url.replace(/^http/, 'ws')}/rpc`, token);
  }

  /** Where it answers, once its own process says so. */
  async function answering(started: ChildProcess): Promise<string> {
    const giveUp = Date.now() + READY_TIMEOUT_MS;
    while (Date.now() < giveUp && started.exitCode === null) {
      const info = readHostInfo(dataDir);
      if (info && info.pid === started.pid) return info.url;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new AppError('timeout', 'The practice neighbour did not start.', { next: 'Look at its log, or try again.' });
  }

  async function share(client: ApiConnection['client']): Promise<void> {
    const current = await client.share.status();
    if (current.state === 'on') return;
    const { offer } = await client.share.suggest();
    const features = [...new Set([...offer.features, 'practice neighbour'])];
    await client.share.start({ commandId: crypto.randomUUID(), offer: { ...offer, features } });
  }

  const stop = async () => {
    const running = child;
    state.set(OFF);
    if (!running) return;
    const gone = new Promise<void>((resolve) => running.once('exit', () => resolve()));
    await line?.client.share.stop({ commandId: crypto.randomUUID(), rentals: 'now' }).catch(() => undefined);
    line?.close();
    line = null;
    running.kill('SIGTERM');
    const timer = setTimeout(() => running.kill('SIGKILL'), 15_000);
    await gone;
    clearTimeout(timer);
    child = null;
  };

  let starting: Promise<void> | null = null;
  const start = async () => {
    if (state.value.state === 'on') return;
    state.set({ state: 'starting', detail: 'Starting a second host on this computer.', wallet: null });
    try {
      if (!child) await launch();
      const { client } = connection();
      const { wallet } = await client.system.status();
      await engineUp(client);
      await share(client);
      state.set({
        state: 'on',
        detail: 'A second host on this computer shares its processor.',
        wallet: wallet.address,
      });
    } catch (thrown) {
      const error = toAppError(thrown);
      state.set({ state: 'failed', detail: error.message, wallet: null });
      throw error;
    }
  };
  const connection = (): ApiConnection => {
    if (line) return line;
    throw new AppError('conflict', 'The practice neighbour is not running.', { next: 'Start it first.' });
  };

  return {
    state,
    connection,
    start: () => {
      starting ??= start().finally(() => {
        starting = null;
      });
      return starting;
    },
    stop,
    close: stop,
  };
}

/** Its engine is looked for in the background; sharing needs it. */
async function engineUp(client: ApiConnection['client']): Promise<void> {
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(), READY_TIMEOUT_MS);
  try {
    for await (const status of await client.system.watch(undefined, { signal: giveUp.signal })) {
      if (status.engine.state === 'up' && status.network.state === 'live') return;
    }
  } finally {
    clearTimeout(timer);
    giveUp.abort();
  }
}
