/** Runs one WASI preview 1 module in a thread that can be ended at any moment. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import {
  ConsoleStdout,
  type Fd,
  File,
  OpenFile,
  WASI,
  wasi,
  WASIProcExit,
  type Inode,
} from '@bjorn3/browser_wasi_shim';
import { FLAGS, type WorkerResult, type WorkerSetup } from './child-messages.ts';
import { PAGE, WASI_MODULE } from './module-memory.ts';
import { RUN_FILES } from './run-folder.ts';
import { openRunLog } from './run-log.ts';
import {
  DiskFile,
  InputFolder,
  outputEntries,
  OutputFolder,
  OutputLimit,
  preopened,
  WriteBudget,
} from './wasi-files.ts';

/** Thrown through the module when it is to end. */
class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** What a shell reports for a program that aborts; other WASI runtimes do the same for a trap. */
const TRAPPED = 134;
const CANNOT_START = 126;
/** So near to its memory's end, a module that traps most likely asked for more. */
const NEARLY_ALL = 0.9;
const MAX_WAIT_MS = 2 ** 31 - 1;

const port = parentPort;
if (!port) throw new Error('This is a thread of a run.');
const { folder, setup, shared } = workerData as WorkerSetup;
if (setup.work.type !== 'wasm') throw new Error('Only modules run here.');
const { work } = setup;
const flags = new Int32Array(shared, 0, 2);
const budget = new WriteBudget({
  blobs: path.join(folder, RUN_FILES.blobs),
  maxBytes: setup.maxBytes,
  maxFiles: setup.maxFiles,
  written: new BigInt64Array(shared, 8, 1),
  onPassed: () => void Atomics.store(flags, FLAGS.passed, 1),
});
const opened = { count: 0 };
const log = openRunLog(path.join(folder, RUN_FILES.log));

function inputsOf(from: string): InputFolder {
  const contents = new Map<string, Inode>();
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const file = path.join(from, entry.name);
    if (entry.isDirectory()) contents.set(entry.name, inputsOf(file));
    else if (entry.isFile()) contents.set(entry.name, new DiskFile(file, statSync(file).size, null, opened));
  }
  return new InputFolder(contents);
}

const outputs = new OutputFolder(budget, opened);
const runner = new WASI(
  ['module.wasm', ...work.args],
  Object.entries(work.env).map(([name, value]) => `${name}=${value}`),
  [
    new OpenFile(new File([])),
    new ConsoleStdout((bytes) => log.write(1, bytes)),
    new ConsoleStdout((bytes) => log.write(2, bytes)),
    preopened('/job/in', inputsOf(path.join(folder, RUN_FILES.inputs))),
    preopened('/job/out', outputs),
    // Relative names: the working folder is out/.
    preopened('.', outputs),
    preopened('/tmp', new OutputFolder(budget, opened)),
  ],
);
let memory: WebAssembly.Memory | null = null;

type HostCall = (...args: never[]) => unknown;

/** Each buffer of a write, as a view: a copy would let a module double its memory. */
function written(
  fd: number,
  at: number,
  count: number,
  total: number,
  write: (file: Fd, bytes: Uint8Array) => { ret: number; nwritten: number },
): number {
  const file = runner.fds[fd];
  const buffer = memory?.buffer;
  if (file === undefined || buffer === undefined) return wasi.ERRNO_BADF;
  const view = new DataView(buffer);
  let sum = 0;
  let ret: number = wasi.ERRNO_SUCCESS;
  for (let i = 0; i < count && ret === wasi.ERRNO_SUCCESS; i += 1) {
    const from = view.getUint32(at + 8 * i, true);
    const length = view.getUint32(at + 8 * i + 4, true);
    const done = write(file, new Uint8Array(buffer, from, length));
    ret = done.ret;
    sum += done.nwritten;
  }
  view.setUint32(total, sum, true);
  return ret;
}

const shim = runner.wasiImport as Record<string, HostCall>;
const ownCalls: Record<string, HostCall> = {
  fd_write: (fd: number, at: number, count: number, total: number) =>
    written(fd, at, count, total, (file, bytes) => file.fd_write(bytes)),
  fd_pwrite(fd: number, at: number, count: number, offset: bigint, total: number) {
    let place = offset;
    return written(fd, at, count, total, (file, bytes) => {
      const done = file.fd_pwrite(bytes, place);
      place += BigInt(done.nwritten);
      return done;
    });
  },
  /** Files have no times here: setting them does no harm. */
  fd_filestat_set_times: () => wasi.ERRNO_SUCCESS,
  path_filestat_set_times: () => wasi.ERRNO_SUCCESS,
  /** One file under two names could be counted, and paid for, once only. */
  path_link: () => wasi.ERRNO_NOTSUP,
  sched_yield: () => wasi.ERRNO_SUCCESS,
  /** The shim waits by computing; this sleeps. */
  poll_oneoff(subscriptions: number, events: number, count: number, found: number) {
    if (memory === null || count !== 1) return wasi.ERRNO_NOTSUP;
    const view = new DataView(memory.buffer);
    const asked = wasi.Subscription.read_bytes(view, subscriptions);
    if (asked.eventtype !== wasi.EVENTTYPE_CLOCK || asked.clockid > wasi.CLOCKID_MONOTONIC) return wasi.ERRNO_NOTSUP;
    const nowMs = asked.clockid === wasi.CLOCKID_REALTIME ? Date.now() : performance.now();
    const absolute = (asked.flags & wasi.SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME) !== 0;
    const waitMs = Number(asked.timeout) / 1e6 - (absolute ? nowMs : 0);
    if (waitMs > 0) Atomics.wait(flags, FLAGS.stop, 0, Math.min(waitMs, MAX_WAIT_MS));
    new wasi.Event(asked.userdata, wasi.ERRNO_SUCCESS, asked.eventtype).write_bytes(view, events);
    view.setUint32(found, 1, true);
    return wasi.ERRNO_SUCCESS;
  },
};

/** Each call is a moment at which a stopped module ends, also one that caught the first exception. */
const calls = Object.fromEntries(
  Object.entries({ ...shim, ...ownCalls }).map(([name, call]) => [
    name,
    (...args: never[]) => {
      if (Atomics.load(flags, FLAGS.stop) !== 0) throw new Interrupted();
      if (Atomics.load(flags, FLAGS.passed) !== 0) throw new OutputLimit('It wrote more than it may.');
      return call(...args);
    },
  ]),
);

function importsFor(): WebAssembly.Imports {
  const wanted = work.type === 'wasm' ? work.memory : null;
  if (wanted === null || wanted.imported === null) return { [WASI_MODULE]: calls };
  const made = new WebAssembly.Memory({ initial: wanted.minPages, maximum: wanted.maxPages });
  memory = made;
  const { module, name } = wanted.imported;
  return { [WASI_MODULE]: calls, [module]: { ...(module === WASI_MODULE ? calls : {}), [name]: made } };
}

const saying = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown)).slice(0, 300);

function run(): Omit<WorkerResult, 'entries'> {
  const end = { exitCode: null, reason: 'exited', detail: '', interrupted: false } as const;
  let instance: WebAssembly.Instance;
  try {
    instance = new WebAssembly.Instance(
      new WebAssembly.Module(readFileSync(path.join(folder, RUN_FILES.module))),
      importsFor(),
    );
  } catch (thrown) {
    return { ...end, exitCode: CANNOT_START, detail: `The module cannot be started: ${saying(thrown)}` };
  }
  const { memory: own, _start: start } = instance.exports;
  if (own instanceof WebAssembly.Memory) memory = own;
  if (typeof start !== 'function' || memory === null) {
    const what = memory === null ? 'exports no memory' : 'has no _start';
    return { ...end, exitCode: CANNOT_START, detail: `The module ${what}: build it as a WASI command.` };
  }
  try {
    return { ...end, exitCode: runner.start({ exports: { memory, _start: start as () => unknown } }) };
  } catch (thrown) {
    if (thrown instanceof Interrupted) return { ...end, interrupted: true };
    if (thrown instanceof OutputLimit) return { ...end, reason: 'output-limit', detail: thrown.message };
    if (thrown instanceof WASIProcExit) return { ...end, exitCode: thrown.code };
    if ((thrown as { code?: unknown }).code === 'ENOSPC')
      return { ...end, reason: 'disk-limit', detail: 'The disk of the computer is full.' };
    const bounded = work.type === 'wasm' ? work.memory : null;
    if (bounded?.shortened === true && memory.buffer.byteLength >= bounded.maxPages * PAGE * NEARLY_ALL)
      return { ...end, reason: 'out-of-memory', detail: `It needed more memory than it has: ${saying(thrown)}` };
    return { ...end, exitCode: TRAPPED, detail: `The module trapped: ${saying(thrown)}` };
  }
}

function collected(result: Omit<WorkerResult, 'entries'>): WorkerResult {
  // A module may have caught the exception and gone on to a peaceful end.
  const passed = Atomics.load(flags, FLAGS.passed) !== 0 && result.reason === 'exited';
  const judged = passed
    ? { ...result, exitCode: null, reason: 'output-limit' as const, detail: 'It wrote more than it may.' }
    : result;
  try {
    return { ...judged, entries: outputEntries(outputs) };
  } catch (thrown) {
    return { ...judged, exitCode: null, reason: 'output-limit', detail: saying(thrown), entries: [] };
  }
}

const result = collected(run());
log.close();
port.postMessage({ ...result } satisfies WorkerResult);
