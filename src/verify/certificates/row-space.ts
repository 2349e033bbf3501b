/**
 * A small stand-in for a tall table: random combinations of its rows span the same space, and lengths seen through them are
 * right within a small factor (sparse embedding with several entries per row, Nelson and Nguyên 2013). One pass over the
 * table instead of one per pair of columns; with its singular values the rank, the row space, and how large a gradient is
 * *measured in residuals* (the preconditioner of Rokhlin and Tygert 2008) can be judged however badly conditioned the table.
 */
import { Matrix as Dense, QrDecomposition, SingularValueDecomposition } from 'ml-matrix';
import type { Matrix } from '../../shared/kernels.ts';
import { rankTolerance } from '../../shared/rank.ts';
import { seededRandom } from '../../shared/seeded-random.ts';

const ENTRIES_PER_ROW = 4;
/**
 * A singular value this many times above or below the tolerance counts as either: rounding or the sketch may tip it. In such
 * directions the table is as good as constant, and nothing but the gradient itself is asked for.
 */
const GREY = 1e2;

export interface ScaledTable {
  x: Matrix;
  means: Float64Array;
  /** What each centred column is divided by; 0 for one that is constant and left out. */
  spreads: Float64Array;
  ridge: number;
}

export interface RowSpace {
  /** The rank is at least and at most this. */
  ranks: { least: number; most: number };
  /** About the length of the residuals' part inside the column space, from the gradient in scaled units. */
  residualLength(gradient: Float64Array, rank: number): number;
  /** Length of the part of a coefficient vector outside the row space. */
  outside(b: readonly number[], rank: number): number;
  /** The smallest singular value that counts, of columns of unit length; 0 at rank 0. */
  smallest(rank: number): number;
}

export function sketchedRowSpace(table: ScaledTable, seed: number): RowSpace {
  const { x, spreads } = table;
  const sketch = sketched(table, seed);
  const small = sketch.rows >= x.columns ? new QrDecomposition(sketch).upperTriangularMatrix : sketch;
  const svd = new SingularValueDecomposition(small, { autoTranspose: true });
  const values = svd.diagonal;
  const right = svd.rightSingularVectors;
  const tolerance = rankTolerance(x.rows, x.columns) * (values[0] ?? 0);
  return {
    ranks: {
      least: values.filter((value) => value > tolerance * GREY).length,
      most: values.filter((value) => value > tolerance / GREY).length,
    },
    residualLength(gradient, rank) {
      let squares = 0;
      for (let c = 0; c < right.columns; c += 1) {
        let along = 0;
        for (let j = 0; j < x.columns; j += 1) along += right.get(j, c) * gradient[j]!;
        squares += c < rank && values[c]! > tolerance * GREY ? (along / values[c]!) ** 2 : along * along;
      }
      return Math.sqrt(squares);
    },
    outside(b, rank) {
      if (rank === 0) return Dense.columnVector([...b]).norm();
      // Large rows first: see the kernel's own projection.
      const order = Array.from(spreads.keys()).toSorted((one, other) => spreads[other]! - spreads[one]!);
      const space = Dense.zeros(x.columns, rank);
      for (const [i, j] of order.entries()) {
        for (let c = 0; c < rank; c += 1) space.set(i, c, right.get(j, c) * spreads[j]!);
      }
      const basis = new QrDecomposition(space).orthogonalMatrix;
      const sorted = Dense.columnVector(order.map((j) => b[j]!));
      return Dense.sub(sorted, basis.mmul(basis.transpose().mmul(sorted))).norm();
    },
    smallest: (rank) => values[rank - 1] ?? 0,
  };
}

/** All rows where there are few, random combinations of them where there are many; the ridge's rows below. */
function sketched({ x, means, spreads, ridge }: ScaledTable, seed: number): Dense {
  const { rows, columns, data } = x;
  const buckets = 4 * columns + 16;
  const whole = rows <= buckets;
  const height = whole ? rows : buckets;
  const random = seededRandom(seed, 1);
  const sketch = Dense.zeros(height + (ridge > 0 ? columns : 0), columns);
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
  if (ridge > 0) {
    for (let j = 0; j < columns; j += 1) if (spreads[j]! > 0) sketch.set(height + j, j, Math.sqrt(ridge) / spreads[j]!);
  }
  return sketch;
}
