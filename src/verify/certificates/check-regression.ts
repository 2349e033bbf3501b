/**
 * Least squares by its gradient: coefficients minimise |y - b0 - X b|² + ridge |b|² exactly where Xᵀ r = ridge b and the
 * residuals r sum to 0. O(rows · columns), against O(rows · columns²) for the fit.
 */
import { columnMeans, columnSpreads } from '../../shared/columns.ts';
import { addProduct, addTerm, clear, compensatedSums, totalOf } from '../../shared/compensated.ts';
import type { RegressionInput, RegressionResult } from '../../shared/kernels.ts';
import { rowSpaceChecks } from './row-space.ts';
import { atMost, refused, verdictOf, type Check, type Verdict } from './verdict.ts';

/** Of the size that the terms of the gradient have; what rounding the coefficients to doubles leaves is about 1e-16. */
const GRADIENT_TOLERANCE = 1e-12;
const ERROR_TOLERANCE = 1e-9;

export function checkRegression(input: RegressionInput, result: RegressionResult, seed: number): Verdict {
  const { x, y, params } = input;
  const { rows, columns, data } = x;
  const { coefficients: b, intercept: b0, mse, rank } = result;
  if (b.length !== columns) return refused(`Wrong: ${b.length} coefficients for ${columns} columns.`);
  if (!params.intercept && b0 !== 0) return refused('Wrong: an intercept although none was asked for.');

  const means = params.intercept ? columnMeans(x) : new Float64Array(columns);
  const spreads = columnSpreads(x, means);
  const row = compensatedSums(1);
  const gradient = compensatedSums(columns);
  const ones = compensatedSums(1);
  const squares = compensatedSums(1);
  for (let i = 0; i < rows; i += 1) {
    clear(row);
    addTerm(row, 0, y[i]!);
    addTerm(row, 0, -b0);
    for (let j = 0; j < columns; j += 1) addProduct(row, 0, data[i * columns + j]!, -b[j]!);
    const residual = totalOf(row, 0);
    addTerm(ones, 0, residual);
    addProduct(squares, 0, residual, residual);
    for (let j = 0; j < columns; j += 1) addProduct(gradient, j, data[i * columns + j]!, residual);
  }

  const targets = { rows, columns: 1, data: y };
  const fitted = spreads.reduce((sum, spread, j) => sum + Math.abs(b[j]!) * spread, 0);
  const size = columnSpreads(targets, params.intercept ? columnMeans(targets) : new Float64Array(1))[0]! + fitted;
  let steepest = 0;
  for (let j = 0; j < columns; j += 1) {
    const spread = spreads[j]!;
    if (spread === 0) continue;
    addProduct(gradient, j, -means[j]!, ones.sum[0]!);
    addProduct(gradient, j, -means[j]!, ones.error[0]!);
    addProduct(gradient, j, -params.ridge, b[j]!);
    const allowed = size + (params.ridge * Math.abs(b[j]!)) / spread;
    if (allowed > 0) steepest = Math.max(steepest, Math.abs(totalOf(gradient, j)) / spread / allowed);
  }
  const checks: Check[] = [atMost('gradient of the squared error, relative', steepest, GRADIENT_TOLERANCE)];

  const lengths = columnSpreads(x, new Float64Array(columns));
  const height =
    columnSpreads(targets, new Float64Array(1))[0]! +
    Math.abs(b0) * Math.sqrt(rows) +
    lengths.reduce((sum, length, j) => sum + Math.abs(b[j]!) * length, 0);
  if (params.intercept && height > 0) {
    const tilt = Math.abs(totalOf(ones, 0)) / Math.sqrt(rows) / height;
    checks.push(atMost('mean of the residuals, relative', tilt, GRADIENT_TOLERANCE));
  }

  const own = totalOf(squares, 0) / rows;
  const rounding = (Number.EPSILON * 64 * height) ** 2 / rows;
  checks.push(atMost('error of mse', Math.abs(mse - own), own * ERROR_TOLERANCE + rounding));
  checks.push(...rowSpaceChecks(input, means, spreads, { b, rank }, seed));
  return verdictOf(
    checks,
    rank < columns && params.ridge === 0
      ? `The least squared error there is; ${rank} of ${columns} columns are independent, and of the many solutions this is the shortest.`
      : 'The least squared error there is: the gradient vanishes.',
  );
}
