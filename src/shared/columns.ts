/** Means and spreads of a table's columns, computed alike by who does the work and who checks it. */
import { addTerm, compensatedSums, totalOf } from './compensated.ts';
import type { Matrix } from './kernels.ts';

export function columnMeans({ rows, columns, data }: Matrix): Float64Array {
  const sums = compensatedSums(columns);
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) addTerm(sums, j, data[i * columns + j]!);
  }
  return new Float64Array(columns).map((_, j) => totalOf(sums, j) / rows);
}

/** Below this the squares that a length is made of lose their digits. */
const SHORTEST = 1e-140;

/** Euclidean length of each column after `means` are taken off; exactly 0 for a column that is constant up to rounding. */
export function columnSpreads({ rows, columns, data }: Matrix, means: Float64Array): Float64Array {
  const squares = new Float64Array(columns);
  const largest = new Float64Array(columns);
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) {
      const value = data[i * columns + j]!;
      const off = value - means[j]!;
      squares[j] = squares[j]! + off * off;
      largest[j] = Math.max(largest[j]!, Math.abs(value));
    }
  }
  return squares.map((square, j) => {
    const spread = Math.sqrt(square);
    return spread < SHORTEST || spread <= 8 * Number.EPSILON * largest[j]! * Math.sqrt(rows) ? 0 : spread;
  });
}

/** The table with `means` taken off. */
export function centred({ rows, columns, data }: Matrix, means: Float64Array): Matrix {
  return { rows, columns, data: data.map((value, at) => value - means[at % columns]!) };
}
