/**
 * Sums and dot products as if computed with twice the digits of a double, then rounded: error-free transformations of
 * Knuth and Dekker, put together as in Ogita, Rump and Oishi, "Accurate sum and dot product" (2005), Sum2 and Dot2.
 * Exact as long as no product leaves 1e-290 … 1e290.
 */

/** Several running sums, each with the rounding error it has made so far. */
export interface CompensatedSums {
  sum: Float64Array;
  error: Float64Array;
}

/** 2^27 + 1: splits a double into two halves of 26 bits whose products are exact. */
const SPLITTER = 134_217_729;

export const compensatedSums = (count: number): CompensatedSums => ({
  sum: new Float64Array(count),
  error: new Float64Array(count),
});

export function addTerm(sums: CompensatedSums, at: number, term: number): void {
  const before = sums.sum[at]!;
  const after = before + term;
  const kept = after - before;
  sums.sum[at] = after;
  sums.error[at] = sums.error[at]! + (before - (after - kept) + (term - kept));
}

export function addProduct(sums: CompensatedSums, at: number, a: number, b: number): void {
  const product = a * b;
  const aWide = SPLITTER * a;
  const aHigh = aWide - (aWide - a);
  const aLow = a - aHigh;
  const bWide = SPLITTER * b;
  const bHigh = bWide - (bWide - b);
  const bLow = b - bHigh;
  const lost = aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
  const before = sums.sum[at]!;
  const after = before + product;
  const kept = after - before;
  sums.sum[at] = after;
  sums.error[at] = sums.error[at]! + (before - (after - kept) + (product - kept) + lost);
}

/** The sum, rounded once. */
export const totalOf = (sums: CompensatedSums, at: number): number => sums.sum[at]! + sums.error[at]!;

export function clear(sums: CompensatedSums): void {
  sums.sum.fill(0);
  sums.error.fill(0);
}
