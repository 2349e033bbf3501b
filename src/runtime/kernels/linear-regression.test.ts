import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readKernelInput, type Matrix, type RegressionResult } from '../../shared/kernels.ts';
import { exactLeastSquares } from './exact-least-squares.ts';
import { filip, longley, matrixOf, publishedRegressions } from './published-data.ts';
import { runKernel } from './run-kernel.ts';

function fit(x: Matrix, y: ArrayLike<number>, params: Record<string, unknown> = {}): RegressionResult {
  const result = runKernel(readKernelInput('linear_regression', { x, y: Float64Array.from(y) }, params));
  if (result.model !== 'linear_regression') throw new Error(result.model);
  return result;
}

const furthest = (got: readonly number[], wanted: readonly number[]): number =>
  Math.max(...wanted.map((value, at) => Math.abs(got[at]! - value) / Math.abs(value)));

describe('certified values of the NIST Statistical Reference Datasets', () => {
  test.each(publishedRegressions.map((set) => [set.name, set] as const))('%s', (_, set) => {
    const result = fit(set.x, set.y);
    expect(furthest([result.intercept, ...result.coefficients], [set.intercept, ...set.coefficients])).toBeLessThan(
      1e-11,
    );
    expect(result.rank).toBe(set.x.columns);
    expect(Math.abs(result.mse * set.x.rows - set.squares)).toBeLessThanOrEqual(1e-11 * set.squares + 1e-20);
  });

  test('Filip: the doubles that x^10 is rounded to determine 7 digits of the certified values; those come out', () => {
    const result = fit(filip.x, filip.y);
    const got = [result.intercept, ...result.coefficients];
    expect(result.rank).toBe(10);
    expect(furthest(got, [filip.intercept, ...filip.coefficients])).toBeLessThan(1e-6);
    expect(furthest([result.mse * filip.x.rows], [filip.squares])).toBeLessThan(1e-8);
  });

  test('Filip: the best fit to the rounded powers themselves, computed in fractions, is met to 1e-12', () => {
    const result = fit(filip.x, filip.y);
    expect(furthest([result.intercept, ...result.coefficients], exactLeastSquares(filip.x, filip.y))).toBeLessThan(
      1e-12,
    );
  });
});

describe('degenerate tables', () => {
  test('collinear columns: the shortest of the best fits, with the rank', () => {
    // y = 1 + 2 a; b = 2 a. Coefficients (p, q) fit where p + 2 q = 2; the shortest is (0.4, 0.8).
    const result = fit(matrixOf([1, 2, 3, 5, 8].map((a) => [a, 2 * a])), [3, 5, 7, 11, 17]);
    expect(result.rank).toBe(1);
    expect(result.coefficients[0]).toBeCloseTo(0.4, 13);
    expect(result.coefficients[1]).toBeCloseTo(0.8, 13);
    expect(result.intercept).toBeCloseTo(1, 13);
    expect(result.mse).toBeLessThan(1e-26);
  });

  test('Longley with a column twice: the two share what the one had', () => {
    const { rows, columns, data } = longley.x;
    const twice = matrixOf(
      Array.from({ length: rows }, (_, i) => {
        const row = Array.from(data.subarray(i * columns, (i + 1) * columns));
        return [...row, row[5]!];
      }),
    );
    const result = fit(twice, longley.y);
    expect(result.rank).toBe(6);
    const wanted = [...longley.coefficients.slice(0, 5), longley.coefficients[5]! / 2, longley.coefficients[5]! / 2];
    expect(furthest(result.coefficients, wanted)).toBeLessThan(1e-8);
  });

  test('fewer rows than columns: fits exactly, shortest', () => {
    // Two points in three dimensions: the line between them alone carries the slope.
    const result = fit(
      matrixOf([
        [0, 0, 0],
        [1, 2, 2],
      ]),
      [1, 10],
    );
    expect(result.rank).toBe(1);
    expect(result.coefficients.map((value) => Math.round(value * 1e12) / 1e12)).toEqual([1, 2, 2]);
    expect(result.intercept).toBeCloseTo(1, 12);
  });

  test('a constant column gets no coefficient, one row only an intercept', () => {
    const constant = fit(matrixOf([1, 2, 4].map((a) => [a, 0.1])), [2, 4, 8]);
    expect(constant.coefficients[0]).toBeCloseTo(2, 13);
    expect(constant.coefficients[1]).toBe(0);
    expect(constant.rank).toBe(1);
    const one = fit(matrixOf([[3, 4]]), [7]);
    expect(one).toEqual({ model: 'linear_regression', coefficients: [0, 0], intercept: 7, mse: 0, rank: 0 });
  });

  test('columns of very different size keep their digits', () => {
    const rows = Array.from({ length: 30 }, (_, i) => [1e-9 * Math.sin(i), 1e9 * Math.cos(3 * i), (i * i) % 7]);
    const y = rows.map(([a, b, c]) => 1 + 2e9 * a! + 3e-9 * b! + 4 * c!);
    expect(furthest(fit(matrixOf(rows), y).coefficients, [2e9, 3e-9, 4])).toBeLessThan(1e-8);
  });
});

test('ridge as in its textbook form: for one centred column, x·y / (x·x + weight)', () => {
  const result = fit(matrixOf([[-1], [0], [1]]), [1, 2, 6], { ridge: 0.5 });
  expect(result.coefficients[0]).toBeCloseTo(5 / 2.5, 14);
  expect(result.intercept).toBeCloseTo(3, 14);
  const through = fit(matrixOf([[1], [2]]), [3, 5], { intercept: false });
  expect(through.coefficients[0]).toBeCloseTo(13 / 5, 14);
  expect(through.intercept).toBe(0);
});

test('on any table of full rank: what fractions give, to 1e-8', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }).chain((columns) =>
        fc.array(fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: columns + 1, maxLength: columns + 1 }), {
          minLength: columns + 3,
          maxLength: 20,
        }),
      ),
      (rows) => {
        const x = matrixOf(rows.map((row) => row.slice(1)));
        const y = Float64Array.from(rows, (row) => row[0]!);
        const result = fit(x, y);
        fc.pre(result.rank === x.columns);
        const wanted = exactLeastSquares(x, y);
        for (const [at, value] of [result.intercept, ...result.coefficients].entries()) {
          expect(Math.abs(value - wanted[at]!)).toBeLessThanOrEqual(1e-8 * Math.abs(wanted[at]!) + 1e-12);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test.each([
  ['y', { x: matrixOf([[1], [2]]), y: [1] }, {}],
  ['y', { x: matrixOf([[1], [2]]), y: [1, Infinity] }, {}],
  ['x', { x: matrixOf([[1], [NaN]]), y: [1, 2] }, {}],
  ['x', { x: matrixOf([[1], [1e200]]), y: [1, 2] }, {}],
  ['x', { x: matrixOf([]), y: [] }, {}],
  ['x', { x: { rows: 2, columns: 2, data: new Float64Array(3) }, y: [1, 2] }, {}],
  ['params.ridge', { x: matrixOf([[1], [2]]), y: [1, 2] }, { ridge: -1 }],
  ['params.slope', { x: matrixOf([[1], [2]]), y: [1, 2] }, { slope: 1 }],
])('refuses a wrong %s', (field, { x, y }, params) => {
  expect(() => fit(x, y, params)).toThrow(expect.objectContaining({ code: 'bad-input', field }));
});
