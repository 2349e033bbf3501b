import type { Address, Bytes32, Hex } from '../shared/ids.ts';
import { termsFromText, termsToText } from './terms-text.ts';
import type { IndexedLease, IndexedOffer } from './market-rows.ts';

export interface OfferRow {
  offerId: Bytes32;
  version: number;
  provider: Address;
  gpuType: string;
  gpuModel: string;
  gpuCount: number;
  gpuMemoryGb: number;
  price: string;
  unit: number;
  token: Address;
  region: string;
  features: string;
  peerKey: Hex;
  providerSigner: Address;
  endsBy: number;
  minSeconds: number;
  units: number;
  taken: number;
  status: IndexedOffer['status'];
  createdAt: number;
}

export const OFFER_COLUMNS = `offer_id AS offerId, version, provider, gpu_type AS gpuType, gpu_model AS gpuModel,
  gpu_count AS gpuCount, gpu_memory_gb AS gpuMemoryGb, price, unit, token, region, features, peer_key AS peerKey,
  provider_signer AS providerSigner, ends_by AS endsBy, min_seconds AS minSeconds, units, taken, status,
  created_at AS createdAt`;

/** `taken` is counted from leases and jobs, so a row out of it says how many units are free. */
export function offerFromRow({ taken, ...row }: OfferRow): IndexedOffer {
  return {
    ...row,
    price: BigInt(row.price),
    features: row.features === '' ? [] : row.features.split(','),
    free: row.status === 'active' ? Math.max(0, row.units - taken) : 0,
  };
}

export interface LeaseRow {
  leaseId: Bytes32;
  state: IndexedLease['state'];
  terms: string;
  openedAt: number;
  capSeconds: number;
  deposit: string;
  paidSeconds: number;
  paid: string;
  fee: string;
  claimSeconds: number;
  closeAt: number;
  penalty: string;
  refund: string;
  closedAt: number | null;
  closedTx: Bytes32 | null;
}

export const LEASE_COLUMNS = `lease_id AS leaseId, state, terms, opened_at AS openedAt, cap_seconds AS capSeconds,
  deposit, paid_seconds AS paidSeconds, paid, fee, claim_seconds AS claimSeconds, close_at AS closeAt, penalty, refund,
  closed_at AS closedAt, closed_tx AS closedTx`;

export const leaseFromRow = (row: LeaseRow): IndexedLease => ({
  ...row,
  terms: termsFromText(row.terms),
  deposit: BigInt(row.deposit),
  paid: BigInt(row.paid),
  fee: BigInt(row.fee),
  penalty: BigInt(row.penalty),
  refund: BigInt(row.refund),
});

export const leaseToRow = (lease: IndexedLease): LeaseRow => ({
  ...lease,
  terms: termsToText(lease.terms),
  deposit: lease.deposit.toString(),
  paid: lease.paid.toString(),
  fee: lease.fee.toString(),
  penalty: lease.penalty.toString(),
  refund: lease.refund.toString(),
});
