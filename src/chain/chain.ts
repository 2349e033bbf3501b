import type { Address, Bytes32, Hex } from '../shared/ids.ts';
import type { RentalTerms } from '../shared/rental.ts';
import type { Progress } from '../shared/ready-check.ts';
import type { State } from '../shared/emitter.ts';
import type { OfferPage, OfferSearch } from '../store/search-offers.ts';
import type { IndexedLease, IndexedOffer } from '../store/market-rows.ts';
import type { ChainEvent, OfferFields, OfferStatus } from './events.ts';
import type { NetworkProfile } from './profile.ts';

/** An EIP-1559 transaction, complete but for the signature. */
export interface UnsignedTransaction {
  chainId: number;
  nonce: number;
  to: Address;
  value: bigint;
  data: Hex;
  gasLimit: bigint;
  maxFeePerGas: bigint;
  maxPriorityFeePerGas: bigint;
}

/** Signs with the wallet's key wherever that lives. Throws AppError `locked` while it is locked. */
export interface TransactionSigner {
  readonly address: Address;
  /** The raw signed transaction, ready to send. */
  signTransaction(transaction: UnsignedTransaction): Promise<Hex>;
}

/** One call of a contract, not yet a transaction. Made by `ChainCalls`. */
export interface Call {
  to: Address;
  data: Hex;
  /** Wei sent along. */
  value: bigint;
  /** "rent", "deposit": for errors, logs and the list of pending transactions. */
  label: string;
  /** Skips the estimate when the cost is known: pipelined transactions whose predecessors are not mined yet. */
  gasLimit?: bigint;
}

export interface Receipt {
  txHash: Bytes32;
  block: number;
  blockHash: Bytes32;
  /** Unix seconds of the block. */
  at: number;
  gasUsed: bigint;
  /** Wei paid to the network for inclusion. */
  networkFee: bigint;
  /** What the market's contracts said in this transaction, in order. */
  events: ChainEvent[];
}

export interface SendOptions {
  /** Made by the caller. The same id sends once, also across kill -9, and answers with the same receipt. */
  commandId: string;
  /** Stops waiting; what was sent stays sent. */
  signal?: AbortSignal;
}

/** Every transaction this product makes, encoded. Pure; the profile's contract addresses are filled in. */
export interface ChainCalls {
  /** Into the Vault, credited to `account`. An ERC-20 needs `approve` first. */
  deposit(token: Address, amount: bigint, account: Address): Call;
  withdraw(token: Address, to: Address, amount: bigint): Call;
  /** Lets a module of the Vault (Rentals) lock this account's free balance; needed once before renting. */
  authorize(module: Address, allowed: boolean): Call;
  /** ERC-20: lets the Vault take exactly `amount`. */
  approve(token: Address, amount: bigint): Call;
  registerOffer(offer: Omit<OfferFields, 'provider'>, salt: Bytes32): Call;
  changeOffer(offerId: Bytes32, offer: Omit<OfferFields, 'provider'>): Call;
  /** Only the validators' attestations suspend. */
  setOfferStatus(offerId: Bytes32, status: Exclude<OfferStatus, 'suspended'>): Call;
  /**
   * The deposit comes out of the renter's Vault balance, for which Rentals must be authorized there. With `value` (wei,
   * ETH leases only) it is sent along instead; what exceeds the deposit is credited to the renter's Vault balance.
   */
  openLease(terms: RentalTerms, capSeconds: number, value?: bigint): Call;
  /** `value` as for `openLease`. */
  extendLease(terms: RentalTerms, seconds: number, value?: bigint): Call;
  /** `signature` is the voucher's, by the renter's signer or the witness. */
  drawLease(terms: RentalTerms, secs: number, signature: Hex): Call;
  settleLease(terms: RentalTerms, secs: number, signature: Hex): Call;
  closeLease(
    terms: RentalTerms,
    final: { secs: number; deadline: number; renterSignature: Hex; providerSignature: Hex },
  ): Call;
  releaseLease(terms: RentalTerms): Call;
  terminateLease(terms: RentalTerms, claimSeconds: number): Call;
  raiseLease(terms: RentalTerms, secs: number, signature: Hex): Call;
  finalizeLease(terms: RentalTerms): Call;
  expireLease(terms: RentalTerms): Call;
  /** Several calls to one contract in one transaction; all or nothing. None of them may carry value. */
  batch(calls: readonly Call[]): Call;
  /** A plain transfer out of the wallet. */
  transfer(token: Address, to: Address, amount: bigint): Call;
  /** keccak256(abi.encode(Terms)). */
  leaseId(terms: RentalTerms): Bytes32;
  /** The id `registerOffer` will give. */
  offerId(provider: Address, salt: Bytes32): Bytes32;
}

/** A lease as the chain stores it now. */
export interface LeaseState {
  state: 'none' | 'open' | 'closing' | 'closed';
  openedAt: number;
  closeAt: number;
  capSeconds: number;
  paidSeconds: number;
  claimSeconds: number;
}

export interface ChainReads {
  /** Held by the account itself, outside the Vault. ETH is the zero address. */
  walletBalance(account: Address, token: Address): Promise<bigint>;
  vaultBalance(account: Address, token: Address): Promise<bigint>;
  /** Locked by `module` for this account. */
  vaultLocked(account: Address, token: Address): Promise<bigint>;
  isAuthorized(account: Address, module: Address): Promise<boolean>;
  lease(leaseId: Bytes32): Promise<LeaseState>;
  /**
   * An offer as the contract has it now; null when there is none. Its description stands in the logs only, so this
   * waits until index.db has them. @throws AppError network-down when that takes too long
   */
  offer(offerId: Bytes32): Promise<{ version: number; status: OfferStatus; free: number; offer: OfferFields } | null>;
  /** Hundredths of a percent taken from a provider's gross in new deals. */
  feeBps(): Promise<number>;
}

export interface Head {
  block: number;
  hash: Bytes32;
  /** Unix seconds. */
  at: number;
}

export interface SyncState {
  state: 'connecting' | 'catching-up' | 'live' | 'down' | 'wrong-network';
  /** One plain sentence. */
  detail: string;
  head: Head | null;
  progress: Progress | null;
  /** Logs of the market's contracts that made no sense and were left out. */
  skippedLogs: number;
  /** Grows whenever an offer or lease in index.db changed: screens search again. */
  revision: number;
}

export interface Chain {
  readonly profile: NetworkProfile;
  readonly calls: ChainCalls;
  readonly reads: ChainReads;
  readonly sync: State<SyncState>;
  /** Newest known block time in unix seconds; the clock's time while there is none. */
  now(): number;
  /**
   * Confirmed events that concern one of the watched accounts, in chain order, each at least once: after a restart
   * delivery goes on after the last batch whose listeners all returned. Listeners run synchronously and in order of
   * registration; money movements of the batch are already booked in the ledger.
   */
  onEvents(listener: (events: readonly ChainEvent[]) => void): () => void;
  /** Accounts whose events `onEvents` delivers. Set after the listeners are in place; may be called again. */
  watch(accounts: readonly Address[]): Promise<void>;
  /**
   * Signs, stores, sends and waits for the profile's confirmations. Calls of one signer are sent in call order
   * without waiting for each other.
   * @throws AppError insufficient-funds, wrong-network, network-down, reverted, locked, cancelled
   */
  send(call: Call, options: SendOptions): Promise<Receipt>;
  /** Searches index.db in a worker thread. */
  search(query: OfferSearch): Promise<OfferPage>;
  /** From index.db; null when unknown. */
  offer(offerId: Bytes32): IndexedOffer | null;
  /** From index.db; null when unknown. */
  lease(leaseId: Bytes32): IndexedLease | null;
  offersOf(provider: Address): IndexedOffer[];
  leasesOf(account: Address, options?: { open?: boolean }): IndexedLease[];
  close(): Promise<void>;
}
