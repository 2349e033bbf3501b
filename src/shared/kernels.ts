/**
 * The built-in kernels as both sides see them: what goes in, what comes out, and the one way a result is written down.
 * The provider computes it (src/runtime/kernels), the renter's host checks it (src/verify/certificates).
 */
import { z } from 'zod';
import { AppError, assertNever } from './errors.ts';
import type { JobModel } from './job-spec.ts';

/** Row by row: element (i, j) is `data[i * columns + j]`. */
export interface Matrix {
  rows: number;
  columns: number;
  data: Float64Array;
}

export const MAX_TABLE_COLUMNS = 4096;
/** 256 MiB of doubles. */
export const MAX_TABLE_CELLS = 2 ** 25;
/** Larger numbers overflow when they are squared and summed. */
export const MAX_MAGNITUDE = 1e100;

const regressionParamsSchema = z.strictObject({
  /** Whether the fitted line may miss the origin. */
  intercept: z.boolean().default(true),
  /** Weight of |coefficients|² beside the squared residuals; 0 is ordinary least squares. The intercept is free of it. */
  ridge: z.number().min(0).max(1e30).default(0),
});
const kMeansParamsSchema = z.strictObject({
  k: z.int().min(1).max(65_536),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
  maxIterations: z.int().min(1).max(100_000).default(300),
  /** Stops when the centers' squared shifts sum to at most this share of the mean column variance; 0: when nothing moves. */
  tolerance: z.number().min(0).max(1).default(0),
  /** Runs from different starts; the best is kept. */
  restarts: z.int().min(1).max(1000).default(10),
});
const pcaParamsSchema = z.strictObject({
  /** How many, at most min(rows - 1, columns), which is also what it is when left out. */
  components: z.int().min(1).max(MAX_TABLE_COLUMNS).optional(),
});

export type RegressionParams = z.infer<typeof regressionParamsSchema>;
export type KMeansParams = z.infer<typeof kMeansParamsSchema>;
export type PcaParams = z.infer<typeof pcaParamsSchema>;

export interface RegressionInput {
  model: 'linear_regression';
  x: Matrix;
  y: Float64Array;
  params: RegressionParams;
}
export interface KMeansInput {
  model: 'k_means';
  x: Matrix;
  params: KMeansParams;
}
export interface PcaInput {
  model: 'pca';
  x: Matrix;
  params: PcaParams;
}
export type KernelInput = RegressionInput | KMeansInput | PcaInput;

const numbers = z.array(z.number());

const regressionResultSchema = z.strictObject({
  model: z.literal('linear_regression'),
  coefficients: numbers,
  /** 0 where none was asked for. */
  intercept: z.number(),
  /** Sum of squared residuals over the number of rows. */
  mse: z.number().min(0),
  /** Of the centred table with its ridge rows; below the number of columns, the shortest of the many coefficients that fit. */
  rank: z.int().min(0),
});
const kMeansResultSchema = z.strictObject({
  model: z.literal('k_means'),
  centers: z.array(numbers),
  /** For each row the index of its center. */
  labels: z.array(z.int().min(0)),
  /** Sum of squared distances to the centers. */
  inertia: z.number().min(0),
  iterations: z.int().min(1),
  /** False where maxIterations ended the run. */
  converged: z.boolean(),
});
const pcaResultSchema = z.strictObject({
  model: z.literal('pca'),
  /** One row per component, largest variance first, unit length, the entry of largest size positive. */
  components: z.array(numbers),
  /** With rows - 1 in the denominator. */
  explainedVariance: numbers,
  explainedVarianceRatio: numbers,
  mean: numbers,
});
export const kernelResultSchema = z.discriminatedUnion('model', [
  regressionResultSchema,
  kMeansResultSchema,
  pcaResultSchema,
]);

export type RegressionResult = z.infer<typeof regressionResultSchema>;
export type KMeansResult = z.infer<typeof kMeansResultSchema>;
export type PcaResult = z.infer<typeof pcaResultSchema>;
export type KernelResult = z.infer<typeof kernelResultSchema>;

/** -0 and 0 are written alike. */
const plain = (value: number) => value + 0;

/** A result as bytes: JSON, keys in a fixed order, every number in the shortest form that reads back to the same double. */
export function kernelResultBytes(result: KernelResult): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(inOrder(result)));
}

function inOrder(result: KernelResult): KernelResult {
  switch (result.model) {
    case 'linear_regression': {
      const { model, coefficients, intercept, mse, rank } = result;
      return { model, coefficients: coefficients.map(plain), intercept: plain(intercept), mse, rank };
    }
    case 'k_means': {
      const { model, centers, labels, inertia, iterations, converged } = result;
      return { model, centers: centers.map((center) => center.map(plain)), labels, inertia, iterations, converged };
    }
    case 'pca': {
      const { model, components, explainedVariance, explainedVarianceRatio, mean } = result;
      return {
        model,
        components: components.map((component) => component.map(plain)),
        explainedVariance: explainedVariance.map(plain),
        explainedVarianceRatio: explainedVarianceRatio.map(plain),
        mean: mean.map(plain),
      };
    }
    default:
      return assertNever(result);
  }
}

/** How many principal components a run gives. */
export const componentCount = (input: PcaInput): number =>
  input.params.components ?? Math.min(input.x.rows - 1, input.x.columns);

/**
 * Parameters as a job names them, completed with the defaults.
 * @throws AppError bad-input naming the parameter.
 */
export function readKernelInput(
  model: JobModel,
  table: { x: Matrix; y?: Float64Array },
  params: Readonly<Record<string, unknown>>,
): KernelInput {
  const input = withParams(model, table, params);
  checkKernelInput(input);
  return input;
}

function withParams(
  model: JobModel,
  { x, y }: { x: Matrix; y?: Float64Array },
  params: Readonly<Record<string, unknown>>,
): KernelInput {
  switch (model) {
    case 'linear_regression':
      if (!y) throw new AppError('bad-input', 'Linear regression needs a target column.', { field: 'y' });
      return { model, x, y, params: readParams(regressionParamsSchema, params) };
    case 'k_means':
      return { model, x, params: readParams(kMeansParamsSchema, params) };
    case 'pca':
      return { model, x, params: readParams(pcaParamsSchema, params) };
    default:
      return assertNever(model);
  }
}

function readParams<T extends z.ZodType>(schema: T, params: Readonly<Record<string, unknown>>): z.infer<T> {
  const read = schema.safeParse(params);
  if (read.success) return read.data;
  const issue = read.error.issues[0];
  const name = issue?.code === 'unrecognized_keys' ? issue.keys[0] : issue?.path.join('.');
  throw new AppError('bad-input', `The parameter ${name} is wrong: ${issue?.message ?? 'not valid'}.`, {
    field: `params.${name}`,
  });
}

/**
 * Refuses what no kernel can compute on. What shows only while computing (fewer different points than k) is refused there.
 * @throws AppError bad-input
 */
export function checkKernelInput(input: KernelInput): void {
  checkMatrix(input.x);
  const { rows, columns } = input.x;
  switch (input.model) {
    case 'linear_regression':
      if (input.y.length !== rows) {
        throw new AppError('bad-input', `There are ${rows} rows but ${input.y.length} target values.`, { field: 'y' });
      }
      checkNumbers(input.y, 1, 'y');
      return;
    case 'k_means':
      if (input.params.k > rows) {
        throw new AppError('bad-input', `${input.params.k} clusters need at least as many rows; there are ${rows}.`, {
          field: 'params.k',
          next: `Ask for at most ${rows} clusters.`,
        });
      }
      return;
    case 'pca': {
      if (rows < 2) {
        throw new AppError('bad-input', 'Principal components need at least two rows: one has no variance.', {
          field: 'x',
        });
      }
      const most = Math.min(rows - 1, columns);
      if (componentCount(input) > most) {
        throw new AppError(
          'bad-input',
          `A table of ${rows} rows and ${columns} columns has ${most} components at most.`,
          {
            field: 'params.components',
            next: `Ask for at most ${most}.`,
          },
        );
      }
      return;
    }
    default:
      assertNever(input);
  }
}

function checkMatrix({ rows, columns, data }: Matrix): void {
  const sizes = [rows, columns];
  if (!sizes.every((size) => Number.isSafeInteger(size) && size > 0) || data.length !== rows * columns) {
    throw new AppError('bad-input', 'The table is empty or its rows differ in length.', { field: 'x' });
  }
  if (columns > MAX_TABLE_COLUMNS || data.length > MAX_TABLE_CELLS) {
    throw new AppError('bad-input', `The table is too large: ${rows} rows of ${columns} columns.`, {
      field: 'x',
      next: `Use at most ${MAX_TABLE_COLUMNS} columns and ${MAX_TABLE_CELLS} numbers.`,
    });
  }
  checkNumbers(data, columns, 'x');
}

function checkNumbers(data: Float64Array, columns: number, field: string): void {
  const bad = data.findIndex((value) => !(Math.abs(value) <= MAX_MAGNITUDE));
  if (bad === -1) return;
  const place = `row ${Math.floor(bad / columns) + 1}${columns > 1 ? `, column ${(bad % columns) + 1}` : ''}`;
  throw new AppError(
    'bad-input',
    `The number in ${place} is ${data[bad]}: only numbers up to 1e100 can be computed on.`,
    {
      field,
    },
  );
}
