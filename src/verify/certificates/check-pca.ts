/**
 * Principal components by what they must satisfy: unit length and square to each other, C v = λ v for the covariance C, in
 * falling order, signs as agreed, and nothing larger left: power iteration, kept square to all of them, finds no direction
 * with more variance than the last. The covariance is formed where columns are few and only multiplied where they are many.
 */
import { centred, columnMeans, columnSpreads } from '../../shared/columns.ts';
import { componentCount, type Matrix, type PcaInput, type PcaResult } from '../../shared/kernels.ts';
import { seededRandom } from '../../shared/seeded-random.ts';
import { atMost, refused, verdictOf, type Check, type Verdict } from './verdict.ts';

/** All relative to the largest variance or to 1. */
const TOLERANCE = 1e-11;
const MEAN_TOLERANCE = 1e-12;
const SMALL_TABLE_COLUMNS = 256;

export function checkPca(input: PcaInput, result: PcaResult, seed: number): Verdict {
  const { x } = input;
  const { rows, columns } = x;
  const count = componentCount(input);
  const { components, explainedVariance, explainedVarianceRatio, mean } = result;
  if (components.length !== count || components.some((component) => component.length !== columns)) {
    return refused(`Wrong: the components are not ${count} rows of ${columns} numbers.`);
  }
  if (explainedVariance.length !== count || explainedVarianceRatio.length !== count || mean.length !== columns) {
    return refused('Wrong: variances or means do not match the table in number.');
  }
  const means = columnMeans(x);
  const spreads = columnSpreads(x, means);
  const total = spreads.reduce((sum, spread) => sum + spread * spread, 0) / (rows - 1);
  if (total === 0) return refused('Every column is constant: there is no variance to explain.');
  const table = centred(x, means);
  for (let j = 0; j < columns; j += 1) {
    if (spreads[j] === 0) for (let i = 0; i < rows; i += 1) table.data[i * columns + j] = 0;
  }
  const lengths = columnSpreads(x, new Float64Array(columns));
  const meanError = means.reduce((most, own, j) => {
    const scale = lengths[j]! / Math.sqrt(rows);
    return Math.max(most, scale === 0 ? Math.abs(mean[j]!) : Math.abs(mean[j]! - own) / scale);
  }, 0);

  const apply = columns <= SMALL_TABLE_COLUMNS ? byCovariance(table) : byTable(table);
  const vectors = components.map((component) => Float64Array.from(component));
  const last = explainedVariance[count - 1]!;
  const largest = Math.max(explainedVariance[0]!, total / columns);
  const checks: Check[] = [
    atMost('error of the mean, relative', meanError, MEAN_TOLERANCE),
    atMost('error of unit length and right angles', angleError(vectors), TOLERANCE),
    atMost('components turned the wrong way', vectors.filter(facesBack).length, 0),
  ];
  let residual = 0;
  let variance = 0;
  let ratio = 0;
  let rising = 0;
  for (const [c, vector] of vectors.entries()) {
    const claimed = explainedVariance[c]!;
    const image = apply(vector);
    const own = dot(image, vector);
    residual = Math.max(residual, norm(image.map((value, j) => value - claimed * vector[j]!)) / largest);
    variance = Math.max(variance, Math.abs(own - claimed) / (1e-9 * Math.abs(claimed) + 1e-13 * largest));
    ratio = Math.max(ratio, Math.abs(explainedVarianceRatio[c]! - claimed / total));
    if (c > 0) rising = Math.max(rising, claimed - explainedVariance[c - 1]!);
  }
  const trials = columns <= SMALL_TABLE_COLUMNS ? { starts: 3, steps: 100 } : { starts: 2, steps: 12 };
  const left = count < columns ? largestLeft(apply, vectors, columns, seed, trials) : 0;
  checks.push(
    atMost('residual of the eigenvectors, relative', residual, TOLERANCE),
    atMost('error of the variances, in units of 1e-9', variance, 1),
    atMost('error of the shares of variance', ratio, TOLERANCE),
    atMost('rise from one variance to the next', rising, 0),
    atMost('variance found outside the components', left, last * (1 + 1e-9) + TOLERANCE * largest),
  );
  return verdictOf(checks, 'These are the directions of largest variance: nothing larger was found outside them.');
}

type Apply = (vector: Float64Array) => Float64Array;

function byCovariance({ rows, columns, data }: Matrix): Apply {
  const covariance = new Float64Array(columns * columns);
  for (let i = 0; i < rows; i += 1) {
    const row = i * columns;
    for (let a = 0; a < columns; a += 1) {
      const value = data[row + a]!;
      const at = a * columns;
      for (let b = 0; b <= a; b += 1) covariance[at + b] = covariance[at + b]! + value * data[row + b]!;
    }
  }
  for (let a = 0; a < columns; a += 1) {
    for (let b = 0; b <= a; b += 1) {
      const value = covariance[a * columns + b]! / (rows - 1);
      covariance[a * columns + b] = value;
      covariance[b * columns + a] = value;
    }
  }
  return (vector) => vector.map((_, a) => dot(covariance.subarray(a * columns, (a + 1) * columns), vector));
}

function byTable({ rows, columns, data }: Matrix): Apply {
  return (vector) => {
    const image = new Float64Array(columns);
    for (let i = 0; i < rows; i += 1) {
      const row = data.subarray(i * columns, (i + 1) * columns);
      const along = dot(row, vector);
      for (let j = 0; j < columns; j += 1) image[j] = image[j]! + along * row[j]!;
    }
    return image.map((value) => value / (rows - 1));
  };
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let j = 0; j < a.length; j += 1) sum += a[j]! * b[j]!;
  return sum;
}

const norm = (vector: Float64Array): number => Math.sqrt(dot(vector, vector));

function angleError(vectors: Float64Array[]): number {
  let error = 0;
  for (const [a, vector] of vectors.entries()) {
    for (let b = 0; b <= a; b += 1) error = Math.max(error, Math.abs(dot(vector, vectors[b]!) - (a === b ? 1 : 0)));
  }
  return error;
}

function facesBack(vector: Float64Array): boolean {
  let largest = 0;
  for (const entry of vector) if (Math.abs(entry) > Math.abs(largest)) largest = entry;
  return largest < 0;
}

/** The largest variance that power iteration finds among directions square to `vectors`; never more than there is. */
function largestLeft(
  apply: Apply,
  vectors: Float64Array[],
  columns: number,
  seed: number,
  { starts, steps }: { starts: number; steps: number },
): number {
  const random = seededRandom(seed, 3);
  let most = 0;
  for (let start = 0; start < starts; start += 1) {
    let direction = unit(
      square(
        Float64Array.from({ length: columns }, () => random() - 0.5),
        vectors,
      ),
    );
    for (let step = 0; step < steps && direction; step += 1) {
      const image = square(apply(direction), vectors);
      most = Math.max(most, dot(image, direction));
      direction = unit(image);
    }
  }
  return most;
}

/** What is left of `vector` without its parts along `vectors`; taken off twice, since once leaves rounding behind. */
function square(vector: Float64Array, vectors: Float64Array[]): Float64Array {
  for (let pass = 0; pass < 2; pass += 1) {
    for (const other of vectors) {
      const along = dot(vector, other);
      for (let j = 0; j < vector.length; j += 1) vector[j] = vector[j]! - along * other[j]!;
    }
  }
  return vector;
}

function unit(vector: Float64Array): Float64Array | undefined {
  const length = norm(vector);
  return length > 0 && Number.isFinite(1 / length) ? vector.map((value) => value / length) : undefined;
}
