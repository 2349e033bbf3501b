import { describe, expect, test } from 'vitest';
import { jobFileSchema } from '../../../src/shared/job-spec.ts';
import { toAppError } from '../../../src/shared/errors.ts';
import { buildJobFile, EMPTY_JOB, type JobFields } from './job-draft.ts';

const fieldOf = (fields: Partial<JobFields>) => {
  try {
    buildJobFile({ ...EMPTY_JOB, image: 'busybox:1.36', ...fields });
    return null;
  } catch (thrown) {
    return toAppError(thrown).field;
  }
};

describe('the job form', () => {
  test('a container with a command', () => {
    const file = buildJobFile({ ...EMPTY_JOB, image: 'busybox:1.36', command: 'sh -c "echo hi"', array: '4' });
    expect(jobFileSchema.parse(file)).toMatchObject({
      work: { type: 'docker', image: 'busybox:1.36', command: ['sh', '-c', 'echo hi'] },
      array: 4,
      network: 'none',
      timeouts: { runSeconds: 3600 },
    });
  });

  test('a kernel without a table runs on the sample', () => {
    const file = buildJobFile({ ...EMPTY_JOB, kind: 'k_means', check: 'certificate', parts: '4' });
    expect(file).toMatchObject({
      work: { type: 'kernel', model: 'k_means', params: { k: 4 } },
      inputs: [{ path: 'data.csv', sample: 'k_means' }],
      verification: { tier: 'certificate' },
    });
  });

  test('a kernel with a table of one’s own', () => {
    const inputs = [{ from: 'content' as const, key: 'a', path: 'my.csv', cid: `bafy${'a'.repeat(50)}`, bytes: 3 }];
    expect(buildJobFile({ ...EMPTY_JOB, kind: 'linear_regression', target: 'y', inputs })).toMatchObject({
      work: { table: 'my.csv', target: 'y' },
    });
  });

  test('what is paid without asking; copies are paid by agreement', () => {
    const reviewOf = (fields: Partial<JobFields>) =>
      buildJobFile({ ...EMPTY_JOB, image: 'busybox:1.36', ...fields }).review;
    expect(reviewOf({})).toBe('failures');
    expect(reviewOf({ review: 'always' })).toBe('always');
    expect(jobFileSchema.parse(buildJobFile({ ...EMPTY_JOB, image: 'a', review: 'never' })).review).toBe('never');
    expect(reviewOf({ review: 'always', check: 'redundancy' })).toBe('failures');
  });

  test.each<[Partial<JobFields>, string]>([
    [{ image: '' }, 'image'],
    [{ image: 'a b' }, 'image'],
    [{ bounty: 'much' }, 'bounty'],
    [{ gpuCount: '1.5' }, 'gpuCount'],
    [{ runMinutes: '0' }, 'runMinutes'],
    [{ array: '5000' }, 'array'],
    [{ env: 'no equals sign' }, 'env'],
    [{ secrets: 'no equals sign' }, 'secrets'],
    [{ kind: 'wasm' }, 'module'],
    [{ kind: 'pca', parts: 'x' }, 'parts'],
  ])('names the field that is wrong: %o', (fields, field) => {
    expect(fieldOf(fields)).toBe(field);
  });
});
