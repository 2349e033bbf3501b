/** One run's folder, read from outside: is its process alive, how did it end, and what to do when it is neither. */
import { existsSync, statSync, watch } from 'node:fs';
import path from 'node:path';
import { AppError } from '../../shared/errors.ts';
import type { Bytes32 } from '../../shared/ids.ts';
import { delay } from '../../shared/retry.ts';
import type { JobEnd } from '../job-runtime.ts';
import {
  endSchema,
  processSchema,
  processTicks,
  readRunFile,
  RUN_FILES,
  type RunSetup,
  writeRunFile,
} from './run-folder.ts';

/** Where the system does not tell when a process began, one without a sign of life for so long is not ours. */
const SILENT_MS = 60_000;
/** Its own watch is late by this much: it is ended from outside. */
const OVERDUE_MS = 30_000;
/** Changes of a folder may be missed: look by ourselves too. */
const LOOK_EVERY_MS = 2_000;
const DEAD_WITHIN_MS = 5_000;

function livingPid(folder: string, nowMs: () => number): number | null {
  const found = readRunFile(folder, RUN_FILES.process, processSchema);
  if (found === null) return null;
  try {
    process.kill(found.pid, 0);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EPERM') return null;
  }
  const ticks = processTicks(found.pid);
  if (ticks !== null) return !ticks.dead && ticks.startTicks === found.startTicks ? found.pid : null;
  const beat = statSync(path.join(folder, RUN_FILES.beat), { throwIfNoEntry: false });
  return nowMs() - (beat?.mtimeMs ?? found.startedAtMs) < SILENT_MS ? found.pid : null;
}

/** SIGKILL, and waits until it is dead. Nothing happens where it is dead already. */
export async function killRun(folder: string, nowMs: () => number): Promise<void> {
  for (let waited = 0; waited < DEAD_WITHIN_MS; waited += 20) {
    const pid = livingPid(folder, nowMs);
    if (pid === null) return;
    process.kill(pid, 'SIGKILL');
    await delay(20);
  }
}

export interface ChildRun {
  readonly folder: string;
  /** null while it runs. @throws AppError not-found where the folder is gone. */
  end(): JobEnd | null;
  /** Resolves at its end. @throws AppError cancelled, not-found. */
  ended(signal: AbortSignal): Promise<JobEnd>;
  /** Resolves when the folder changed, or after a while. */
  changed(signal: AbortSignal): Promise<void>;
}

export function openChildRun(folder: string, dealId: Bytes32, setup: RunSetup, nowMs: () => number): ChildRun {
  const alive = (): boolean => livingPid(folder, nowMs) !== null;
  const running = () => readRunFile(folder, RUN_FILES.process, processSchema);

  let wasOverdue = false;

  /** It died without a word: killed from outside, or with the computer. */
  const writeLost = (): JobEnd => {
    const startedAtMs = running()?.startedAtMs ?? nowMs();
    const beat = statSync(path.join(folder, RUN_FILES.beat), { throwIfNoEntry: false });
    const livedMs = (beat?.mtimeMs ?? startedAtMs) - startedAtMs;
    // Not by what the clock says now: the computer may have been off.
    const timedOut = wasOverdue || livedMs >= setup.runSeconds * 1000;
    const end: JobEnd = {
      exitCode: null,
      reason: timedOut ? 'run-timeout' : 'lost',
      detail: timedOut ? `Stopped after ${setup.runSeconds} seconds.` : 'Its process was ended from outside.',
      startedAtMs,
      finishedAtMs: Math.max(startedAtMs, Math.floor(beat?.mtimeMs ?? startedAtMs)),
    };
    writeRunFile(folder, RUN_FILES.end, end);
    return end;
  };

  const end = (): JobEnd | null => {
    const found = readRunFile(folder, RUN_FILES.end, endSchema);
    if (found !== null) return found;
    if (!existsSync(path.join(folder, RUN_FILES.setup))) {
      throw new AppError('not-found', 'The job was removed from this computer.', { field: dealId });
    }
    if (alive()) return null;
    // Its last act may have come between the two looks.
    return readRunFile(folder, RUN_FILES.end, endSchema) ?? writeLost();
  };

  const changed = async (signal: AbortSignal): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, LOOK_EVERY_MS);
    let watcher: ReturnType<typeof watch> | null = null;
    try {
      watcher = watch(folder, () => resolve());
      watcher.on('error', () => resolve());
    } catch {
      // The folder is gone, or the system has no watches left: the timer looks.
    }
    const leave = (): void => resolve();
    signal.addEventListener('abort', leave, { once: true });
    try {
      if (!signal.aborted) await promise;
    } finally {
      clearTimeout(timer);
      watcher?.close();
      signal.removeEventListener('abort', leave);
    }
  };

  return {
    folder,
    end,
    changed,
    async ended(signal) {
      for (;;) {
        if (signal.aborted) throw new AppError('cancelled', 'The wait was cancelled.');
        const found = end();
        if (found !== null) return found;
        const startedAtMs = running()?.startedAtMs ?? nowMs();
        if (nowMs() > startedAtMs + setup.runSeconds * 1000 + OVERDUE_MS) {
          wasOverdue = true;
          await killRun(folder, nowMs);
        } else await changed(signal);
      }
    },
  };
}
