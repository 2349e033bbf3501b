import { expect, test } from 'vitest';
import { jobModelSchema } from './job-spec.ts';
import { kernelSample } from './kernel-samples.ts';
import { readKernelInput } from './kernels.ts';
import { parseTable } from './table.ts';

test.each(jobModelSchema.options)('the sample for %s is a table its kernel takes, named as a sample', (model) => {
  const { name, csv, params, target } = kernelSample(model);
  expect(name).toMatch(/^sample-.*\.csv$/);
  const input = readKernelInput(model, parseTable(csv, 'csv', target === undefined ? {} : { target }), params);
  expect(input.x).toMatchObject({ rows: 200, columns: 4 });
  expect(kernelSample(model).csv).toEqual(csv);
});
