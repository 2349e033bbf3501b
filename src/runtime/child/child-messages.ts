import type { OutputEntry } from './wasi-files.ts';
import type { RunSetup } from './run-folder.ts';

/** What the thread with the stranger's work is given. */
export interface WorkerSetup {
  folder: string;
  setup: RunSetup;
  /** `FLAGS` as an Int32Array in its first 8 bytes, then the bytes written so far as a BigInt64Array. */
  shared: SharedArrayBuffer;
}

export const FLAGS = {
  /** Set by the process around: end at the next call. */
  stop: 0,
  /** Set by the work: it passed what it may write. */
  passed: 1,
} as const;

/** What it says at its end. */
export interface WorkerResult {
  exitCode: number | null;
  reason: 'exited' | 'out-of-memory' | 'output-limit' | 'disk-limit';
  detail: string;
  /** It ended because it was asked to. */
  interrupted: boolean;
  entries: OutputEntry[];
}
