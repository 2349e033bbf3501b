/**
 * The process of one run outside a container. It outlives the host that started it, watches its own deadline and memory, and
 * writes down how it ended as its last act. A stranger's work runs in a thread, so this one always gets its turn.
 */
import { createReadStream, createWriteStream, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Worker } from 'node:worker_threads';
import { pack as tarPack, type Pack } from 'tar-stream';
import { sibling } from '../../shared/sibling.ts';
import { formatBytes, MIB } from '../../shared/units.ts';
import type { JobEnd } from '../job-runtime.ts';
import { FLAGS, type WorkerResult, type WorkerSetup } from './child-messages.ts';
import {
  processTicks,
  readRunFile,
  RUN_FILES,
  setupSchema,
  stopSchema,
  writeRunFile,
  type RunSetup,
} from './run-folder.ts';
import type { OutputEntry } from './wasi-files.ts';

const TICK_MS = 100;
const BEAT_MS = 1_000;
/** What a module gets after it was told to end, to come to its next call. */
const GRACE_MS = 2_000;
/** What this program itself may need beside the work's own memory. */
const OVERHEAD_BYTES = 128 * MIB;
/** JavaScript objects around a module's memory. */
const MODULE_HEAP_MB = 128;
/** Behind what the owner does, but not behind everything. */
const PRIORITY = 10;

async function writeOutputs(folder: string, entries: readonly OutputEntry[]): Promise<void> {
  const blobs = path.join(folder, RUN_FILES.blobs);
  const fill = async (pack: Pack): Promise<void> => {
    // No times and no owners: equal results make equal archives.
    const common = { mtime: new Date(0), uid: 0, gid: 0 };
    for (const { name, file } of entries) {
      if (file === null) pack.entry({ ...common, name: `${name}/`, type: 'directory', mode: 0o755 });
      else if (file.bytes === 0) pack.entry({ ...common, name, mode: 0o644 }, '');
      else {
        const entry = pack.entry({ ...common, name, size: file.bytes, mode: 0o644 });
        await pipeline(createReadStream(path.join(blobs, file.blob), { end: file.bytes - 1 }), entry);
      }
    }
    pack.finalize();
  };
  const pack = tarPack();
  fill(pack).catch((thrown: unknown) => pack.destroy(thrown as Error));
  const beside = path.join(folder, `${RUN_FILES.outputs}.part`);
  await pipeline(pack, createWriteStream(beside, { mode: 0o600 }));
  renameSync(beside, path.join(folder, RUN_FILES.outputs));
  rmSync(blobs, { recursive: true, force: true });
}

/** Why the process around ended the work. */
type Cause = 'run-timeout' | 'stopped' | 'out-of-memory' | 'output-limit';

function endedBy(cause: Cause, setup: RunSetup): Pick<JobEnd, 'exitCode' | 'reason' | 'detail'> {
  switch (cause) {
    case 'stopped':
      return { exitCode: null, reason: 'exited', detail: 'It was stopped.' };
    case 'run-timeout':
      return { exitCode: null, reason: cause, detail: `Stopped after ${setup.runSeconds} seconds.` };
    case 'output-limit':
      return { exitCode: null, reason: cause, detail: `It wrote more than ${formatBytes(setup.maxBytes)}.` };
    case 'out-of-memory':
    default:
      return { exitCode: null, reason: 'out-of-memory', detail: 'It needed more memory than it has.' };
  }
}

/** Runs the work in its thread until that ends or has to. */
function runThread(
  folder: string,
  setup: RunSetup,
  startedAtMs: number,
): Promise<{ end: JobEnd; entries: OutputEntry[] }> {
  const shared = new SharedArrayBuffer(16);
  const flags = new Int32Array(shared, 0, 2);
  const written = new BigInt64Array(shared, 8, 1);
  const workerData: WorkerSetup = { folder, setup, shared };
  const heapMb = setup.work.type === 'kernel' ? Math.max(64, Math.floor(setup.memoryBytes / MIB)) : MODULE_HEAP_MB;
  const worker = new Worker(sibling(import.meta.url, `${setup.work.type}-worker`), {
    workerData,
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
  });
  const deadlineMs = startedAtMs + setup.runSeconds * 1000;
  const { promise, resolve } = Promise.withResolvers<{ end: JobEnd; entries: OutputEntry[] }>();
  let result: WorkerResult | null = null;
  let cause: Cause | null = null;
  let failure = '';
  let killAtMs = Infinity;
  let beatAtMs = 0;
  let cpu = process.cpuUsage();

  const endSoon = (why: Cause, graceMs: number): void => {
    if (cause !== null) return;
    cause = why;
    killAtMs = Date.now() + graceMs;
    Atomics.store(flags, FLAGS.stop, 1);
    Atomics.notify(flags, FLAGS.stop);
  };
  const beat = (nowMs: number, memoryBytes: number): void => {
    const now = process.cpuUsage();
    const elapsedMs = Math.max(1, nowMs - beatAtMs);
    const busyMs = (now.user + now.system - cpu.user - cpu.system) / 1000;
    cpu = now;
    const cpuPercent = beatAtMs === 0 ? 0 : (busyMs / elapsedMs) * 100;
    beatAtMs = nowMs;
    writeRunFile(
      folder,
      RUN_FILES.beat,
      { cpuPercent, memoryBytes, diskBytes: Number(Atomics.load(written, 0)) },
      false,
    );
  };
  const tick = (): void => {
    const nowMs = Date.now();
    const memoryBytes = process.memoryUsage.rss();
    if (memoryBytes > setup.memoryBytes + OVERHEAD_BYTES) {
      cause ??= 'out-of-memory';
      killAtMs = 0;
    }
    if (nowMs >= deadlineMs) endSoon('run-timeout', GRACE_MS);
    if (Atomics.load(flags, FLAGS.passed) !== 0) endSoon('output-limit', GRACE_MS);
    const asked = cause === null ? readRunFile(folder, RUN_FILES.stop, stopSchema) : null;
    if (asked !== null) endSoon('stopped', Math.min(GRACE_MS, asked.graceSeconds * 1000));
    if (nowMs >= killAtMs) void worker.terminate();
    try {
      if (nowMs - beatAtMs >= BEAT_MS) beat(nowMs, memoryBytes);
    } catch {
      // A full disk, or a folder that is being removed: the work goes on without a sign of life.
    }
  };
  const timer = setInterval(tick, TICK_MS);

  worker.on('message', (message: WorkerResult) => {
    result = message;
  });
  worker.on('error', (thrown: Error & { code?: string }) => {
    if (thrown.code === 'ERR_WORKER_OUT_OF_MEMORY' || /array buffer allocation failed/i.test(thrown.message))
      cause ??= 'out-of-memory';
    else failure = thrown.message.slice(0, 300);
  });
  worker.on('exit', () => {
    clearInterval(timer);
    const finishedAtMs = Date.now();
    const own = result !== null && !result.interrupted ? result : null;
    const judged =
      own !== null
        ? { exitCode: own.exitCode, reason: own.reason, detail: own.detail.slice(0, 500) }
        : cause !== null
          ? endedBy(cause, setup)
          : { exitCode: 70, reason: 'exited' as const, detail: `It failed inside: ${failure}` };
    resolve({ end: { ...judged, startedAtMs, finishedAtMs }, entries: result?.entries ?? [] });
  });
  return promise;
}

/** @param folder of the run: where this process stands, whatever its name belongs to by now */
async function main(folder: string): Promise<void> {
  const setup = readRunFile(folder, RUN_FILES.setup, setupSchema);
  if (setup === null) throw new Error('There is nothing to run.');
  const startedAtMs = Date.now();
  const claim = { pid: process.pid, startTicks: processTicks('self')?.startTicks ?? null, startedAtMs };
  // Fails where another process was faster: one run, one process.
  writeFileSync(path.join(folder, RUN_FILES.process), JSON.stringify(claim), { flag: 'wx', mode: 0o600 });
  // Whoever clears a run takes the setup first and looks for the claim then: one of the two sees the other.
  if (readRunFile(folder, RUN_FILES.setup, setupSchema) === null) throw new Error('The run was cleared.');
  // Its variables may be secrets: they are in memory now, and on the disk no longer.
  if (setup.work.type === 'wasm') writeRunFile(folder, RUN_FILES.setup, { ...setup, work: { ...setup.work, env: {} } });
  try {
    setPriority(PRIORITY);
  } catch {
    // Some systems do not let everybody step back.
  }
  mkdirSync(path.join(folder, RUN_FILES.blobs), { mode: 0o700 });
  const { end, entries } = await runThread(folder, setup, startedAtMs);
  try {
    await writeOutputs(folder, entries);
    writeRunFile(folder, RUN_FILES.end, end);
  } catch (thrown) {
    const detail = `Its results could not be stored: ${thrown instanceof Error ? thrown.message : ''}`.slice(0, 500);
    rmSync(path.join(folder, RUN_FILES.blobs), { recursive: true, force: true });
    writeRunFile(folder, RUN_FILES.end, { ...end, exitCode: null, reason: 'disk-limit', detail });
  }
}

const [folder] = process.argv.slice(2);
// Not by its name from here on: once the folder is cleared, another run's may stand in its place.
process.chdir(folder ?? '');
await main('.');
process.exit(0);
