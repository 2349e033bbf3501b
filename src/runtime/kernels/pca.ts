/** Principal components: the right singular vectors of the centred table, as R's prcomp and scikit-learn compute them. */
import { Matrix as Dense } from 'ml-matrix';
import { columnMeans, columnSpreads } from '../../shared/columns.ts';
import { AppError } from '../../shared/errors.ts';
import { componentCount, type PcaInput, type PcaResult } from '../../shared/kernels.ts';
import { factored } from './factored.ts';

/** @throws AppError bad-input where every column is constant. */
export function pca(input: PcaInput): PcaResult {
  const { rows, columns, data } = input.x;
  const means = columnMeans(input.x);
  const spreads = columnSpreads(input.x, means);
  const total = spreads.reduce((sum, spread) => sum + spread * spread, 0) / (rows - 1);
  if (total === 0) {
    throw new AppError('bad-input', 'Every column is constant: there is no variance to explain.', { field: 'x' });
  }
  const table = Dense.zeros(rows, columns);
  for (let j = 0; j < columns; j += 1) {
    if (spreads[j] === 0) continue;
    for (let i = 0; i < rows; i += 1) table.set(i, j, data[i * columns + j]! - means[j]!);
  }
  const { values, right } = factored(table);
  const count = componentCount(input);
  const variances = Array.from(values.subarray(0, count), (value) => (value * value) / (rows - 1));
  return {
    model: 'pca',
    components: variances.map((_, c) => facing(Array.from({ length: columns }, (__, j) => right.get(j, c)))),
    explainedVariance: variances,
    explainedVarianceRatio: variances.map((variance) => variance / total),
    mean: Array.from(means),
  };
}

/** A component and its negative are the same: the one whose entry of largest size is positive. */
function facing(component: number[]): number[] {
  let largest = 0;
  for (const entry of component) if (Math.abs(entry) > Math.abs(largest)) largest = entry;
  return largest < 0 ? component.map((entry) => -entry) : component;
}
