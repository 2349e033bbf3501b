import type { Address, Bytes32 } from '../shared/ids.ts';
import type { RentalTerms } from '../shared/rental.ts';

/** An offer as index.db knows it: the newest state the logs gave. */
export interface IndexedOffer {
  offerId: Bytes32;
  version: number;
  provider: Address;
  gpuType: string;
  gpuModel: string;
  gpuCount: number;
  gpuMemoryGb: number;
  /** Smallest units of `token` for `unit` seconds. */
  price: bigint;
  unit: number;
  token: Address;
  region: string;
  features: string[];
  peerKey: Bytes32;
  /** Key of the provider's host: signs finals. */
  providerSigner: Address;
  /** Unix seconds. */
  endsBy: number;
  minSeconds: number;
  units: number;
  free: number;
  status: 'active' | 'paused' | 'delisted' | 'suspended';
  /** Unix seconds. */
  createdAt: number;
}

/** A lease as index.db knows it. Amounts are in `terms.token`. */
export interface IndexedLease {
  leaseId: Bytes32;
  terms: RentalTerms;
  state: 'open' | 'closing' | 'closed';
  /** Unix seconds. */
  openedAt: number;
  capSeconds: number;
  /** Cumulative over extensions. */
  deposit: bigint;
  paidSeconds: number;
  /** Gross so far. */
  paid: bigint;
  fee: bigint;
  claimSeconds: number;
  /** Unix seconds; 0 while open. */
  closeAt: number;
  /** Known once closed, else 0n. */
  penalty: bigint;
  refund: bigint;
  closedAt: number | null;
  closedTx: Bytes32 | null;
}
