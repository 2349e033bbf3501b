/**
 * Ordinary least squares and ridge regression: minimises |y - b0 - X b|² + ridge |b|².
 *
 * Columns are centred and scaled to unit length, factored, and the solution is then refined against the *original* table with
 * residuals of twice the precision (Björck 1967, iterative refinement of the augmented system), so that a badly conditioned
 * table keeps all digits its numbers determine. Collinear columns or fewer rows than columns do not fail: among the many
 * best fits the one with the shortest coefficient vector is given, as numpy's lstsq does, and `rank` says so.
 */
import { Matrix as Dense, QrDecomposition } from 'ml-matrix';
import { columnMeans, columnSpreads } from '../../shared/columns.ts';
import { addProduct, addTerm, clear, compensatedSums, totalOf } from '../../shared/compensated.ts';
import type { Matrix, RegressionInput, RegressionResult } from '../../shared/kernels.ts';
import { rankTolerance } from '../../shared/rank.ts';
import { factored, times, transposedTimes, type Factored } from './factored.ts';

const MAX_REFINEMENTS = 12;
/** Up to this ratio of the longest to the shortest column the projection loses less than a refinement step gains. */
const PROJECTED_RATIO = 1e8;

/** The problem and its factors: X = (scaled · diag(spreads)) + 1 · meansᵀ, ridge rows below. */
interface Prepared {
  x: Matrix;
  y: Float64Array;
  intercept: boolean;
  /** Square root of the ridge weight. */
  pull: number;
  means: Float64Array;
  /** Length of each centred column with its ridge entry; 0 for a constant one, which gets no coefficient. */
  spreads: Float64Array;
  factors: Factored;
  rank: number;
  /** The part of a coefficient vector inside the row space; undefined at full rank. */
  rowSpace: ((b: Float64Array) => Float64Array) | undefined;
  /** Whether the columns are near enough in length. */
  even: boolean;
}

interface Solution {
  b: Float64Array;
  b0: number;
  /** Residuals, then one per ridge row. */
  r: Float64Array;
}

/** @throws nothing for input that `checkKernelInput` has passed. */
export function linearRegression(input: RegressionInput): RegressionResult {
  const problem = prepare(input);
  const { rows } = problem.x;
  const solution = solve(problem);
  // The residuals of the coefficients as they are written down, rounded: what anybody finds who looks.
  const { f } = misfit(problem, solution);
  const squares = compensatedSums(1);
  for (let i = 0; i < rows; i += 1) {
    const residual = solution.r[i]! + f[i]!;
    addProduct(squares, 0, residual, residual);
  }
  return {
    model: 'linear_regression',
    coefficients: Array.from(solution.b),
    intercept: solution.b0,
    mse: totalOf(squares, 0) / rows,
    rank: problem.rank,
  };
}

function prepare({ x, y, params }: RegressionInput): Prepared {
  const { rows, columns, data } = x;
  const pull = Math.sqrt(params.ridge);
  const means = params.intercept ? columnMeans(x) : new Float64Array(columns);
  const spreads = columnSpreads(x, means).map((spread) =>
    spread === 0 ? 0 : Math.sqrt(spread * spread + params.ridge),
  );
  const scaled = Dense.zeros(rows + (pull > 0 ? columns : 0), columns);
  for (let j = 0; j < columns; j += 1) {
    const spread = spreads[j]!;
    if (spread === 0) continue;
    for (let i = 0; i < rows; i += 1) scaled.set(i, j, (data[i * columns + j]! - means[j]!) / spread);
    if (pull > 0) scaled.set(rows + j, j, pull / spread);
  }
  const factors = factored(scaled);
  const least = rankTolerance(rows, columns) * factors.values[0]!;
  const rank = factors.values.filter((value) => value > least).length;
  const lengths = spreads.filter((spread) => spread > 0).toSorted();
  return {
    x,
    y,
    intercept: params.intercept,
    pull,
    means,
    spreads,
    factors,
    rank,
    rowSpace: rank > 0 && rank < columns ? ontoRowSpace(factors.right, spreads, rank) : undefined,
    even: lengths.length === 0 || lengths.at(-1)! <= PROJECTED_RATIO * lengths[0]!,
  };
}

/** Householder QR stays accurate for rows of very different size where the large ones come first (Cox and Higham 1998). */
function ontoRowSpace(right: Dense, spreads: Float64Array, rank: number): (b: Float64Array) => Float64Array {
  const order = Array.from(spreads.keys())
    .filter((j) => spreads[j]! > 0)
    .toSorted((one, other) => spreads[other]! - spreads[one]!);
  const rows = Dense.zeros(order.length, rank);
  for (const [i, j] of order.entries()) {
    for (let c = 0; c < rank; c += 1) rows.set(i, c, right.get(j, c) * spreads[j]!);
  }
  const basis = new QrDecomposition(rows).orthogonalMatrix;
  return (b) => {
    const inside = times(
      basis,
      transposedTimes(
        basis,
        Float64Array.from(order, (j) => b[j]!),
      ),
    );
    const out = new Float64Array(b.length);
    for (const [i, j] of order.entries()) out[j] = inside[i]!;
    return out;
  };
}

function solve(problem: Prepared): Solution {
  const { x, y, pull } = problem;
  const length = x.rows + (pull > 0 ? x.columns : 0);
  const solution: Solution = { b: new Float64Array(x.columns), b0: 0, r: new Float64Array(length) };
  const first = new Float64Array(length);
  first.set(y);
  correct(problem, solution, { f: first, g: new Float64Array(x.columns), g0: 0 }, problem.rowSpace);
  // Where residuals are large and the table nearly collinear, the first solution is mostly rounding and the next step as
  // long as it: only from then on must steps shrink.
  let before = Infinity;
  for (let round = 0; round < MAX_REFINEMENTS; round += 1) {
    const { moved, size } = correct(
      problem,
      solution,
      misfit(problem, solution),
      problem.even ? problem.rowSpace : undefined,
    );
    if (moved <= Number.EPSILON * size || moved > before / 2) break;
    before = moved;
  }
  return solution;
}

/**
 * How far `solution` is from `r = y - b0 - X b` and from `Xᵀ r = 0`, in twice the precision.
 * @returns f by row, g by column (of the centred column), g0 for the column of ones.
 */
function misfit(
  { x, y, intercept, pull, means }: Prepared,
  { b, b0, r }: Solution,
): { f: Float64Array; g: Float64Array; g0: number } {
  const { rows, columns, data } = x;
  const f = new Float64Array(r.length);
  const row = compensatedSums(1);
  const column = compensatedSums(columns);
  const ones = compensatedSums(1);
  for (let i = 0; i < rows; i += 1) {
    clear(row);
    addTerm(row, 0, y[i]!);
    addTerm(row, 0, -r[i]!);
    addTerm(row, 0, -b0);
    for (let j = 0; j < columns; j += 1) {
      const value = data[i * columns + j]!;
      addProduct(row, 0, value, -b[j]!);
      addProduct(column, j, value, -r[i]!);
    }
    addTerm(ones, 0, -r[i]!);
    f[i] = totalOf(row, 0);
  }
  for (let j = 0; j < columns; j += 1) {
    addProduct(column, j, -means[j]!, ones.sum[0]!);
    addProduct(column, j, -means[j]!, ones.error[0]!);
    if (pull === 0) continue;
    addProduct(column, j, pull, -r[rows + j]!);
    clear(row);
    addTerm(row, 0, -r[rows + j]!);
    addProduct(row, 0, pull, -b[j]!);
    f[rows + j] = totalOf(row, 0);
  }
  const g = new Float64Array(columns).map((_, j) => totalOf(column, j));
  return { f, g, g0: intercept ? totalOf(ones, 0) : 0 };
}

/**
 * Moves `solution` by the solution of the augmented system [I A; Aᵀ 0] [dr; db] = [f; g]; `rowSpace` makes it the shortest.
 * @returns the lengths of the move and of the coefficients, both in scaled units.
 */
function correct(
  problem: Prepared,
  solution: Solution,
  { f, g, g0 }: { f: Float64Array; g: Float64Array; g0: number },
  rowSpace?: Prepared['rowSpace'],
): { moved: number; size: number } {
  const { x, intercept, means, spreads, factors, rank } = problem;
  const { rows } = x;
  const right = factors.right;
  const scaledGradient = g.map((value, j) => (spreads[j]! > 0 ? value / spreads[j]! : 0));
  const z = transposedTimes(right, scaledGradient).map((value, i) => (i < rank ? value / factors.values[i]! : 0));
  const c = factors.project(f);
  const gap = z.map((value, i) => (i < rank ? value - c[i]! : 0));
  const scaledMove = times(
    right,
    gap.map((value, i) => (i < rank ? -value / factors.values[i]! : 0)),
  );
  let move: Float64Array = scaledMove.map((value, j) => (spreads[j]! > 0 ? value / spreads[j]! : 0));
  if (rank === 0) move = move.fill(0);
  if (rowSpace) move = rowSpace(move);

  const residualMove = factors.expand(gap);
  let level = 0;
  if (intercept) {
    let sum = -g0;
    for (let i = 0; i < rows; i += 1) sum += f[i]!;
    level = sum / rows;
  }
  for (let i = 0; i < solution.r.length; i += 1) {
    solution.r[i] = solution.r[i]! + f[i]! + residualMove[i]! - (i < rows ? level : 0);
  }
  const lift = compensatedSums(1);
  addTerm(lift, 0, solution.b0);
  addTerm(lift, 0, level);
  let moved = 0;
  let size = 0;
  for (let j = 0; j < move.length; j += 1) {
    addProduct(lift, 0, -means[j]!, move[j]!);
    solution.b[j] = solution.b[j]! + move[j]!;
    const scaledStep = move[j]! * spreads[j]!;
    const scaledValue = solution.b[j]! * spreads[j]!;
    moved += scaledStep * scaledStep;
    size += scaledValue * scaledValue;
  }
  if (intercept) solution.b0 = totalOf(lift, 0);
  return { moved: Math.sqrt(moved), size: Math.sqrt(size) };
}
