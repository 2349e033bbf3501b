import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { SigningKey, Transaction, TypedDataEncoder } from 'ethers';
import type { KeystoreAccount } from 'ethers';
import { AppError, toAppError } from '../shared/errors.ts';
import type { Address, Hex } from '../shared/ids.ts';
import { digestOf } from '../shared/typed-data.ts';
import type { TypedPayload } from '../shared/typed-data.ts';
import { readPrivateFile, sweepLeftovers, syncFolder, writePrivateFile } from './files.ts';
import { openHostKey } from './host-key.ts';
import { decryptKeystore, encryptKeystore, importAccount, keystoreAddress, newAccount, wordsOf } from './keystore.ts';
import { checkNewPassword } from './password.ts';
import type { SignerOperation, SignerOperations, SignerSetup, TransactionFields } from './signer-protocol.ts';

type Handlers = {
  [Operation in SignerOperation]: (
    input: SignerOperations[Operation]['input'],
  ) => SignerOperations[Operation]['output'] | Promise<SignerOperations[Operation]['output']>;
};

type Output = SignerOperations[SignerOperation]['output'];

export interface Signer {
  handle(operation: SignerOperation, input: unknown): Promise<Output>;
}

/** A key as bytes, so that it can be wiped; strings cannot. */
type KeyBytes = Uint8Array<ArrayBuffer>;

const bytesOf = (privateKey: string): KeyBytes => Uint8Array.from(Buffer.from(privateKey.slice(2), 'hex'));

/** Holds the keys and does what `SignerOperations` names. `onAutoLock` is called when the unlocked time has run out. */
export function createSigner(setup: SignerSetup, onAutoLock: () => void): Signer {
  const keystoreFile = path.join(setup.dir, 'keystore.json');
  let unlocked: { key: KeyBytes; untilMs: number; timer: NodeJS.Timeout | null } | null = null;
  let hostKey: KeyBytes | null = null;
  const swept = sweepLeftovers(setup.dir);

  const lock = () => {
    if (!unlocked) return;
    unlocked.key.fill(0);
    if (unlocked.timer) clearTimeout(unlocked.timer);
    unlocked = null;
  };

  const walletKey = (): KeyBytes => {
    // Timers stand still while a computer sleeps; the date does not.
    if (unlocked && Date.now() >= unlocked.untilMs) {
      lock();
      onAutoLock();
    }
    if (!unlocked) throw new AppError('locked', 'The wallet is locked.', { next: 'Unlock the wallet and try again.' });
    return unlocked.key;
  };

  const stored = async (): Promise<string> => {
    const text = await readPrivateFile(keystoreFile);
    if (text === null) {
      throw new AppError('not-found', 'There is no wallet here yet.', { next: 'Create or import a wallet first.' });
    }
    if (keystoreAddress(text) === null) {
      throw new AppError('internal', 'The wallet file is damaged and cannot be opened.', {
        next: 'Import the wallet again from its backup words; the damaged file is kept beside the new one.',
      });
    }
    return text;
  };

  /** Refuses to replace a wallet that could still be opened; a damaged file is moved aside, never deleted. */
  const store = async (account: KeystoreAccount, password: string) => {
    const encrypted = await encryptKeystore(account, password, setup.scryptN);
    const before = await readPrivateFile(keystoreFile);
    if (before !== null) {
      if (keystoreAddress(before) !== null) throw alreadyThere();
      await rename(keystoreFile, path.join(setup.dir, `keystore.damaged-${Date.now()}.json`));
    }
    await writePrivateFile(keystoreFile, encrypted);
    return account.address.toLowerCase() as Address;
  };
  const refuseSecond = async () => {
    const text = await readPrivateFile(keystoreFile);
    if (text !== null && keystoreAddress(text) !== null) throw alreadyThere();
  };

  const handlers: Handlers = {
    status: async () => {
      const text = await readPrivateFile(keystoreFile);
      const address = text === null ? null : keystoreAddress(text);
      return { exists: text !== null, damaged: text !== null && address === null, address };
    },
    create: async ({ password }) => {
      checkNewPassword(password);
      await refuseSecond();
      const account = newAccount();
      const address = await store(account, password);
      return { address, mnemonic: wordsOf(account) ?? '' };
    },
    import: async ({ source, password }) => {
      checkNewPassword(password);
      await refuseSecond();
      return { address: await store(await importAccount(source), password) };
    },
    unlock: async ({ password, autoLockSeconds }) => {
      const account = await decryptKeystore(await stored(), password, 'password');
      lock();
      const untilMs = autoLockSeconds === null ? Number.POSITIVE_INFINITY : Date.now() + autoLockSeconds * 1000;
      const timer =
        autoLockSeconds === null
          ? null
          : setTimeout(() => {
              lock();
              onAutoLock();
            }, autoLockSeconds * 1000);
      unlocked = { key: bytesOf(account.privateKey), untilMs, timer };
      return { address: account.address.toLowerCase() as Address };
    },
    lock: () => {
      lock();
      return null;
    },
    changePassword: async ({ password, newPassword }) => {
      const account = await decryptKeystore(await stored(), password, 'password');
      checkNewPassword(newPassword, 'newPassword');
      await writePrivateFile(keystoreFile, await encryptKeystore(account, newPassword, setup.scryptN));
      return null;
    },
    backup: async ({ password }) => {
      const keystore = await stored();
      return { mnemonic: wordsOf(await decryptKeystore(keystore, password, 'password')), keystore };
    },
    remove: async ({ password }) => {
      await decryptKeystore(await stored(), password, 'password');
      lock();
      await rm(keystoreFile);
      await syncFolder(setup.dir);
      return null;
    },
    signTransaction: (fields) => signTransaction(walletKey(), fields, setup.chainId),
    signTypedData: ({ key, payload }) => {
      if (key === 'wallet') return signTypedData(walletKey(), payload, setup.chainId);
      if (!hostKey) throw new AppError('internal', 'The host key has not been opened.');
      return signTypedData(hostKey, payload, setup.chainId);
    },
    openHostKey: async ({ wrap }) => {
      const opened = await openHostKey(path.join(setup.dir, 'host-key.json'), wrap);
      if ('needsWrap' in opened) return opened;
      hostKey = opened.key;
      return { address: opened.address };
    },
  };

  // Operations that read and replace the keystore file run one after the other; signing never waits for them.
  let files: Promise<unknown> = swept;
  const inTurn = <T>(work: () => Promise<T> | T): Promise<T> => {
    const turn = files.then(work);
    files = turn.catch(() => null);
    return turn;
  };

  return {
    async handle(operation, input) {
      const handler = handlers[operation] as (input: unknown) => Output | Promise<Output>;
      const direct = operation === 'signTransaction' || operation === 'signTypedData' || operation === 'lock';
      try {
        const output = direct ? handler(input) : inTurn(() => handler(input));
        return await output;
      } catch (thrown) {
        throw describe(thrown);
      }
    },
  };
}

function signTransaction(key: KeyBytes, fields: TransactionFields, chainId: number): Hex {
  if (fields.chainId !== chainId) throw wrongChain(fields.chainId, chainId);
  const transaction = Transaction.from({
    type: 2,
    chainId: fields.chainId,
    nonce: fields.nonce,
    to: fields.to,
    value: fields.value,
    data: fields.data,
    gasLimit: fields.gasLimit,
    maxFeePerGas: fields.maxFeePerGas,
    maxPriorityFeePerGas: fields.maxPriorityFeePerGas,
  });
  transaction.signature = new SigningKey(key).sign(transaction.unsignedHash);
  return transaction.serialized as Hex;
}

function signTypedData(key: KeyBytes, payload: TypedPayload, chainId: number): Hex {
  if (payload.domain.chainId !== chainId) throw wrongChain(payload.domain.chainId, chainId);
  const digest = digestOf(payload);
  const { primaryType } = TypedDataEncoder.from(copyOf(payload.types));
  if (payload.primaryType !== primaryType) {
    throw new AppError('bad-input', `The data to sign is of type ${primaryType}, not ${payload.primaryType}.`);
  }
  return new SigningKey(key).sign(digest).serialized as Hex;
}

const copyOf = (types: TypedPayload['types']) =>
  Object.fromEntries(Object.entries(types).map(([name, members]) => [name, [...members]]));

const alreadyThere = () =>
  new AppError('conflict', 'There is a wallet here already.', {
    next: 'Back it up and remove it first, or use another data directory.',
  });

const wrongChain = (asked: number, ours: number) =>
  new AppError('wrong-network', `Refused to sign for chain ${asked}: this wallet works on chain ${ours}.`, {
    field: 'chainId',
    next: 'Switch to the network you mean and try again.',
  });

/** Errors of ethers and the file system in words; none of them repeats what was passed in. */
function describe(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  const code = (thrown as { code?: unknown } | null)?.code;
  if (code === 'ENOSPC') {
    return new AppError('disk-full', 'The disk is full: the wallet could not be written.', {
      next: 'Free some space.',
    });
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new AppError('not-allowed', 'The wallet folder cannot be read or written.', {
      next: 'Check who owns the data directory and its permissions.',
    });
  }
  if (code === 'INVALID_ARGUMENT' || code === 'NUMERIC_FAULT' || code === 'BAD_DATA') {
    return new AppError('bad-input', 'What was to be signed is malformed.');
  }
  return toAppError(thrown);
}
