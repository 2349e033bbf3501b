import type { Address, Bytes32 } from './ids.ts';

/**
 * A job's agreement, exactly as the Jobs contract hashes it: `jobId = keccak256(abi.encode(JobTerms))`. Nothing here can
 * change once it is posted. Field order is the ABI order.
 */
export interface JobTerms {
  renter: Address;
  /** The only provider that may take it; the zero address for anybody. */
  assignee: Address;
  /** Decides a dispute in which the jury finds no quorum; the zero address for nobody. */
  arbiter: Address;
  /** What bounty and bond are in. */
  token: Address;
  /** Smallest units, fee included; several copies share it. */
  bounty: bigint;
  /** Smallest units each taker locks. */
  bond: bigint;
  /** Unix seconds before which a result has to be submitted. */
  deadline: number;
  /** Seconds a taker has at least. */
  minRun: number;
  /** Seconds in which a result can be challenged, or copies revealed. */
  window: number;
  /** Smallest units of WATT a taker has staked. */
  minStake: bigint;
  gpuCount: number;
  gpuMemoryGb: number;
  /** How results are checked, 0 to 3. */
  tier: number;
  /** Providers that run it, and how many have to agree: 1 and 1 outside tier 2. */
  copies: number;
  agree: number;
  feeBps: number;
  slashBps: number;
  /** keccak256 of the spec's bytes as they are posted. */
  specHash: Bytes32;
  salt: Bytes32;
}

/** What the contract says about a job, or about one provider's run of it (a deal), in its order. */
export const JOB_STATES = [
  'none',
  'open',
  'assigned',
  'submitted',
  'disputed',
  /** A copy whose result is known and waits for the others. */
  'revealed',
  'verified',
  'refunded',
  'rejected',
  /** A copy whose result was not the one agreed on. */
  'outvoted',
] as const;
export type JobState = (typeof JOB_STATES)[number];

/** Shortest `window`, in seconds. */
export const MIN_WINDOW_SECONDS = 1800;
/** Farthest deadline, in seconds from the posting. */
export const MAX_DEADLINE_SECONDS = 90 * 86_400;

const BPS = 10_000n;
const LATE_FEE_BPS = 1000n;
const CHALLENGE_BPS = 1000n;

/** What a late taker pays out of its bond, and the least bond outside tier 1; smallest units. */
export const lateFeeOf = ({ bounty, copies }: Pick<JobTerms, 'bounty' | 'copies'>): bigint =>
  (bounty * LATE_FEE_BPS) / BPS / BigInt(copies);

/** The least that the contract lets a taker lock, smallest units: tier 1 wants the whole bounty. */
export const leastBondOf = (terms: Pick<JobTerms, 'bounty' | 'copies' | 'tier'>): bigint =>
  terms.tier === 1 ? terms.bounty : lateFeeOf(terms);

/** What a challenger locks, smallest units. */
export const challengeBondOf = ({ bounty }: Pick<JobTerms, 'bounty'>): bigint => (bounty * CHALLENGE_BPS) / BPS;

/** What a deal puts at risk of its taker's stake, smallest units of WATT. */
export const riskOf = ({ minStake, slashBps }: Pick<JobTerms, 'minStake' | 'slashBps'>): bigint =>
  (minStake * BigInt(slashBps)) / BPS;

/** Unix seconds: the last block time at which somebody may still take it. */
export const lastStartOf = ({ deadline, minRun }: Pick<JobTerms, 'deadline' | 'minRun'>): number =>
  Math.min(deadline - minRun, deadline - 1);

/** Unix seconds from which no copy can be revealed. @param until the job's window end on chain, 0 before it begins */
export const revealEndOf = ({ deadline, window }: Pick<JobTerms, 'deadline' | 'window'>, until: number): number =>
  until === 0 ? deadline + window : until;
