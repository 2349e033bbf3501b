import type { ErrorCode } from '../shared/errors.ts';
import type { Address, Hex } from '../shared/ids.ts';
import type { TypedPayload } from '../shared/typed-data.ts';

/** An EIP-1559 transaction, complete but for the signature. The same shape as the chain room's `UnsignedTransaction`. */
export interface TransactionFields {
  chainId: number;
  nonce: number;
  to: Address;
  value: bigint;
  data: Hex;
  gasLimit: bigint;
  maxFeePerGas: bigint;
  maxPriorityFeePerGas: bigint;
}

export type ImportSource =
  | { kind: 'mnemonic'; mnemonic: string }
  | { kind: 'private-key'; privateKey: string }
  | { kind: 'keystore'; keystore: string; keystorePassword: string };

/** How the host key's file is wrapped: a random key that the system's secret store keeps sealed. */
export interface HostKeyWrap {
  /** 32 bytes, hex. */
  key: string;
  /** The same key as the secret store sealed it; goes into the file. */
  sealed: string;
}

export interface SignerSetup {
  dir: string;
  chainId: number;
  /** Work factor of scrypt for keystores written from now on, a power of two. */
  scryptN: number;
}

/** operation -> what goes to the signer's thread and what comes back. No answer but `backup` and `create` holds a secret. */
export interface SignerOperations {
  status: { input: null; output: { exists: boolean; damaged: boolean; address: Address | null } };
  create: { input: { password: string }; output: { address: Address; mnemonic: string } };
  import: { input: { source: ImportSource; password: string }; output: { address: Address } };
  /** `autoLockSeconds` null: open until told otherwise. */
  unlock: { input: { password: string; autoLockSeconds: number | null }; output: { address: Address } };
  lock: { input: null; output: null };
  changePassword: { input: { password: string; newPassword: string }; output: null };
  backup: { input: { password: string }; output: { mnemonic: string | null; keystore: string } };
  remove: { input: { password: string }; output: null };
  signTransaction: { input: TransactionFields; output: Hex };
  signTypedData: { input: { key: 'wallet' | 'host'; payload: TypedPayload }; output: Hex };
  /** Loads or makes the host key. `needsWrap` asks for the sealed key to be opened and the call to be repeated. */
  openHostKey: {
    input: { wrap: HostKeyWrap | null };
    output: { address: Address } | { needsWrap: string };
  };
}

export type SignerOperation = keyof SignerOperations;

export interface SignerRequest<Operation extends SignerOperation = SignerOperation> {
  id: number;
  operation: Operation;
  input: SignerOperations[Operation]['input'];
}

export type SignerReply =
  | { id: number; ok: true; output: SignerOperations[SignerOperation]['output'] }
  | { id: number; ok: false; error: { code: ErrorCode; message: string; field?: string; next?: string } };

/** Unasked: the time given to `unlock` has run out. */
export interface SignerNotice {
  notice: 'locked';
}
