import type { Address } from '../../shared/ids.ts';
import type { JobResources } from '../../shared/job-spec.ts';
import type { IndexedOffer } from '../../store/market-rows.ts';

/** A task that looks for providers. */
export interface ScheduleTask {
  id: string;
  resources: Pick<JobResources, 'gpuType' | 'gpuModel' | 'gpuCount' | 'gpuMemoryGb'>;
  /** What one provider gets for one copy, fee included, in `token`'s smallest unit. */
  bounty: bigint;
  token: Address;
  runSeconds: number;
  /** Smallest units of WATT that a provider must have staked. */
  minStake: bigint;
  /** Higher goes first, where the strategy asks. */
  priority: number;
  /** Unix seconds. */
  createdAt: number;
  /** Providers that failed it before or run a copy of it. */
  excluded: readonly Address[];
  /** Copies that still need a provider, each a different one. */
  copiesWanted: number;
}

/** An offer with what this host knows about its provider. */
export type ScheduleOffer = Pick<
  IndexedOffer,
  | 'offerId'
  | 'provider'
  | 'gpuType'
  | 'gpuModel'
  | 'gpuCount'
  | 'gpuMemoryGb'
  | 'price'
  | 'unit'
  | 'token'
  | 'endsBy'
  | 'free'
  | 'status'
  | 'createdAt'
> & {
  /** 0 to 100. */
  reputation: number;
  /** Smallest units of WATT, not at risk elsewhere. */
  stake: bigint;
  /** The protocol lets the provider take jobs. */
  active: boolean;
  /** false: tried and not reached; left out: not tried. */
  reachable?: boolean;
  rttMs?: number;
  /** Speed in this renter's own earlier runs: 2 is twice as fast as usual; left out: nothing is known. */
  score?: number;
};
