import { describe, expect, test } from 'vitest';
import { ETH } from '../shared/ids.ts';
import type { JobTerms } from '../shared/job-terms.ts';
import type { IndexedJob, IndexedJobDeal } from '../store/indexed-jobs.ts';
import type { JobRun } from '../store/ledger.ts';
import { mayShow, nextMove, type RunView } from './run-moves.ts';

const DEADLINE = 10_000;
const WINDOW = 1800;

const terms = (change: Partial<JobTerms> = {}) =>
  ({ deadline: DEADLINE, window: WINDOW, copies: 1, agree: 1, arbiter: ETH, ...change }) as JobTerms;
const run = (change: Partial<JobRun> = {}) =>
  ({ phase: 'submitting', resultCid: 'bafy', salt: null, terms: terms(), ...change }) as JobRun;
const copy = (change: Partial<JobRun> = {}) =>
  run({ terms: terms({ copies: 3, agree: 2 }), salt: `0x${'11'.repeat(32)}`, phase: 'submitted', ...change });
const view = (now: number, deal: Partial<IndexedJobDeal> | null, job: Partial<IndexedJob> = {}): RunView => ({
  now,
  job: { state: 'assigned', until: 0, submitted: 0, revealed: 0, ...job } as IndexedJob,
  deal: deal as IndexedJobDeal | null,
  jury: null,
});

describe('a single run', () => {
  test('is submitted once it is packed, before the deadline only', () => {
    expect(nextMove(run(), view(DEADLINE - 1, { state: 'assigned' }))).toBe('submit');
    expect(nextMove(run({ phase: 'running', resultCid: null }), view(100, { state: 'assigned' }))).toBeNull();
    expect(nextMove(run(), view(DEADLINE, { state: 'assigned' }))).toBeNull();
  });

  test('that brought nothing gives unit and bond back after the deadline, whatever phase it is in', () => {
    for (const phase of ['failed', 'running', 'submitting'] as const) {
      expect(nextMove(run({ phase }), view(DEADLINE + 9, { state: 'assigned' }))).toBeNull();
      expect(nextMove(run({ phase }), view(DEADLINE + 10, { state: 'assigned' }))).toBe('expire');
    }
  });

  test('is finalized when the renter stays silent for the window', () => {
    const until = 12_000;
    expect(nextMove(run(), view(until, { state: 'submitted', until }))).toBeNull();
    expect(nextMove(run(), view(until + 10, { state: 'submitted', until }))).toBe('finalize');
  });

  test('a dispute is resolved once its jury is over, and an arbiter had its time', () => {
    const deal = { state: 'disputed' as const };
    const jury = { verdict: 'none' as const, over: true, endsAt: 20_000, drawFrom: null };
    expect(nextMove(run(), view(20_000, deal))).toBeNull();
    expect(nextMove(run(), { ...view(20_000, deal), jury: { ...jury, over: false } })).toBeNull();
    expect(nextMove(run(), { ...view(20_000, deal), jury })).toBe('resolve');
    const judged = run({ terms: terms({ arbiter: `0x${'22'.repeat(20)}` }) });
    expect(nextMove(judged, { ...view(20_000, deal), jury })).toBeNull();
    expect(nextMove(judged, { ...view(20_000, deal), jury: { ...jury, verdict: 'valid' } })).toBe('resolve');
    expect(nextMove(judged, { ...view(20_000 + 7 * 86_400, deal), jury })).toBe('resolve');
  });

  test('a jury is drawn when it can be, a little after the renter did', () => {
    const deal = { state: 'disputed' as const };
    const jury = { verdict: 'none' as const, over: false, endsAt: 99_000, drawFrom: 20_000 };
    expect(nextMove(run(), { ...view(20_059, deal), jury })).toBeNull();
    expect(nextMove(run(), { ...view(20_060, deal), jury })).toBe('draw');
    expect(nextMove(run(), { ...view(20_060, deal), jury: { ...jury, drawFrom: null } })).toBeNull();
  });

  test('nothing is sent for what is settled, or not seen yet', () => {
    for (const state of ['verified', 'refunded', 'rejected', 'outvoted'] as const) {
      expect(nextMove(run(), view(99_999, { state }))).toBeNull();
    }
    expect(nextMove(run(), view(100, null))).toBeNull();
  });
});

describe('a copy', () => {
  test('shows its result only once nobody can commit any more, and in time', () => {
    const committed = { state: 'submitted' as const };
    expect(nextMove(copy(), view(9000, committed, { state: 'open', submitted: 2 }))).toBeNull();
    expect(nextMove(copy(), view(9000, committed, { state: 'open', submitted: 3, until: 9800 }))).toBe('reveal');
    expect(nextMove(copy(), view(DEADLINE, committed, { state: 'open', submitted: 2 }))).toBe('reveal');
    expect(nextMove(copy(), view(DEADLINE + WINDOW + 10, committed, { state: 'open' }))).toBe('expire');
    expect(nextMove(copy({ salt: null }), view(DEADLINE, committed, { state: 'open' }))).toBeNull();
  });

  test('the job is concluded once all have shown theirs, or the time is over; then each collects', () => {
    const revealed = { state: 'revealed' as const };
    const job = { state: 'open' as const, submitted: 3, until: 9800 };
    expect(nextMove(copy(), view(9000, revealed, { ...job, revealed: 2 }))).toBeNull();
    expect(nextMove(copy(), view(9000, revealed, { ...job, revealed: 3 }))).toBe('conclude');
    expect(nextMove(copy(), view(9810, revealed, { ...job, revealed: 2 }))).toBe('conclude');
    expect(nextMove(copy(), view(9000, revealed, { state: 'verified' }))).toBe('collect');
    expect(nextMove(copy(), view(9000, revealed, { state: 'refunded' }))).toBe('collect');
  });

  test('its blocks are shown from the same moment on', () => {
    expect(mayShow(terms(), 0, DEADLINE - 1)).toBe(false);
    expect(mayShow(terms(), 0, DEADLINE)).toBe(true);
    expect(mayShow(terms(), 9800, 9000)).toBe(true);
  });
});
