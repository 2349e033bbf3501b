import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { AppError } from '../shared/errors.ts';
import { readPrivateFile, writePrivateFile } from './files.ts';
import { openWallet } from './wallet.ts';
import type { Wallet, WalletOptions } from './wallet.ts';

/** The password is 32 random bytes, so stretching it would only cost start-up time. */
const PRACTICE_SCRYPT_N = 2 ** 10;

/**
 * The wallet of the practice network: made by the app itself and open from the start, so that the first five minutes
 * need no password. Its password lies beside it, readable by the owner only; there is only practice money to lose.
 * A wallet in this folder that somebody made with a password of their own is left locked.
 */
export async function openPracticeWallet(options: Omit<WalletOptions, 'scryptN'>): Promise<Wallet> {
  const file = path.join(options.dir, 'practice-password');
  const wallet = await openWallet({ ...options, scryptN: PRACTICE_SCRYPT_N });
  try {
    let password = (await readPrivateFile(file))?.trim() ?? null;
    if (!wallet.status.value.exists || wallet.status.value.damaged) {
      if (!password) {
        password = randomBytes(32).toString('base64url');
        await writePrivateFile(file, `${password}\n`);
      }
      await wallet.create({ password });
    }
    if (password) {
      await wallet.unlock(password, null).catch((thrown: unknown) => {
        if (!(thrown instanceof AppError) || thrown.code !== 'wrong-password') throw thrown;
        options.log.warn({}, 'the practice wallet has a password of its own and stays locked');
      });
    }
    return wallet;
  } catch (thrown) {
    await wallet.close();
    throw thrown;
  }
}
