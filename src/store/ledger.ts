import type { Address, Bytes32, Hex } from '../shared/ids.ts';
import type { JobTerms } from '../shared/job-terms.ts';
import type { RentalPhase, RentalSpec, RentalTerms } from '../shared/rental.ts';
import type { Json } from '../shared/json.ts';

export type DealRole = 'renter' | 'provider';

/** One lease from one side, as this machine's book has it. Written before the act it records. */
export interface Deal {
  leaseId: Bytes32;
  role: DealRole;
  offerId: Bytes32;
  terms: RentalTerms;
  /** Null on the provider's side until the renter has told it. */
  spec: RentalSpec | null;
  phase: RentalPhase;
  /** Plain words about the phase. */
  detail: string;
  capSeconds: number;
  /** Provider: served by its clock. Renter: what the provider last reported. */
  servedSeconds: number;
  /** Of the newest voucher. */
  signedSeconds: number;
  voucherSignature: Hex | null;
  /** The newest Final this side signed or got, whichever parts exist. */
  final: { secs: number; deadline: number; renterSignature: Hex | null; providerSignature: Hex | null } | null;
  /** Settled on chain so far. */
  paidSeconds: number;
  /** Unix seconds; null before the chain has confirmed it. */
  openedAt: number | null;
  closedAt: number | null;
  closeReason: string | null;
  /** What the closing event said; amounts in `terms.token`. */
  settlement: { seconds: number; paid: bigint; fee: bigint; penalty: bigint; refund: bigint; txHash: Bytes32 } | null;
  /** Unix seconds. */
  createdAt: number;
  updatedAt: number;
}

export type DealChange = Partial<Omit<Deal, 'leaseId' | 'role' | 'terms' | 'offerId' | 'createdAt' | 'updatedAt'>>;

/** Where a renter's task stands, finer than what the chain says. The last three are ends. */
export const JOB_TASK_PHASES = [
  'waiting',
  'posting',
  'open',
  'assigning',
  'assigned',
  'submitted',
  'verifying',
  'review',
  'accepting',
  'refunding',
  'verified',
  'failed',
  'cancelled',
] as const;
export type JobTaskPhase = (typeof JOB_TASK_PHASES)[number];

/** One provider's run of a task's current or an earlier attempt, as the renter knows it. */
export interface JobTaskDeal {
  dealId: Bytes32;
  jobId: Bytes32;
  provider: Address;
  offerId: Bytes32;
  /** The provider's own word, or what the chain says. */
  phase: string;
  detail: string;
  /** Unix seconds by the provider's clock. */
  startedAt: number | null;
  finishedAt: number | null;
  exitCode: number | null;
  resultCid: string | null;
}

/** One task of the renter's. Written before the act it records; stable over its attempts on chain. */
export interface JobTask {
  /** Made by the renter's host. */
  taskId: string;
  /** All tasks of one submission share it. */
  batchId: string;
  /** Who pays. */
  account: Address;
  /** The command that submitted it. */
  commandId: string;
  name: string;
  index: number;
  of: number;
  /** The job file without its secrets. Kept once for all tasks that share it. */
  file: Json;
  /** Values for the chosen provider; null once the task has ended, whatever was put. */
  secrets: Record<string, string> | null;
  /** Exact text of the spec as it is posted. */
  specText: string;
  /** Of the current attempt; null before the first is made. */
  terms: JobTerms | null;
  jobId: Bytes32 | null;
  attempts: number;
  phase: JobTaskPhase;
  /** Plain words about the phase. */
  detail: string;
  priority: number;
  /** Unix seconds before which it is not tried again. */
  notBefore: number;
  deals: JobTaskDeal[];
  resultCid: string | null;
  /** What verifying the result found. */
  verdict: Json | null;
  /** Smallest units of the bounty's token, known at the end. */
  paid: bigint | null;
  refund: bigint | null;
  /** Unix seconds. */
  endedAt: number | null;
  createdAt: number;
  updatedAt: number;
}

export type JobTaskChange = Partial<
  Omit<JobTask, 'taskId' | 'batchId' | 'account' | 'commandId' | 'index' | 'of' | 'file' | 'createdAt' | 'updatedAt'>
>;

/** A task without what is long: for lists of thousands. */
export type JobTaskSummary = Omit<JobTask, 'file' | 'secrets' | 'specText'>;

export interface JobTaskFilter {
  account?: Address;
  batchId?: string;
  /** Only those that have not ended; false: only those that have. */
  open?: boolean;
  phases?: readonly JobTaskPhase[];
  /** 1 to 1000; 100 where it is left out. */
  limit?: number;
  /** From the page before. */
  cursor?: string;
}

export interface JobBatchFilter {
  account: Address;
  batchId?: string;
  /** Only batches with a task that has not ended; false: only those with one that has. */
  open?: boolean;
  /** 1 to 1000; 100 where it is left out. */
  limit?: number;
  /** From the page before. */
  cursor?: string;
}

/** All tasks of one submission. */
export interface JobBatch {
  batchId: string;
  /** Phases without any are left out. */
  phases: Partial<Record<JobTaskPhase, number>>;
  /**
   * The task that says most about it, of those that `open` asks for: one that waits for its owner's word, else one that has
   * not ended, else one that failed, else the first.
   */
  taskId: string;
}

/** Where a provider's run of a job stands. The last two are ends. */
export const JOB_RUN_PHASES = [
  /** About to be taken by a claim of this host's own. */
  'claiming',
  'assigned',
  'fetching',
  'preparing',
  'running',
  'packing',
  'submitting',
  'submitted',
  'revealing',
  'settled',
  'failed',
] as const;
export type JobRunPhase = (typeof JOB_RUN_PHASES)[number];

/** One deal of the provider's. Written before the act it records. */
export interface JobRun {
  dealId: Bytes32;
  jobId: Bytes32;
  /** The provider. */
  account: Address;
  offerId: Bytes32;
  terms: JobTerms;
  /** Exact text of the spec as it was posted. */
  specText: string;
  phase: JobRunPhase;
  /** Plain words about the phase. */
  detail: string;
  /** Unix seconds. */
  startedAt: number | null;
  finishedAt: number | null;
  exitCode: number | null;
  resultCid: string | null;
  /** Of a copy's commitment: without it the result can never be revealed. */
  salt: Bytes32 | null;
  /** Unix seconds before which it has to be submitted. */
  submitDeadline: number;
  /** Gross that was earned, smallest units of `terms.token`; null before it is settled. */
  paid: bigint | null;
  settledAt: number | null;
  createdAt: number;
  updatedAt: number;
}

export type JobRunChange = Partial<
  Omit<JobRun, 'dealId' | 'jobId' | 'account' | 'offerId' | 'terms' | 'specText' | 'createdAt' | 'updatedAt'>
>;

export interface JobRunFilter {
  account?: Address;
  /** Only those that have not ended; false: only those that have. */
  open?: boolean;
  /** 1 to 1000; 100 where it is left out. */
  limit?: number;
  /** From the page before. */
  cursor?: string;
}

/** One page of a list, newest first; `cursor` is null on the last. */
export interface LedgerPage<T> {
  rows: T[];
  cursor: string | null;
}

export type MovementKind =
  | 'deposit'
  | 'withdraw'
  | 'lock'
  | 'refund'
  | 'earned'
  | 'spent'
  | 'fee'
  | 'penalty'
  | 'faucet'
  /** A provider's or challenger's bond: locked (negative), and what came back of it. */
  | 'bond'
  | 'bond-return'
  /** What somebody else forfeited to this account. */
  | 'forfeit'
  /** WATT put into stake (negative) and out of it again. */
  | 'stake'
  | 'unstake'
  /** Part of a slash for who found the fault. */
  | 'reward';

/**
 * Money that moved for one account, once: the key is (chainId, txHash, logIndex, kind, account) because one log can
 * book several kinds (a close earns and refunds).
 */
export interface Movement {
  chainId: number;
  txHash: Bytes32;
  logIndex: number;
  account: Address;
  token: Address;
  /** Signed: negative leaves the account. */
  amount: bigint;
  kind: MovementKind;
  leaseId: Bytes32 | null;
  jobId: Bytes32 | null;
  /** The provider's run of the job that it is about; null for the job as a whole. */
  dealId: Bytes32 | null;
  block: number;
  /** Unix seconds. */
  at: number;
}

export interface Notification {
  id: string;
  /** Unix seconds. */
  at: number;
  level: 'info' | 'success' | 'warning' | 'error';
  title: string;
  body: string;
  leaseId: Bytes32 | null;
  /** The renter's task it is about. */
  taskId?: string | null;
  /** The provider's run of a job it is about. */
  dealId?: Bytes32 | null;
}

/** What the owner wants to be offered; the chain may lag behind. `params` is validated by the caller. */
export interface OwnOffer {
  key: string;
  offerId: Bytes32 | null;
  sharing: boolean;
  params: Json;
  updatedAt: number;
}

/**
 * `stored`: signed and (perhaps) with a node: it is sent again until it is in a block. `mined` and `reverted`: confirmed.
 * `replaced`: another attempt of the same nonce was mined. `failed`: no node took it, or its nonce was used elsewhere;
 * it will never be mined and its command may be sent anew.
 */
export type OutgoingState = 'stored' | 'mined' | 'reverted' | 'replaced' | 'failed';

export interface OutgoingTransaction {
  commandId: string;
  chainId: number;
  from: Address;
  nonce: number;
  /** 0, then 1, 2, … for replacements with a higher fee. */
  attempt: number;
  label: string;
  txHash: Bytes32;
  raw: Hex;
  maxFeePerGas: bigint;
  maxPriorityFeePerGas: bigint;
  state: OutgoingState;
  block: number | null;
  error: string | null;
  createdAt: number;
  updatedAt: number;
}

/** Reading the book. Nothing here can write: a function that takes a LedgerReader is safe to call from anywhere. */
export interface LedgerReader {
  deals: {
    get(leaseId: Bytes32, role: DealRole): Deal | null;
    /** Newest first. `open` leaves out those closed on chain. */
    list(filter?: { role?: DealRole; open?: boolean; limit?: number }): Deal[];
  };
  tasks: {
    get(taskId: string): JobTask | null;
    /** The task whose current attempt this is. */
    byJob(jobId: Bytes32): JobTask | null;
    /** Newest first. @throws AppError bad-input for a cursor of another list */
    list(filter?: JobTaskFilter): LedgerPage<JobTaskSummary>;
    /** How many there are in each phase; phases without any are left out. */
    count(filter?: Pick<JobTaskFilter, 'account' | 'batchId'>): Partial<Record<JobTaskPhase, number>>;
    /** Newest submission first; a batch keeps its place whatever becomes of its tasks. @throws AppError bad-input for a cursor of another list */
    batches(filter: JobBatchFilter): LedgerPage<JobBatch>;
  };
  runs: {
    get(dealId: Bytes32): JobRun | null;
    /** Newest first. @throws AppError bad-input for a cursor of another list */
    list(filter?: JobRunFilter): LedgerPage<JobRun>;
  };
  movements: {
    /** Newest first. */
    list(filter: {
      chainId: number;
      account?: Address;
      leaseId?: Bytes32;
      jobId?: Bytes32;
      limit?: number;
    }): Movement[];
    /** Sum of amounts, per token. */
    sum(filter: {
      chainId: number;
      account: Address;
      kinds?: readonly MovementKind[];
      sinceAt?: number;
    }): Map<Address, bigint>;
    /** The same of what jobs moved alone. */
    sumOfJobs(filter: { chainId: number; account: Address; kinds: readonly MovementKind[] }): Map<Address, bigint>;
  };
  offers: {
    get(key: string): OwnOffer | null;
    list(): OwnOffer[];
  };
  settings: {
    get(key: string): Json | undefined;
  };
  notifications: {
    /** Newest first. */
    list(limit?: number): Notification[];
  };
  commands: {
    /** The result of a command that has finished; undefined when it has not. */
    result(id: string): Json | undefined;
  };
}

/** The whole book. Every write is on disk when the call returns (synchronous=FULL), or with the transaction around it. */
export interface Ledger extends LedgerReader {
  /** Everything inside is written together or not at all. Nests. Synchronous: `write` must not await. */
  transaction<T>(write: () => T): T;
  deals: LedgerReader['deals'] & {
    /** Inserts; an existing row of the same lease and role is left as it is and returned. */
    put(deal: Omit<Deal, 'updatedAt'>): Deal;
    /** Changes the members given. @throws AppError not-found */
    update(leaseId: Bytes32, role: DealRole, change: DealChange): Deal;
  };
  tasks: LedgerReader['tasks'] & {
    /** Inserts; an existing row of the same id is left as it is and returned. */
    put(task: Omit<JobTask, 'updatedAt'>): JobTask;
    /** Changes the members given. A task that ends loses its secrets. @throws AppError not-found */
    update(taskId: string, change: JobTaskChange): JobTask;
  };
  runs: LedgerReader['runs'] & {
    /** Inserts; an existing row of the same deal is left as it is and returned. */
    put(run: Omit<JobRun, 'updatedAt'>): JobRun;
    /** Changes the members given. @throws AppError not-found */
    update(dealId: Bytes32, change: JobRunChange): JobRun;
  };
  movements: LedgerReader['movements'] & {
    /** False when it was booked before. */
    book(movement: Movement): boolean;
  };
  offers: LedgerReader['offers'] & { put(offer: Omit<OwnOffer, 'updatedAt'>): void; remove(key: string): void };
  settings: LedgerReader['settings'] & { set(key: string, value: Json): void; remove(key: string): void };
  notifications: LedgerReader['notifications'] & { add(notification: Notification): void };
  commands: LedgerReader['commands'] & {
    /**
     * Runs `act` for a new id and keeps its result; the same id again answers with the kept result, and while `act`
     * still runs with the same promise. A failure is not kept: trying again runs `act` again, so `act` itself must be
     * safe to repeat (its sends carry commandIds made from this one).
     * @throws AppError conflict when the id was used for another `kind` of command
     */
    once<T extends Json>(id: string, kind: string, act: () => Promise<T>): Promise<T>;
  };
  outgoing: {
    byCommand(commandId: string): OutgoingTransaction | null;
    /** Every attempt of a nonce, newest last. */
    byNonce(chainId: number, from: Address, nonce: number): OutgoingTransaction[];
    /** Stored and not known to be in a block, in nonce order. */
    pending(chainId: number, from: Address): OutgoingTransaction[];
    /** Highest nonce ever stored for this account, or null. */
    lastNonce(chainId: number, from: Address): number | null;
    put(transaction: OutgoingTransaction): void;
    setState(txHash: Bytes32, state: OutgoingState, extra?: { block?: number; error?: string }): void;
  };
  cursors: {
    /** Last block whose confirmed events were delivered and booked for this account. */
    get(chainId: number, account: Address): number | null;
    set(chainId: number, account: Address, block: number): void;
  };
  close(): void;
}
