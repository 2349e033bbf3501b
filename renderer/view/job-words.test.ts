import { describe, expect, test } from 'vitest';
import { JOB_STATUSES } from '../../src/shared/job-spec.ts';
import { batchTrouble, batchWords, endedText, jobWords } from './job-words.ts';

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

describe('an array in words', () => {
  const none = { pending: 0, assigned: 0, completed: 0, verified: 0, failed: 0, cancelled: 0 };
  const label = (counts: Partial<typeof none>, review = 0) =>
    batchWords({ counts: { ...none, ...counts }, review }).label;

  test('what needs its owner comes first, then what moves, then how it ended', () => {
    expect(label({ assigned: 3, completed: 2, failed: 1 }, 2)).toBe('Needs you');
    expect(label({ assigned: 1, pending: 50, failed: 1 })).toBe('Running');
    expect(label({ completed: 1, pending: 50 })).toBe('Checking');
    expect(label({ pending: 1, verified: 99 })).toBe('Waiting');
    expect(label({ failed: 1, verified: 99 })).toBe('Some failed');
    expect(label({ failed: 4 })).toBe('Failed');
    expect(label({ verified: 4, cancelled: 1 })).toBe('Done');
    expect(label({ cancelled: 5 })).toBe('Cancelled');
  });

  test('its figures', () => {
    const counts = { ...none, verified: 1200, failed: 2, cancelled: 5, completed: 1 };
    expect(endedText(counts, 2000)).toBe('1,207 of 2,000 ended');
    expect(batchTrouble({ counts, review: 1 })).toBe('2 failed, 1 needs you');
    expect(batchTrouble({ counts: none, review: 3 })).toBe('3 need you');
    expect(batchTrouble({ counts: none, review: 0 })).toBe('');
  });
});
