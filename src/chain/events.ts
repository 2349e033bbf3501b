import type { Address, Bytes32 } from '../shared/ids.ts';
import type { JobTerms } from '../shared/job-terms.ts';
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

interface JobPlace extends EventPlace {
  jobId: Bytes32;
  renter: Address;
  /** What all amounts of the event are in. */
  token: Address;
  terms: JobTerms;
}

/** One provider's run of a job; `dealId` is the job's own id where there is one copy. */
interface JobDealPlace extends JobPlace {
  dealId: Bytes32;
  provider: Address;
  offerId: Bytes32;
}

/** How a deal is over, as the contract's states. */
export type JobOutcome = 'verified' | 'refunded' | 'rejected' | 'outvoted';

/** What a jury member, or a whole jury, found; `none`: no quorum. */
export type JuryVerdict = 'none' | 'valid' | 'invalid' | 'unavailable';

export type JobEvent =
  /** `spec` is the exact text whose hash stands in the terms; null where it is not UTF-8. */
  | ({ kind: 'JobPosted'; spec: string | null } & JobPlace)
  /** The whole bounty went back. */
  | ({ kind: 'JobCancelled'; refund: bigint } & JobPlace)
  | ({ kind: 'JobAssigned' } & JobDealPlace)
  /**
   * `resultId` is the result of a single run, and of a copy its commitment. `until`: unix seconds at which the window
   * ends; 0 where other copies have to submit first.
   */
  | ({ kind: 'JobSubmitted'; resultId: Bytes32; until: number } & JobDealPlace)
  /** `challengeBond` is what the challenger locked. */
  | ({ kind: 'JobChallenged'; challenger: Address; challengeBond: bigint } & JobDealPlace)
  /** A challenged result waits for its jury; unix seconds between which anybody has it drawn. */
  | ({ kind: 'JobJuryOpened'; epoch: number; drawFrom: number; drawUntil: number } & JobDealPlace)
  /** Its jury; without five members there is no quorum and the case is over at once. */
  | ({ kind: 'JobJuryDrawn'; members: Address[]; commitUntil: number; revealUntil: number } & JobDealPlace)
  | ({ kind: 'JobJuryVoted'; seat: number; verdict: JuryVerdict } & JobDealPlace)
  /** A copy showed what it had committed to. */
  | ({ kind: 'JobRevealed'; resultId: Bytes32 } & JobDealPlace)
  /**
   * The outcome of a job with copies: `resultId` is what `agreeing` copies share, null where too few agree; `refund`
   * went back to the renter. Each copy is settled by an event of its own.
   */
  | ({ kind: 'JobConcluded'; resultId: Bytes32 | null; agreeing: number; refund: bigint } & JobPlace)
  /**
   * A deal is over. `paid` is the provider's gross with `fee` in it; `refund` of the bounty and `forfeit` of the
   * provider's bond went to the renter. `bond` is what the provider got back of its own. Where the result had been
   * challenged, `challengeBond` went to `challengeBondTo`; else both are 0n and null.
   */
  | ({
      kind: 'JobSettled';
      state: JobOutcome;
      paid: bigint;
      fee: bigint;
      refund: bigint;
      forfeit: bigint;
      bond: bigint;
      challenger: Address | null;
      challengeBond: bigint;
      challengeBondTo: Address | null;
    } & JobDealPlace);

/** The key that may take, sign and submit jobs for a provider; null for none. */
export type JobOperatorEvent = { kind: 'JobOperatorSet'; provider: Address; operator: Address | null } & EventPlace;

export type StakeRole = 'provider' | 'validator';

interface StakePlace extends EventPlace {
  role: StakeRole;
  account: Address;
  /** WATT: what all amounts of the event are in. */
  token: Address;
}

export type StakeEvent =
  /** `staked` is what is bonded in this role now. */
  | ({ kind: 'StakeAdded'; amount: bigint; staked: bigint } & StakePlace)
  /** Everything that is unbonding in this role can be released from `releaseAt` (unix seconds). */
  | ({ kind: 'StakeUnbonding'; amount: bigint; releaseAt: number } & StakePlace)
  /** Back in the account's Vault balance. */
  | ({ kind: 'StakeReleased'; amount: bigint } & StakePlace)
  /** Lost: `reward` of it went to `finder`, the rest was burned. */
  | ({
      kind: 'StakeSlashed';
      module: Address;
      fromUnbonding: bigint;
      fromStaked: bigint;
      finder: Address;
      reward: bigint;
    } & StakePlace);

export type RecordEvent =
  /** A deal brought no result in time; `strikes` is how many now. */
  | ({ kind: 'ProviderStruck'; provider: Address; dealId: Bytes32; strikes: number } & EventPlace)
  /** A result was rejected. `reputation` is what is left, in hundredths of a point. */
  | ({ kind: 'ProviderRejected'; provider: Address; dealId: Bytes32; reputation: number } & EventPlace)
  | ({ kind: 'ProviderRequalified'; provider: Address; reputation: number } & EventPlace)
  /** `side` rated the account `rated` with 1 to 5. */
  | ({
      kind: 'DealRated';
      dealId: Bytes32;
      side: 'renter' | 'provider';
      rated: Address;
      score: number;
      /** Content id of what it says; may be empty. */
      feedback: string;
    } & EventPlace);

/** What the market's contracts say, one event per transition. Addresses and ids are lower case. */
export type ChainEvent = OfferEvent | LeaseEvent | VaultEvent | JobEvent | JobOperatorEvent | StakeEvent | RecordEvent;
