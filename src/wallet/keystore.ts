/**
 * The encrypted file of the main wallet: Ethereum's JSON keystore, version 3, with the backup words encrypted beside the
 * key as ethers does. Runs in the signer's thread only: what it decrypts must not come into the host's heap.
 */
import { scrypt as nodeScrypt } from 'node:crypto';
import { HDNodeWallet, Mnemonic, SigningKey, Wallet, decryptKeystoreJson, encryptKeystoreJson, scrypt } from 'ethers';
import type { KeystoreAccount } from 'ethers';
import { z } from 'zod';
import { AppError, assertNever } from '../shared/errors.ts';
import { toAddress } from '../shared/ids.ts';
import type { Address } from '../shared/ids.ts';
import type { ImportSource } from './signer-protocol.ts';

// The thread pool derives the key, several times faster than ethers' own JavaScript and without blocking this thread.
scrypt.register(
  (password, salt, N, r, p, dkLen) =>
    new Promise((resolve, reject) => {
      nodeScrypt(password, salt, dkLen, { N, r, p, maxmem: 128 * N * r + 1024 * r * p + 2 ** 20 }, (error, key) => {
        if (error) reject(error);
        else resolve(`0x${key.toString('hex')}`);
      });
    }),
);
scrypt.lock();

const MAX_CHARACTERS = 20_000;
/** 512 MiB and a few seconds: a stranger's keystore may not ask for more. Geth's own cost is half of this. */
const MAX_SCRYPT_MEMORY = 2 ** 29;
const MAX_PBKDF2_ROUNDS = 10_000_000;

const hex = z.string().regex(/^(0x)?[0-9a-fA-F]*$/);
const kdfSchema = z.discriminatedUnion('kdf', [
  z.object({
    kdf: z.literal('scrypt'),
    kdfparams: z.object({ n: z.int().min(2), r: z.int().min(1), p: z.int().min(1).max(16), salt: hex }),
  }),
  z.object({ kdf: z.literal('pbkdf2'), kdfparams: z.object({ c: z.int().min(1).max(MAX_PBKDF2_ROUNDS), salt: hex }) }),
]);
const cryptoSchema = z.looseObject({ ciphertext: hex.min(64), mac: hex.min(64) }).and(kdfSchema);

const lowerKeys = (value: unknown): unknown => {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key.toLowerCase(), lowerKeys(member)]));
};

const keystoreSchema = z.looseObject({
  version: z.union([z.literal(3), z.literal('3')]),
  address: hex.length(40).or(hex.length(42)),
  crypto: cryptoSchema,
});

/** The address a keystore claims, before any password; null when the text is no keystore that could be opened. */
export function keystoreAddress(text: string): Address | null {
  if (text.length > MAX_CHARACTERS) return null;
  try {
    const parsed = keystoreSchema.safeParse(lowerKeys(JSON.parse(text)));
    if (!parsed.success) return null;
    const { crypto } = parsed.data;
    if (crypto.kdf === 'scrypt' && 128 * crypto.kdfparams.n * crypto.kdfparams.r > MAX_SCRYPT_MEMORY) return null;
    return toAddress(`0x${parsed.data.address.replace(/^0x/, '')}`, 'address');
  } catch {
    return null;
  }
}

/**
 * @throws AppError `wrong-password` (naming `field`), or `bad-input` when the text is no keystore.
 */
export async function decryptKeystore(text: string, password: string, field: string): Promise<KeystoreAccount> {
  if (keystoreAddress(text) === null) {
    throw new AppError('bad-input', 'This is not an Ethereum keystore (JSON, version 3), or it is damaged.', {
      field: 'keystore',
      next: 'Export it again from the wallet it came from.',
    });
  }
  try {
    return await decryptKeystoreJson(text, password);
  } catch (thrown) {
    if (thrown instanceof Error && thrown.message.includes('incorrect password')) {
      throw new AppError('wrong-password', 'That is not the password of this wallet.', {
        field,
        next: 'Type it again; mind capital letters and the keyboard layout.',
      });
    }
    throw new AppError('bad-input', 'This keystore opens, but what it holds makes no sense.', {
      field: 'keystore',
      next: 'Export it again from the wallet it came from.',
    });
  }
}

export const encryptKeystore = (account: KeystoreAccount, password: string, scryptN: number): Promise<string> =>
  encryptKeystoreJson(account, password, { scrypt: { N: scryptN, r: 8, p: 1 } });

const accountOf = (wallet: HDNodeWallet): KeystoreAccount => ({
  address: wallet.address,
  privateKey: wallet.privateKey,
  ...(wallet.mnemonic
    ? { mnemonic: { path: wallet.path ?? "m/44'/60'/0'/0/0", locale: 'en', entropy: wallet.mnemonic.entropy } }
    : {}),
});

/** A fresh account of twelve words, from the system's randomness. */
export const newAccount = (): KeystoreAccount => accountOf(HDNodeWallet.createRandom());

/** The backup words, or null for an account that came without. */
export const wordsOf = (account: KeystoreAccount): string | null =>
  account.mnemonic ? Mnemonic.fromEntropy(account.mnemonic.entropy).phrase : null;

/** @throws AppError `bad-input` naming the field, `wrong-password` for a keystore. */
export async function importAccount(source: ImportSource): Promise<KeystoreAccount> {
  switch (source.kind) {
    case 'mnemonic': {
      const words = source.mnemonic.normalize('NFKD').trim().toLowerCase().split(/\s+/);
      if (!Mnemonic.isValidMnemonic(words.join(' '))) {
        throw new AppError('bad-input', `These are not valid backup words (${words.length} words given).`, {
          field: 'mnemonic',
          next: 'Check the spelling and the order: 12, 15, 18, 21 or 24 English words.',
        });
      }
      return accountOf(HDNodeWallet.fromPhrase(words.join(' ')));
    }
    case 'private-key': {
      const digits = source.privateKey.trim().replace(/^0x/i, '');
      try {
        if (!/^[0-9a-fA-F]{64}$/.test(digits)) throw new Error('not 64 digits');
        const wallet = new Wallet(new SigningKey(`0x${digits}`));
        return { address: wallet.address, privateKey: wallet.privateKey };
      } catch {
        throw new AppError('bad-input', 'A private key has 64 hexadecimal digits.', {
          field: 'privateKey',
          next: 'Copy the whole key, with or without 0x.',
        });
      }
    }
    case 'keystore':
      return decryptKeystore(source.keystore, source.keystorePassword, 'keystorePassword');
    default:
      return assertNever(source);
  }
}
