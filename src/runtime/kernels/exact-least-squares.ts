/**
 * Least squares without any rounding, for tests: every double is a whole number times a power of two, the normal equations
 * are solved in fractions (Bareiss elimination), and only the answer is rounded.
 */
import type { Matrix } from '../../shared/kernels.ts';

/** Everything is counted in units of 2^-BITS. */
const BITS = 100;

function units(value: number): bigint {
  let whole = value;
  let shift = 0;
  for (; !Number.isInteger(whole); shift += 1) whole *= 2;
  if (shift > BITS) throw new RangeError(`${value} is not a multiple of 2^-${BITS}`);
  return BigInt(whole) << BigInt(BITS - shift);
}

function ratio(numerator: bigint, denominator: bigint): number {
  const negative = numerator < 0n !== denominator < 0n;
  const [top, bottom] = [numerator < 0n ? -numerator : numerator, denominator < 0n ? -denominator : denominator];
  if (top === 0n) return 0;
  const shift = 64 - (top.toString(2).length - bottom.toString(2).length);
  const quotient = shift >= 0 ? (top << BigInt(shift)) / bottom : top / (bottom << BigInt(-shift));
  const value = Number(quotient) / 2 ** shift;
  return negative ? -value : value;
}

/** Intercept first, then the coefficients, correctly rounded. Full rank only. */
export function exactLeastSquares(x: Matrix, y: Float64Array): number[] {
  const size = x.columns + 1;
  const rows = Array.from({ length: x.rows }, (_, i) => [
    1n << BigInt(BITS),
    ...Array.from(x.data.subarray(i * x.columns, (i + 1) * x.columns), units),
    units(y[i]!),
  ]);
  const table = Array.from({ length: size }, (_, a) =>
    Array.from({ length: size + 1 }, (__, b) => rows.reduce((sum, row) => sum + row[a]! * row[b]!, 0n)),
  );
  let before = 1n;
  for (let k = 0; k < size; k += 1) {
    const pivot = table[k]![k]!;
    for (let i = 0; i < size; i += 1) {
      if (i === k) continue;
      const factor = table[i]![k]!;
      for (let j = 0; j <= size; j += 1) {
        table[i]![j] = (table[i]![j]! * pivot - factor * table[k]![j]!) / before;
      }
    }
    before = pivot;
  }
  return table.map((row, k) => ratio(row[size]!, row[k]!));
}
