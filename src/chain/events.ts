import type { Address, Bytes32 } from '../shared/ids.ts';
import type { RentalTerms } from '../shared/rental.ts';

/** Where an event stands. (chainId, txHash, logIndex) names it for good; the block may change until it is confirmed. */
export interface EventPlace {
  block: number;
  blockHash: Bytes32;
  /** Unix seconds of the block. */
  at: number;
  txHash: Bytes32;
  logIndex: number;
}

export type OfferStatus = 'active' | 'paused' | 'delisted' | 'suspended';

/** An offer's public description as the Offers contract states it. */
export interface OfferFields {
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
  endsBy: number;
  minSeconds: number;
  /** Identical bundles; `free` of them are not rented now. */
  units: number;
}

export type OfferEvent =
  | ({ kind: 'OfferRegistered'; offerId: Bytes32; version: number; offer: OfferFields } & EventPlace)
  /** Price, description or units changed; carries the whole new state. */
  | ({ kind: 'OfferChanged'; offerId: Bytes32; version: number; offer: OfferFields } & EventPlace)
  | ({
      kind: 'OfferStatusChanged';
      offerId: Bytes32;
      provider: Address;
      version: number;
      status: OfferStatus;
    } & EventPlace);

interface LeasePlace extends EventPlace {
  leaseId: Bytes32;
  renter: Address;
  provider: Address;
  /** What all amounts of the event are in. */
  token: Address;
}

/** Which way out a lease took: both signed, voucher, given up, claim stood, forgotten. */
export type LeaseExit = 'close' | 'settle' | 'release' | 'finalize' | 'expire';

export type LeaseEvent =
  | ({ kind: 'LeaseOpened'; terms: RentalTerms; capSeconds: number; deposit: bigint; openedAt: number } & LeasePlace)
  /** `deposit` is the whole escrow now, `added` what this extension put in. */
  | ({ kind: 'LeaseExtended'; capSeconds: number; deposit: bigint; added: bigint } & LeasePlace)
  /** `paid` (gross) and `fee` so far, and what this payment was of each. */
  | ({
      kind: 'LeaseDrawn';
      paidSeconds: number;
      paid: bigint;
      fee: bigint;
      paidNow: bigint;
      feeNow: bigint;
    } & LeasePlace)
  /** CLOSING: `claimSeconds` is what is paid unless raised; from `closeAt` (unix seconds) anybody may finalize. */
  | ({ kind: 'LeaseTerminated'; claimSeconds: number; closeAt: number } & LeasePlace)
  | ({ kind: 'LeaseRaised'; claimSeconds: number; penalised: boolean } & LeasePlace)
  /**
   * Totals of the whole lease: paid (gross) + penalty + refund = deposit; the provider got paid - fee + penalty.
   * `paidNow` and `feeNow` are what the closing itself paid on top of earlier draws.
   */
  | ({
      kind: 'LeaseClosed';
      exit: LeaseExit;
      paidSeconds: number;
      paid: bigint;
      fee: bigint;
      penalty: bigint;
      refund: bigint;
      paidNow: bigint;
      feeNow: bigint;
    } & LeasePlace);

export type VaultEvent =
  | ({ kind: 'VaultDeposited'; account: Address; token: Address; amount: bigint } & EventPlace)
  | ({ kind: 'VaultWithdrawn'; account: Address; token: Address; amount: bigint; to: Address } & EventPlace)
  | ({ kind: 'VaultAuthorized'; account: Address; module: Address; allowed: boolean } & EventPlace);

/** What the market's contracts say, one event per transition. Addresses and ids are lower case. */
export type ChainEvent = OfferEvent | LeaseEvent | VaultEvent;
