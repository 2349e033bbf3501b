import type { ChainReads } from '../chain/chain.ts';
import { assertNever } from '../shared/errors.ts';
import { revealEndOf } from '../shared/job-terms.ts';
import { ETH } from '../shared/ids.ts';
import type { IndexedJob, IndexedJobDeal } from '../store/indexed-jobs.ts';
import type { JobRun } from '../store/ledger.ts';

/** What a provider sends about its run, after it was taken. */
export type RunMove = 'submit' | 'reveal' | 'conclude' | 'collect' | 'finalize' | 'draw' | 'resolve' | 'expire';

/** The renter may accept, or expire, first; and a clock a little ahead of the chain's sends nothing that reverts. */
const PATIENCE_SECONDS = 10;
/** The renter has its jury drawn first. */
const DRAW_PATIENCE_SECONDS = 60;
/** How long an arbiter has to decide, as the Jobs contract has it. */
const ARBITER_SECONDS = 7 * 86_400;

export interface RunView {
  /** Unix seconds. */
  now: number;
  job: IndexedJob | null;
  deal: IndexedJobDeal | null;
  /** Of a disputed run, once it was read. */
  jury: Awaited<ReturnType<ChainReads['jury']>> | null;
}

/** What this side has to send now; null while there is nothing to send. Rules are those of the Jobs contract. */
export function nextMove(run: JobRun, { now, job, deal, jury }: RunView): RunMove | null {
  const { terms } = run;
  if (!job || !deal) return null;
  const single = terms.copies === 1;
  switch (deal.state) {
    case 'assigned':
      if (now >= terms.deadline) return now >= terms.deadline + PATIENCE_SECONDS ? 'expire' : null;
      return run.phase === 'submitting' && run.resultCid !== null ? 'submit' : null;
    case 'submitted':
      if (single) return now >= deal.until + PATIENCE_SECONDS ? 'finalize' : null;
      return copyMove(run, job, now);
    case 'disputed':
      if (jury && jury.drawFrom !== null) return now >= jury.drawFrom + DRAW_PATIENCE_SECONDS ? 'draw' : null;
      return jury?.over && (jury.verdict !== 'none' || terms.arbiter === ETH || now >= jury.endsAt + ARBITER_SECONDS)
        ? 'resolve'
        : null;
    case 'revealed':
      if (job.state === 'verified' || job.state === 'refunded') return 'collect';
      return job.revealed === job.submitted || now >= revealEndOf(terms, job.until) + PATIENCE_SECONDS
        ? 'conclude'
        : null;
    case 'verified':
    case 'refunded':
    case 'rejected':
    case 'outvoted':
      return null;
    default:
      return assertNever(deal.state);
  }
}

/** A copy whose commitment is on chain: shown once nobody can commit any more, in time. */
function copyMove({ terms, salt, resultCid }: JobRun, { until }: IndexedJob, now: number): RunMove | null {
  if (!mayShow(terms, until, now)) return null;
  const end = revealEndOf(terms, until);
  if (now >= end) return now >= end + PATIENCE_SECONDS ? 'expire' : null;
  return salt !== null && resultCid !== null ? 'reveal' : null;
}

/** Whether a copy's result may be seen by others: every copy has committed, or none can any more. */
export const mayShow = (terms: Pick<JobRun['terms'], 'deadline'>, until: number, now: number): boolean =>
  until !== 0 || now >= terms.deadline;
