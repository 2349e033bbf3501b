import type { Bytes32 } from '../shared/ids.ts';
import type { Progress, ReadyCheck } from '../shared/ready-check.ts';
import type { RentalSpec } from '../shared/rental.ts';

/** What one deal may use, decided by the owner's policy; the renter's spec may ask for less, never for more. */
export interface DealLimits {
  cpus: number;
  memoryBytes: number;
  diskBytes: number;
  pids: number;
  /** Upload cap through the guard, in bits per second; null for none. */
  uploadBitsPerSecond: number | null;
  /** Vendor uuids of the cards handed over, empty for processor-only deals. */
  gpuIds: readonly string[];
}

export interface DealPlan {
  dealId: Bytes32;
  spec: RentalSpec;
  limits: DealLimits;
}

export type ContainerStatus = 'created' | 'running' | 'paused' | 'exited' | 'missing';

export interface ContainerState {
  status: ContainerStatus;
  exitCode: number | null;
  /** Unix milliseconds by the engine's clock; null while not applicable. */
  startedAtMs: number | null;
  finishedAtMs: number | null;
}

/** Why supervision ended. `engine-lost` says nothing about the container: adopt again once the engine is back. */
export type EndOfSupervision =
  | { kind: 'exited'; exitCode: number; finishedAtMs: number }
  | { kind: 'removed' }
  | { kind: 'disk-limit'; usedBytes: number }
  | { kind: 'engine-lost' };

/** A process started in a running container. */
export interface ExecSession {
  /** Output in order; `stream` is always 1 with a TTY. Reading slower than the process writes stalls the process. */
  readonly output: AsyncIterable<{ stream: 1 | 2; bytes: Uint8Array }>;
  write(bytes: Uint8Array): Promise<void>;
  /** No more input. */
  end(): void;
  resize(cols: number, rows: number): Promise<void>;
  /** The exit code once the output has ended; null when the engine cannot say. */
  readonly exit: Promise<number | null>;
  /** Hangs up: closes the session and, with a TTY, its process. */
  close(): void;
}

export interface LogChunk {
  stream: 1 | 2;
  bytes: Uint8Array;
}

export interface ContainerUsage {
  cpuPercent: number;
  memoryBytes: number;
  networkReceivedBytes: number;
  networkSentBytes: number;
  diskBytes: number | null;
}

/** One deal's container with its guard, addressed by deal id: fixed name, found again after any restart. */
export interface DealContainer {
  readonly dealId: Bytes32;
  /** Container port -> port on 127.0.0.1 of this computer. */
  readonly ports: ReadonlyMap<number, number>;
  inspect(): Promise<ContainerState>;
  /** True when the engine answers, the container runs and a trivial exec in its namespaces succeeds or its ports answer. */
  healthy(signal?: AbortSignal): Promise<boolean>;
  exec(options: {
    command: readonly string[];
    tty: { cols: number; rows: number } | null;
    signal?: AbortSignal;
  }): Promise<ExecSession>;
  /** The best interactive shell the image has. */
  shell(): Promise<readonly string[]>;
  logs(options: { follow: boolean; tail: number; signal?: AbortSignal }): AsyncIterable<LogChunk>;
  usage(): Promise<ContainerUsage>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** SIGUSR1, then SIGTERM, then SIGKILL after the grace; the container stays for inspection until `remove`. */
  stop(graceSeconds: number): Promise<ContainerState>;
  /** Container, guard and volume; idempotent. */
  remove(): Promise<void>;
  /** Resolves when the container ends, is removed, breaks its disk limit or the engine is lost. */
  supervise(signal: AbortSignal): Promise<EndOfSupervision>;
}

export interface EngineInfo {
  version: string;
  apiVersion: string;
  cdi: boolean;
  nvidiaRuntime: boolean;
  runtimes: string[];
  /** Bytes free where the engine keeps its images, null when unknown. */
  diskFreeBytes: number | null;
}

/** The container engine of this computer. */
export interface Engine {
  /** null while the engine cannot be reached. */
  readonly info: EngineInfo | null;
  /** Called on each change between reachable and lost. */
  onChange(listener: (info: EngineInfo | null) => void): () => void;
  /** Ready checks, each with its fix: engine, version floors, GPU toolkit, disk, guard image. */
  checks(): Promise<ReadyCheck[]>;
  /** Whether a stranger may have this image as it lies here, as far as that is known without asking its registry. */
  hasImage(reference: string): Promise<boolean>;
  /**
   * Makes an image present that anybody could have; one pull in flight per reference. What lies here but is not public counts
   * as missing. @throws AppError image-missing (its field is `registry` where that is silent), disk-full, engine-down, cancelled.
   */
  pull(reference: string, options: { onProgress?: (progress: Progress) => void; signal?: AbortSignal }): Promise<void>;
  /**
   * Creates and starts the deal's guard and container, or adopts them when they exist; brings the image as `pull` does.
   * @throws AppError toolkit-missing, disk-full, engine-down, image-missing, bad-input (unstartable command).
   */
  start(plan: DealPlan, signal?: AbortSignal): Promise<DealContainer>;
  /** The deal's container as it is, or null when there is none. Never creates. */
  find(dealId: Bytes32): Promise<DealContainer | null>;
  /** Deal ids of every container this installation made, in whatever state. */
  list(): Promise<Bytes32[]>;
  /** Keeps this many guards started ahead of need. */
  keepWarm(guards: number): Promise<void>;
  /** Stops watching and releases warm guards; deals keep running. */
  close(): Promise<void>;
}
