/**
 * Rank and shortest solution, checked on a sketch: a few random combinations of the rows span the same space as all of them
 * (sparse embedding with several entries per row, Nelson and Nguyên 2013), and cost one pass over the table.
 */
import { Matrix as Dense, QrDecomposition, SingularValueDecomposition } from 'ml-matrix';
import type { RegressionInput } from '../../shared/kernels.ts';
import { rankTolerance } from '../../shared/rank.ts';
import { seededRandom } from '../../shared/seeded-random.ts';
import { atMost, type Check } from './verdict.ts';

const ENTRIES_PER_ROW = 4;
/** A singular value this many times above or below the tolerance counts as either: rounding may tip it. */
const GREY = 1e3;
const OUTSIDE_TOLERANCE = 1e-8;

export function rowSpaceChecks(
  { x, params }: RegressionInput,
  means: Float64Array,
  spreads: Float64Array,
  { b, rank }: { b: readonly number[]; rank: number },
  seed: number,
): Check[] {
  const { rows, columns } = x;
  if (params.ridge > 0) return [atMost('distance from full rank, which ridge gives', Math.abs(columns - rank), 0)];
  const idle = spreads.reduce((sum, spread, j) => sum + (spread === 0 ? Math.abs(b[j]!) : 0), 0);
  const checks = [atMost('coefficients of constant columns', idle, 0)];

  const sketch = sketched(x, means, spreads, seed);
  const small = sketch.rows < columns ? sketch.transpose() : sketch;
  const svd = new SingularValueDecomposition(new QrDecomposition(small).upperTriangularMatrix);
  const values = svd.diagonal;
  const least = rankTolerance(rows, columns) * (values[0] ?? 0);
  const surely = values.filter((value) => value > least * GREY).length;
  const perhaps = values.filter((value) => value > least / GREY).length;
  checks.push(atMost('ranks claimed beyond those there are', rank - perhaps, 0));
  checks.push(atMost('ranks there are beyond those claimed', surely - rank, 0));
  if (rank >= columns || rank < surely || rank > perhaps || rank === 0) return checks;

  const right = new SingularValueDecomposition(sketch, { autoTranspose: true }).rightSingularVectors;
  const space = Dense.zeros(columns, rank);
  for (let j = 0; j < columns; j += 1) {
    for (let c = 0; c < rank; c += 1) space.set(j, c, right.get(j, c) * spreads[j]!);
  }
  const basis = new QrDecomposition(space).orthogonalMatrix;
  const vector = Dense.columnVector([...b]);
  const inside = basis.mmul(basis.transpose().mmul(vector));
  const length = vector.norm();
  const outside = length === 0 ? 0 : Dense.sub(vector, inside).norm() / length;
  checks.push(atMost('part of the coefficients outside the row space, relative', outside, OUTSIDE_TOLERANCE));
  return checks;
}

/** Columns centred and of unit length; all rows where there are few, random combinations of them where there are many. */
function sketched(
  { rows, columns, data }: { rows: number; columns: number; data: Float64Array },
  means: Float64Array,
  spreads: Float64Array,
  seed: number,
): Dense {
  const buckets = 4 * columns + 16;
  const whole = rows <= buckets;
  const random = seededRandom(seed, 1);
  const sketch = Dense.zeros(whole ? rows : buckets, columns);
  for (let i = 0; i < rows; i += 1) {
    for (let entry = 0; entry < (whole ? 1 : ENTRIES_PER_ROW); entry += 1) {
      const bucket = whole ? i : Math.floor(random() * buckets);
      const weight = whole ? 1 : 2 * random() - 1;
      for (let j = 0; j < columns; j += 1) {
        if (spreads[j] === 0) continue;
        const value = (data[i * columns + j]! - means[j]!) / spreads[j]!;
        sketch.set(bucket, j, sketch.get(bucket, j) + weight * value);
      }
    }
  }
  return sketch;
}
