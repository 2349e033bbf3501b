import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ApiServices } from '../api/services.ts';
import { AppError } from '../shared/errors.ts';
import { systemClock } from '../shared/time.ts';
import type { HostOptions } from './host.ts';
import { lockDataDir } from './lock.ts';
import { openLog, type LogLevel } from './log.ts';
import { startHttpServer, type HttpServer, type HttpServerOptions } from './transport/http-server.ts';
import { createRouter } from './transport/router.ts';
import { createRpcServer, type RpcServer } from './transport/rpc-line.ts';
import { readOrMakeToken } from './transport/sessions.ts';
import { VERSION } from './version.ts';

/** Where a host listens when nobody says otherwise. */
export const DEFAULT_PORT = 7310;
const CLOSE_GRACE_MS = 15_000;

export interface RunOptions extends Pick<HostOptions, 'dataDir' | 'network' | 'rpcUrl' | 'serveCommand' | 'secrets'> {
  /** A number is insisted on; left out, the usual port or any free one. */
  port?: number;
  logLevel?: LogLevel;
  /** Makes the product; tests put a small one here. */
  create?: (options: HostOptions) => Promise<MadeHost>;
}

/** What `createHost` gives, as far as the doors need it. */
interface MadeHost {
  services: ApiServices;
  founding?: HttpServerOptions['founding'];
  close(): Promise<void>;
}

export interface RunningHost {
  url: string;
  pairingUrl(): string;
  /** For doors inside this process: message ports. */
  rpc: RpcServer;
  /** Resolves when some door asked the host to stop. */
  stopAsked: Promise<void>;
  /** Bounded: what does not end within 15 seconds is left to the next start's recovery. */
  close(): Promise<void>;
}

/** The built window beside the built host, or in `dist/` when running from source. */
const uiDir = (): string => {
  const here = path.dirname(fileURLToPath(import.meta.url));
  return import.meta.url.endsWith('.ts') ? path.join(here, '../../dist/ui') : path.join(here, '../ui');
};

/**
 * A whole host on one data directory: lock, log, product, doors.
 * @throws AppError `conflict` when one runs there already, or the port asked for is taken.
 */
export async function runHost(options: RunOptions): Promise<RunningHost> {
  const { dataDir, network } = options;
  const stack = new AsyncDisposableStack();
  try {
    const lock = lockDataDir(dataDir);
    stack.defer(() => lock.release());
    const opened = openLog(dataDir, options.logLevel === undefined ? {} : { level: options.logLevel });
    stack.defer(() => opened.close());
    const { log } = opened;
    log.info({ pid: process.pid, version: VERSION, network }, 'starting');

    let askStop!: () => void;
    const stopAsked = new Promise<void>((resolve) => {
      askStop = resolve;
    });
    const create = options.create ?? (await import('./host.ts')).createHost;
    const host = await create({
      dataDir,
      network,
      log,
      // Later, so that whoever asked gets an answer first.
      onShutdown: () => void setImmediate(askStop),
      ...(options.rpcUrl === undefined ? {} : { rpcUrl: options.rpcUrl }),
      ...(options.serveCommand === undefined ? {} : { serveCommand: options.serveCommand }),
      ...(options.secrets === undefined ? {} : { secrets: options.secrets }),
    });
    stack.defer(() => host.close());

    const router = createRouter(host.services);
    const server = await listen(options.port, (port) =>
      startHttpServer({
        router,
        log,
        clock: systemClock,
        version: VERSION,
        token: readOrMakeToken(dataDir),
        port,
        uiDir: uiDir(),
        ...(host.founding === undefined ? {} : { founding: host.founding }),
      }),
    );
    stack.defer(() => server.close());
    const { url } = server;
    lock.publish({ pid: process.pid, startedAt: systemClock.now(), url, network, version: VERSION });
    log.info({ url }, 'answering');

    const everything = stack.move();
    let closing: Promise<void> | undefined;
    return {
      url,
      pairingUrl: () => server.pairingUrl(),
      rpc: createRpcServer(router, log),
      stopAsked,
      close() {
        closing ??= Promise.race([
          everything.disposeAsync(),
          new Promise<void>((resolve) => {
            setTimeout(resolve, CLOSE_GRACE_MS).unref();
          }),
        ]);
        return closing;
      },
    };
  } catch (thrown) {
    await stack.disposeAsync();
    throw thrown;
  }
}

async function listen(wanted: number | undefined, start: (port: number) => Promise<HttpServer>): Promise<HttpServer> {
  if (wanted !== undefined) return start(wanted);
  try {
    return await start(DEFAULT_PORT);
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === 'conflict') return start(0);
    throw thrown;
  }
}
