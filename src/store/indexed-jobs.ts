import type { Address, Bytes32 } from '../shared/ids.ts';
import type { JobTerms } from '../shared/job-terms.ts';

/** Where a job stands. The contract has no word for `cancelled`: it says refunded. */
export const INDEXED_JOB_STATES = [
  'open',
  'assigned',
  'submitted',
  'disputed',
  'verified',
  'refunded',
  'rejected',
  'cancelled',
] as const;
export type IndexedJobState = (typeof INDEXED_JOB_STATES)[number];

/** A job as index.db knows it. Amounts are in `terms.token`. A job with copies is `open` until it is concluded. */
export interface IndexedJob {
  jobId: Bytes32;
  terms: JobTerms;
  /** Exact text as posted; null where it is not UTF-8. A stranger's: validate it before use. */
  spec: string | null;
  state: IndexedJobState;
  /** Unix seconds. */
  postedAt: number;
  /** Providers that have taken it, submitted, revealed; 0 or 1 of a single run. */
  taken: number;
  submitted: number;
  revealed: number;
  /** Copies that share the bounty, known once it is concluded. */
  agreeing: number;
  /** Unix seconds at which the window ends; 0 before it begins. */
  until: number;
  /** Submitted by the single run, or agreed on by the copies. */
  resultId: Bytes32 | null;
  /** Gross that providers earned so far, fees included. */
  paid: bigint;
  /** Of the bounty, back to the renter. */
  refund: bigint;
  /** Of providers' bonds, to the renter. */
  forfeit: bigint;
  /** Unix seconds: settled, cancelled or concluded. */
  endedAt: number | null;
}

/** One provider's run of a job as index.db knows it; its id is the job's own where there is one copy. */
export interface IndexedJobDeal {
  dealId: Bytes32;
  jobId: Bytes32;
  provider: Address;
  offerId: Bytes32;
  state: 'assigned' | 'submitted' | 'disputed' | 'revealed' | 'verified' | 'refunded' | 'rejected' | 'outvoted';
  /** Unix seconds. */
  assignedAt: number;
  submittedAt: number | null;
  /** Of a copy. */
  commitment: Bytes32 | null;
  /** Of a copy only once it is revealed. */
  resultId: Bytes32 | null;
  /** Unix seconds at which the window ends; 0 before it begins, and of a copy always: its job's counts. */
  until: number;
  challenger: Address | null;
  /** What the challenger locked. */
  challengeBond: bigint;
  /** Null while it is not disputed. `endsAt`: unix seconds at which it stands at the latest. */
  jury: { endsAt: number; valid: number; invalid: number } | null;
  /** Gross, fee included. Known once settled, else 0n. */
  paid: bigint;
  fee: bigint;
  refund: bigint;
  forfeit: bigint;
  settledAt: number | null;
  settledTx: Bytes32 | null;
}

export interface OpenJobsFilter {
  /** 1 to 1000. */
  limit: number;
  /** What the taker has: jobs that need more are left out. */
  gpuCount?: number;
  gpuMemoryGb?: number;
  token?: Address;
  /** The taker: jobs for somebody else, and those it has a copy of, are left out. Without it those for anybody remain. */
  provider?: Address;
  /** Least bounty in whole tokens. */
  minBounty?: number;
}

export interface JobStats {
  total: number;
  byState: Record<IndexedJobState, number>;
}

/** What the chain has said about an account, as a provider of jobs. */
export interface Standing {
  account: Address;
  /** Deals that brought no result in time. */
  strikes: number;
  /** Results that were rejected, and when the last one was (unix seconds). */
  rejections: number;
  rejectedAt: number | null;
  /** In hundredths of a point; 10000 to begin with. */
  reputation: number;
  /** Provider's stake, smallest units of WATT. */
  staked: bigint;
  unbonding: bigint;
  /** Unix seconds from which what is unbonding can be released; 0 when nothing is. */
  releaseAt: number;
  /** Put at risk by running job deals, smallest units of WATT. */
  atRisk: bigint;
  /** The key that may act for it in jobs. */
  operator: Address | null;
  /** Ratings it got, 1 to 5 each. */
  ratings: { count: number; sum: number };
}
