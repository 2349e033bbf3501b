/** Singular values at or below this share of the largest count as 0: the convention of LAPACK's and numpy's lstsq. */
export const rankTolerance = (rows: number, columns: number): number => Math.max(rows, columns, 32) * Number.EPSILON;
