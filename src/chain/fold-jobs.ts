/** What logs about jobs mean: they become events with everybody concerned named, events become jobs and runs of them. */
import { assertNever } from '../shared/errors.ts';
import { ETH } from '../shared/ids.ts';
import type { Address } from '../shared/ids.ts';
import { challengeBondOf, type JobTerms } from '../shared/job-terms.ts';
import type { IndexedJob, IndexedJobDeal } from '../store/indexed-jobs.ts';
import type { IndexWriter } from '../store/open-index.ts';
import type { DecodedJobLog } from './decode-job-logs.ts';
import type { EventPlace, JobEvent } from './events.ts';

export type DecodedJob = Extract<DecodedJobLog, { kind: JobEvent['kind'] }>;

/** Jury members who have to agree. */
const QUORUM = 5;
/** How long an arbiter has to decide once the jury has come to nothing, in seconds. */
const ARBITER_SECONDS = 7 * 86_400;

/** Adds to a log what only earlier logs know; null when those are missing. */
export function completeJob(
  decoded: DecodedJob,
  place: EventPlace,
  known: Pick<IndexWriter, 'job' | 'jobDeal'>,
): JobEvent | null {
  if (decoded.kind === 'JobPosted') {
    const { renter, token } = decoded.terms;
    return { ...decoded, renter, token, ...place };
  }
  if ('jobId' in decoded) {
    const job = known.job(decoded.jobId);
    if (!job) return null;
    const rest = { ...ofJob(job), ...place };
    return decoded.kind === 'JobCancelled'
      ? { ...decoded, refund: job.terms.bounty, ...rest }
      : { ...decoded, ...rest };
  }
  const deal = known.jobDeal(decoded.dealId);
  const job = deal && known.job(deal.jobId);
  return deal && job && completeDeal(decoded, place, deal, job);
}

const ofJob = ({ jobId, terms }: IndexedJob) => ({ jobId, renter: terms.renter, token: terms.token, terms });

function completeDeal(
  decoded: Exclude<DecodedJob, { jobId: unknown }>,
  place: EventPlace,
  deal: IndexedJobDeal,
  job: IndexedJob,
): JobEvent {
  const { provider, offerId } = deal;
  const rest = { ...ofJob(job), provider, offerId, ...place };
  if (decoded.kind !== 'JobSettled') return { ...decoded, ...rest };
  const { challenger } = deal;
  return {
    ...decoded,
    bond: job.terms.bond - decoded.forfeit,
    challenger,
    challengeBond: challenger === null ? 0n : challengeBondOf(job.terms),
    challengeBondTo: challenger === null ? null : challengeBondTo(decoded.state, deal, job.terms, place.at),
    ...rest,
  };
}

/**
 * Who got a challenger's bond. The Settled event does not say it: a paid provider gets it only if somebody found its
 * result valid, and not if the dispute ended without a finding. Within the arbiter's days nobody but the arbiter can
 * have ended a dispute without quorum.
 */
function challengeBondTo(
  state: IndexedJobDeal['state'],
  { challenger, provider, jury }: IndexedJobDeal,
  terms: JobTerms,
  at: number,
): Address | null {
  if (state !== 'verified') return challenger;
  if ((jury?.valid ?? 0) >= QUORUM) return provider;
  return terms.arbiter !== ETH && at < (jury?.endsAt ?? 0) + ARBITER_SECONDS ? provider : challenger;
}

/** A job after one more event. */
export function nextJob(before: IndexedJob | null, event: JobEvent): IndexedJob | null {
  if (event.kind === 'JobPosted') {
    return {
      jobId: event.jobId,
      terms: event.terms,
      spec: event.spec,
      state: 'open',
      postedAt: event.at,
      taken: 0,
      submitted: 0,
      revealed: 0,
      agreeing: 0,
      until: 0,
      resultId: null,
      paid: 0n,
      refund: 0n,
      forfeit: 0n,
      endedAt: null,
    };
  }
  if (!before) return null;
  const single = before.terms.copies === 1;
  switch (event.kind) {
    case 'JobCancelled':
      return { ...before, state: 'cancelled', refund: event.refund, endedAt: event.at };
    case 'JobAssigned':
      return { ...before, state: single ? 'assigned' : before.state, taken: before.taken + 1 };
    case 'JobSubmitted':
      return {
        ...before,
        state: single ? 'submitted' : before.state,
        submitted: before.submitted + 1,
        until: event.until,
        resultId: single ? event.resultId : before.resultId,
      };
    case 'JobChallenged':
      return { ...before, state: 'disputed' };
    case 'JobJuryOpened':
    case 'JobJuryDrawn':
    case 'JobJuryVoted':
      return before;
    case 'JobRevealed':
      return { ...before, revealed: before.revealed + 1 };
    case 'JobConcluded':
      return {
        ...before,
        state: event.agreeing === 0 ? 'refunded' : 'verified',
        agreeing: event.agreeing,
        resultId: event.resultId,
        refund: event.refund,
        endedAt: event.at,
      };
    case 'JobSettled': {
      const sums = {
        ...before,
        paid: before.paid + event.paid,
        refund: before.refund + event.refund,
        forfeit: before.forfeit + event.forfeit,
      };
      if (!single || event.state === 'outvoted') return sums;
      return { ...sums, state: event.state, endedAt: event.at };
    }
    default:
      return assertNever(event);
  }
}

/** A provider's run of a job after one more event about it. */
export function nextJobDeal(
  before: IndexedJobDeal | null,
  event: Extract<JobEvent, { dealId: unknown }>,
): IndexedJobDeal | null {
  if (event.kind === 'JobAssigned') {
    return {
      dealId: event.dealId,
      jobId: event.jobId,
      provider: event.provider,
      offerId: event.offerId,
      state: 'assigned',
      assignedAt: event.at,
      submittedAt: null,
      commitment: null,
      resultId: null,
      until: 0,
      challenger: null,
      challengeBond: 0n,
      jury: null,
      paid: 0n,
      fee: 0n,
      refund: 0n,
      forfeit: 0n,
      settledAt: null,
      settledTx: null,
    };
  }
  if (!before) return null;
  switch (event.kind) {
    case 'JobSubmitted':
      return event.terms.copies === 1
        ? { ...before, state: 'submitted', submittedAt: event.at, resultId: event.resultId, until: event.until }
        : { ...before, state: 'submitted', submittedAt: event.at, commitment: event.resultId };
    case 'JobChallenged':
      return { ...before, state: 'disputed', challenger: event.challenger, challengeBond: event.challengeBond };
    case 'JobJuryOpened':
      return { ...before, jury: { endsAt: event.drawUntil, valid: 0, invalid: 0 } };
    case 'JobJuryDrawn':
      return { ...before, jury: { endsAt: event.revealUntil, valid: 0, invalid: 0 } };
    case 'JobJuryVoted': {
      const { endsAt, valid, invalid } = before.jury ?? { endsAt: 0, valid: 0, invalid: 0 };
      const isValid = event.verdict === 'valid';
      return { ...before, jury: { endsAt, valid: valid + (isValid ? 1 : 0), invalid: invalid + (isValid ? 0 : 1) } };
    }
    case 'JobRevealed':
      return { ...before, state: 'revealed', resultId: event.resultId };
    case 'JobSettled': {
      const { state, paid, fee, refund, forfeit } = event;
      return { ...before, state, paid, fee, refund, forfeit, settledAt: event.at, settledTx: event.txHash };
    }
    default:
      return assertNever(event);
  }
}

/** Everybody whose money or work a job's event is about; each once. @param deal as it was before the event */
export function concernedByJob(event: JobEvent, deal: IndexedJobDeal | null): Address[] {
  const { renter, terms } = event;
  const accounts = new Set<Address>([renter]);
  if ('provider' in event) accounts.add(event.provider);
  if (event.kind === 'JobPosted' || event.kind === 'JobCancelled') accounts.add(terms.assignee);
  const challenger = event.kind === 'JobChallenged' ? event.challenger : deal?.challenger;
  if (challenger) accounts.add(challenger).add(terms.arbiter);
  if (event.kind === 'JobJuryDrawn') for (const member of event.members) accounts.add(member);
  accounts.delete(ETH);
  return [...accounts];
}
