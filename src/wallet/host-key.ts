/**
 * The host key: a key of its own per data directory. It signs vouchers and finals while the main wallet stays locked, so
 * it must be at hand without a password. With a secret store (the desktop's keychain) the file is encrypted under a
 * random key that the store keeps sealed; without one it lies in the clear, readable by the owner only. Either way it
 * can only spend what a rental has already put in escrow, second by second. Runs in the signer's thread only.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { SigningKey, computeAddress } from 'ethers';
import { z } from 'zod';
import { AppError } from '../shared/errors.ts';
import type { Address } from '../shared/ids.ts';
import { readPrivateFile, writePrivateFile } from './files.ts';
import type { HostKeyWrap } from './signer-protocol.ts';

const hexBytes = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));
const fileSchema = z.union([
  z.object({ version: z.literal(1), address: z.string(), privateKey: hexBytes(32) }),
  z.object({
    version: z.literal(1),
    address: z.string(),
    /** The wrapping key as the secret store sealed it. */
    sealed: z.string().min(1).max(10_000),
    iv: hexBytes(12),
    tag: hexBytes(16),
    ciphertext: hexBytes(32),
  }),
]);

type Opened = { address: Address; key: Uint8Array<ArrayBuffer> };

const addressOf = (key: Uint8Array): Address => computeAddress(new SigningKey(key)).toLowerCase() as Address;

/**
 * Loads the key, or makes one when there is no file yet. A file in the clear is wrapped as soon as a wrap is given.
 * @throws AppError `internal` when the file is damaged: a new key would orphan the vouchers of running rentals.
 */
export async function openHostKey(file: string, wrap: HostKeyWrap | null): Promise<Opened | { needsWrap: string }> {
  const text = await readPrivateFile(file);
  if (text === null) {
    const key = newKey();
    await writePrivateFile(file, fileText(key, wrap));
    return { address: addressOf(key), key };
  }
  const parsed = fileSchema.safeParse(parseJson(text));
  if (!parsed.success) throw damaged();
  const content = parsed.data;
  let key: Uint8Array<ArrayBuffer>;
  if ('sealed' in content) {
    if (wrap?.sealed !== content.sealed) return { needsWrap: content.sealed };
    key = unwrap(content, wrap.key);
  } else {
    key = Uint8Array.from(Buffer.from(content.privateKey, 'hex'));
    if (wrap) await writePrivateFile(file, fileText(key, wrap));
  }
  const address = addressOf(key);
  if (address !== content.address) throw damaged();
  return { address, key };
}

function newKey(): Uint8Array<ArrayBuffer> {
  for (;;) {
    const key = Uint8Array.from(randomBytes(32));
    try {
      addressOf(key);
      return key;
    } catch {
      // Zero or beyond the curve's order: once in 2^128 draws.
    }
  }
}

function fileText(key: Uint8Array, wrap: HostKeyWrap | null): string {
  const address = addressOf(key);
  if (!wrap) return JSON.stringify({ version: 1, address, privateKey: Buffer.from(key).toString('hex') });
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(wrap.key, 'hex'), iv);
  const ciphertext = Buffer.concat([cipher.update(key), cipher.final()]).toString('hex');
  return JSON.stringify({
    version: 1,
    address,
    sealed: wrap.sealed,
    iv: iv.toString('hex'),
    tag: cipher.getAuthTag().toString('hex'),
    ciphertext,
  });
}

function unwrap(
  content: { iv: string; tag: string; ciphertext: string },
  wrappingKey: string,
): Uint8Array<ArrayBuffer> {
  try {
    const decipher = createDecipheriv('aes-256-gcm', Buffer.from(wrappingKey, 'hex'), Buffer.from(content.iv, 'hex'));
    decipher.setAuthTag(Buffer.from(content.tag, 'hex'));
    return Uint8Array.from(Buffer.concat([decipher.update(Buffer.from(content.ciphertext, 'hex')), decipher.final()]));
  } catch {
    throw damaged();
  }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
};

const damaged = () =>
  new AppError('internal', 'The host key file (host-key.json) is damaged.', {
    next: 'Restore it from a copy of the data directory; if there is none and no rental runs, delete it.',
  });
