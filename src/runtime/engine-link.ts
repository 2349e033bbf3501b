import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import Dockerode from 'dockerode';
import { Emitter } from '../shared/emitter.ts';
import { AppError } from '../shared/errors.ts';
import { delay } from '../shared/retry.ts';
import type { EngineInfo } from './engine.ts';
import { engineDown, fromEngine, isEngineDown } from './docker-errors.ts';
import { abortable } from './dockerode-gaps.ts';
import { jsonLines } from './json-lines.ts';

/** The few words of a pino logger that this room uses. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** What the engine says about itself, read once per connection. */
export interface EngineFacts {
  info: EngineInfo;
  cpus: number;
  rootDir: string | null;
  backingFilesystem: string | null;
  runcVersion: string | null;
  memoryLimit: boolean;
  pidsLimit: boolean;
  seccomp: boolean;
}

export interface ContainerEvent {
  action: string;
  containerId: string;
}

/** A connection that finds the engine, notices when it is lost and finds it again. */
export interface EngineLink {
  readonly docker: Dockerode;
  readonly facts: EngineFacts | null;
  /** Aborts when the present connection is lost; already aborted while there is none. */
  readonly lost: AbortSignal;
  readonly socket: string;
  /** Why the engine cannot be reached, null while it can. */
  readonly failure: AppError | null;
  /** Resolves after the first attempt to reach the engine, successful or not. */
  readonly tried: Promise<void>;
  onChange(listener: (facts: EngineFacts | null) => void): () => void;
  onEvent(listener: (event: ContainerEvent) => void): () => void;
  /**
   * Runs one request with an end to it: the caller's signal, the engine's loss or `timeoutMs`, whichever is first.
   * @throws AppError
   */
  call<T>(
    request: (abortSignal: AbortSignal) => Promise<T>,
    options?: { signal?: AbortSignal | undefined; timeoutMs?: number; image?: string },
  ): Promise<T>;
  close(): void;
}

const PING_EVERY_MS = 5_000;
const PING_WITHIN_MS = 5_000;
const RETRY_MS = 1_000;

/** Where the engine listens: what the user set, else the first usual place that exists. */
export function findSocket(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): string {
  const host = env['DOCKER_HOST'];
  if (host?.startsWith('unix://')) return host.slice('unix://'.length);
  if (host?.startsWith('npipe://')) return host.slice('npipe://'.length);
  if (platform === 'win32') return '//./pipe/docker_engine';
  const runtimeDir = env['XDG_RUNTIME_DIR'];
  const usual = [
    '/var/run/docker.sock',
    path.join(homedir(), '.docker/run/docker.sock'),
    path.join(homedir(), '.docker/desktop/docker.sock'),
    ...(runtimeDir === undefined ? [] : [path.join(runtimeDir, 'docker.sock')]),
  ];
  return usual.find((file) => existsSync(file)) ?? '/var/run/docker.sock';
}

interface RawInfo {
  NCPU?: number;
  DockerRootDir?: string;
  DriverStatus?: [string, string][];
  Runtimes?: Record<string, unknown>;
  DiscoveredDevices?: { Source?: string; ID?: string }[];
  MemoryLimit?: boolean;
  PidsLimit?: boolean;
  SecurityOptions?: string[];
}

interface RawVersion {
  Version?: string;
  ApiVersion?: string;
  Components?: { Name: string; Version: string }[];
}

async function readFacts(docker: Dockerode, abortSignal: AbortSignal): Promise<EngineFacts> {
  const [info, version] = await Promise.all([
    abortable(docker).info({ abortSignal }) as Promise<RawInfo>,
    abortable(docker).version({ abortSignal }) as Promise<RawVersion>,
  ]);
  const runtimes = Object.keys(info.Runtimes ?? {});
  return {
    info: {
      version: version.Version ?? 'unknown',
      apiVersion: version.ApiVersion ?? 'unknown',
      cdi: (info.DiscoveredDevices ?? []).some((device) => device.ID?.startsWith('nvidia.com/gpu=') === true),
      nvidiaRuntime: runtimes.includes('nvidia'),
      runtimes,
      diskFreeBytes: null,
    },
    cpus: info.NCPU ?? 1,
    rootDir: info.DockerRootDir ?? null,
    backingFilesystem: info.DriverStatus?.find(([name]) => name === 'Backing Filesystem')?.[1] ?? null,
    runcVersion: version.Components?.find((part) => part.Name === 'runc')?.Version ?? null,
    memoryLimit: info.MemoryLimit !== false,
    pidsLimit: info.PidsLimit !== false,
    seccomp: (info.SecurityOptions ?? []).some((option) => option.includes('seccomp')),
  };
}

const containerEvent = (line: Record<string, unknown>): ContainerEvent | null => {
  const { Action: action, Actor: actor } = line;
  const id = typeof actor === 'object' && actor !== null ? (actor as { ID?: unknown }).ID : undefined;
  return typeof action === 'string' && typeof id === 'string' ? { action, containerId: id } : null;
};

export function openEngineLink(options: {
  installId: string;
  socketPath?: string | undefined;
  log: Log;
  describe: (facts: EngineFacts) => Promise<EngineFacts>;
}): EngineLink {
  const { log } = options;
  const closing = new AbortController();
  const changed = new Emitter<EngineFacts | null>();
  const happened = new Emitter<ContainerEvent>();
  let socket = options.socketPath ?? findSocket(process.env, process.platform);
  let docker = new Dockerode({ socketPath: socket });
  let facts: EngineFacts | null = null;
  let failure: AppError | null = engineDown();
  let losing = new AbortController();
  losing.abort();
  const { promise: tried, resolve: firstTried } = Promise.withResolvers<void>();

  async function connectOnce(): Promise<void> {
    const mine = new AbortController();
    const stop = AbortSignal.any([mine.signal, closing.signal]);
    try {
      if (options.socketPath === undefined) {
        const found = findSocket(process.env, process.platform);
        if (found !== socket) {
          socket = found;
          docker = new Dockerode({ socketPath: socket });
        }
      }
      const found = await options.describe(
        await readFacts(docker, AbortSignal.any([stop, AbortSignal.timeout(PING_WITHIN_MS * 2)])),
      );
      const events = (await docker.getEvents({
        filters: { type: ['container'], label: [`commonwatt.install=${options.installId}`] },
        abortSignal: stop,
      })) as unknown as AsyncIterable<Uint8Array>;
      losing = mine;
      facts = found;
      failure = null;
      log.info({ version: found.info.version, socket }, 'Docker engine reached');
      firstTried();
      changed.emit(found);
      await Promise.race([follow(events), ping(stop)]);
    } catch (thrown) {
      if (!closing.signal.aborted) failure = isEngineDown(thrown) ? engineDown(thrown) : fromEngine(thrown);
    } finally {
      failure ??= engineDown();
      mine.abort();
      if (facts !== null) {
        facts = null;
        if (!closing.signal.aborted) log.warn({ socket }, 'Docker engine lost');
        changed.emit(null);
      }
      firstTried();
    }
  }

  async function follow(source: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const line of jsonLines(source)) {
      const event = containerEvent(line);
      if (event) happened.emit(event);
    }
  }

  /** Ends when the engine fails to answer in time: a stopped process keeps its socket open and its events silent. */
  async function ping(stop: AbortSignal): Promise<void> {
    for (;;) {
      await delay(PING_EVERY_MS, stop);
      await abortable(docker).ping({ abortSignal: AbortSignal.any([stop, AbortSignal.timeout(PING_WITHIN_MS)]) });
    }
  }

  async function watch(): Promise<void> {
    while (!closing.signal.aborted) {
      await connectOnce();
      await delay(RETRY_MS, closing.signal).catch(() => undefined);
    }
  }
  void watch();

  return {
    get docker() {
      return docker;
    },
    get facts() {
      return facts;
    },
    get lost() {
      return losing.signal;
    },
    get socket() {
      return socket;
    },
    get failure() {
      return failure;
    },
    tried,
    onChange: (listener) => changed.on(listener),
    onEvent: (listener) => happened.on(listener),
    async call(request, { signal, timeoutMs = 60_000, image } = {}) {
      await tried;
      if (signal?.aborted) throw new AppError('cancelled', 'Cancelled.');
      if (facts === null) throw failure ?? engineDown();
      const lost = losing.signal;
      const ends = [lost, AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])];
      try {
        return await request(AbortSignal.any(ends));
      } catch (thrown) {
        if (signal?.aborted) throw new AppError('cancelled', 'Cancelled.', { cause: thrown });
        if (lost.aborted) throw engineDown(thrown);
        if (ends[1]?.aborted) throw fromEngine(ends[1].reason, image);
        throw fromEngine(thrown, image);
      }
    },
    close() {
      closing.abort();
    },
  };
}
