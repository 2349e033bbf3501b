/**
 * The built-in kernels behind one door. Pure, but as slow as the table is large: run it where it can be stopped.
 * Only + - * / and square roots are used, in a fixed order, never `**` or another function that IEEE 754 leaves open: every
 * computer gives the same bits.
 */
import { assertNever } from '../../shared/errors.ts';
import { checkKernelInput, type KernelInput, type KernelResult } from '../../shared/kernels.ts';
import { kMeans } from './k-means.ts';
import { linearRegression } from './linear-regression.ts';
import { pca } from './pca.ts';

/** @throws AppError bad-input naming the field where the input cannot be computed on. */
export function runKernel(input: KernelInput): KernelResult {
  checkKernelInput(input);
  switch (input.model) {
    case 'linear_regression':
      return linearRegression(input);
    case 'k_means':
      return kMeans(input);
    case 'pca':
      return pca(input);
    default:
      return assertNever(input);
  }
}
