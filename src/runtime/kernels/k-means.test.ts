import { describe, expect, test } from 'vitest';
import { kernelResultBytes, readKernelInput, type KMeansResult, type Matrix } from '../../shared/kernels.ts';
import { iris, matrixOf } from './published-data.ts';
import { runKernel } from './run-kernel.ts';

function cluster(x: Matrix, params: Record<string, unknown>): KMeansResult {
  const result = runKernel(readKernelInput('k_means', { x }, params));
  if (result.model !== 'k_means') throw new Error(result.model);
  return result;
}

describe('iris, as R and scikit-learn publish it', () => {
  test('three clusters: inertia 78.851441426146, sizes 50, 62, 38', () => {
    const result = cluster(iris, { k: 3, seed: 1 });
    expect(Math.abs(result.inertia - 78.851441426146) / 78.851441426146).toBeLessThan(1e-8);
    const sizes = [0, 1, 2].map((c) => result.labels.filter((label) => label === c).length);
    expect(sizes.toSorted((a, b) => a - b)).toEqual([38, 50, 62]);
    const setosa = result.centers[result.labels[0]!]!;
    for (const [j, value] of [5.006, 3.428, 1.462, 0.246].entries()) expect(setosa[j]).toBeCloseTo(value, 10);
    expect(result.converged).toBe(true);
  });

  test('two clusters: inertia 152.347951760358', () => {
    expect(cluster(iris, { k: 2, seed: 5 }).inertia).toBeCloseTo(152.347951760358, 8);
  });

  test('one cluster: the mean and the scatter about it', () => {
    const result = cluster(iris, { k: 1 });
    expect(result.inertia).toBeCloseTo(681.3706, 8);
    for (const [j, value] of [5.84333333333333, 3.05733333333333, 3.758, 1.19933333333333].entries()) {
      expect(result.centers[0]![j]).toBeCloseTo(value, 12);
    }
  });
});

test('the same seed gives the same bytes, another one other draws', () => {
  const once = kernelResultBytes(cluster(iris, { k: 8, seed: 7, restarts: 1 }));
  expect(kernelResultBytes(cluster(iris, { k: 8, seed: 7, restarts: 1 }))).toEqual(once);
  expect(kernelResultBytes(cluster(iris, { k: 8, seed: 8, restarts: 1 }))).not.toEqual(once);
});

test('a table far from 0 clusters like the same one at 0', () => {
  const far = { ...iris, data: iris.data.map((value) => value + 2 ** 30) };
  const near = cluster(iris, { k: 3, seed: 1 });
  expect(cluster(far, { k: 3, seed: 1 }).labels).toEqual(near.labels);
});

test('as many clusters as different rows: every one its own', () => {
  const result = cluster(matrixOf([[1], [1], [5], [9]]), { k: 3 });
  expect(result.inertia).toBe(0);
  expect(result.centers.flat().toSorted((a, b) => a - b)).toEqual([1, 5, 9]);
});

test('stops at the limit of iterations and says so', () => {
  const result = cluster(iris, { k: 8, seed: 3, maxIterations: 2, restarts: 1 });
  expect(result).toMatchObject({ iterations: 2, converged: false });
});

test.each([
  ['more clusters than rows', matrixOf([[1], [2]]), { k: 3 }, 'params.k'],
  ['more clusters than different rows', matrixOf([[1], [1], [2]]), { k: 3 }, 'params.k'],
  ['no clusters', matrixOf([[1]]), { k: 0 }, 'params.k'],
  ['k left out', matrixOf([[1]]), {}, 'params.k'],
  ['a number that is none', matrixOf([[NaN], [1]]), { k: 1 }, 'x'],
])('refuses %s', (_, x, params, field) => {
  expect(() => cluster(x, params)).toThrow(expect.objectContaining({ code: 'bad-input', field }));
});
