/**
 * Least squares by its gradient: coefficients minimise |y - b0 - X b|² + ridge |b|² exactly where Xᵀ r = ridge b and the
 * residuals r sum to 0. O(rows · columns), against O(rows · columns²) for the fit. On a badly conditioned table a small
 * gradient alone says little, so its length is measured in residuals (row-space.ts).
 */
import { columnMeans, columnSpreads } from '../../shared/columns.ts';
import { addProduct, addTerm, clear, compensatedSums, totalOf } from '../../shared/compensated.ts';
import type { RegressionInput, RegressionResult } from '../../shared/kernels.ts';
import { sketchedRowSpace } from './row-space.ts';
import { atMost, refused, verdictOf, type Check, type Verdict } from './verdict.ts';

/**
 * Of the size of the terms that cancel in the residuals: |y| and each |b_j| |x_j|. Rounding the coefficients to doubles alone
 * leaves about 1e-16.
 */
const GRADIENT_TOLERANCE = 1e-13;
const MEAN_TOLERANCE = 1e-12;
const ERROR_TOLERANCE = 1e-9;
const OUTSIDE_TOLERANCE = 1e-8;
/** By how much that grows with the ratio of the longest to the shortest column: which solution is shortest gets blurred. */
const OUTSIDE_BLUR = 1e-12;
/**
 * What rounding in y may come to, before it is divided by the smallest singular value. Generous: a longer solution that fits
 * equally well does no harm.
 */
const OUTSIDE_NOISE = 2 ** -38;

export function checkRegression(input: RegressionInput, result: RegressionResult, seed: number): Verdict {
  const { x, y, params } = input;
  const { rows, columns } = x;
  const { coefficients: b, intercept: b0, mse, rank } = result;
  if (b.length !== columns) return refused(`Wrong: ${b.length} coefficients for ${columns} columns.`);
  if (!params.intercept && b0 !== 0) return refused('Wrong: an intercept although none was asked for.');
  if (rank > columns) return refused(`Wrong: a rank of ${rank} in ${columns} columns.`);

  const means = params.intercept ? columnMeans(x) : new Float64Array(columns);
  const spreads = columnSpreads(x, means).map((spread) =>
    spread === 0 ? 0 : Math.sqrt(spread * spread + params.ridge),
  );
  const { gradient, mean, squares } = measured(input, b, b0, means);
  const idle = spreads.reduce((sum, spread, j) => sum + (spread === 0 ? Math.abs(b[j]!) : 0), 0);
  const checks: Check[] = [atMost('coefficients of constant columns', idle, 0)];

  const space = sketchedRowSpace({ x, means, spreads, ridge: params.ridge }, seed);
  checks.push(
    atMost('ranks claimed beyond those there are', Math.max(0, rank - space.ranks.most), 0),
    atMost('ranks there are beyond those claimed', Math.max(0, space.ranks.least - rank), 0),
  );

  const targets = { rows, columns: 1, data: y };
  const fitted = spreads.reduce((sum, spread, j) => sum + Math.abs(b[j]!) * spread, 0);
  const size = columnSpreads(targets, params.intercept ? columnMeans(targets) : new Float64Array(1))[0]! + fitted;
  const scaled = gradient.map((value, j) => (spreads[j] === 0 ? 0 : value / spreads[j]!));
  const height =
    columnSpreads(targets, new Float64Array(1))[0]! +
    Math.abs(b0) * Math.sqrt(rows) +
    columnSpreads(x, new Float64Array(columns)).reduce((sum, length, j) => sum + Math.abs(b[j]!) * length, 0);
  // Residuals of the size of y's own rounding are nobody's fault.
  const rounded = size + (Number.EPSILON / GRADIENT_TOLERANCE) * height;
  const slack = rounded === 0 ? 0 : space.residualLength(scaled, rank) / rounded;
  checks.push(atMost('residuals that a better fit would remove, relative', slack, GRADIENT_TOLERANCE));
  if (rank < columns) {
    const limit = outsideLimit(b, spreads, (OUTSIDE_NOISE * (size + height)) / space.smallest(rank));
    checks.push(atMost('part of the coefficients outside the row space', space.outside(b, rank), limit));
  }
  if (params.intercept && height > 0) {
    checks.push(atMost('mean of the residuals, relative', (Math.abs(mean) * Math.sqrt(rows)) / height, MEAN_TOLERANCE));
  }
  const own = squares / rows;
  const rounding = (Number.EPSILON ** 2 * rows * height) ** 2;
  checks.push(atMost('error of mse', Math.abs(mse - own), own * ERROR_TOLERANCE + rounding));
  return verdictOf(
    checks,
    rank < columns
      ? `The least squared error there is; ${rank} of ${columns} columns are independent, and of the many solutions this is the shortest.`
      : 'The least squared error there is: the gradient vanishes.',
  );
}

/** @param noise what rounding may leave in the coefficients, in units of columns of unit length. */
function outsideLimit(b: readonly number[], spreads: Float64Array, noise: number): number {
  const lengths = spreads.filter((spread) => spread > 0);
  if (lengths.length === 0) return 0;
  const shortest = lengths.reduce((least, length) => Math.min(least, length), Infinity);
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  const share = Math.max(OUTSIDE_TOLERANCE, (OUTSIDE_BLUR * longest) / shortest);
  return share * Math.hypot(...b) + noise / shortest;
}

/** The residuals' mean, squares and products with the centred columns less `ridge · b`, in twice the precision. */
function measured(
  { x, y, params }: RegressionInput,
  b: readonly number[],
  b0: number,
  means: Float64Array,
): { gradient: Float64Array; mean: number; squares: number } {
  const { rows, columns, data } = x;
  const row = compensatedSums(1);
  const products = compensatedSums(columns);
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
    for (let j = 0; j < columns; j += 1) addProduct(products, j, data[i * columns + j]!, residual);
  }
  for (let j = 0; j < columns; j += 1) {
    addProduct(products, j, -means[j]!, ones.sum[0]!);
    addProduct(products, j, -means[j]!, ones.error[0]!);
    addProduct(products, j, -params.ridge, b[j]!);
  }
  return {
    gradient: new Float64Array(columns).map((_, j) => totalOf(products, j)),
    mean: totalOf(ones, 0) / rows,
    squares: totalOf(squares, 0),
  };
}
