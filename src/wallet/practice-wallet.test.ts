import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { silentLog } from '../shared/log.ts';
import { systemClock } from '../shared/time.ts';
import { openPracticeWallet } from './practice-wallet.ts';
import { CHAIN_ID, PASSWORD, openTestWallet, temporaryFolder } from './testing.ts';

// A thread that loads its own copy of the libraries is slow where many tests share two cores.
vi.setConfig({ testTimeout: 30_000 });

const open = async (dir: string) => {
  const wallet = await openPracticeWallet({ dir, chainId: CHAIN_ID, clock: systemClock, log: silentLog });
  onTestFinished(() => wallet.close());
  return wallet;
};

test('is there and open from the first start, and the same after a restart', async () => {
  const dir = await temporaryFolder();
  const first = await open(dir);
  expect(first.status.value).toMatchObject({ exists: true, locked: false, unlockedUntil: null });
  const { address } = first.signer();
  await first.close();
  const second = await open(dir);
  expect(second.status.value).toMatchObject({ locked: false, address });
  const file = path.join(dir, 'practice-password');
  expect((await readFile(file, 'utf8')).trim().length).toBeGreaterThan(40);
  expect((await stat(file)).mode & (process.platform === 'win32' ? 0 : 0o077)).toBe(0);
});

test("somebody's own wallet in that folder stays locked", async () => {
  const dir = await temporaryFolder();
  const own = await openTestWallet({ dir });
  const { address } = await own.create({ password: PASSWORD });
  await own.close();
  const wallet = await open(dir);
  expect(wallet.status.value).toMatchObject({ exists: true, locked: true, address });
  await wallet.unlock(PASSWORD);
});
