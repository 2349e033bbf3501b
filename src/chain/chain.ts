import type { Address, Bytes32, Hex } from '../shared/ids.ts';
import type { JobState, JobTerms } from '../shared/job-terms.ts';
import type { RentalTerms } from '../shared/rental.ts';
import type { Progress } from '../shared/ready-check.ts';
import type { State } from '../shared/emitter.ts';
import type { OfferPage, OfferSearch } from '../store/search-offers.ts';
import type { IndexedJob, IndexedJobDeal, JobStats, OpenJobsFilter, Standing } from '../store/indexed-jobs.ts';
import type { IndexedLease, IndexedOffer } from '../store/market-rows.ts';
import type { ChainEvent, JuryVerdict, OfferFields, OfferStatus, StakeRole } from './events.ts';
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
  /**
   * Jobs. All of them throw AppError `unsupported` on a network whose profile names no jobs contract. The bounty comes
   * out of the renter's Vault balance, for which the jobs contract must be authorized there; with `value` (wei, ETH
   * bounties only) it is sent along instead. @param spec the exact text whose keccak256 stands in the terms
   */
  postJob(terms: JobTerms, spec: string, value?: bigint): Call;
  cancelJob(terms: JobTerms): Call;
  /** By the renter, with the provider's signed `Acceptance(jobId, offerId, validUntil)`. */
  assignJob(terms: JobTerms, offerId: Bytes32, validUntil: number, signature: Hex): Call;
  /** By the provider or its operator. The bond comes out of its Vault balance, authorized as above. */
  claimJob(terms: JobTerms, offerId: Bytes32): Call;
  /** `resultId` of a copy is `commitmentOf(jobId, provider, resultId, salt)`. */
  submitJob(terms: JobTerms, offerId: Bytes32, resultId: Bytes32): Call;
  acceptJob(terms: JobTerms, offerId: Bytes32): Call;
  finalizeJob(terms: JobTerms, offerId: Bytes32): Call;
  expireJob(terms: JobTerms, offerId: Bytes32): Call;
  /** The challenger's bond (`challengeBondOf`) as the bounty in `postJob`. */
  challengeJob(terms: JobTerms, offerId: Bytes32, value?: bigint): Call;
  /** Anybody's, once the secrets of the day of the challenge are out: `reads.jury` says from when. */
  drawJury(terms: JobTerms, offerId: Bytes32): Call;
  resolveJob(terms: JobTerms, offerId: Bytes32): Call;
  /** By the arbiter. */
  decideJob(terms: JobTerms, offerId: Bytes32, valid: boolean): Call;
  revealJob(terms: JobTerms, offerId: Bytes32, resultId: Bytes32, salt: Bytes32): Call;
  concludeJob(terms: JobTerms): Call;
  collectJob(terms: JobTerms, offerId: Bytes32): Call;
  /** ETH's address for none. */
  setJobOperator(operator: Address): Call;
  /** Puts a verified deal into the Record, once. */
  recordJob(terms: JobTerms, offerId: Bytes32): Call;
  /** Lets an inactive provider take jobs again. */
  requalify(): Call;
  /** WATT out of the Vault balance: deposit it there and authorize the Stakes contract first. */
  stake(role: StakeRole, amount: bigint): Call;
  unbondStake(role: StakeRole, amount: bigint): Call;
  releaseStake(role: StakeRole): Call;
  /** keccak256(abi.encode(JobTerms)). */
  jobId(terms: JobTerms): Bytes32;
  /** Id of a provider's run: the job's own where there is one copy. */
  jobDealId(terms: JobTerms, offerId: Bytes32): Bytes32;
  copyId(jobId: Bytes32, provider: Address): Bytes32;
  commitmentOf(jobId: Bytes32, provider: Address, resultId: Bytes32, salt: Bytes32): Bytes32;
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

/** A job, or one provider's run of it, as the chain stores it now. */
export interface JobDealState {
  state: JobState;
  /** Unix seconds at which the window ends; 0 before it begins. */
  until: number;
  /** Of a job with several copies. */
  taken: number;
  submitted: number;
  revealed: number;
  agreeing: number;
}

export interface StakeStatus {
  /** Smallest units of WATT. */
  staked: bigint;
  unbonding: bigint;
  atRisk: bigint;
  /** Unix seconds from which what is unbonding can be released. */
  releaseAt: number;
  active: boolean;
}

/** What governance asks of new jobs and their takers. */
export interface JobRequirements {
  /** Smallest units of WATT. */
  minProviderStake: bigint;
  /** Share of the stake that a rejected result costs, hundredths of a percent. A job's terms repeat it. */
  slashBps: number;
  feeBps: number;
  /** Unix seconds until which no job can be posted or taken; in the past when there is no pause. */
  pausedUntil: number;
  /** Reputation in points below which a provider gets no new jobs. */
  inactiveBelow: number;
}

export interface ChainReads {
  /** Held by the account itself, outside the Vault. ETH is the zero address. */
  walletBalance(account: Address, token: Address): Promise<bigint>;
  vaultBalance(account: Address, token: Address): Promise<bigint>;
  /** Locked by `module` (the Rentals contract where it is left out) for this account. */
  vaultLocked(account: Address, token: Address, module?: Address): Promise<bigint>;
  isAuthorized(account: Address, module: Address): Promise<boolean>;
  lease(leaseId: Bytes32): Promise<LeaseState>;
  /**
   * An offer as the contract has it now; null when there is none. Its description stands in the logs only, so this
   * waits until index.db has them. @throws AppError network-down when that takes too long
   */
  offer(offerId: Bytes32): Promise<{ version: number; status: OfferStatus; free: number; offer: OfferFields } | null>;
  /** Hundredths of a percent taken from a provider's gross in new deals. */
  feeBps(): Promise<number>;
  /** State `none` when the contract knows no job or deal of this id. */
  jobDeal(id: Bytes32): Promise<JobDealState>;
  /**
   * A jury's finding; `over`: it stands, at the latest at `endsAt` (unix seconds). `drawFrom`: unix seconds from which a
   * jury that is not drawn yet can be; null where none is to be drawn.
   */
  jury(jobId: Bytes32): Promise<{ verdict: JuryVerdict; over: boolean; endsAt: number; drawFrom: number | null }>;
  jobRequirements(): Promise<JobRequirements>;
  stake(role: StakeRole, account: Address): Promise<StakeStatus>;
  /** Whether its reputation lets a provider take new jobs; its stake is another question. */
  isActive(provider: Address): Promise<boolean>;
  /** Hundredths of a point. */
  reputation(provider: Address): Promise<number>;
  /** The key that may act for a provider in jobs. */
  operatorOf(provider: Address): Promise<Address | null>;
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
  /** Grows whenever an offer, lease or job in index.db changed: screens search again. */
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
   * Confirmed events that concern one of the watched accounts, each at least once: after a restart delivery goes on
   * after the last batch whose listeners all returned. In chain order; the history of an account that is watched later
   * comes by itself, older than what the others have had. Listeners run synchronously and in order of
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
  /**
   * Sends as another account, in an order of nonces of its own. What an earlier life of this account stored is sent
   * again at once. Cheap to call again; the newest signer of an address is used.
   */
  as(signer: TransactionSigner): Pick<Chain, 'send'>;
  /** Searches index.db in a worker thread. */
  search(query: OfferSearch): Promise<OfferPage>;
  /** From index.db; null when unknown. */
  offer(offerId: Bytes32): IndexedOffer | null;
  /** From index.db; null when unknown. */
  lease(leaseId: Bytes32): IndexedLease | null;
  offersOf(provider: Address): IndexedOffer[];
  leasesOf(account: Address, options?: { open?: boolean }): IndexedLease[];
  /** From index.db; null when unknown. */
  job(jobId: Bytes32): IndexedJob | null;
  /** Every provider's run of a job, in the order they took it. */
  jobDeals(jobId: Bytes32): IndexedJobDeal[];
  jobDeal(dealId: Bytes32): IndexedJobDeal | null;
  /** Newest first. Without a role: as either. `open` leaves out those that are over. */
  jobsOf(account: Address, options?: { role?: 'renter' | 'provider'; open?: boolean; limit?: number }): IndexedJob[];
  /** A provider's runs, newest first. `open` leaves out those that are settled. */
  jobDealsOf(provider: Address, options?: { open?: boolean; limit?: number }): IndexedJobDeal[];
  /** Jobs that can be taken now, the one that has to be started soonest first. */
  openJobs(filter: OpenJobsFilter): IndexedJob[];
  jobStats(): JobStats;
  /** As the events tell it; what everybody starts with for an account without any. */
  standing(account: Address): Standing;
  close(): Promise<void>;
}
