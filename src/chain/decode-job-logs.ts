import type { Interface } from 'ethers';
import type { Address, Bytes32, Hex } from '../shared/ids.ts';
import { ETH } from '../shared/ids.ts';
import { MAX_SPEC_BYTES } from '../shared/job-spec.ts';
import type { JobTerms } from '../shared/job-terms.ts';
import { jobsInterface, juriesInterface, recordInterface, stakesInterface } from './contract-interfaces.ts';
import type { JobOutcome, JuryVerdict, StakeRole } from './events.ts';
import {
  address,
  bytes32,
  bytesAt,
  Malformed,
  small,
  textAt,
  topic,
  topicAddress,
  topicSmall,
  word,
} from './log-bytes.ts';
import type { LogBytes } from './log-bytes.ts';

/** What one log about jobs, stakes or standings says by itself. */
export type DecodedJobLog =
  | { kind: 'JobPosted'; jobId: Bytes32; terms: JobTerms; spec: string | null }
  | { kind: 'JobCancelled'; jobId: Bytes32 }
  | { kind: 'JobAssigned'; dealId: Bytes32; jobId: Bytes32; provider: Address; offerId: Bytes32 }
  | { kind: 'JobSubmitted'; dealId: Bytes32; resultId: Bytes32; until: number }
  | { kind: 'JobChallenged'; dealId: Bytes32; challenger: Address; challengeBond: bigint }
  | { kind: 'JobJuryOpened'; dealId: Bytes32; epoch: number; drawFrom: number; drawUntil: number }
  | { kind: 'JobJuryDrawn'; dealId: Bytes32; members: Address[]; commitUntil: number; revealUntil: number }
  | { kind: 'JobJuryVoted'; dealId: Bytes32; seat: number; verdict: JuryVerdict }
  | { kind: 'JobRevealed'; dealId: Bytes32; resultId: Bytes32 }
  | { kind: 'JobConcluded'; jobId: Bytes32; resultId: Bytes32 | null; agreeing: number; refund: bigint }
  | {
      kind: 'JobSettled';
      dealId: Bytes32;
      state: JobOutcome;
      paid: bigint;
      fee: bigint;
      refund: bigint;
      forfeit: bigint;
    }
  | { kind: 'JobOperatorSet'; provider: Address; operator: Address | null }
  | { kind: 'StakeAdded'; role: StakeRole; account: Address; amount: bigint; staked: bigint }
  | { kind: 'StakeUnbonding'; role: StakeRole; account: Address; amount: bigint; releaseAt: number }
  | { kind: 'StakeReleased'; role: StakeRole; account: Address; amount: bigint }
  | {
      kind: 'StakeSlashed';
      role: StakeRole;
      account: Address;
      module: Address;
      fromUnbonding: bigint;
      fromStaked: bigint;
      finder: Address;
      reward: bigint;
    }
  | { kind: 'ProviderStruck'; provider: Address; dealId: Bytes32; strikes: number }
  | { kind: 'ProviderRejected'; provider: Address; dealId: Bytes32; reputation: number }
  | { kind: 'ProviderRequalified'; provider: Address; reputation: number }
  | {
      kind: 'DealRated';
      dealId: Bytes32;
      side: 'renter' | 'provider';
      rated: Address;
      score: number;
      feedback: string;
    };

type Decoder = (log: LogBytes) => DecodedJobLog;

export const topicOf = (of: Interface, name: string): Hex => {
  const event = of.getEvent(name);
  if (!event) throw new Error(`The ABI has no event ${name}`);
  return event.topicHash as Hex;
};

/** Words of `JobTerms`: it has no dynamic part and stands in the data as it is. */
const TERMS_WORDS = 19;
const MAX_FEEDBACK_BYTES = 100;
const MAX_SEATS = 7;

const VERDICTS: readonly JuryVerdict[] = ['none', 'valid', 'invalid', 'unavailable'];
const ROLES: readonly StakeRole[] = ['provider', 'validator'];
/** From VERIFIED on; the states before it never stand in a Settled event. */
const OUTCOMES: readonly JobOutcome[] = ['verified', 'refunded', 'rejected', 'outvoted'];
const FIRST_OUTCOME = 6;

function named<T>(values: readonly T[], index: number): T {
  const value = values[index];
  if (value === undefined) throw new Malformed('enum');
  return value;
}

const roleOf = ({ topics }: LogBytes): StakeRole => named(ROLES, topicSmall(topics, 1, 1));
const orNone = (account: Address): Address | null => (account === ETH ? null : account);

function termsOf(data: Hex): JobTerms {
  const terms: JobTerms = {
    renter: address(data, 0),
    assignee: address(data, 1),
    arbiter: address(data, 2),
    token: address(data, 3),
    bounty: word(data, 4),
    bond: word(data, 5),
    deadline: small(data, 6),
    minRun: small(data, 7),
    window: small(data, 8),
    minStake: word(data, 9),
    gpuCount: small(data, 10, 255),
    gpuMemoryGb: small(data, 11, 65_535),
    tier: small(data, 12, 3),
    copies: small(data, 13, 255),
    agree: small(data, 14, 255),
    feeBps: small(data, 15, 10_000),
    slashBps: small(data, 16, 10_000),
    specHash: bytes32(data, 17),
    salt: bytes32(data, 18),
  };
  if (terms.copies === 0) throw new Malformed('copies');
  return terms;
}

const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The exact text, or null where the bytes are none. */
function specAt(data: Hex, at: number): string | null {
  const bytes = bytesAt(data, at, MAX_SPEC_BYTES);
  try {
    return strictText.decode(bytes);
  } catch {
    return null;
  }
}

/** Most hexadecimal digits, with the prefix, that a Posted event's data has: terms, offset, length, text. */
export const MAX_POSTED_DATA = 2 + 2 * (32 * (TERMS_WORDS + 2) + MAX_SPEC_BYTES);

export const JOB_POSTED_TOPIC = topicOf(jobsInterface, 'Posted');

export const JOB_DECODERS: readonly (readonly [Hex, Decoder])[] = [
  [
    JOB_POSTED_TOPIC,
    ({ topics, data }) => ({
      kind: 'JobPosted',
      jobId: topic(topics, 1),
      terms: termsOf(data),
      spec: specAt(data, small(data, TERMS_WORDS, MAX_POSTED_DATA) * 2),
    }),
  ],
  [topicOf(jobsInterface, 'Cancelled'), ({ topics }) => ({ kind: 'JobCancelled', jobId: topic(topics, 1) })],
  [
    topicOf(jobsInterface, 'Assigned'),
    ({ topics, data }) => ({
      kind: 'JobAssigned',
      dealId: topic(topics, 1),
      jobId: topic(topics, 2),
      provider: topicAddress(topics, 3),
      offerId: bytes32(data, 0),
    }),
  ],
  [
    topicOf(jobsInterface, 'Submitted'),
    ({ topics, data }) => ({
      kind: 'JobSubmitted',
      dealId: topic(topics, 1),
      resultId: bytes32(data, 0),
      until: small(data, 1),
    }),
  ],
  [
    topicOf(jobsInterface, 'Challenged'),
    ({ topics, data }) => ({
      kind: 'JobChallenged',
      dealId: topic(topics, 1),
      challenger: topicAddress(topics, 2),
      challengeBond: word(data, 0),
    }),
  ],
  [
    topicOf(juriesInterface, 'Opened'),
    ({ topics, data }) => ({
      kind: 'JobJuryOpened',
      dealId: topic(topics, 1),
      epoch: small(data, 0),
      drawFrom: small(data, 1),
      drawUntil: small(data, 2),
    }),
  ],
  [
    topicOf(juriesInterface, 'Drawn'),
    ({ topics, data }) => {
      const at = small(data, 0, 4096);
      if (at % 32 !== 0) throw new Malformed('offset');
      const count = small(data, at / 32, MAX_SEATS);
      return {
        kind: 'JobJuryDrawn',
        dealId: topic(topics, 1),
        members: Array.from({ length: count }, (_, index) => address(data, at / 32 + 1 + index)),
        commitUntil: small(data, 1),
        revealUntil: small(data, 2),
      };
    },
  ],
  [
    topicOf(juriesInterface, 'Voted'),
    ({ topics, data }) => ({
      kind: 'JobJuryVoted',
      dealId: topic(topics, 1),
      seat: small(data, 0, MAX_SEATS),
      verdict: named(VERDICTS, small(data, 1, 3)),
    }),
  ],
  [
    topicOf(jobsInterface, 'Revealed'),
    ({ topics, data }) => ({ kind: 'JobRevealed', dealId: topic(topics, 1), resultId: bytes32(data, 0) }),
  ],
  [
    topicOf(jobsInterface, 'Concluded'),
    ({ topics, data }) => {
      const agreeing = small(data, 1, 255);
      return {
        kind: 'JobConcluded',
        jobId: topic(topics, 1),
        resultId: agreeing === 0 ? null : bytes32(data, 0),
        agreeing,
        refund: word(data, 2),
      };
    },
  ],
  [
    topicOf(jobsInterface, 'Settled'),
    ({ topics, data }) => ({
      kind: 'JobSettled',
      dealId: topic(topics, 1),
      state: named(OUTCOMES, small(data, 0, 9) - FIRST_OUTCOME),
      paid: word(data, 1),
      fee: word(data, 2),
      refund: word(data, 3),
      forfeit: word(data, 4),
    }),
  ],
  [
    topicOf(jobsInterface, 'OperatorSet'),
    ({ topics, data }) => ({
      kind: 'JobOperatorSet',
      provider: topicAddress(topics, 1),
      operator: orNone(address(data, 0)),
    }),
  ],
  [
    topicOf(stakesInterface, 'Staked'),
    (log) => ({
      kind: 'StakeAdded',
      role: roleOf(log),
      account: topicAddress(log.topics, 2),
      amount: word(log.data, 0),
      staked: word(log.data, 1),
    }),
  ],
  [
    topicOf(stakesInterface, 'Unbonding'),
    (log) => ({
      kind: 'StakeUnbonding',
      role: roleOf(log),
      account: topicAddress(log.topics, 2),
      amount: word(log.data, 0),
      releaseAt: small(log.data, 1),
    }),
  ],
  [
    topicOf(stakesInterface, 'Released'),
    (log) => ({
      kind: 'StakeReleased',
      role: roleOf(log),
      account: topicAddress(log.topics, 2),
      amount: word(log.data, 0),
    }),
  ],
  [
    topicOf(stakesInterface, 'Slashed'),
    (log) => ({
      kind: 'StakeSlashed',
      role: roleOf(log),
      account: topicAddress(log.topics, 2),
      module: topicAddress(log.topics, 3),
      fromUnbonding: word(log.data, 0),
      fromStaked: word(log.data, 1),
      finder: address(log.data, 2),
      reward: word(log.data, 3),
    }),
  ],
  [
    topicOf(recordInterface, 'Struck'),
    ({ topics, data }) => ({
      kind: 'ProviderStruck',
      provider: topicAddress(topics, 1),
      dealId: topic(topics, 2),
      strikes: small(data, 0),
    }),
  ],
  [
    topicOf(recordInterface, 'Rejected'),
    ({ topics, data }) => ({
      kind: 'ProviderRejected',
      provider: topicAddress(topics, 1),
      dealId: topic(topics, 2),
      reputation: small(data, 0, 65_535),
    }),
  ],
  [
    topicOf(recordInterface, 'Requalified'),
    ({ topics, data }) => ({
      kind: 'ProviderRequalified',
      provider: topicAddress(topics, 1),
      reputation: small(data, 0, 65_535),
    }),
  ],
  [
    topicOf(recordInterface, 'Rated'),
    ({ topics, data }) => ({
      kind: 'DealRated',
      dealId: topic(topics, 1),
      rated: topicAddress(topics, 2),
      side: small(data, 0, 1) === 0 ? 'renter' : 'provider',
      score: small(data, 1, 5),
      feedback: textAt(data, small(data, 2, 4096) * 2, MAX_FEEDBACK_BYTES),
    }),
  ],
];
