import { once } from 'node:events';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pack as tarPack } from 'tar-stream';
import { AppError } from '../../shared/errors.ts';
import { type Bytes32, isBytes32 } from '../../shared/ids.ts';
import { MIB } from '../../shared/units.ts';
import type { Clock } from '../../shared/time.ts';
import { refuseVariables } from '../create-options.ts';
import type { Log } from '../engine-link.ts';
import { JOB_ENV, jobDigest } from '../job-options.ts';
import type { JobEnd, JobPlan, JobProcess, JobRuntimes } from '../job-runtime.ts';
import { type ChildRun, killRun, openChildRun } from './child-run.ts';
import { boundMemory } from './module-memory.ts';
import {
  beatSchema,
  processSchema,
  readRunFile,
  RUN_FILES,
  type RunSetup,
  setupSchema,
  writeRunFile,
} from './run-folder.ts';
import { takeInputs } from './run-inputs.ts';
import { readRunLog } from './run-log.ts';
import { spawnChild } from './spawn-child.ts';

const MAX_MODULE_BYTES = 64 * MIB;
/** Longer than any computer needs to start a process. */
const STARTED_WITHIN_MS = 30_000;
/** What the process gets beyond the grace to put its results together. */
const LAST_ACT_MS = 30_000;
const IDLE = { cpuPercent: 0, memoryBytes: 0, networkReceivedBytes: 0, networkSentBytes: 0, diskBytes: null };

async function readModule(file: string | undefined): Promise<Uint8Array> {
  if (file === undefined) throw new AppError('internal', 'No module was given.');
  if ((await stat(file)).size > MAX_MODULE_BYTES) {
    throw new AppError('bad-input', `The module has more than ${MAX_MODULE_BYTES / MIB} MiB.`, {
      field: 'work.module',
    });
  }
  return readFile(file);
}

/** Jobs in processes of their own: WebAssembly modules and the built-in kernels. They need no engine. */
export function createChildJobs(options: { dataDir: string; clock: Clock; log: Log }): JobRuntimes {
  const { clock, log } = options;
  const runs = path.join(options.dataDir, 'runs');
  const closing = new AbortController();
  const starting = new Map<Bytes32, Promise<JobProcess>>();
  const watches = new Map<Bytes32, Promise<JobEnd>>();
  const folderOf = (dealId: Bytes32): string => path.join(runs, dealId.slice(2));
  const nowMs = (): number => clock.now() * 1000;

  function openRun(dealId: Bytes32): { run: ChildRun; setup: RunSetup } | null {
    const folder = folderOf(dealId);
    const setup = readRunFile(folder, RUN_FILES.setup, setupSchema);
    const begun =
      readRunFile(folder, RUN_FILES.process, processSchema) !== null || existsSync(path.join(folder, RUN_FILES.end));
    return setup === null || !begun ? null : { run: openChildRun(folder, dealId, setup, nowMs), setup };
  }

  function watchOf(dealId: Bytes32, run: ChildRun): Promise<JobEnd> {
    const before = watches.get(dealId);
    if (before) return before;
    const watching = run.ended(closing.signal);
    watches.set(dealId, watching);
    watching.catch(() => void (watches.get(dealId) === watching && watches.delete(dealId)));
    return watching;
  }

  async function stop(run: ChildRun, watching: () => Promise<JobEnd>, graceSeconds: number): Promise<void> {
    if (run.end() !== null) return;
    const seconds = Math.max(0, Math.min(600, graceSeconds));
    writeRunFile(run.folder, RUN_FILES.stop, { graceSeconds: seconds });
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), seconds * 1000 + LAST_ACT_MS);
    try {
      await run.ended(late.signal);
    } catch (thrown) {
      if (!late.signal.aborted) throw thrown;
      await killRun(run.folder, nowMs);
      await watching();
    } finally {
      clearTimeout(timer);
    }
  }

  function processOf(dealId: Bytes32, run: ChildRun): JobProcess {
    const watching = (): Promise<JobEnd> => watchOf(dealId, run);
    void watching().catch(() => undefined);
    return {
      dealId,
      async *logs({ fromByte, follow, signal }) {
        const until = AbortSignal.any([closing.signal, ...(signal ? [signal] : [])]);
        let over = !follow;
        yield* readRunLog(path.join(run.folder, RUN_FILES.log), fromByte, async () => {
          // Once more after the end: what came last was written before it.
          if (over || until.aborted) return false;
          if (run.end() === null) await run.changed(until);
          else over = true;
          return true;
        });
      },
      usage() {
        const beat = run.end() === null ? readRunFile(run.folder, RUN_FILES.beat, beatSchema) : null;
        return Promise.resolve(beat === null ? IDLE : { ...IDLE, ...beat });
      },
      checkpoint: () => Promise.resolve(),
      stop: (graceSeconds) => stop(run, watching, graceSeconds),
      wait: (signal) => (signal === undefined ? watching() : run.ended(AbortSignal.any([signal, closing.signal]))),
      outputs() {
        if (run.end() === null) {
          return Promise.reject(
            new AppError('conflict', 'The job still runs.', { next: 'Wait for its end, or stop it.' }),
          );
        }
        const file = path.join(run.folder, RUN_FILES.outputs);
        if (existsSync(file)) return Promise.resolve(createReadStream(file));
        const empty = tarPack();
        empty.finalize();
        return Promise.resolve(Readable.from(empty, { objectMode: false }));
      },
      remove: () => remove(dealId),
    };
  }

  async function remove(dealId: Bytes32): Promise<void> {
    await starting.get(dealId)?.catch(() => undefined);
    await clear(folderOf(dealId));
    watches.delete(dealId);
  }

  async function clear(folder: string): Promise<void> {
    // First of all: whoever waits shall not take the kill for an end.
    await rm(path.join(folder, RUN_FILES.setup), { force: true });
    await killRun(folder, nowMs);
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  function workOf(plan: JobPlan, memory: ReturnType<typeof boundMemory>['memory']): RunSetup['work'] {
    const { work } = plan;
    if (work.type === 'wasm') return { type: 'wasm', args: work.args, env: { ...plan.env, ...JOB_ENV }, memory };
    if (work.type === 'docker') throw new AppError('internal', 'Containers run elsewhere.');
    return work;
  }

  /** Everything the process needs, its setup last. @throws AppError */
  async function prepare(plan: JobPlan, signal?: AbortSignal): Promise<string> {
    const { dealId, limits, outputCaps } = plan;
    const folder = folderOf(dealId);
    refuseVariables(plan.env, 'env');
    if (plan.network !== 'none') {
      throw new AppError('unsupported', 'Modules and built-in kernels reach no network.', {
        field: 'network',
        next: 'Leave the network out, or use a container.',
      });
    }
    await clear(folder);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const bounded = plan.work.type === 'wasm' ? boundMemory(await readModule(plan.module), limits.memoryBytes) : null;
    if (bounded !== null) await writeFile(path.join(folder, RUN_FILES.module), bounded.bytes, { mode: 0o600 });
    await takeInputs(plan.inputs, path.join(folder, RUN_FILES.inputs), limits.diskBytes, signal);
    await writeFile(path.join(folder, RUN_FILES.log), '', { mode: 0o600 });
    const setup: RunSetup = {
      dealId,
      digest: jobDigest(plan),
      runSeconds: plan.runSeconds,
      memoryBytes: limits.memoryBytes,
      maxBytes: Math.min(limits.diskBytes, outputCaps.maxBytes),
      maxFiles: outputCaps.maxFiles,
      work: workOf(plan, bounded?.memory ?? null),
    };
    if (signal?.aborted) throw new AppError('cancelled', 'Cancelled.');
    writeRunFile(folder, RUN_FILES.setup, setup);
    return folder;
  }

  /** Resolves once the process has said that it runs. */
  async function launch(dealId: Bytes32, folder: string): Promise<JobProcess> {
    const child = spawnChild(folder);
    const gone = new AbortController();
    child.once('error', () => gone.abort());
    child.once('exit', () => gone.abort());
    const late = AbortSignal.timeout(STARTED_WITHIN_MS);
    const over = AbortSignal.any([gone.signal, late]);
    for (;;) {
      const opened = openRun(dealId);
      if (opened !== null) return processOf(dealId, opened.run);
      if (over.aborted) break;
      const setup = readRunFile(folder, RUN_FILES.setup, setupSchema);
      if (setup === null) break;
      await openChildRun(folder, dealId, setup, nowMs).changed(over);
    }
    if (!gone.signal.aborted) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    const trouble = await readFile(path.join(folder, RUN_FILES.trouble), 'utf8').catch(() => '');
    log.warn({ dealId, trouble: trouble.slice(0, 2000) }, 'The process of a job could not be started');
    throw new AppError('internal', 'The process of the job could not be started.', {
      next: 'Try again; see the log for details.',
    });
  }

  async function begin(plan: JobPlan, signal?: AbortSignal): Promise<JobProcess> {
    const { dealId } = plan;
    const found = openRun(dealId);
    if (found !== null) {
      if (found.setup.digest !== jobDigest(plan)) {
        throw new AppError('conflict', 'A run of this deal is something else.', { next: 'Remove it first.' });
      }
      log.info({ dealId }, 'Job adopted');
      return processOf(dealId, found.run);
    }
    try {
      const process = await launch(dealId, await prepare(plan, signal));
      log.info({ dealId }, 'Job started');
      return process;
    } catch (thrown) {
      await clear(folderOf(dealId));
      throw thrown;
    }
  }

  async function list(): Promise<Bytes32[]> {
    const names = await readdir(runs).catch(() => []);
    return names.map((name): Bytes32 => `0x${name}`).filter(isBytes32);
  }

  // Whoever asks or not: what ran when this program died is watched again.
  void (async () => {
    for (const dealId of await list()) {
      const found = openRun(dealId);
      if (found !== null) void watchOf(dealId, found.run).catch(() => undefined);
    }
  })();

  return {
    start(plan, { signal } = {}) {
      const before = starting.get(plan.dealId);
      if (before) return before;
      const run = begin(plan, signal).finally(() => starting.delete(plan.dealId));
      starting.set(plan.dealId, run);
      return run;
    },
    async find(dealId) {
      const before = starting.get(dealId);
      if (before) return before;
      const found = openRun(dealId);
      return found === null ? null : processOf(dealId, found.run);
    },
    list,
    remove,
    // No engine to lose.
    onBack: () => () => undefined,
    close() {
      closing.abort();
      return Promise.resolve();
    },
  };
}
