import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { KeyPair } from '@hyperswarm/secret-stream';
import crypto from 'hypercore-crypto';
import { AppError } from '../shared/errors.ts';

const SEED_BYTES = 32;

/**
 * The host's ed25519 key pair, made on first use. The file holds the seed as 64 hexadecimal digits, mode 0600, and is
 * only ever replaced as a whole.
 * @throws AppError `conflict` when the file is there but holds no seed: a new key would silently be another identity.
 */
export async function loadPeerKey(seedPath: string): Promise<KeyPair> {
  const text = await readFile(seedPath, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return crypto.keyPair(await createSeed(seedPath));
  if (!/^[0-9a-f]{64}\s*$/.test(text)) {
    throw new AppError('conflict', `The peer key file ${seedPath} is damaged.`, {
      field: 'seedPath',
      next: 'Restore it from a backup, or delete it to become a new peer.',
    });
  }
  await chmod(seedPath, 0o600);
  return crypto.keyPair(Buffer.from(text.trim(), 'hex'));
}

async function createSeed(seedPath: string): Promise<Uint8Array> {
  const seed = randomBytes(SEED_BYTES);
  const folder = path.dirname(seedPath);
  await mkdir(folder, { recursive: true });
  const temporary = `${seedPath}.${process.pid}.tmp`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(`${seed.toString('hex')}\n`);
    await file.sync();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  await rename(temporary, seedPath);
  await syncFolder(folder);
  return seed;
}

/** The rename itself must survive a power cut too; Windows cannot open folders and needs no such step. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
