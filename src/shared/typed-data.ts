/**
 * Everything that is signed (EIP-712) or named by its hash, in one place. The contracts compute the same values;
 * contracts/test/vectors holds both to the same examples.
 */
import { AbiCoder, ParamType, TypedDataEncoder, keccak256, recoverAddress, toUtf8Bytes } from 'ethers';
import type { Address, Bytes32, Hex } from './ids.ts';
import type { JobTerms } from './job-terms.ts';
import { canonicalJson } from './json.ts';
import type { RentalTerms } from './rental.ts';

export interface TypedDomain {
  name: string;
  version: string;
  chainId: number;
  /** Left out where a signature is not meant for one contract. */
  verifyingContract?: Address;
}

/** Data as it is agreed on, not its digest, so that a signer can look at what it signs. */
export interface TypedPayload {
  domain: TypedDomain;
  types: Readonly<Record<string, readonly { name: string; type: string }[]>>;
  primaryType: string;
  message: Readonly<Record<string, unknown>>;
}

/** Where a lease lives: vouchers and finals of another chain or contract never count. */
export interface RentalsPlace {
  chainId: number;
  rentals: Address;
}

/** Where findings are attested, and vouchers witnessed. */
export interface AttestationsPlace {
  chainId: number;
  attestations: Address;
}

/** Where bounties are in escrow: acceptances are signed for it. */
export interface JobsPlace {
  chainId: number;
  jobs: Address;
}

/** Where ratings are kept. */
export interface RecordPlace {
  chainId: number;
  record: Address;
}

/** Who rates, as the Record contract counts them. */
export const RATING_SIDE = { renter: 0, provider: 1 } as const;

/** What a committee of validators says about an epoch, as the contract's Finding. */
export interface Finding {
  /** Root of the Merkle tree of verdicts. */
  root: Bytes32;
  /** Hash of the transcripts it rests on. */
  evidence: Bytes32;
}

/** `role` says which side of the line the machine behind the key takes. */
export type PeerRole = 'provider' | 'renter' | 'validator';

const types = {
  Voucher: [
    { name: 'leaseId', type: 'bytes32' },
    { name: 'secs', type: 'uint32' },
  ],
  Final: [
    { name: 'leaseId', type: 'bytes32' },
    { name: 'secs', type: 'uint32' },
    { name: 'deadline', type: 'uint40' },
  ],
  Attestation: [
    { name: 'epoch', type: 'uint32' },
    { name: 'root', type: 'bytes32' },
    { name: 'evidence', type: 'bytes32' },
  ],
  Acceptance: [
    { name: 'jobId', type: 'bytes32' },
    { name: 'offerId', type: 'bytes32' },
    { name: 'validUntil', type: 'uint40' },
  ],
  RatingCommit: [
    { name: 'dealId', type: 'bytes32' },
    { name: 'commitment', type: 'bytes32' },
  ],
  PeerBinding: [
    { name: 'peerKey', type: 'bytes32' },
    { name: 'role', type: 'string' },
    { name: 'notAfter', type: 'uint64' },
  ],
} as const;

const payload = (
  primaryType: keyof typeof types,
  chainId: number,
  verifyingContract: Address | undefined,
  message: Record<string, unknown>,
): TypedPayload => ({
  domain: {
    name: 'Commonwatt',
    version: '1',
    chainId,
    ...(verifyingContract === undefined ? {} : { verifyingContract }),
  },
  types: { [primaryType]: types[primaryType] },
  primaryType,
  message,
});

/** `secs` is cumulative: the newest voucher replaces all before it. Signed by `terms.signer` or `terms.witness`. */
export const voucherPayload = (at: RentalsPlace, leaseId: Bytes32, secs: number): TypedPayload =>
  payload('Voucher', at.chainId, at.rentals, { leaseId, secs });

/** The seconds both hosts agree on at the end, good until `deadline` (unix seconds). */
export const finalPayload = (at: RentalsPlace, leaseId: Bytes32, secs: number, deadline: number): TypedPayload =>
  payload('Final', at.chainId, at.rentals, { leaseId, secs, deadline });

/** A committee member signs one finding of an epoch, never two: the second costs it half of its stake. */
export const attestationPayload = (at: AttestationsPlace, epoch: number, finding: Finding): TypedPayload =>
  payload('Attestation', at.chainId, at.attestations, { epoch, ...finding });

/** The voucher that a committee signs for a lease that names the Attestations contract as its witness. */
export const witnessedVoucherPayload = (at: AttestationsPlace, leaseId: Bytes32, secs: number): TypedPayload =>
  voucherPayload({ chainId: at.chainId, rentals: at.attestations }, leaseId, secs);

/** A provider takes a job with a unit of an offer, good until `validUntil` (unix seconds). Signed by it or its operator. */
export const acceptancePayload = (
  at: JobsPlace,
  acceptance: { jobId: Bytes32; offerId: Bytes32; validUntil: number },
): TypedPayload => payload('Acceptance', at.chainId, at.jobs, { ...acceptance });

/** One side of a settled paid deal commits to its rating; see `ratingCommitment`. */
export const ratingCommitPayload = (at: RecordPlace, dealId: Bytes32, commitment: Bytes32): TypedPayload =>
  payload('RatingCommit', at.chainId, at.record, { dealId, commitment });

/**
 * A wallet says that a peer key speaks for it until `notAfter` (unix seconds). The domain has no `verifyingContract`:
 * no contract reads it, and one binding holds for every contract of the chain.
 */
export const peerBindingPayload = (
  chainId: number,
  binding: { peerKey: Bytes32; role: PeerRole; notAfter: number },
): TypedPayload => payload('PeerBinding', chainId, undefined, { ...binding });

/** The 32 bytes that are signed. */
export function digestOf({ domain, types: given, message }: TypedPayload): Bytes32 {
  const mutable = Object.fromEntries(Object.entries(given).map(([name, members]) => [name, [...members]]));
  return TypedDataEncoder.hash(domain, mutable, message) as Bytes32;
}

const SIGNATURE = /^0x[0-9a-f]{128}(1b|1c)$/i;

/**
 * Who signed, or null for anything the contracts would refuse: not 65 bytes, a recovery byte other than 27 or 28, or
 * an `s` in the upper half.
 */
export function signerOf(signed: TypedPayload, signature: Hex): Address | null {
  if (!SIGNATURE.test(signature)) return null;
  try {
    return recoverAddress(digestOf(signed), signature).toLowerCase() as Address;
  } catch {
    return null;
  }
}

/** The `Terms` struct of the Rentals contract, in its order. */
export const TERMS_TUPLE =
  'tuple(bytes32 offerId, uint64 offerVersion, address renter, address provider, address signer, ' +
  'address providerSigner, address witness, address token, uint128 price, uint32 unit, uint32 minSeconds, ' +
  'uint40 endsBy, uint16 feeBps, bytes32 specHash, bytes32 salt)';

const coder = AbiCoder.defaultAbiCoder();
const TERMS = ParamType.from(TERMS_TUPLE);

/** `keccak256(abi.encode(terms))`. */
export const leaseIdOf = (terms: RentalTerms): Bytes32 => keccak256(coder.encode([TERMS], [terms])) as Bytes32;

/** The provider's address, then 12 bytes of `keccak256(abi.encode(provider, salt))`: the id that registering gives. */
export const offerIdOf = (provider: Address, salt: Bytes32): Bytes32 =>
  `${provider.toLowerCase() as Address}${keccak256(coder.encode(['address', 'bytes32'], [provider, salt])).slice(2, 26)}`;

/** keccak256 of the canonical JSON: what stands in a lease's terms for what the renter runs. */
export const specHash = (spec: unknown): Bytes32 => keccak256(toUtf8Bytes(canonicalJson(spec))) as Bytes32;

/** The `JobTerms` struct of the Jobs contract, in its order. */
export const JOB_TERMS_TUPLE =
  'tuple(address renter, address assignee, address arbiter, address token, uint128 bounty, uint128 bond, ' +
  'uint40 deadline, uint32 minRun, uint32 window, uint96 minStake, uint8 gpuCount, uint16 gpuMemoryGb, uint8 tier, ' +
  'uint8 copies, uint8 agree, uint16 feeBps, uint16 slashBps, bytes32 specHash, bytes32 salt)';

const JOB_TERMS = ParamType.from(JOB_TERMS_TUPLE);

/** `keccak256(abi.encode(terms))`. */
export const jobIdOf = (terms: JobTerms): Bytes32 => keccak256(coder.encode([JOB_TERMS], [terms])) as Bytes32;

/** The id of one provider's copy of a job that has several. */
export const copyIdOf = (jobId: Bytes32, provider: Address): Bytes32 =>
  keccak256(coder.encode(['bytes32', 'address'], [jobId, provider])) as Bytes32;

/** An offer's id begins with its provider's address. */
export const providerOfOffer = (offerId: Bytes32): Address => offerId.slice(0, 42).toLowerCase() as Address;

/** The id of a provider's run of a job: the job's own where there is one copy. */
export function dealIdOf(terms: JobTerms, offerId: Bytes32): Bytes32 {
  const jobId = jobIdOf(terms);
  return terms.copies === 1 ? jobId : copyIdOf(jobId, providerOfOffer(offerId));
}

/** What a copy submits before it may show its result: bound to job and provider, so that copying it is of no use. */
export const resultCommitment = (jobId: Bytes32, provider: Address, resultId: Bytes32, salt: Bytes32): Bytes32 =>
  keccak256(coder.encode(['bytes32', 'address', 'bytes32', 'bytes32'], [jobId, provider, resultId, salt])) as Bytes32;

export interface Rating {
  side: keyof typeof RATING_SIDE;
  /** 1 to 5. */
  score: number;
  /** Content id of what the side says; may be empty. At most 100 bytes. */
  feedback: string;
  /** Random: without it a score could be guessed. */
  salt: Bytes32;
}

/** What a side commits to before it shows its rating. */
export const ratingCommitment = (dealId: Bytes32, { side, score, feedback, salt }: Rating): Bytes32 =>
  keccak256(
    coder.encode(
      ['bytes32', 'uint8', 'uint8', 'bytes32', 'bytes32'],
      [dealId, RATING_SIDE[side], score, keccak256(toUtf8Bytes(feedback)), salt],
    ),
  ) as Bytes32;
