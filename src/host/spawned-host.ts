import { spawn, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { connectWebSocket, type ApiConnection } from '../api/client.ts';
import type { ApiClient, Status } from '../api/contract.ts';
import { AppError } from '../shared/errors.ts';
import { readHostInfo } from './lock.ts';

/** A host in a process of its own, and a line to its interface. */
export interface SpawnedHost {
  readonly client: ApiClient;
  readonly url: string;
  readonly dataDir: string;
  readonly pid: number;
  /** Resolves with the exit code (null for a signal) when the process has ended, however it did. */
  readonly exited: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL after a grace; resolves when it is gone. */
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 60_000;
const STOP_GRACE_MS = 20_000;
const LAST_WORDS = 4000;

/**
 * Runs `command serve` on a data directory and waits until it answers.
 * @param command program and arguments of this product's command line
 * @throws AppError timeout, or `internal` carrying what the process said last
 */
export async function spawnHost(options: {
  command: readonly string[];
  dataDir: string;
  network: string;
  rpcUrl?: string;
  port?: number;
  env?: Record<string, string>;
}): Promise<SpawnedHost> {
  const [program, ...args] = options.command;
  if (!program) throw new AppError('unsupported', 'There is no command to start a host with.');
  const { dataDir, network, rpcUrl, port = 0 } = options;
  const serve = ['serve', '--data-dir', dataDir, '--network', network, '--port', `${port}`];
  const child = spawn(program, [...args, ...serve, ...(rpcUrl === undefined ? [] : ['--rpc', rpcUrl])], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  let lastWords = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    lastWords = (lastWords + chunk.toString()).slice(-LAST_WORDS);
  });
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => resolve(code));
    child.once('error', () => resolve(null));
  });
  const url = await answering(child, dataDir, () => lastWords);
  const token = (await readFile(path.join(dataDir, 'token'), 'utf8')).trim();
  const line: ApiConnection = connectWebSocket(`${url.replace(/^http/, 'ws')}/rpc`, token);
  void exited.then(() => line.close());
  return {
    client: line.client,
    url,
    dataDir,
    pid: child.pid ?? 0,
    exited,
    kill: (signal) => child.kill(signal),
    async stop() {
      line.close();
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** The address it publishes in its data directory, once that is its own and not its predecessor's. */
async function answering(child: ChildProcess, dataDir: string, lastWords: () => string): Promise<string> {
  const giveUp = Date.now() + READY_TIMEOUT_MS;
  while (Date.now() < giveUp) {
    const info = readHostInfo(dataDir);
    if (info && info.pid === child.pid) return info.url;
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new AppError('internal', `The host ended before it answered: ${lastWords().trim() || 'it said nothing'}`);
    }
    // Another process writes the file; looking again is the only portable way to hear of it.
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  child.kill('SIGKILL');
  throw new AppError('timeout', 'The host did not answer within a minute.', { next: 'Look at its log.' });
}

/** Resolves with the first status that `test` accepts. @throws AppError timeout */
export async function untilStatus(
  client: ApiClient,
  test: (status: Status) => boolean,
  timeoutMs = 60_000,
): Promise<Status> {
  const giveUp = AbortSignal.timeout(timeoutMs);
  const stop = new AbortController();
  try {
    for await (const status of await client.system.watch(undefined, {
      signal: AbortSignal.any([giveUp, stop.signal]),
    })) {
      if (test(status)) return status;
    }
  } catch (thrown) {
    if (!giveUp.aborted) throw thrown;
  } finally {
    stop.abort();
  }
  throw new AppError('timeout', 'The host did not get ready in time.', { next: 'Look at its ready checks.' });
}

export const isReady = (status: Status): boolean =>
  status.network.state === 'live' &&
  status.engine.state === 'up' &&
  status.peer.state === 'online' &&
  !status.wallet.locked;
