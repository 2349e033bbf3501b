import { expect, test } from 'vitest';
import type { ApiClient, Job } from '../../api/contract.ts';
import { AppError } from '../../shared/errors.ts';
import { findRun, findTask, parseBytes, parseDuration, parseWhole, shortTask, table } from './values.ts';

test.each([
  ['90', 90],
  ['90s', 90],
  ['15m', 900],
  ['1.5h', 5400],
  ['2d', 172_800],
])('duration %s', (text, seconds) => expect(parseDuration(text, '--for')).toBe(seconds));

test.each(['', '-1', '1w', 'h', '1e3', '0x10', '1 h 2'])('no duration: %s', (text) =>
  expect(() => parseDuration(text, '--for')).toThrow('--for'),
);

test.each([
  ['512m', 512 * 2 ** 20],
  ['2g', 2 ** 31],
  ['2GiB', 2 ** 31],
  ['1024', 1024],
])('size %s', (text, bytes) => expect(parseBytes(text, '--memory')).toBe(bytes));

test('whole numbers have limits', () => {
  expect(parseWhole('65535', '--port', { max: 65_535 })).toBe(65_535);
  for (const text of ['65536', '-1', '1.5', '', 'x']) {
    expect(() => parseWhole(text, '--port', { max: 65_535 })).toThrow('--port must be a whole number from 0 to 65535.');
  }
});

test('columns line up', () => {
  expect(
    table([
      ['A', 'LONG'],
      ['longer', 'x'],
    ]),
  ).toEqual(['A       LONG', 'longer  x']);
});

test('a run by enough of its id', async () => {
  const ids = ['0xaaaa11', '0xaaaa22'].map((start) => start.padEnd(66, '0'));
  const client = {
    work: { status: async () => ({ running: ids.map((dealId) => ({ dealId })) }) },
  } as unknown as ApiClient;
  expect(await findRun(client, '0xAAAA2')).toBe(ids[1]);
  expect(await findRun(client, '0x'.padEnd(66, 'c'))).toBe('0x'.padEnd(66, 'c'));
  await expect(findRun(client, '0xaaaa')).rejects.toMatchObject({ field: 'run' });
  await expect(findRun(client, '0xbbbb')).rejects.toMatchObject({ field: 'run' });
  await expect(findRun(client, 'all')).rejects.toMatchObject({ code: 'bad-input', field: 'run' });
});

test('a task by enough of its id, one of an array by its number', async () => {
  const batch = (start: string, of: number) =>
    Array.from({ length: of }, (_, index) => {
      const batchId = start.padEnd(24, '0');
      return { taskId: `${batchId}-${index}`, batchId, index, of } as Job;
    });
  const jobs = [...batch('1a2b3c', 1), ...batch('1a2bff', 12)];
  const none = new AppError('not-found', 'There is no such task.');
  const client = {
    jobs: {
      get: ({ taskId }: { taskId: string }) =>
        jobs.some((job) => job.taskId === taskId) ? Promise.resolve({ taskId }) : Promise.reject(none),
      batches: () =>
        Promise.resolve({
          batches: jobs.filter(({ index }) => index === 0).map((job) => ({ batchId: job.batchId, job })),
        }),
    },
  } as unknown as ApiClient;
  for (const job of jobs) {
    expect(await findTask(client, job.taskId)).toBe(job.taskId);
    expect(await findTask(client, shortTask(job))).toBe(job.taskId);
  }
  await expect(findTask(client, '1a2b')).rejects.toThrow('Several tasks begin like that.');
  await expect(findTask(client, '1a2bff')).rejects.toMatchObject({
    field: 'task',
    next: 'Name one of them, for example 1a2bff00-0.',
  });
  await expect(findTask(client, '1a2bff-12')).rejects.toThrow('There is no such task.');
  await expect(findTask(client, '1a2c')).rejects.toThrow('There is no such task.');
  await expect(findTask(client, '../x')).rejects.toMatchObject({ code: 'bad-input', field: 'task' });
});
