import { describe, expect, test } from 'vitest';
import { kernelResultBytes, readKernelInput, type Matrix, type PcaResult } from '../../shared/kernels.ts';
import { iris, matrixOf } from './published-data.ts';
import { runKernel } from './run-kernel.ts';

function components(x: Matrix, params: Record<string, unknown> = {}): PcaResult {
  const result = runKernel(readKernelInput('pca', { x }, params));
  if (result.model !== 'pca') throw new Error(result.model);
  return result;
}

describe('iris, as R (prcomp) and scikit-learn publish it', () => {
  const result = components(iris);
  test('variances', () => {
    for (const [c, value] of [4.22824171, 0.24267075, 0.0782095, 0.02383509].entries()) {
      expect(result.explainedVariance[c]).toBeCloseTo(value, 8);
    }
    for (const [c, value] of [0.92461872, 0.05306648, 0.01710261, 0.00521218].entries()) {
      expect(result.explainedVarianceRatio[c]).toBeCloseTo(value, 8);
    }
  });

  test('directions', () => {
    const wanted = [
      [0.36138659, -0.08452251, 0.85667061, 0.3582892],
      [0.65658877, 0.73016143, -0.17337266, -0.07548102],
    ];
    for (const [c, direction] of wanted.entries()) {
      for (const [j, value] of direction.entries()) expect(result.components[c]![j]).toBeCloseTo(value, 8);
    }
  });
});

test('variances of a table with a known answer', () => {
  // Points on the axes: variance 8 along the first, 2 along the second, nothing along the third.
  const rows = [
    [2, 0, 5],
    [-2, 0, 5],
    [0, 1, 5],
    [0, -1, 5],
  ].map((row) => row.map((value, j) => (j < 2 ? value * Math.sqrt(3) : value)));
  const result = components(matrixOf(rows));
  expect(result.explainedVariance[0]).toBeCloseTo(8, 13);
  expect(result.explainedVariance[1]).toBeCloseTo(2, 13);
  expect(result.explainedVariance[2]).toBe(0);
  expect(result.components.map((row) => row.map((value) => Math.round(value * 1e13) / 1e13 + 0))).toEqual([
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ]);
});

test('small directions keep their digits beside large ones', () => {
  const rows = Array.from({ length: 40 }, (_, i) => [1e6 * Math.sin(i), Math.cos(5 * i), 1e-3 * ((i * 7) % 11)]);
  const { explainedVariance } = components(matrixOf(rows));
  expect(explainedVariance[0]! / 1e12).toBeGreaterThan(0.3);
  // Without the large column the two small ones must come out nearly alike: their correlation with it is slight.
  const alone = components(matrixOf(rows.map((row) => row.slice(1)))).explainedVariance;
  expect(Math.abs(explainedVariance[1]! / alone[0]! - 1)).toBeLessThan(0.1);
  expect(Math.abs(explainedVariance[2]! / alone[1]! - 1)).toBeLessThan(0.1);
});

test('collinear columns and more columns than rows are no trouble', () => {
  const flat = components(matrixOf([1, 2, 4, 7].map((a) => [a, 2 * a, -a])));
  expect(flat.explainedVariance[0]).toBeCloseTo(6 * 7, 12);
  expect(flat.explainedVariance[1]).toBeLessThan(1e-28);
  const wide = components(
    matrixOf([
      [1, 0, 0, 2],
      [0, 3, 1, 1],
    ]),
  );
  expect(wide.components).toHaveLength(1);
  expect(wide.explainedVariance[0]).toBeCloseTo((1 + 9 + 1 + 1) / 2, 13);
});

test('the same bytes every time', () => {
  expect(kernelResultBytes(components(iris))).toEqual(kernelResultBytes(components(iris)));
});

test.each([
  ['one row', matrixOf([[1, 2]]), {}, 'x'],
  ['only constant columns', matrixOf([[0.1], [0.1], [0.1]]), {}, 'x'],
  [
    'more components than the rows have',
    matrixOf([
      [1, 2, 3],
      [4, 5, 7],
    ]),
    { components: 2 },
    'params.components',
  ],
  ['more components than columns', iris, { components: 5 }, 'params.components'],
])('refuses %s', (_, x, params, field) => {
  expect(() => components(x, params)).toThrow(expect.objectContaining({ code: 'bad-input', field }));
});
