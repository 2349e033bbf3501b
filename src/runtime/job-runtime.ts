import type { Readable } from 'node:stream';
import type { Bytes32 } from '../shared/ids.ts';
import type { ResultInfo, Work } from '../shared/job-spec.ts';
import type { Progress } from '../shared/ready-check.ts';
import type { ContainerUsage, DealLimits, LogChunk } from './engine.ts';

/** One task of a job, ready to run: everything it needs is on this computer. */
export interface JobPlan {
  dealId: Bytes32;
  work: Work;
  /** Public, secret and task variables, merged by the caller. COMMONWATT_IN and COMMONWATT_OUT are set here. */
  env: Readonly<Record<string, string>>;
  /** Host folder whose files and folders become `in/`, read-only. It is not needed any more once `start` has returned. */
  inputs: string;
  /** WASM work only: the file that holds the module. */
  module?: string;
  limits: DealLimits;
  network: 'none' | 'internet';
  /** From the start of the process; it is stopped then, whatever became of this host meanwhile. */
  runSeconds: number;
  /**
   * Modules and kernels are stopped where they pass these (`output-limit`); what a container left is capped by whoever
   * reads `outputs()`.
   */
  outputCaps: { maxBytes: number; maxFiles: number };
}

/** How a run ended. Read again later, also by another life of this host, it is the same. */
export interface JobEnd {
  /** null where it was stopped or has none. */
  exitCode: number | null;
  /**
   * `lost`: ended from outside, by the system, the engine or a reboot, so that it is no result. With an exit code the program
   * may have chosen that itself: what looks the same a second time is its own end.
   */
  reason: Exclude<ResultInfo['reason'], 'input-failed'> | 'lost';
  /** One sentence for the renter; empty where the exit code says all. At most 500 characters. */
  detail: string;
  startedAtMs: number;
  finishedAtMs: number;
}

/** One run on this computer: a container, or a process of its own that outlives this host. */
export interface JobProcess {
  readonly dealId: Bytes32;
  /**
   * Both outputs in the order in which they came. `fromByte` counts bytes of both streams together from the beginning, so
   * that a reader who was cut off goes on where it stopped. Ends with the run, or at once what is there without `follow`.
   * Capped: a container keeps its newest 30 MiB, everything else its first 16 MiB.
   */
  logs(options: { fromByte: number; follow: boolean; signal?: AbortSignal }): AsyncIterable<LogChunk>;
  /** Zeros once it has ended. */
  usage(): Promise<ContainerUsage>;
  /** SIGUSR1: "save your work". Modules and kernels know no signals: nothing happens. */
  checkpoint(): Promise<void>;
  /** Checkpoint, then the wish to end, then the end after the grace. Resolves when it has ended; what is in out/ stays. */
  stop(graceSeconds: number): Promise<void>;
  /**
   * Resolves when the run has ended, now or before. `engine-lost` says nothing about the run: find it again when the engine
   * is back. @throws AppError cancelled when `signal` aborts; not-found where it was removed meanwhile.
   */
  wait(signal?: AbortSignal): Promise<JobEnd | 'engine-lost'>;
  /**
   * A tar of what lies below `out/`, names relative to it; hostile, to be read with caps. After the end only.
   * @throws AppError conflict while it runs.
   */
  outputs(): Promise<Readable>;
  /** Everything it left on this computer: container, guard, volume, run folder. Ends it where it still runs; idempotent. */
  remove(): Promise<void>;
}

/**
 * Runs jobs, whatever they are made of. Everything is addressed by the deal's id under fixed names: after a kill -9 of
 * this host at any moment, `find` on the same folders answers with the run as it is, or null where nothing had started.
 */
export interface JobRuntimes {
  /**
   * Starts the job, or adopts it where it was started before. Pulls a missing image.
   * @throws AppError bad-input, image-missing, toolkit-missing, disk-full, engine-down, cancelled, unsupported, conflict
   * (this deal runs something else).
   */
  start(
    plan: JobPlan,
    options?: { signal?: AbortSignal; onProgress?: (progress: Progress) => void },
  ): Promise<JobProcess>;
  /** The deal's run, live or ended, or null where there is none or only a half-made one. @throws AppError engine-down. */
  find(dealId: Bytes32): Promise<JobProcess | null>;
  /** Every deal that left anything here, half-made ones included. Leaves containers out while the engine is down. */
  list(): Promise<Bytes32[]>;
  /** Removes what a deal left, in whatever state; idempotent. @throws AppError engine-down. */
  remove(dealId: Bytes32): Promise<void>;
  /** Called when an engine that was out of reach can be reached: `list` shows its containers again. */
  onBack(listener: () => void): () => void;
  /** Stops watching; runs go on. */
  close(): Promise<void>;
}
