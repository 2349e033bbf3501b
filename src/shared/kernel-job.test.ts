import { expect, test } from 'vitest';
import { workSchema } from './job-spec.ts';
import { readKernelJob } from './kernel-job.ts';

const bytes = new TextEncoder().encode('a,b,c\n1,2,3\n4,5,7\n');
const work = (fields: object) => {
  const parsed = workSchema.parse({ type: 'kernel', ...fields });
  if (parsed.type !== 'kernel') throw new Error(parsed.type);
  return parsed;
};

test('the last column is the target of a regression unless another one is named', () => {
  const last = readKernelJob(work({ model: 'linear_regression' }), bytes);
  expect(last).toMatchObject({ y: Float64Array.of(3, 7), params: { intercept: true, ridge: 0 } });
  const first = readKernelJob(work({ model: 'linear_regression', target: 'a', params: { ridge: 2 } }), bytes);
  expect(first).toMatchObject({ y: Float64Array.of(1, 4), params: { ridge: 2 } });
});

test('other kernels take every column, and no target', () => {
  expect(readKernelJob(work({ model: 'pca' }), bytes).x.columns).toBe(3);
  expect(() => readKernelJob(work({ model: 'pca', target: 'a' }), bytes)).toThrow(
    expect.objectContaining({ code: 'bad-input', field: 'target' }),
  );
});
