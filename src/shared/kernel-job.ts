/** From a job's spec and the bytes of its table to what a kernel computes on: the same for who runs it and who checks it. */
import { AppError } from './errors.ts';
import type { Work } from './job-spec.ts';
import { readKernelInput, type KernelInput } from './kernels.ts';
import { parseTable, tableFormatOf } from './table.ts';

/** @throws AppError bad-input naming what is wrong: in the table, its target or the parameters. */
export function readKernelJob(
  { model, table, target, params }: Extract<Work, { type: 'kernel' }>,
  bytes: Uint8Array,
): KernelInput {
  if (model !== 'linear_regression' && target !== undefined) {
    throw new AppError('bad-input', 'Only linear regression has a target column.', { field: 'target' });
  }
  const options = model === 'linear_regression' ? { target: target ?? 'last' } : {};
  return readKernelInput(model, parseTable(bytes, tableFormatOf(table), options), params);
}
