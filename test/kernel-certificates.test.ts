/** The kernels against the certificates: what is honest passes, whatever the table; what is wrong does not. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { filip, iris, longley, matrixOf, publishedRegressions } from '../src/runtime/kernels/published-data.ts';
import { runKernel } from '../src/runtime/kernels/run-kernel.ts';
import type { JobModel } from '../src/shared/job-spec.ts';
import { kernelSample } from '../src/shared/kernel-samples.ts';
import {
  kernelResultBytes,
  readKernelInput,
  type KernelInput,
  type KernelResult,
  type KMeansResult,
  type Matrix,
  type PcaResult,
  type RegressionResult,
} from '../src/shared/kernels.ts';
import { parseTable } from '../src/shared/table.ts';
import { verifyKernelResult } from '../src/verify/certificates/verify-kernel-result.ts';

const SEED = 20_260;
const judge = (input: KernelInput, result: KernelResult, seed = SEED) =>
  verifyKernelResult(input, kernelResultBytes(result), { seed });
const honest = (input: KernelInput, seed = SEED) => judge(input, runKernel(input), seed);
const wrong = (name: string): unknown =>
  expect.objectContaining({ valid: false, reason: expect.stringContaining(name) });

function regression(x: Matrix, y: ArrayLike<number>, params: Record<string, unknown> = {}) {
  const input = readKernelInput('linear_regression', { x, y: Float64Array.from(y) }, params);
  return { input, result: runKernel(input) as RegressionResult };
}
function clusters(x: Matrix, params: Record<string, unknown>) {
  const input = readKernelInput('k_means', { x }, params);
  return { input, result: runKernel(input) as KMeansResult };
}
function principal(x: Matrix, params: Record<string, unknown> = {}) {
  const input = readKernelInput('pca', { x }, params);
  return { input, result: runKernel(input) as PcaResult };
}

describe('honest results pass', () => {
  test.each<JobModel>(['linear_regression', 'k_means', 'pca'])('the sample for %s', (model) => {
    const { csv, params, target } = kernelSample(model);
    const table = parseTable(csv, 'csv', target === undefined ? {} : { target });
    expect(honest(readKernelInput(model, table, params))).toMatchObject({ valid: true });
  });

  test.each([...publishedRegressions, filip].map((set) => [set.name, set] as const))('%s', (_, { x, y }) => {
    expect(honest(readKernelInput('linear_regression', { x, y }, {}))).toMatchObject({ valid: true });
    expect(honest(readKernelInput('linear_regression', { x, y }, { ridge: 0.3 }))).toMatchObject({ valid: true });
  });

  /** Numbers as tables have them, and some of very different size. */
  const ordinary = fc.oneof(
    fc.integer({ min: -3, max: 3 }),
    fc.integer({ min: -1e6, max: 1e6 }).map((value) => value / 1000),
    fc.constantFrom(0, 0.1, 1e-6, 1e4),
  );
  const wild = fc.oneof(
    ordinary,
    fc.double({ min: -1e9, max: 1e9, noNaN: true }).map((value) => (Math.abs(value) < 1e-9 ? 0 : value)),
    fc.constantFrom(1e-9, 1e9),
  );
  const tableOf = (cell: fc.Arbitrary<number>) =>
    fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 30 })).chain(([columns, rows]) =>
      fc
        .array(fc.array(cell, { minLength: columns + 1, maxLength: columns + 1 }), {
          minLength: rows,
          maxLength: rows,
        })
        .map((all) => ({ x: matrixOf(all.map((row) => row.slice(1))), y: Float64Array.from(all, (row) => row[0]!) })),
    );

  /** Any table, with some columns made of others and some rows twice. */
  const degenerate = (cell: fc.Arbitrary<number>) =>
    fc.tuple(tableOf(cell), fc.boolean(), fc.boolean()).map(([{ x, y }, alike, twice]) => {
      const data = x.data.slice();
      for (let i = 0; i < x.rows; i += 1) {
        if (alike && x.columns > 2) data[i * x.columns + 2] = 3 * data[i * x.columns]! - data[i * x.columns + 1]!;
        if (twice && i % 2 === 1) data.copyWithin(i * x.columns, (i - 1) * x.columns, i * x.columns);
      }
      return { x: { ...x, data }, y };
    });

  test('linear regression and ridge on any table', () => {
    fc.assert(
      fc.property(
        degenerate(wild),
        fc.boolean(),
        fc.constantFrom(0, 1e-6, 1, 1e6),
        fc.nat(),
        (table, intercept, ridge, seed) => {
          const verdict = honest(readKernelInput('linear_regression', table, { intercept, ridge }), seed);
          expect(verdict).toMatchObject({ valid: true });
        },
      ),
      { numRuns: 500 },
    );
  });

  test('k-means on any table', () => {
    fc.assert(
      fc.property(
        degenerate(ordinary),
        fc.integer({ min: 1, max: 6 }),
        fc.constantFrom(1, 3, 300),
        fc.constantFrom(0, 1e-4, 0.1),
        fc.constantFrom(1, 4),
        fc.nat(),
        ({ x }, k, maxIterations, tolerance, restarts, seed) => {
          const different = new Set(
            Array.from({ length: x.rows }, (_, i) => String(x.data.slice(i * x.columns, (i + 1) * x.columns))),
          ).size;
          fc.pre(k <= different);
          const input = readKernelInput('k_means', { x }, { k, seed, maxIterations, tolerance, restarts });
          const verdict = honest(input, seed);
          expect(verdict).toMatchObject({ valid: true });
        },
      ),
      { numRuns: 500 },
    );
  });

  test('principal components on any table', () => {
    fc.assert(
      fc.property(degenerate(wild), fc.integer({ min: 1, max: 5 }), fc.nat(), ({ x }, components, seed) => {
        fc.pre(components <= Math.min(x.rows - 1, x.columns));
        fc.pre(Array.from({ length: x.columns }, (_, j) => j).some((j) => differs(x, j)));
        const verdict = honest(readKernelInput('pca', { x }, { components }), seed);
        expect(verdict).toMatchObject({ valid: true });
      }),
      { numRuns: 500 },
    );
  });
});

/** Whether column `j` varies by more than rounding. */
function differs(x: Matrix, j: number): boolean {
  const column = Array.from({ length: x.rows }, (_, i) => x.data[i * x.columns + j]!);
  const largest = Math.max(...column.map(Math.abs));
  return Math.max(...column) - Math.min(...column) > 1e-9 * largest;
}

describe('wrong regressions are refused', () => {
  const { input, result } = regression(longley.x, longley.y);
  test.each(result.coefficients.map((_, j) => j))('coefficient %i off by one in a million', (j) => {
    const coefficients = result.coefficients.map((value, at) => (at === j ? value * (1 + 1e-6) : value));
    expect(judge(input, { ...result, coefficients })).toEqual(wrong('a better fit would remove'));
  });
  test.each(filip.coefficients.map((_, j) => j))('and so on Filip, coefficient %i', (j) => {
    const hard = regression(filip.x, filip.y);
    const coefficients = hard.result.coefficients.map((value, at) => (at === j ? value * (1 + 1e-6) : value));
    expect(judge(hard.input, { ...hard.result, coefficients })).toMatchObject({ valid: false });
  });
  test('intercept, error and rank', () => {
    expect(judge(input, { ...result, intercept: result.intercept * (1 + 1e-6) })).toEqual(
      wrong('mean of the residuals'),
    );
    expect(judge(input, { ...result, mse: result.mse * (1 - 1e-6) })).toEqual(wrong('mse'));
    expect(judge(input, { ...result, rank: 5 })).toEqual(wrong('ranks'));
    expect(judge(input, { ...result, rank: 7 })).toEqual(wrong('rank'));
    expect(judge(input, { ...result, coefficients: result.coefficients.slice(1) })).toEqual(wrong('coefficients'));
  });
  test('a direction in which the table hardly varies is not free either', () => {
    // Two columns that differ by 1e-7: the fit hardly notices a coefficient moved from one to the other.
    const rows = Array.from({ length: 50 }, (_, i) => [Math.sin(i), Math.sin(i) + 1e-7 * Math.cos(7 * i)]);
    const weak = regression(
      matrixOf(rows),
      rows.map(([a], i) => 3 * a! + Math.cos(i * i)),
    );
    const [a, b] = weak.result.coefficients as [number, number];
    const coefficients = [a + 0.01 * a, b - 0.01 * a];
    expect(judge(weak.input, { ...weak.result, coefficients })).toMatchObject({ valid: false });
  });
  test('collinear columns: another best fit than the shortest, and one of full rank that is not there', () => {
    const twin = regression(matrixOf([1, 2, 3, 5, 8].map((a) => [a, 2 * a])), [3, 5, 7, 11, 17.5]);
    const [p, q] = twin.result.coefficients as [number, number];
    expect(judge(twin.input, { ...twin.result, coefficients: [p + 2, q - 1] })).toEqual(wrong('row space'));
    expect(judge(twin.input, { ...twin.result, coefficients: [p + 2e9, q - 1e9], rank: 2 })).toEqual(wrong('ranks'));
  });
  test('ridge results for another weight', () => {
    const ridge = regression(longley.x, longley.y, { ridge: 1 });
    expect(judge(ridge.input, regression(longley.x, longley.y, { ridge: 1.000001 }).result)).toMatchObject({
      valid: false,
    });
    expect(judge(input, ridge.result)).toMatchObject({ valid: false });
  });
});

describe('wrong clusterings are refused', () => {
  const { input, result } = clusters(iris, { k: 3, seed: 1 });
  test('the label of any one point flipped', () => {
    for (let i = 0; i < 150; i += 1) {
      const labels = result.labels.with(i, (result.labels[i]! + 1) % 3);
      expect(judge(input, { ...result, labels }).valid).toBe(false);
    }
  });
  test('a label flipped and everything else made to fit it', () => {
    const labels = result.labels.with(60, (result.labels[60]! + 1) % 3);
    const centers = [0, 1, 2].map((c) => {
      const members = labels.flatMap((label, i) =>
        label === c ? [Array.from(iris.data.subarray(4 * i, 4 * i + 4))] : [],
      );
      return [0, 1, 2, 3].map((j) => members.reduce((sum, row) => sum + row[j]!, 0) / members.length);
    });
    expect(judge(input, { ...result, labels, centers })).toEqual(wrong('nearer to another center'));
  });
  test('centers shifted, the least bit', () => {
    const centers = result.centers.map((center, c) => (c === 0 ? center.map((value) => value + 1e-6) : center));
    expect(judge(input, { ...result, centers })).toEqual(wrong('means of their rows'));
  });
  test('inertia, iterations, shapes', () => {
    expect(judge(input, { ...result, inertia: result.inertia * (1 - 1e-6) })).toEqual(wrong('inertia'));
    expect(judge(input, { ...result, iterations: 301 })).toEqual(wrong('iterations'));
    expect(judge(input, { ...result, labels: result.labels.slice(1) })).toEqual(wrong('149 labels'));
    expect(judge(input, { ...result, labels: result.labels.with(0, 3) })).toEqual(wrong('label beyond'));
    expect(judge(input, { ...result, centers: result.centers.slice(1) })).toEqual(wrong('centers'));
  });
  test('stopping early and saying so, or not saying so', () => {
    const early = clusters(iris, { k: 8, seed: 3, maxIterations: 2, restarts: 1 });
    expect(judge(early.input, early.result).reason).toMatch(/Stopped at the limit/);
    expect(judge(early.input, { ...early.result, converged: true })).toEqual(wrong('means of their rows'));
    const full = clusters(iris, { k: 8, seed: 3, restarts: 1 });
    expect(judge(full.input, early.result)).toEqual(wrong('iterations left'));
  });
  test('a stationary clustering that is worse than the first start after two steps', () => {
    // Two pairs, far apart from each other: splitting each pair is stationary, and poor.
    const square = clusters(
      matrixOf([
        [0, 0],
        [0, 1],
        [10, 0],
        [10, 1],
      ]),
      { k: 2, seed: 1 },
    );
    expect(square.result.inertia).toBe(1);
    const poor: KMeansResult = {
      ...square.result,
      centers: [
        [5, 0],
        [5, 1],
      ],
      labels: [0, 1, 0, 1],
      inertia: 100,
    };
    const verdict = judge(square.input, poor);
    expect(verdict.checks.filter((check) => !check.ok).map((check) => check.name)).toEqual(['inertia']);
  });
  test('a large table, of which only a sample is looked at', () => {
    const rows = 100_001;
    const data = Float64Array.from({ length: rows * 16 }, (_, at) => Math.sin(at * at) + (at % 5));
    const large = clusters({ rows, columns: 16, data }, { k: 64, maxIterations: 1, restarts: 1 });
    expect(judge(large.input, large.result)).toMatchObject({ valid: true });
    const careless = large.result.labels.map((label, i) => (i % 100 === 0 ? (label + 1) % 64 : label));
    expect(judge(large.input, { ...large.result, labels: careless })).toEqual(wrong('nearer to another center'));
  });
  test('the reason never says optimal', () => {
    expect(judge(input, result).reason).toMatch(/^Stationary: .*not proven/);
  });
});

describe('wrong components are refused', () => {
  const { input, result } = principal(iris, { components: 2 });
  const [first, second] = result.components as [number[], number[]];
  test('rotated, the least bit', () => {
    const [c, s] = [Math.cos(1e-6), Math.sin(1e-6)];
    const components = [
      first.map((value, j) => c * value + s * second[j]!),
      second.map((value, j) => c * value - s * first[j]!),
    ];
    expect(judge(input, { ...result, components })).toEqual(wrong('residual of the eigenvectors'));
  });
  test('the smaller first', () => {
    const swapped: PcaResult = {
      ...result,
      components: [second, first],
      explainedVariance: result.explainedVariance.toReversed(),
      explainedVarianceRatio: result.explainedVarianceRatio.toReversed(),
    };
    expect(judge(input, swapped)).toEqual(wrong('rise'));
  });
  test('the largest left out', () => {
    const all = principal(iris).result;
    const without: PcaResult = {
      ...all,
      components: all.components.slice(1, 3),
      explainedVariance: all.explainedVariance.slice(1, 3),
      explainedVarianceRatio: all.explainedVarianceRatio.slice(1, 3),
    };
    expect(judge(input, without)).toEqual(wrong('outside the components'));
  });
  test('a wrong sign, a wrong length, the same twice', () => {
    const turned = [first.map((value) => -value), second];
    expect(judge(input, { ...result, components: turned })).toEqual(wrong('wrong way'));
    expect(judge(input, { ...result, components: [first, first] })).toEqual(wrong('right angles'));
    const longer = [first.map((value) => value * (1 + 1e-9)), second];
    expect(judge(input, { ...result, components: longer })).toEqual(wrong('unit length'));
  });
  test('variances, shares, mean, shapes', () => {
    const off = (values: number[], at: number) => values.with(at, values[at]! * (1 + 1e-6));
    expect(judge(input, { ...result, explainedVariance: off(result.explainedVariance, 1) })).toMatchObject({
      valid: false,
    });
    expect(judge(input, { ...result, explainedVarianceRatio: off(result.explainedVarianceRatio, 0) })).toEqual(
      wrong('shares'),
    );
    expect(judge(input, { ...result, mean: off(result.mean, 3) })).toEqual(wrong('mean'));
    expect(judge(input, { ...result, components: [first] })).toEqual(wrong('components'));
  });
  test('many columns, where the covariance is never formed', () => {
    const data = Float64Array.from({ length: 40 * 300 }, (_, at) => Math.sin(at * at) * (1 + (at % 300) / 50));
    const wide = principal({ rows: 40, columns: 300, data }, { components: 3 });
    expect(judge(wide.input, wide.result)).toMatchObject({ valid: true });
    const more = principal({ rows: 40, columns: 300, data }, { components: 4 }).result;
    const without = {
      ...more,
      components: more.components.slice(1),
      explainedVariance: more.explainedVariance.slice(1),
      explainedVarianceRatio: more.explainedVarianceRatio.slice(1),
    };
    expect(judge(wide.input, without)).toMatchObject({ valid: false });
  });
});

describe('bytes of a stranger', () => {
  const jobs = [
    regression(longley.x, longley.y),
    clusters(iris, { k: 3, seed: 1 }),
    principal(iris, { components: 2 }),
  ];
  const refuses = (input: KernelInput, bytes: Uint8Array) => !verifyKernelResult(input, bytes, { seed: SEED }).valid;

  test('any bytes and any JSON are refused, never thrown on', () => {
    for (const { input } of jobs) {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
          expect(refuses(input, bytes)).toBe(true);
        }),
      );
      fc.assert(
        fc.property(fc.json(), (json) => {
          expect(refuses(input, new TextEncoder().encode(json))).toBe(true);
        }),
      );
    }
  });

  test('any number of a true result replaced by any other', () => {
    for (const { input, result } of jobs) {
      const text = new TextDecoder().decode(kernelResultBytes(result));
      const places = [...text.matchAll(/[-\d.e+]+(?=[,\]}])/g)].filter((match) => match[0] !== 'e');
      fc.assert(
        fc.property(fc.nat(places.length - 1), fc.oneof(fc.double(), fc.integer(), fc.constant(1e308)), (at, value) => {
          const place = places[at]!;
          fc.pre(!(Math.abs(Number(place[0]) - value) <= 1e-6 * Math.abs(value)));
          const forged = text.slice(0, place.index) + JSON.stringify(value) + text.slice(place.index + place[0].length);
          // How many steps it took is the one number nobody can tell from the result.
          fc.pre(!forged.slice(0, place.index).endsWith('"iterations":') || value > 300);
          expect(refuses(input, new TextEncoder().encode(forged))).toBe(true);
        }),
        { numRuns: 300 },
      );
    }
  });

  test('the same numbers written in another way, more keys, another model, far too many bytes', () => {
    for (const [at, { input, result }] of jobs.entries()) {
      const text = new TextDecoder().decode(kernelResultBytes(result));
      const encode = (other: string) => new TextEncoder().encode(other);
      expect(refuses(input, encode(`${text} `))).toBe(true);
      expect(refuses(input, encode(text.replace('{', '{ ')))).toBe(true);
      expect(refuses(input, encode(text.replace('}', ',"extra":1}')))).toBe(true);
      expect(refuses(input, encode(`\uFEFF${text}`))).toBe(true);
      expect(refuses(input, kernelResultBytes(jobs[(at + 1) % 3]!.result))).toBe(true);
      expect(verifyKernelResult(input, new Uint8Array(50_000_000), { seed: SEED })).toEqual(wrong('bytes'));
      expect(refuses(input, encode('['.repeat(1000)))).toBe(true);
    }
  });

  test('a job that no kernel can do has no valid result', () => {
    const input = readKernelInput('k_means', { x: matrixOf([[1], [1], [2]]) }, { k: 3 });
    const forged: KMeansResult = {
      model: 'k_means',
      centers: [[1], [1], [2]],
      labels: [0, 1, 2],
      inertia: 0,
      iterations: 1,
      converged: true,
    };
    expect(judge(input, forged)).toEqual(wrong('different rows'));
  });
});

test('the certificate costs far less than the work', () => {
  const rows = 20_000;
  const columns = 20;
  const data = Float64Array.from({ length: rows * columns }, (_, at) => Math.sin(at * 12.9898) * ((at % columns) + 1));
  const y = Float64Array.from({ length: rows }, (_, i) => data[i * columns]! + Math.sin(i));
  for (const input of [
    readKernelInput('linear_regression', { x: { rows, columns, data }, y }, {}),
    readKernelInput('k_means', { x: { rows, columns, data } }, { k: 8, restarts: 3 }),
    readKernelInput('pca', { x: { rows, columns, data } }, { components: 5 }),
  ]) {
    const start = performance.now();
    const result = runKernel(input);
    const worked = performance.now();
    expect(judge(input, result)).toMatchObject({ valid: true });
    expect(performance.now() - worked).toBeLessThan((worked - start) / 2);
  }
});
