import { describe, expect, test } from 'vitest';
import { JOB_STATUSES } from '../../src/shared/job-spec.ts';
import { jobWords } from './job-words.ts';

describe('a task in words', () => {
  test('one that waits for its owner asks for it, though its status is the same', () => {
    const checked = jobWords({ status: 'completed', review: null });
    const asks = jobWords({ status: 'completed', review: { until: 5000, bond: '1' } });
    expect(asks.label).toBe('Needs you');
    expect(asks.shape).not.toBe(checked.shape);
    expect(checked.label).toBe('Checking');
  });

  test('no two states look the same', () => {
    const words = JOB_STATUSES.map((status) => jobWords({ status, review: null }));
    expect(new Set(words.map(({ label }) => label)).size).toBe(JOB_STATUSES.length);
    expect(words.some(({ shape }) => shape === 'ask')).toBe(false);
  });
});
