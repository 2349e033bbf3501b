/**
 * The contracts as values: one `World` holds what Parameters, Vault, Offers and Rentals keep on chain, and every function
 * of the model takes a world and gives the next one. Same names, same order of checks, same errors as the Solidity, so that
 * a random history replayed on both ends in equal state (contracts/tools/replay.mjs does that).
 */
import type { Address, Bytes32 } from '../shared/ids.ts';

/** A custom error of a contract, or a panic of the language. Thrown by the model exactly where the contract reverts. */
export class Revert extends Error {
  readonly contract:
    | 'Parameters'
    | 'Vault'
    | 'Offers'
    | 'Rentals'
    | 'Stakes'
    | 'Attestations'
    | 'Juries'
    | 'Jobs'
    | 'Record'
    | 'Panic';
  readonly error: string;
  readonly args: readonly unknown[];

  constructor(contract: Revert['contract'], error: string, args: readonly unknown[]) {
    super(`${contract}.${error}(${args.join(', ')})`);
    this.contract = contract;
    this.error = error;
    this.args = args;
  }
}

/** Arithmetic that does not fit. */
export const overflow = (): Revert => new Revert('Panic', 'Panic', [0x11]);

export const OFFER_STATUS = { NONE: 0, ACTIVE: 1, PAUSED: 2, DELISTED: 3, SUSPENDED: 4 } as const;
export type OfferStatus = (typeof OFFER_STATUS)[keyof typeof OFFER_STATUS];

export const LEASE_STATE = { NONE: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const;
export type LeaseState = (typeof LEASE_STATE)[keyof typeof LEASE_STATE];

export interface ModelOffer {
  /** Everything a deal depends on; the contract keeps a hash of it. */
  providerSigner: Address;
  token: Address;
  price: bigint;
  unit: number;
  minSeconds: number;
  endsBy: number;
  gpuCount: number;
  gpuMemoryGb: number;
  version: number;
  units: number;
  /** Units that deals hold now. */
  taken: number;
  status: OfferStatus;
}

export interface ModelLease {
  /** Unix seconds. */
  openedAt: number;
  /** Unix seconds from which a CLOSING lease can be finalized; 0 before. */
  closeAt: number;
  /** Seconds the deposit covers. */
  cap: number;
  /** Seconds paid for so far; only grows. */
  paidSeconds: number;
  /** Seconds that finalizing pays for. */
  claimSeconds: number;
  state: LeaseState;
  /** The renter's own signer had signed more than the renter claimed. */
  underclaimed: boolean;
}

export interface World {
  /** Unix seconds of the block. */
  now: number;
  /** Address of the Rentals contract: the module that locks. */
  rentals: Address;
  treasury: Address;
  feeBps: number;
  newDealsPausedUntil: number;
  pauseAllowedAt: number;
  tokens: ReadonlySet<Address>;
  /** By `account token`. */
  balances: ReadonlyMap<string, bigint>;
  /** By `module account token`. */
  locks: ReadonlyMap<string, bigint>;
  /** By token. */
  reserves: ReadonlyMap<Address, bigint>;
  /** `account module`. */
  authorized: ReadonlySet<string>;
  offers: ReadonlyMap<Bytes32, ModelOffer>;
  leases: ReadonlyMap<Bytes32, ModelLease>;
}

/** A map with one entry changed; the given one stays as it is. */
export const withEntry = <K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> =>
  new Map(map).set(key, value);
