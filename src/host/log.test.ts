import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLog } from './log.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'commonwatt-log-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));
const written = () => readFileSync(path.join(dir, 'log', 'host.log'), 'utf8');

test('secrets never reach the file, however deep; a money token may', () => {
  const opened = openLog(dir);
  const token = `0x${'c0'.repeat(20)}`;
  const cause = new Error('inner');
  opened.log.info(
    {
      mnemonic: 'one two',
      deep: { list: [{ privateKey: 'k1', password: 'k2', signature: 'k3' }], authToken: 'k4' },
      token,
      amount: 5n,
      headers: { authorization: 'Bearer k5', cookie: 'k6' },
      err: new Error('outer', { cause }),
    },
    'a call',
  );
  opened.close();
  const text = written();
  for (const secret of ['one two', 'k1', 'k2', 'k3', 'k4', 'k5', 'k6']) expect(text).not.toContain(secret);
  expect(JSON.parse(text)).toMatchObject({
    level: 'info',
    msg: 'a call',
    token,
    amount: '5',
    err: { message: 'outer', cause: { message: 'inner' } },
  });
});

test('a full file is kept under another name, and only so many of them', () => {
  const opened = openLog(dir, { maxBytes: 500, keep: 2 });
  for (let line = 0; line < 40; line++) opened.log.info({ line }, 'x'.repeat(100));
  opened.close();
  const files = readdirSync(path.join(dir, 'log')).toSorted();
  expect(files).toEqual(['host.1.log', 'host.2.log', 'host.log']);
  for (const file of files) expect(statSync(path.join(dir, 'log', file)).size).toBeLessThanOrEqual(500);
  expect(written()).toContain('"line":39');
});
