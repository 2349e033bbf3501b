/** Runs one built-in kernel in a thread that can be ended at any moment: `in/<table>` to `out/result.json`. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { AppError } from '../../shared/errors.ts';
import { kernelResultBytes, readKernelInput } from '../../shared/kernels.ts';
import { MAX_TABLE_BYTES, parseTable, tableFormatOf } from '../../shared/table.ts';
import { runKernel } from '../kernels/run-kernel.ts';
import type { WorkerResult, WorkerSetup } from './child-messages.ts';
import { RUN_FILES } from './run-folder.ts';
import { openRunLog } from './run-log.ts';

const port = parentPort;
if (!port) throw new Error('This is a thread of a run.');
const { folder, setup, shared } = workerData as WorkerSetup;
if (setup.work.type !== 'kernel') throw new Error('Only kernels run here.');
const { work } = setup;
const written = new BigInt64Array(shared, 8, 1);
const RESULT = 'result.json';

function readTable(): Uint8Array {
  const file = path.join(folder, RUN_FILES.inputs, ...work.table.split('/'));
  const missing = (): AppError => new AppError('bad-input', `There is no table ${work.table} among the inputs.`);
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat?.isFile() !== true) throw missing();
  if (stat.size > MAX_TABLE_BYTES) throw new AppError('bad-input', `The table ${work.table} is too large.`);
  return readFileSync(file);
}

function compute(): Uint8Array {
  const target = work.model === 'linear_regression' ? { target: work.target ?? 'last' } : {};
  const { x, y } = parseTable(readTable(), tableFormatOf(work.table), target);
  const input = readKernelInput(work.model, y === undefined ? { x } : { x, y }, work.params);
  return kernelResultBytes(runKernel(input));
}

function run(): WorkerResult {
  const end = { exitCode: 0, reason: 'exited', detail: '', interrupted: false, entries: [] } as const;
  let bytes: Uint8Array;
  try {
    bytes = compute();
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    const log = openRunLog(path.join(folder, RUN_FILES.log));
    const said = [thrown.message, thrown.next].filter((part) => part !== undefined).join(' ');
    log.write(2, new TextEncoder().encode(`${said}\n`));
    log.close();
    return { ...end, exitCode: 1, detail: said.slice(0, 500), entries: [] };
  }
  if (bytes.length > setup.maxBytes) {
    const detail = `The result has ${bytes.length} bytes; ${setup.maxBytes} may come back.`;
    return { ...end, exitCode: null, reason: 'output-limit', detail, entries: [] };
  }
  writeFileSync(path.join(folder, RUN_FILES.blobs, '1'), bytes);
  Atomics.store(written, 0, BigInt(bytes.length));
  return { ...end, entries: [{ name: RESULT, file: { blob: '1', bytes: bytes.length } }] };
}

port.postMessage({ ...run() } satisfies WorkerResult);
