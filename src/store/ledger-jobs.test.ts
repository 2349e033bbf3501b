import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AppError } from '../shared/errors.ts';
import type { Address, Bytes32 } from '../shared/ids.ts';
import type { JobTerms } from '../shared/job-terms.ts';
import type { JobRun, JobTask, JobTaskDeal, Ledger } from './ledger.ts';
import { openLedger } from './open-ledger.ts';

let folder: string;
let ledger: Ledger;
let now = 1000;
const file = () => path.join(folder, 'ledger.db');
const b32 = (byte: string): Bytes32 => `0x${byte.repeat(32)}`;
const account = (byte: string): Address => `0x${byte.repeat(20)}`;

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'ledger-jobs-'));
  now = 1000;
  ledger = openLedger(file(), () => now);
});
afterEach(() => {
  ledger.close();
  rmSync(folder, { recursive: true });
});

const reopen = () => {
  ledger.close();
  ledger = openLedger(file(), () => now);
};

const terms: JobTerms = {
  renter: account('01'),
  assignee: account('00'),
  arbiter: account('00'),
  token: account('03'),
  bounty: 2n ** 100n,
  bond: 2n ** 90n,
  deadline: 5000,
  minRun: 60,
  window: 1800,
  minStake: 2n ** 95n,
  gpuCount: 1,
  gpuMemoryGb: 24,
  tier: 2,
  copies: 3,
  agree: 2,
  feeBps: 250,
  slashBps: 1000,
  specHash: b32('0b'),
  salt: b32('0c'),
};

const task = (taskId: string, change: Partial<JobTask> = {}): JobTask => ({
  taskId,
  batchId: 'batch-1',
  account: account('01'),
  commandId: 'command-1',
  name: 'train',
  index: 0,
  of: 100,
  file: { version: 1, bounty: '2.5', inputs: [{ path: 'data.csv', text: 'x'.repeat(10_000) }] },
  secrets: { TOKEN: 'hush-hush-hush' },
  specText: '{"version":1}',
  terms: null,
  jobId: null,
  attempts: 0,
  phase: 'waiting',
  detail: '',
  priority: 50,
  notBefore: 0,
  deals: [],
  resultCid: null,
  verdict: null,
  paid: null,
  refund: null,
  endedAt: null,
  createdAt: 1000,
  updatedAt: 1000,
  ...change,
});

const deal: JobTaskDeal = {
  dealId: b32('11'),
  jobId: b32('12'),
  provider: account('02'),
  offerId: b32('0a'),
  phase: 'running',
  detail: 'half of it',
  startedAt: 1001,
  finishedAt: null,
  exitCode: null,
  resultCid: null,
};

describe('tasks', () => {
  test('survive with every member, through a change and a restart', () => {
    const before = ledger.tasks.put(task('t1'));
    expect(before).toEqual(task('t1'));
    now = 1001;
    const after = ledger.tasks.update('t1', {
      terms,
      jobId: b32('12'),
      attempts: 1,
      phase: 'assigned',
      detail: 'half of it',
      deals: [deal],
      verdict: { valid: true, checks: [] },
      paid: 2n ** 100n,
      refund: 0n,
    });
    expect(after).toEqual({
      ...before,
      terms,
      jobId: b32('12'),
      attempts: 1,
      phase: 'assigned',
      detail: 'half of it',
      deals: [deal],
      verdict: { valid: true, checks: [] },
      paid: 2n ** 100n,
      refund: 0n,
      updatedAt: 1001,
    });
    reopen();
    expect(ledger.tasks.get('t1')).toEqual(after);
    expect(ledger.tasks.byJob(b32('12'))).toEqual(after);
    expect(ledger.tasks.byJob(b32('13'))).toBeNull();
    const { file: _file, secrets: _secrets, specText: _specText, ...summary } = after;
    expect(ledger.tasks.list().rows).toEqual([summary]);
  });

  test('putting again changes nothing; an unknown task cannot be changed', () => {
    ledger.tasks.put(task('t1', { detail: 'first' }));
    expect(ledger.tasks.put(task('t1', { detail: 'second', file: null })).detail).toBe('first');
    expect(ledger.tasks.list().rows).toHaveLength(1);
    expect(() => ledger.tasks.update('t2', {})).toThrow(AppError);
  });

  test('secrets go when the task ends, from the file too', async () => {
    ledger.tasks.put(task('t1'));
    ledger.tasks.put(task('t2', { phase: 'cancelled' }));
    expect(ledger.tasks.get('t2')?.secrets).toBeNull();
    expect(ledger.tasks.update('t1', { phase: 'refunding' }).secrets).toEqual({ TOKEN: 'hush-hush-hush' });
    const log = () => readFileSync(`${file()}-wal`).includes('hush-hush-hush');
    expect(log()).toBe(true);
    ledger.transaction(() => {
      expect(ledger.tasks.update('t1', { phase: 'failed', endedAt: 1002 }).secrets).toBeNull();
    });
    // While the host goes on, too.
    await expect.poll(log).toBe(false);
    expect(readFileSync(file()).includes('hush-hush-hush')).toBe(false);
    reopen();
    expect(ledger.tasks.get('t1')?.secrets).toBeNull();
    ledger.close();
    expect(readFileSync(file()).includes('hush-hush-hush')).toBe(false);
    ledger = openLedger(file(), () => now);
  });

  test('a thousand tasks of one file are paged newest first, filtered and counted', () => {
    ledger.transaction(() => {
      for (let index = 0; index < 1000; index += 1) {
        ledger.tasks.put(
          task(`t${index}`, {
            index,
            batchId: index < 600 ? 'batch-1' : 'batch-2',
            account: index % 2 === 0 ? account('01') : account('02'),
            phase: index % 10 === 0 ? 'verified' : 'waiting',
          }),
        );
      }
    });
    // The file's ten thousand characters are there once.
    reopen();
    expect(readFileSync(file()).length).toBeLessThan(3_000_000);
    const walk = (filter: Parameters<Ledger['tasks']['list']>[0]) => {
      const seen: number[] = [];
      let cursor: string | null = null;
      do {
        const page = ledger.tasks.list({ ...filter, limit: 90, ...(cursor === null ? {} : { cursor }) });
        seen.push(...page.rows.map(({ index }) => index));
        cursor = page.cursor;
      } while (cursor !== null);
      return seen;
    };
    const all = Array.from({ length: 1000 }, (_, index) => 999 - index);
    expect(walk({})).toEqual(all);
    expect(walk({ batchId: 'batch-1' })).toEqual(all.filter((index) => index < 600));
    expect(walk({ open: true })).toEqual(all.filter((index) => index % 10 !== 0));
    expect(walk({ open: false })).toEqual(all.filter((index) => index % 10 === 0));
    expect(walk({ open: true, account: account('01') })).toEqual(
      all.filter((index) => index % 2 === 0 && index % 10 !== 0),
    );
    expect(walk({ open: true, batchId: 'batch-2', account: account('02') })).toEqual(
      all.filter((index) => index >= 600 && index % 2 === 1),
    );
    expect(walk({ phases: ['verified', 'failed'] })).toEqual(all.filter((index) => index % 10 === 0));
    // A page starts where the one before ended, also when new tasks came in between.
    const first = ledger.tasks.list({ limit: 10 });
    ledger.tasks.put(task('newest', { index: 5000 }));
    const second = ledger.tasks.list({ limit: 10, ...(first.cursor === null ? {} : { cursor: first.cursor }) });
    expect(second.rows.map(({ index }) => index)).toEqual(all.slice(10, 20));
    expect(ledger.tasks.count()).toEqual({ verified: 100, waiting: 901 });
    expect(ledger.tasks.count({ batchId: 'batch-2', account: account('01') })).toEqual({ verified: 40, waiting: 160 });
    for (const cursor of ['x', '-1', '1.5', '0']) expect(() => ledger.tasks.list({ cursor })).toThrow(AppError);
  });

  describe('in batches', () => {
    const put = (batchId: string, phases: JobTask['phase'][], change: Partial<JobTask> = {}) => {
      for (const [index, phase] of phases.entries()) {
        ledger.tasks.put(task(`${batchId}-${index}`, { batchId, index, of: phases.length, phase, ...change }));
      }
    };
    const mine = account('01');
    const seen = (filter: { open?: boolean; batchId?: string }) =>
      ledger.tasks.batches({ account: mine, ...filter }).rows.map(({ taskId }) => taskId);

    test('each is one line, with its counts and the task that says most', () => {
      put('b1', ['verified', 'failed', 'verified']);
      put('b2', ['verified', 'waiting', 'review', 'failed', 'review']);
      put('b3', ['assigned', 'verified']);
      put('b4', ['cancelled', 'verified']);
      put('other', ['waiting'], { account: account('02') });
      expect(ledger.tasks.batches({ account: mine }).rows).toEqual([
        { batchId: 'b4', taskId: 'b4-0', phases: { cancelled: 1, verified: 1 } },
        { batchId: 'b3', taskId: 'b3-0', phases: { assigned: 1, verified: 1 } },
        { batchId: 'b2', taskId: 'b2-2', phases: { failed: 1, review: 2, verified: 1, waiting: 1 } },
        { batchId: 'b1', taskId: 'b1-1', phases: { failed: 1, verified: 2 } },
      ]);
      expect(seen({ open: true })).toEqual(['b3-0', 'b2-2']);
      expect(seen({ open: false })).toEqual(['b4-0', 'b3-1', 'b2-3', 'b1-1']);
      expect(seen({ batchId: 'b3' })).toEqual(['b3-0']);
      expect(seen({ batchId: 'other' })).toEqual([]);
    });

    test('pages neither repeat nor leave out one while tasks end and come', () => {
      for (let batch = 0; batch < 25; batch += 1) put(`b${batch}`, ['waiting', 'waiting', 'waiting']);
      const found: string[] = [];
      let cursor: string | null = null;
      do {
        const page: ReturnType<Ledger['tasks']['batches']> = ledger.tasks.batches({
          account: mine,
          open: true,
          limit: 10,
          ...(cursor === null ? {} : { cursor }),
        });
        found.push(...page.rows.map(({ batchId }) => batchId));
        cursor = page.cursor;
        // The newest and the oldest task of each that was seen and of some that were not.
        for (let batch = 0; batch < 25; batch += 1) {
          ledger.tasks.update(`b${batch}-${batch % 2 === 0 ? 0 : 2}`, { phase: 'verified' });
        }
        put(`new${found.length}`, ['waiting']);
      } while (cursor !== null);
      expect(found).toEqual(Array.from({ length: 25 }, (_, batch) => `b${24 - batch}`));
      expect(() => ledger.tasks.batches({ account: mine, cursor: 'x' })).toThrow(AppError);
    });
  });

  test('a failed transaction leaves nothing behind', () => {
    expect(() =>
      ledger.transaction(() => {
        ledger.tasks.put(task('t1'));
        ledger.runs.put(run(b32('11')));
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(ledger.tasks.get('t1')).toBeNull();
    expect(ledger.runs.get(b32('11'))).toBeNull();
  });
});

const run = (dealId: Bytes32, change: Partial<JobRun> = {}): JobRun => ({
  dealId,
  jobId: b32('12'),
  account: account('02'),
  offerId: b32('0a'),
  terms,
  specText: '{"version":1}',
  phase: 'assigned',
  detail: '',
  startedAt: null,
  finishedAt: null,
  exitCode: null,
  resultCid: null,
  salt: null,
  submitDeadline: 5000,
  paid: null,
  settledAt: null,
  createdAt: 1000,
  updatedAt: 1000,
  ...change,
});

describe('runs', () => {
  test('survive with every member, through a change and a restart', () => {
    expect(ledger.runs.put(run(b32('11')))).toEqual(run(b32('11')));
    expect(ledger.runs.put(run(b32('11'), { detail: 'again' })).detail).toBe('');
    now = 1001;
    const change = {
      phase: 'submitting' as const,
      detail: 'done',
      startedAt: 1002,
      finishedAt: 1003,
      exitCode: -1,
      resultCid: 'bafy',
      salt: b32('99'),
      paid: 2n ** 100n,
      settledAt: 1004,
    };
    const after = ledger.runs.update(b32('11'), change);
    expect(after).toEqual({ ...run(b32('11')), ...change, updatedAt: 1001 });
    reopen();
    expect(ledger.runs.get(b32('11'))).toEqual(after);
    expect(() => ledger.runs.update(b32('99'), {})).toThrow(AppError);
  });

  test('are listed newest first, by account, open or over', () => {
    const ids = ['21', '22', '23', '24'].map(b32);
    for (const [index, dealId] of ids.entries()) {
      ledger.runs.put(
        run(dealId, {
          account: index < 2 ? account('02') : account('05'),
          phase: index % 2 === 0 ? 'running' : 'settled',
        }),
      );
    }
    const dealIds = (filter: Parameters<Ledger['runs']['list']>[0]) =>
      ledger.runs.list(filter).rows.map(({ dealId }) => ids.indexOf(dealId));
    expect(dealIds({})).toEqual([3, 2, 1, 0]);
    expect(dealIds({ open: true })).toEqual([2, 0]);
    expect(dealIds({ open: false })).toEqual([3, 1]);
    expect(dealIds({ account: account('05') })).toEqual([3, 2]);
    expect(dealIds({ account: account('05'), open: true })).toEqual([2]);
    const first = ledger.runs.list({ limit: 3 });
    expect(first.rows).toHaveLength(3);
    expect(ledger.runs.list({ limit: 3, cursor: first.cursor ?? '' }).rows).toHaveLength(1);
    ledger.runs.update(ids[0] ?? '0x', { phase: 'failed' });
    expect(dealIds({ open: true })).toEqual([2]);
  });
});
