/**
 * The steps of k-means that the kernel repeats to the end and the certificate takes only a few of: k-means++ seeding
 * (Arthur and Vassilvitskii 2007) and Lloyd's iteration. Tables come centred, so that a common offset costs no digits.
 */
import { AppError } from './errors.ts';
import type { KMeansParams, Matrix } from './kernels.ts';
import { seededRandom } from './seeded-random.ts';

export interface LloydRun {
  /** k rows. */
  centers: Float64Array;
  labels: Int32Array;
  inertia: number;
  iterations: number;
  converged: boolean;
}

/** Squared distance of row `i` to center `c`. */
export function squaredDistance(x: Matrix, i: number, centers: Float64Array, c: number): number {
  let sum = 0;
  const row = i * x.columns;
  const center = c * x.columns;
  for (let j = 0; j < x.columns; j += 1) {
    const off = x.data[row + j]! - centers[center + j]!;
    sum += off * off;
  }
  return sum;
}

/** The nearest center, the first of equals. */
export function nearestCenter(x: Matrix, i: number, centers: Float64Array): { label: number; squared: number } {
  const k = centers.length / x.columns;
  let label = 0;
  let squared = Infinity;
  for (let c = 0; c < k; c += 1) {
    const distance = squaredDistance(x, i, centers, c);
    if (distance < squared) {
      squared = distance;
      label = c;
    }
  }
  return { label, squared };
}

/**
 * Starting centers: a row at random, then rows with a chance that grows with the square of their distance.
 * @throws AppError bad-input where the table has fewer different rows than k.
 */
export function seedCenters(x: Matrix, k: number, random: () => number): Float64Array {
  const centers = new Float64Array(k * x.columns);
  const squared = new Float64Array(x.rows).fill(Infinity);
  let chosen = Math.min(x.rows - 1, Math.floor(random() * x.rows));
  for (let c = 0; c < k; c += 1) {
    centers.set(x.data.subarray(chosen * x.columns, (chosen + 1) * x.columns), c * x.columns);
    if (c === k - 1) break;
    let total = 0;
    for (let i = 0; i < x.rows; i += 1) {
      squared[i] = Math.min(squared[i]!, squaredDistance(x, i, centers, c));
      total += squared[i]!;
    }
    if (total === 0) {
      throw new AppError(
        'bad-input',
        `${k} clusters need at least ${k} different rows; double precision tells ${c + 1} apart in this table.`,
        {
          field: 'params.k',
          next: `Ask for at most ${c + 1} clusters.`,
        },
      );
    }
    chosen = pick(squared, random() * total);
  }
  return centers;
}

/** The first index at which the running sum passes `goal`; rows of weight 0 are never picked. */
function pick(weights: Float64Array, goal: number): number {
  let sum = 0;
  let last = 0;
  for (let i = 0; i < weights.length; i += 1) {
    if (weights[i] === 0) continue;
    sum += weights[i]!;
    last = i;
    if (sum > goal) break;
  }
  return last;
}

/** Means of the rows by label; where a center has no rows, `count` is 0 and the mean is 0. */
export function meansByLabel(
  x: Matrix,
  labels: ArrayLike<number>,
  k: number,
): { means: Float64Array; counts: Int32Array } {
  const means = new Float64Array(k * x.columns);
  const counts = new Int32Array(k);
  for (let i = 0; i < x.rows; i += 1) {
    const c = labels[i]!;
    counts[c] = counts[c]! + 1;
    for (let j = 0; j < x.columns; j += 1) {
      const at = c * x.columns + j;
      means[at] = means[at]! + x.data[i * x.columns + j]!;
    }
  }
  for (let at = 0; at < means.length; at += 1) {
    const count = counts[Math.floor(at / x.columns)]!;
    if (count > 0) means[at] = means[at]! / count;
  }
  return { means, counts };
}

/** What the squared shifts of all centers may sum to for a run to count as converged. */
export function shiftLimit(x: Matrix, tolerance: number): number {
  if (tolerance === 0) return 0;
  let squares = 0;
  for (const value of x.data) squares += value * value;
  return (tolerance * squares) / x.data.length;
}

export const restartSeeds = (x: Matrix, params: KMeansParams, restart: number): Float64Array =>
  seedCenters(x, params.k, seededRandom(params.seed, restart));

/**
 * Lloyd's iteration. It ends *before* the last move: every row is labelled with the nearest of the centers given back, and
 * those are the means of their rows, exactly with tolerance 0. A center without rows moves to the row farthest from its own.
 * @param x centred.
 */
export function lloyd(
  x: Matrix,
  start: Float64Array,
  { maxIterations, tolerance }: Pick<KMeansParams, 'maxIterations' | 'tolerance'>,
): LloydRun {
  const k = start.length / x.columns;
  const limit = shiftLimit(x, tolerance);
  const labels = new Int32Array(x.rows);
  const squared = new Float64Array(x.rows);
  let centers = start;
  for (let iterations = 1; ; iterations += 1) {
    let inertia = 0;
    for (let i = 0; i < x.rows; i += 1) {
      const nearest = nearestCenter(x, i, centers);
      labels[i] = nearest.label;
      squared[i] = nearest.squared;
      inertia += nearest.squared;
    }
    const { means, counts } = meansByLabel(x, labels, k);
    const moved = fillEmpty(x, means, counts, squared);
    let shift = 0;
    for (let at = 0; at < means.length; at += 1) {
      const move = means[at]! - centers[at]!;
      shift += move * move;
    }
    const converged = !moved && shift <= limit;
    if (converged || iterations === maxIterations) return { centers, labels, inertia, iterations, converged };
    centers = means;
  }
}

function fillEmpty(x: Matrix, means: Float64Array, counts: Int32Array, squared: Float64Array): boolean {
  let moved = false;
  for (let c = 0; c < counts.length; c += 1) {
    if (counts[c]! > 0) continue;
    moved = true;
    let farthest = 0;
    for (let i = 1; i < x.rows; i += 1) if (squared[i]! > squared[farthest]!) farthest = i;
    squared[farthest] = 0;
    means.set(x.data.subarray(farthest * x.columns, (farthest + 1) * x.columns), c * x.columns);
  }
  return moved;
}
