import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { z } from 'zod';
import { State } from '../shared/emitter.ts';
import { AppError } from '../shared/errors.ts';
import type { Address, Hex } from '../shared/ids.ts';
import type { Log } from '../shared/log.ts';
import type { TypedPayload } from '../shared/typed-data.ts';
import type { Clock } from '../shared/time.ts';
import { readPrivateFile, writePrivateFile } from './files.ts';
import { createSignerClient } from './signer-client.ts';
import type { SpawnSigner } from './signer-client.ts';
import type { HostKeyWrap, ImportSource, TransactionFields } from './signer-protocol.ts';
import { openSpendingPolicy } from './spending-policy.ts';
import type { SpendingPolicy } from './spending-policy.ts';

/** The system's secret store (keychain, DPAPI, libsecret), where there is one. Text in, text out. */
export interface Secrets {
  seal(text: string): Promise<string>;
  /** @throws when the store refuses or was sealed by another user. */
  open(sealed: string): Promise<string>;
}

interface WalletStatus {
  exists: boolean;
  /** The file is there but cannot be opened by any password. */
  damaged: boolean;
  locked: boolean;
  address: Address | null;
  /** The owner has said that the backup words are written down. */
  backedUp: boolean;
  /** Unix seconds when it locks by itself; null while locked or when it stays open. */
  unlockedUntil: number | null;
}

/** Compatible with the chain room's port of the same name. */
interface TransactionSigner {
  readonly address: Address;
  signTransaction(transaction: TransactionFields): Promise<Hex>;
}

/** The key of this data directory: signs vouchers and finals while the wallet is locked. */
interface HostKey {
  readonly address: Address;
  signTypedData(payload: TypedPayload): Promise<Hex>;
}

/** The main account and the host key of one data directory. Keys live in the signer's thread, never here. */
export interface Wallet {
  readonly status: State<WalletStatus>;
  readonly hostKey: HostKey;
  readonly policy: SpendingPolicy;
  /** A fresh account, locked; its words are given this once. @throws AppError bad-input (password), conflict. */
  create(options: { password: string }): Promise<{ address: Address; mnemonic: string }>;
  /** @throws AppError bad-input naming the field, wrong-password (of a keystore), conflict. */
  import(source: ImportSource, password: string): Promise<{ address: Address }>;
  /** `autoLockSeconds` null keeps it open; 15 minutes unless told. @throws AppError wrong-password, not-found. */
  unlock(password: string, autoLockSeconds?: number | null): Promise<void>;
  lock(): Promise<void>;
  /** @throws AppError wrong-password, bad-input naming `newPassword`. */
  changePassword(password: string, newPassword: string): Promise<void>;
  /** The words (null where the account came without) and the encrypted file, for safe keeping. @throws AppError wrong-password. */
  backup(password: string): Promise<{ mnemonic: string | null; keystore: string }>;
  confirmBackup(): Promise<void>;
  /** Deletes the account from this computer. @throws AppError wrong-password, conflict while no backup is confirmed. */
  remove(options: { password: string; withoutBackup?: boolean }): Promise<void>;
  /** @throws AppError not-found while there is no wallet. Signing throws `locked` while it is locked. */
  signer(): TransactionSigner;
  /** By the main account. @throws AppError locked, wrong-network, bad-input. */
  signTypedData(payload: TypedPayload): Promise<Hex>;
  close(): Promise<void>;
}

export interface WalletOptions {
  /** A folder of its own inside the data directory. */
  dir: string;
  /** The only chain this wallet signs for. */
  chainId: number;
  clock: Clock;
  log: Log;
  secrets?: Secrets;
  /** Work factor for keystores written from now on. */
  scryptN?: number;
  spawn?: SpawnSigner;
}

const DEFAULT_SCRYPT_N = 2 ** 17;
const DEFAULT_AUTO_LOCK_SECONDS = 15 * 60;
/** The longest a timer can run is 2^31 ms. */
const MAX_AUTO_LOCK_SECONDS = 86_400;

const stateSchema = z.object({ version: z.literal(1), backedUp: z.string().nullable() });

/** Opens the wallet folder, starts the signer and loads the host key; the main account stays locked. */
export async function openWallet(options: WalletOptions): Promise<Wallet> {
  const { dir, clock, log } = options;
  const stateFile = path.join(dir, 'wallet.json');
  const status = new State<WalletStatus>({
    exists: false,
    damaged: false,
    locked: true,
    address: null,
    backedUp: false,
    unlockedUntil: null,
  });
  const setLocked = () => {
    if (!status.value.locked) status.set({ ...status.value, locked: true, unlockedUntil: null });
  };
  let wrap: HostKeyWrap | null = null;
  let hostKeyAddress: Address | null = null;

  const client = createSignerClient(
    { dir, chainId: options.chainId, scryptN: options.scryptN ?? DEFAULT_SCRYPT_N },
    (crashed) => {
      setLocked();
      if (!crashed) return;
      log.warn({}, 'the signer thread stopped; the wallet is locked');
      hostKeyReady = null;
    },
    options.spawn,
  );

  const openHostKey = async () => {
    const secrets = options.secrets;
    if (!wrap && secrets) {
      const key = randomBytes(32).toString('hex');
      wrap = { key, sealed: await secrets.seal(key) };
    }
    let answer = await client.call('openHostKey', { wrap });
    if ('needsWrap' in answer) {
      if (!secrets) throw sealedElsewhere();
      const sealed = answer.needsWrap;
      wrap = {
        sealed,
        key: await secrets.open(sealed).catch((thrown: unknown) => {
          throw sealedElsewhere(thrown);
        }),
      };
      answer = await client.call('openHostKey', { wrap });
      if ('needsWrap' in answer) throw sealedElsewhere();
    }
    hostKeyAddress = answer.address;
    return answer.address;
  };
  // Opened again after the signer's thread died: a host must be able to sign finals without anybody's help.
  let hostKeyReady: Promise<Address> | null = null;
  const hostKeyOpened = (): Promise<Address> => {
    hostKeyReady ??= openHostKey().catch((thrown: unknown) => {
      hostKeyReady = null;
      throw thrown;
    });
    return hostKeyReady;
  };

  const readBackedUp = async (address: Address | null): Promise<boolean> => {
    const text = await readPrivateFile(stateFile);
    if (text === null || address === null) return false;
    try {
      const parsed = stateSchema.safeParse(JSON.parse(text));
      return parsed.success && parsed.data.backedUp === address;
    } catch {
      return false;
    }
  };
  const refresh = async () => {
    const { exists, damaged, address } = await client.call('status', null);
    status.set({ ...status.value, exists, damaged, address, backedUp: await readBackedUp(address) });
  };
  const writeBackedUp = async (address: Address | null) => {
    await writePrivateFile(stateFile, JSON.stringify({ version: 1, backedUp: address }));
    status.set({ ...status.value, backedUp: address !== null });
  };

  try {
    await hostKeyOpened();
    await refresh();
  } catch (thrown) {
    await client.close();
    throw thrown;
  }
  const policy = await openSpendingPolicy({ file: path.join(dir, 'spending.json'), clock }).catch(
    async (thrown: unknown) => {
      await client.close();
      throw thrown;
    },
  );

  return {
    status,
    policy,
    hostKey: {
      get address() {
        if (hostKeyAddress === null) throw new AppError('internal', 'The host key has not been opened.');
        return hostKeyAddress;
      },
      async signTypedData(payload) {
        await hostKeyOpened();
        return client.call('signTypedData', { key: 'host', payload });
      },
    },
    async create({ password }) {
      const made = await client.call('create', { password });
      await refresh();
      log.info({ address: made.address }, 'wallet created');
      return made;
    },
    async import(source, password) {
      const imported = await client.call('import', { source, password });
      await refresh();
      log.info({ address: imported.address, from: source.kind }, 'wallet imported');
      return imported;
    },
    async unlock(password, autoLockSeconds = DEFAULT_AUTO_LOCK_SECONDS) {
      if (autoLockSeconds !== null && !(autoLockSeconds > 0 && autoLockSeconds <= MAX_AUTO_LOCK_SECONDS)) {
        throw new AppError('bad-input', `A wallet stays open for 1 to ${MAX_AUTO_LOCK_SECONDS} seconds.`, {
          field: 'seconds',
        });
      }
      const { address } = await client.call('unlock', { password, autoLockSeconds });
      status.set({
        ...status.value,
        address,
        locked: false,
        unlockedUntil: autoLockSeconds === null ? null : clock.now() + Math.ceil(autoLockSeconds),
      });
    },
    async lock() {
      await client.call('lock', null);
      setLocked();
    },
    async changePassword(password, newPassword) {
      await client.call('changePassword', { password, newPassword });
    },
    backup: (password) => client.call('backup', { password }),
    async confirmBackup() {
      if (status.value.address === null) throw noWallet();
      await writeBackedUp(status.value.address);
    },
    async remove({ password, withoutBackup = false }) {
      if (!status.value.backedUp && !withoutBackup) {
        throw new AppError(
          'conflict',
          'This wallet has not been backed up: removing it would lose its money for good.',
          {
            next: 'Write down the backup words and confirm it, then remove the wallet.',
          },
        );
      }
      await client.call('remove', { password });
      setLocked();
      await writeBackedUp(null);
      await refresh();
      log.info({}, 'wallet removed');
    },
    signer() {
      const { address } = status.value;
      if (address === null) throw noWallet();
      return { address, signTransaction: (transaction) => client.call('signTransaction', transaction) };
    },
    signTypedData: (payload) => client.call('signTypedData', { key: 'wallet', payload }),
    async close() {
      await policy.close();
      await client.close();
    },
  };
}

const noWallet = () =>
  new AppError('not-found', 'There is no wallet here yet.', { next: 'Create or import a wallet first.' });

const sealedElsewhere = (cause?: unknown) =>
  new AppError('not-allowed', "The host key is sealed by this computer's secret store, which does not open it now.", {
    cause,
    next: 'Unlock the keychain of the account that set up Commonwatt, or start the desktop app as that user.',
  });
