/** Custom errors of Jobs, Stakes, Juries and Record in plain words: what was wrong, and what to do about it. */
import type { Result } from 'ethers';
import { formatAmount } from '../shared/money.ts';
import { formatSeconds } from '../shared/time.ts';
import { dateText, type Reason } from './reason.ts';

/** How the contract's states read in a sentence about a job, or one provider's run of it. */
const JOB_STATES = [
  'does not exist, or not with these terms',
  'is open: nobody has taken it yet',
  'is assigned: its result has not been submitted',
  'has been submitted already',
  'is disputed: a jury decides',
  'has been revealed already',
  'is verified and paid',
  'is over: its bounty was refunded',
  'is over: its result was rejected',
  'is over: its result was not the one agreed on',
];

const watt = (value: unknown): string => `${formatAmount(BigInt(String(value)), 18)} WATT`;
const percent = (bps: unknown): string => `${Number(bps) / 100} %`;

const stakeRole = (args: Result): string => (Number(args['role']) === 0 ? 'provider' : 'validator');

/**
 * What Jobs says. Some of these names are also the leases' contract's, with the same bytes: which words fit depends on
 * who was called.
 */
export const JOB_REASONS: Readonly<Record<string, Reason>> = {
  NotRenter: { code: 'not-allowed', words: () => 'Only the renter who posted the job can do that.' },
  NotProvider: {
    code: 'not-allowed',
    words: () => 'Only the provider who took the job, or the key that acts for it, can do that.',
    next: 'Send it from the account that owns the offer.',
  },
  NotArbiter: { code: 'not-allowed', words: () => 'Only the arbiter that the job names can decide this dispute.' },
  DealsPaused: {
    code: 'offer-unavailable',
    words: (args) => `New jobs are paused on this network until ${dateText(args['until'])}.`,
    next: 'Running jobs go on; try again then.',
  },
  FeeChanged: {
    code: 'offer-changed',
    field: 'feeBps',
    words: (args) => `The job says ${percent(args['given'])} network fee; it is ${percent(args['current'])} now.`,
    next: 'Post it again with the fee as it is now.',
  },
  SlashChanged: {
    code: 'offer-changed',
    field: 'slashBps',
    words: (args) =>
      `The job says that a rejected result costs ${percent(args['given'])} of the stake; it is ${percent(args['current'])} now.`,
    next: 'Post it again with the share as it is now.',
  },
  JobExists: { code: 'conflict', words: () => 'This job was posted already.', next: 'Post it with another salt.' },
  WrongState: {
    code: 'conflict',
    words: (args) => `The job ${JOB_STATES[Number(args['state'])] ?? 'is in another state'}.`,
    next: 'Look at where the job stands now.',
  },
  TokenNotAllowed: {
    code: 'unsupported',
    field: 'token',
    words: () => 'This network does not accept that token for bounties.',
    next: 'Choose another token.',
  },
  BadBounty: {
    code: 'bad-input',
    field: 'bounty',
    words: () => 'The bounty must be more than zero.',
    next: 'Offer something for the work.',
  },
  BondTooLow: {
    code: 'bad-input',
    field: 'bond',
    words: (args) =>
      `The bond is ${String(args['bond'])}; at least ${String(args['least'])} smallest units are needed.`,
    next: 'Ask for a bond that covers the late fee (10 % of the bounty), in tier 1 the whole bounty.',
  },
  BadDeadline: {
    code: 'bad-input',
    field: 'deadline',
    words: (args) =>
      `The deadline ${dateText(args['deadline'])} leaves less time than the job asks for, or is more than 90 days away.`,
    next: 'Choose a later deadline within 90 days, or a shorter least run time.',
  },
  BadWindow: {
    code: 'bad-input',
    field: 'window',
    words: (args) =>
      `The time to challenge is ${formatSeconds(Number(args['window']))}; 30 minutes to 14 days are allowed.`,
    next: 'Choose a window between the two.',
  },
  BadTier: {
    code: 'bad-input',
    field: 'tier',
    words: (args) =>
      `Tier ${String(args['tier'])} with ${String(args['copies'])} copies of which ${String(args['agree'])} agree is not possible.`,
    next: 'Use 2 to 15 copies and more than half of them agreeing for redundancy, and one copy otherwise.',
  },
  StakeTooLow: {
    code: 'insufficient-funds',
    field: 'minStake',
    words: (args) => `The stake is ${watt(args['stake'])}; at least ${watt(args['least'])} are needed.`,
    next: 'Stake the rest first, or ask for at least the network’s minimum.',
  },
  SpecTooLong: {
    code: 'bad-input',
    field: 'spec',
    words: (args) => `The job has ${String(args['bytesGiven'])} bytes; ${String(args['bytesAllowed'])} are allowed.`,
    next: 'Put what is long into an input file and name it by content id or URL.',
  },
  WrongSpec: {
    code: 'bad-input',
    field: 'spec',
    words: () => 'The text of the job is not the one that its terms name.',
    next: 'Post the exact text that was hashed.',
  },
  TooLate: {
    code: 'conflict',
    field: 'deadline',
    words: (args) =>
      Number(args['time']) >= Number(args['deadline'])
        ? `The deadline was ${dateText(args['deadline'])}; nothing can be submitted or taken any more.`
        : `Too little time is left before the deadline ${dateText(args['deadline'])} to take this job.`,
    next: 'Choose another job; the renter can post this one again.',
  },
  NotAssignee: {
    code: 'not-allowed',
    field: 'assignee',
    words: () => 'The job is for another provider.',
    next: 'Choose a job that anybody may take.',
  },
  HardwareTooSmall: {
    code: 'offer-unavailable',
    field: 'offerId',
    words: (args) =>
      `The offer has ${String(args['gpuCount'])} cards with ${String(args['gpuMemoryGb'])} GiB each; the job asks for more.`,
    next: 'Use an offer with enough cards and memory.',
  },
  InactiveProvider: {
    code: 'not-allowed',
    field: 'provider',
    words: () => 'The provider’s reputation is too low for new jobs.',
    next: 'It can qualify again 30 days after its last rejected result.',
  },
  NoCopyLeft: {
    code: 'offer-unavailable',
    field: 'jobId',
    words: (args) => `All ${String(args['copies'])} copies of the job are taken.`,
    next: 'Choose another job.',
  },
  AcceptanceExpired: {
    code: 'conflict',
    field: 'validUntil',
    words: (args) => `The provider’s acceptance was valid until ${dateText(args['validUntil'])}.`,
    next: 'Ask the provider again.',
  },
  BadSignature: {
    code: 'bad-input',
    field: 'signature',
    words: () => 'The acceptance is not signed by the provider or the key that acts for it.',
    next: 'Ask the provider again.',
  },
  WrongOffer: {
    code: 'bad-input',
    field: 'offerId',
    words: () => 'The job was taken with another offer, or by somebody else.',
    next: 'Name the offer that the assignment names.',
  },
  EmptyResult: {
    code: 'bad-input',
    field: 'resultId',
    words: () => 'A result needs a content id; all zeros is none.',
    next: 'Submit the id of the result folder.',
  },
  NotExpired: {
    code: 'conflict',
    words: (args) => `The provider has until ${dateText(args['expiresAt'])}.`,
    next: 'Expire the job after that.',
  },
  WindowOpen: {
    code: 'conflict',
    words: (args) => `The window is open until ${dateText(args['until'])}.`,
    next: 'Wait until then.',
  },
  WindowOver: {
    code: 'conflict',
    words: (args) => `The window was over at ${dateText(args['until'])}.`,
    next: 'Look at where the job stands now.',
  },
  StillDisputed: {
    code: 'conflict',
    words: () => 'The jury, or the arbiter after it, has not come to an end yet.',
    next: 'Wait for the verdict.',
  },
  HasCopies: {
    code: 'bad-input',
    field: 'terms',
    words: () => 'A job that several providers run is settled by comparing their results.',
    next: 'Reveal, conclude and collect instead.',
  },
  NoCopies: {
    code: 'bad-input',
    field: 'terms',
    words: () => 'This job has one copy only.',
    next: 'Accept, challenge or finalize it instead.',
  },
  NotRevealing: {
    code: 'conflict',
    words: () => 'Results are shown once every copy has been submitted, or the deadline has passed.',
    next: 'Wait for the other copies.',
  },
  WrongReveal: {
    code: 'bad-input',
    field: 'salt',
    words: () => 'Result and salt are not what this copy committed to.',
    next: 'Reveal exactly what was submitted, with its salt.',
  },
  ValueForToken: { code: 'bad-input', words: () => 'This bounty is in a token, so no ETH can be sent along.' },
  // Said by contracts that Jobs calls.
  NotAuthorized: {
    code: 'not-allowed',
    words: () => 'The account has not allowed this contract to lock money of its deposit account yet.',
    next: 'Allow it once, then try again.',
  },
  NoFreeUnit: {
    code: 'offer-unavailable',
    field: 'offerId',
    words: () => 'The offer has no free unit now.',
    next: 'Wait until one is free, or choose another offer.',
  },
  WrongStatus: {
    code: 'offer-unavailable',
    field: 'offerId',
    words: () => 'The offer is paused, suspended or has ended.',
    next: 'Choose another offer.',
  },
  // Stakes
  InsufficientFreeStake: {
    code: 'insufficient-funds',
    words: (args) =>
      `${watt(args['free'])} of the stake are not at risk in open deals; ${watt(args['needed'])} are needed.`,
    next: 'Stake more, or wait until deals are over.',
  },
  InsufficientEngagement: { code: 'reverted', words: () => 'Less of the stake is at risk than should be given back.' },
  NothingUnbonding: {
    code: 'conflict',
    words: (args) => `No ${stakeRole(args)} stake is on its way out.`,
    next: 'Unbond first, then wait.',
  },
  StillUnbonding: {
    code: 'conflict',
    words: (args) => `The stake can be released from ${dateText(args['releaseAt'])}.`,
    next: 'Release it after that.',
  },
  BadShare: { code: 'bad-input', words: () => 'More than the whole stake cannot be taken.' },
  // Juries
  CaseExists: { code: 'conflict', words: () => 'This dispute is open already.' },
  NotDrawing: {
    code: 'conflict',
    words: () => 'A jury is drawn once, in the 24 hours after the secrets of the day of the challenge are out.',
  },
  NotMember: { code: 'not-allowed', words: () => 'Only a member of the jury can do that.' },
  CommitOver: {
    code: 'conflict',
    words: (args) => `The time to commit was over at ${dateText(args['until'] ?? args['commitUntil'])}.`,
  },
  AlreadyCommitted: { code: 'conflict', words: () => 'This was committed already, once and for all.' },
  EmptyCommitment: { code: 'bad-input', field: 'commitment', words: () => 'A commitment of zeros is none.' },
  BadVerdict: { code: 'bad-input', field: 'verdict', words: () => 'A verdict is valid, invalid or unavailable.' },
  // Record
  NotPaid: { code: 'conflict', words: () => 'Only a deal that is over and was paid for can be recorded.' },
  AlreadyRecorded: { code: 'conflict', words: () => 'This deal is in the record already.' },
  UnknownDeal: { code: 'not-found', words: () => 'This deal is not in the record.', next: 'Record it first.' },
  WrongParties: { code: 'bad-input', field: 'parties', words: () => 'These are not the parties of the recorded deal.' },
  StillBlind: {
    code: 'conflict',
    words: (args) => `Ratings are shown once both sides have committed, or from ${dateText(args['until'])}.`,
    next: 'Wait for the other side.',
  },
  RevealOver: { code: 'conflict', words: (args) => `Ratings could be shown until ${dateText(args['until'])}.` },
  AlreadyRated: { code: 'conflict', words: () => 'This side has rated the deal already.' },
  BadScore: { code: 'bad-input', field: 'score', words: () => 'A score is 1, 2, 3, 4 or 5.' },
  FeedbackTooLong: {
    code: 'bad-input',
    field: 'feedback',
    words: (args) =>
      `The feedback has ${String(args['bytesGiven'])} bytes; ${String(args['bytesAllowed'])} are allowed.`,
    next: 'Give the content id of a longer text.',
  },
  StillActive: { code: 'conflict', words: () => 'The provider’s reputation lets it take jobs: nothing to regain.' },
  TooEarly: {
    code: 'conflict',
    words: (args) => `The provider can qualify again from ${dateText(args['requalifyFrom'])}.`,
    next: 'Try again then.',
  },
  InactiveStake: {
    code: 'insufficient-funds',
    words: () => 'The provider’s stake is below the network’s minimum.',
    next: 'Stake enough first.',
  },
};
