import { AppError, toAppError } from '../../shared/errors.ts';
import type { ResultInfo, Work } from '../../shared/job-spec.ts';
import { readKernelInput, type KernelInput, type Matrix } from '../../shared/kernels.ts';
import { parseTable, tableFormatOf } from '../../shared/table.ts';
import { verifyKernelResult } from '../../verify/certificates/verify-kernel-result.ts';
import type { TaskVerdict } from './task-facts.ts';

/** A kernel with so many times its table in memory cannot have run out of it: a digit becomes eight bytes, in a few copies. */
const MEMORY_OF_TABLE = 48;

/** One kernel's run and everything needed to judge it. Can be sent to a thread. */
export interface KernelCase {
  work: Extract<Work, { type: 'kernel' }>;
  memoryBytes: number;
  runSeconds: number;
  /** From the assignment to the submission, by the chain. */
  tookSeconds: number;
  info: ResultInfo;
  /** What this host itself gave. */
  table: Uint8Array;
  /** What came back; null where there is no such file. */
  result: Uint8Array | null;
  /** Unknown to whoever computed. */
  seed: number;
}

export type KernelVerdict = Pick<TaskVerdict, 'valid' | 'reason' | 'checks'>;

const plain = (valid: boolean, reason: string): KernelVerdict => ({ valid, reason, checks: [] });

/** Pure, and as slow as the table is large. Never throws for what table or result hold. */
export function kernelVerdict(kernel: KernelCase): KernelVerdict {
  const { info, result, seed } = kernel;
  const input = kernelInput(kernel);
  if (info.reason !== 'exited' || info.exitCode !== 0) return failedKernel(kernel, input);
  if (input instanceof AppError) {
    return plain(false, `The table cannot be computed on (${input.message}), and still there is a result.`);
  }
  if (result === null) return plain(false, 'The kernel’s result is missing in the result folder.');
  const { valid, reason, checks } = verifyKernelResult(input, result, { seed });
  return { valid, reason, checks };
}

/** A kernel that says it could not: only where this host's own table bears it out. */
function failedKernel(kernel: KernelCase, input: KernelInput | AppError): KernelVerdict {
  const { info, table, memoryBytes, runSeconds, tookSeconds } = kernel;
  if (input instanceof AppError) return plain(true, `The table cannot be computed on: ${input.message}`);
  // Whether this host delivered, its owner knows better than any table.
  if (info.reason === 'input-failed')
    return plain(true, 'It is said to have been given nothing that it could begin with.');
  if (info.reason === 'run-timeout') {
    return tookSeconds >= runSeconds
      ? plain(true, 'It ran for as long as it was allowed to.')
      : plain(false, 'It is said to have run out of time, long before its time was over.');
  }
  if (info.reason === 'out-of-memory' && table.length * MEMORY_OF_TABLE >= memoryBytes) {
    return plain(true, 'The table is large for the memory that was asked for.');
  }
  if (info.reason === 'exited' && input.model === 'k_means' && hasFewerRowsThan(input.x, input.params.k)) {
    return plain(true, `The table has fewer different rows than the ${input.params.k} clusters asked for.`);
  }
  return plain(false, 'It is said to have failed on a table that can be computed on.');
}

function hasFewerRowsThan({ rows, columns, data }: Matrix, count: number): boolean {
  const seen = new Set<string>();
  for (let row = 0; row < rows && seen.size < count; row += 1) {
    seen.add(data.subarray(row * columns, (row + 1) * columns).join(' '));
  }
  return seen.size < count;
}

/** The AppError says why the table is no input. */
function kernelInput({ work, table }: KernelCase): KernelInput | AppError {
  try {
    const target = work.model === 'linear_regression' ? (work.target ?? 'last') : undefined;
    const parsed = parseTable(table, tableFormatOf(work.table), target === undefined ? {} : { target });
    return readKernelInput(work.model, parsed, work.params);
  } catch (thrown) {
    return toAppError(thrown);
  }
}
