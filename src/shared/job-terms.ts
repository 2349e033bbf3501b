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
