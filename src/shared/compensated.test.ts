import { expect, test } from 'vitest';
import { addProduct, addTerm, clear, compensatedSums, totalOf } from './compensated.ts';

test('sums and products that cancel keep the digits that are left', () => {
  const sums = compensatedSums(2);
  for (const term of [1e16, 1, -1e16]) addTerm(sums, 0, term);
  expect(totalOf(sums, 0)).toBe(1);
  // (2^27 + 1)² = 2^54 + 2^28 + 1 needs 55 bits.
  addProduct(sums, 1, 2 ** 27 + 1, 2 ** 27 + 1);
  addTerm(sums, 1, -(2 ** 54));
  addTerm(sums, 1, -(2 ** 28));
  expect(totalOf(sums, 1)).toBe(1);
  clear(sums);
  expect([totalOf(sums, 0), totalOf(sums, 1)]).toEqual([0, 0]);
});
