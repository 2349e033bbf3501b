import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { AppError } from '../../shared/errors.ts';
import { delay } from '../../shared/retry.ts';
import { createRpc } from '../rpc.ts';
import type { Rpc } from '../rpc.ts';

/** A running node that only we talk to: its own RPC can do anything, so its URL leaves this folder for nobody. */
export interface AnvilProcess {
  readonly url: string;
  readonly rpc: Rpc;
  /** Resolves when the process has ended, however it came to that, with its last words. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

const STARTUP_MS = 20_000;

/** The node's binary: COMMONWATT_ANVIL, or the package for this system. @throws AppError engine-down with the fix */
export function findAnvil(env: NodeJS.ProcessEnv = process.env): string {
  const told = env['COMMONWATT_ANVIL'];
  if (told !== undefined && told !== '') {
    if (existsSync(told)) return told;
    throw new AppError('unsupported', `COMMONWATT_ANVIL names ${told}, where there is no file.`, {
      next: 'Correct COMMONWATT_ANVIL, or unset it to use the one that came with Commonwatt.',
    });
  }
  const system = `${process.platform === 'win32' ? 'win32' : process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
  const name = `@foundry-rs/anvil-${system}`;
  try {
    const folder = path.dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
    const binary = path.join(folder, 'bin', process.platform === 'win32' ? 'anvil.exe' : 'anvil');
    if (existsSync(binary)) return binary;
  } catch {
    // Not installed: said below.
  }
  throw new AppError('unsupported', `The practice network needs anvil, and the package ${name} is not installed.`, {
    next: `Run “npm install --no-save ${name}@1.7.1”, or set COMMONWATT_ANVIL to an anvil 1.7 binary.`,
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  return port;
}

// A shell between us and the node ends the node when our end of the pipe closes, also when we were killed.
const GUARD =
  'exec 3<&0; "$0" "$@" </dev/null & node=$!; { read -r _ <&3; kill -9 $node 2>/dev/null; } & wait $node; exit $?';

/** Starts the node without any account of its own, mining only when told, and waits until it answers. */
export async function startAnvil(options: {
  binary: string;
  chainId: number;
  loadState?: string;
}): Promise<AnvilProcess> {
  const port = await freePort();
  // Its clock starts in the past: we tell each block's time, in a replay the times of long ago.
  const flags = `--host 127.0.0.1 --port ${port} --chain-id ${options.chainId} --no-cors --no-mining --prune-history
    --order fifo --gas-limit 1000000000 --accounts 0 --quiet --timestamp 1700000000`;
  const args = flags.split(/\s+/);
  if (options.loadState !== undefined) args.push('--load-state', options.loadState);
  const child =
    process.platform === 'win32'
      ? spawn(options.binary, args, { stdio: ['pipe', 'ignore', 'pipe'] })
      : spawn('/bin/sh', ['-c', GUARD, options.binary, ...args], { stdio: ['pipe', 'ignore', 'pipe'] });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-2000);
  });
  // Writing to a process that is gone is no news: `ended` says it.
  child.stdin.on('error', () => {});
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(words.trim() || `ended with ${signal ?? `code ${code}`}`));
  });
  const url = `http://127.0.0.1:${port}`;
  const rpc = createRpc({ urls: [url], chainId: options.chainId, maxAnswerBytes: 2 ** 31 });
  const stop = async () => {
    child.stdin.end();
    if (process.platform === 'win32') child.kill();
    await ended;
  };
  const gone = ended.then((reason): never => {
    throw new AppError('network-down', `The practice chain did not start: ${reason}`, {
      next: 'Look at the message; a file of the practice chain may be damaged.',
    });
  });
  try {
    await Promise.race([answers(rpc), gone]);
  } catch (thrown) {
    await stop();
    throw thrown;
  }
  // From here on an end is the caller's to notice.
  gone.catch(() => {});
  return { url, rpc, ended, stop };
}

async function answers(rpc: Rpc): Promise<void> {
  const deadline = performance.now() + STARTUP_MS;
  for (;;) {
    try {
      await rpc.call('eth_blockNumber', [], { timeoutMs: 2000 });
      return;
    } catch (thrown) {
      if (performance.now() > deadline) throw thrown;
      await delay(10);
    }
  }
}
