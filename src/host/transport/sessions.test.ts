import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createSessions, readOrMakeToken } from './sessions.ts';

const DAY = 86_400;

function dataDir() {
  const dir = mkdtempSync(path.join(tmpdir(), 'commonwatt-sessions-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** One run of a host on a data directory, however the last one ended: nothing is kept but the token file. */
const run = (dir: string, at: number, port = 7310) =>
  createSessions({ token: readOrMakeToken(dir), port, clock: { now: () => at, monotonicMs: () => 0 } });

const pairedCookie = (sessions: ReturnType<typeof run>) => {
  const { cookie } = sessions.pair(sessions.newCode());
  return cookie.split(';')[0] ?? '';
};

const knows = (sessions: ReturnType<typeof run>, cookies: string) =>
  sessions.recognise({ bearer: undefined, cookies }) === 'cookie';

test('a browser stays signed in over any end of the host, for thirty days and not longer', () => {
  const dir = dataDir();
  const cookie = pairedCookie(run(dir, 1000));
  expect(knows(run(dir, 1000 + DAY), cookie)).toBe(true);
  expect(knows(run(dir, 1000 + 30 * DAY - 1), cookie)).toBe(true);
  expect(knows(run(dir, 1000 + 30 * DAY), cookie)).toBe(false);
});

test('deleting the token file ends every session', () => {
  const dir = dataDir();
  const cookie = pairedCookie(run(dir, 1000));
  rmSync(path.join(dir, 'token'));
  expect(knows(run(dir, 1000), cookie)).toBe(false);
});

test('another host’s cookie is no session here, nor is this one’s on another port', () => {
  const dir = dataDir();
  const cookie = pairedCookie(run(dir, 1000));
  expect(knows(run(dataDir(), 1000), cookie)).toBe(false);
  expect(knows(run(dir, 1000, 7311), cookie)).toBe(false);
});

test('what the sessions hang on can be read by nobody else', () => {
  const dir = dataDir();
  readOrMakeToken(dir);
  expect(statSync(path.join(dir, 'token')).mode & 0o777).toBe(0o600);
});
