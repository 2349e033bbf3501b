/** What the wallet's tests share. Not part of the product. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { silentLog } from '../shared/log.ts';
import { systemClock } from '../shared/time.ts';
import { openWallet } from './wallet.ts';
import type { Wallet, WalletOptions } from './wallet.ts';

export const CHAIN_ID = 31_337;
export const PASSWORD = 'correct horse battery';

/** A folder that goes away with the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'commonwatt-wallet-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A real wallet with a real signer thread; only the work factor is small. */
export async function openTestWallet(options: Partial<WalletOptions> & { dir: string }): Promise<Wallet> {
  const wallet = await openWallet({
    chainId: CHAIN_ID,
    clock: systemClock,
    log: silentLog,
    scryptN: 2 ** 10,
    ...options,
  });
  onTestFinished(() => wallet.close());
  return wallet;
}
