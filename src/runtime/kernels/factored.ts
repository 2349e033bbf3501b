/** Orthogonal factors of a table, by the decompositions of ml-matrix. */
import { QrDecomposition, SingularValueDecomposition, type Matrix as Dense } from 'ml-matrix';

/** `a = left · diag(values) · rightᵀ`, the columns of both orthonormal, values falling, as many as min(rows, columns). */
export interface Factored {
  values: Float64Array;
  /** columns × values, as the matrix library holds it. */
  right: Dense;
  /** leftᵀ · f */
  project(f: Float64Array): Float64Array;
  /** left · z */
  expand(z: Float64Array): Float64Array;
}

/**
 * Householder QR first, then the singular values of the small triangle: for tall tables several times faster than the
 * singular values of the whole, and just as accurate.
 */
export function factored(a: Dense): Factored {
  const tall = a.rows >= a.columns;
  const qr = new QrDecomposition(tall ? a : a.transpose());
  const q = qr.orthogonalMatrix;
  const triangle = tall ? qr.upperTriangularMatrix : qr.upperTriangularMatrix.transpose();
  const svd = new SingularValueDecomposition(triangle);
  const u = svd.leftSingularVectors;
  const v = svd.rightSingularVectors;
  return {
    values: Float64Array.from(svd.diagonal),
    right: tall ? v : q.mmul(v),
    project: (f) => transposedTimes(u, tall ? transposedTimes(q, f) : f),
    expand: (z) => (tall ? times(q, times(u, z)) : times(u, z)),
  };
}

export function times(a: Dense, z: Float64Array): Float64Array {
  const out = new Float64Array(a.rows);
  for (let i = 0; i < a.rows; i += 1) {
    let sum = 0;
    for (let j = 0; j < a.columns; j += 1) sum += a.get(i, j) * z[j]!;
    out[i] = sum;
  }
  return out;
}

export function transposedTimes(a: Dense, f: Float64Array): Float64Array {
  const out = new Float64Array(a.columns);
  for (let i = 0; i < a.rows; i += 1) {
    const weight = f[i]!;
    for (let j = 0; j < a.columns; j += 1) out[j] = out[j]! + a.get(i, j) * weight;
  }
  return out;
}
