/** A kernel's result, checked by the one who paid for it: far cheaper than computing it again. */
import { AppError, assertNever } from '../../shared/errors.ts';
import {
  checkKernelInput,
  componentCount,
  kernelResultBytes,
  kernelResultSchema,
  type KernelInput,
  type KernelResult,
} from '../../shared/kernels.ts';
import { checkKMeans } from './check-k-means.ts';
import { checkPca } from './check-pca.ts';
import { checkRegression } from './check-regression.ts';
import { refused, type Verdict } from './verdict.ts';

/** No number of the result takes more, with its comma. */
const MAX_NUMBER_BYTES = 26;
const FRAME_BYTES = 1024;

/**
 * Judges `bytes` against the verifier's own input; never throws. Input that no kernel can compute on has no valid result.
 * @param seed the verifier's own whole number, unknown to whoever computed: it picks the rows and directions looked at.
 */
export function verifyKernelResult(input: KernelInput, bytes: Uint8Array, { seed }: { seed: number }): Verdict {
  try {
    checkKernelInput(input);
    return judged(input, bytes, seed);
  } catch (error) {
    if (error instanceof AppError) return refused(error.message);
    throw error;
  }
}

function judged(input: KernelInput, bytes: Uint8Array, seed: number): Verdict {
  const most = FRAME_BYTES + MAX_NUMBER_BYTES * numbersIn(input);
  if (bytes.length > most)
    return refused(`Wrong: ${bytes.length} bytes, a result for this table takes ${most} at most.`);
  const result = readResult(bytes);
  if (!result) return refused('Wrong: not a result in the agreed form.');
  if (!sameBytes(kernelResultBytes(result), bytes)) return refused('Wrong: not written in the agreed way.');
  if (input.model === 'linear_regression' && result.model === input.model) return checkRegression(input, result, seed);
  if (input.model === 'k_means' && result.model === input.model) return checkKMeans(input, result, seed);
  if (input.model === 'pca' && result.model === input.model) return checkPca(input, result, seed);
  return refused(`Wrong: a result of ${result.model} for a job of ${input.model}.`);
}

function numbersIn(input: KernelInput): number {
  const { rows, columns } = input.x;
  switch (input.model) {
    case 'linear_regression':
      return columns + 3;
    case 'k_means':
      return rows + input.params.k * (columns + 1) + 3;
    case 'pca':
      return (componentCount(input) + 1) * (columns + 3);
    default:
      return assertNever(input);
  }
}

function readResult(bytes: Uint8Array): KernelResult | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return kernelResultSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, position) => byte === b[position]);
