import { z } from 'zod';
import type { JobEvent } from '../../chain/events.ts';
import { bytes32ToCid } from '../../content/address.ts';
import type { AppError, ErrorCode } from '../../shared/errors.ts';
import type { Bytes32 } from '../../shared/ids.ts';
import { resultInfoSchema, type JobFile, type ResultInfo } from '../../shared/job-spec.ts';
import type { JobTask, JobTaskChange, JobTaskDeal } from '../../store/ledger.ts';

/** Detail of a task that its owner took back: tells it from one that failed while its refund is on the way. */
export const CANCELLED = 'You took it back.';

/** Words of the chain and the provider after which a deal of a task is over. */
const OVER: ReadonlySet<string> = new Set(['verified', 'refunded', 'rejected', 'outvoted']);
export const isDealOver = ({ phase }: JobTaskDeal): boolean => OVER.has(phase);

export const isTaskOver = ({ phase }: Pick<JobTask, 'phase'>): boolean =>
  phase === 'verified' || phase === 'failed' || phase === 'cancelled';

/** What checking a result found, as the book keeps it. */
export const taskVerdictSchema = z.object({
  tier: z.enum(['accept', 'redundancy', 'certificate']),
  valid: z.boolean(),
  reason: z.string(),
  checks: z.array(z.object({ name: z.string(), ok: z.boolean(), measured: z.number(), limit: z.number() })),
  /** What the result folder says about the run; null where it says nothing readable. */
  run: resultInfoSchema.nullable(),
  /** When it was found, unix seconds by the chain. */
  at: z.int().default(0),
});
export type TaskVerdict = z.infer<typeof taskVerdictSchema>;
/** A verdict as it is made; who writes it into the book says when. */
export type Finding = Omit<TaskVerdict, 'at'>;

export const verdictOfTask = ({ verdict }: Pick<JobTask, 'verdict'>): TaskVerdict | null =>
  verdict === null ? null : (taskVerdictSchema.safeParse(verdict).data ?? null);

/** Runs of the current attempt. */
export const currentDeals = ({ deals, jobId }: Pick<JobTask, 'deals' | 'jobId'>): JobTaskDeal[] =>
  deals.filter((deal) => deal.jobId === jobId);

export const withDeal = (deals: readonly JobTaskDeal[], dealId: Bytes32, change: Partial<JobTaskDeal>): JobTaskDeal[] =>
  deals.map((deal) => (deal.dealId === dealId ? { ...deal, ...change } : deal));

/** The task's end, once its money has moved and its result was looked at. */
export function endOf(task: Pick<JobTask, 'verdict'>, at: number): JobTaskChange {
  const verdict = verdictOfTask(task);
  const run = verdict?.run;
  if (verdict && !verdict.valid) {
    return { phase: 'failed', detail: `It was paid although: ${verdict.reason}`.slice(0, 500), endedAt: at };
  }
  if (run && isFailed(run)) {
    const detail = `${endText(run)} The provider did its work and was paid; the logs are kept.`;
    return { phase: 'failed', detail, endedAt: at };
  }
  return { phase: 'verified', detail: verdict?.reason ?? 'Paid.', endedAt: at };
}

/**
 * Why a result that passed every check still waits for its owner's word; null where it does not. A failure that arithmetic
 * cannot bear out may be invented.
 */
export function doubtOf({ run, tier }: TaskVerdict, review: JobFile['review']): string | null {
  const failed = run !== null && isFailed(run);
  const proven = !failed || (tier === 'certificate' && run.reason === 'exited');
  if (review === 'never' || (review === 'failures' && proven)) return null;
  const what = failed ? `${endText(run)} Look at its log.` : 'The result is here.';
  return `${what} Accept it, or reject it; if you say nothing it is paid when the time for that is over.`;
}

const REASONS: Record<ResultInfo['reason'], string> = {
  exited: 'The program ended',
  'run-timeout': 'It ran longer than it was allowed to',
  'out-of-memory': 'It needed more memory than it was given',
  'disk-limit': 'It needed more disk than it was given',
  'output-limit': 'It made more output than it was allowed to',
  'input-failed': 'The provider could not begin with what this job names',
};

const isFailed = ({ exitCode, reason }: ResultInfo): boolean => exitCode !== 0 || reason !== 'exited';

function endText({ exitCode, reason, detail }: ResultInfo): string {
  const code = exitCode === null ? '' : ` with exit code ${exitCode}`;
  const more = detail === '' ? '' : ` ${detail}`;
  return `${REASONS[reason]}${reason === 'exited' ? code : ''}.${more}`;
}

/** Another attempt, or the end where they are used up. The bounty is back in the deposit account. */
export function againOrEnd(
  task: Pick<JobTask, 'attempts' | 'refund'>,
  retries: number,
  { reason, refund, at }: { reason: string; refund: bigint; at: number },
): JobTaskChange {
  if (task.attempts <= retries) {
    const detail = `${reason} It is posted again (attempt ${task.attempts + 1} of ${retries + 1}).`;
    return {
      phase: 'waiting',
      detail,
      terms: null,
      jobId: null,
      resultCid: null,
      verdict: null,
      paid: null,
      notBefore: at,
    };
  }
  const detail = retries === 0 ? reason : `${reason} All ${retries + 1} attempts are used up; the bounty is back.`;
  return { phase: 'failed', detail, refund, endedAt: at };
}

/** Words about a deal in the order in which the chain says them. */
const ORDER = ['assigned', 'submitted', 'disputed', 'revealed', 'verified', 'refunded', 'rejected', 'outvoted'];

/** Events come at least once: one about a deal that has gone on says nothing new. */
function isHeard(event: JobEvent, { deals }: JobTask): boolean {
  if (!('dealId' in event) || event.kind === 'JobAssigned') return false;
  const ofJury = { JobJuryOpened: 2, JobJuryDrawn: 2, JobJuryVoted: 2 };
  const says = { JobSubmitted: 1, JobChallenged: 2, ...ofJury, JobRevealed: 3, JobSettled: 4 };
  const known = deals.find(({ dealId }) => dealId === event.dealId);
  return known === undefined || ORDER.indexOf(known.phase) >= says[event.kind];
}

/**
 * What an event of the chain says about a task, for the book. Written at once, in the transaction that also moves the
 * cursor of delivered events.
 */
export function taskFactsOf(event: JobEvent, task: JobTask, retries: number): JobTaskChange {
  if (isTaskOver(task) || isHeard(event, task)) return {};
  switch (event.kind) {
    case 'JobPosted':
      return task.phase === 'posting' ? { phase: 'open', detail: '' } : {};
    case 'JobCancelled':
      return {
        phase: task.phase === 'refunding' && task.detail !== CANCELLED ? 'failed' : 'cancelled',
        detail: task.phase === 'refunding' ? task.detail : 'It was taken back.',
        refund: event.refund,
        endedAt: event.at,
      };
    case 'JobAssigned':
      return assignedFacts(event, task);
    case 'JobSubmitted': {
      const single = event.terms.copies === 1;
      const resultCid = single ? bytes32ToCid(event.resultId) : null;
      const deals = withDeal(task.deals, event.dealId, { phase: 'submitted', resultCid });
      const here = deals.filter((deal) => deal.jobId === event.jobId);
      const all = here.every((deal) => deal.phase !== 'assigned');
      if (single) return { deals, resultCid, phase: 'submitted', detail: '' };
      const detail = `${here.filter((deal) => deal.phase !== 'assigned').length} of ${event.terms.copies} copies are done.`;
      return { deals, detail, ...(all && here.length === event.terms.copies ? { phase: 'submitted' as const } : {}) };
    }
    case 'JobRevealed':
      return {
        deals: withDeal(task.deals, event.dealId, { phase: 'revealed', resultCid: bytes32ToCid(event.resultId) }),
      };
    case 'JobChallenged':
      return {
        deals: withDeal(task.deals, event.dealId, { phase: 'disputed' }),
        phase: 'verifying',
        detail: 'The result was challenged; a jury looks at it.',
      };
    case 'JobJuryOpened':
    case 'JobJuryDrawn':
    case 'JobJuryVoted':
      return {};
    case 'JobConcluded':
      if (task.paid !== null) return {};
      if (event.agreeing === 0 || event.resultId === null) {
        const reason = 'Too few copies agreed.';
        return againOrEnd(task, retries, { reason, refund: event.refund, at: event.at });
      }
      return {
        phase: 'verifying',
        detail: `${event.agreeing} of ${event.terms.copies} copies agree to the byte.`,
        resultCid: bytes32ToCid(event.resultId),
        paid: event.terms.bounty - event.refund,
        refund: event.refund,
      };
    case 'JobSettled':
      return settledFacts(event, task, retries);
  }
}

function assignedFacts(event: Extract<JobEvent, { kind: 'JobAssigned' }>, task: JobTask): JobTaskChange {
  const { dealId, jobId, provider, offerId } = event;
  if (task.deals.some((deal) => deal.dealId === dealId)) return {};
  const deal: JobTaskDeal = {
    dealId,
    jobId,
    provider,
    offerId,
    phase: 'assigned',
    detail: '',
    startedAt: null,
    finishedAt: null,
    exitCode: null,
    resultCid: null,
  };
  const deals = [...task.deals, deal];
  const taken = deals.filter((other) => other.jobId === jobId).length;
  if (taken < event.terms.copies) return { deals, detail: `${taken} of ${event.terms.copies} copies are taken.` };
  return { deals, phase: 'assigned', detail: '' };
}

function settledFacts(event: Extract<JobEvent, { kind: 'JobSettled' }>, task: JobTask, retries: number): JobTaskChange {
  const deals = withDeal(task.deals, event.dealId, { phase: event.state });
  // What several copies come to is said by the conclusion.
  if (event.terms.copies !== 1) return { deals };
  const { refund, at } = event;
  switch (event.state) {
    case 'verified':
      if (task.phase === 'accepting') return { deals, paid: event.paid, refund, ...endOf(task, at) };
      // Paid by the passing of the window, or by a jury: the result is still to be fetched.
      return {
        deals,
        paid: event.paid,
        refund,
        phase: 'verifying',
        detail: 'It was paid; the result is being fetched.',
      };
    case 'rejected':
      return { deals, ...againOrEnd(task, retries, { reason: 'The result was rejected.', refund, at }) };
    case 'refunded':
    case 'outvoted':
      return { deals, ...againOrEnd(task, retries, { reason: 'The provider brought no result in time.', refund, at }) };
  }
}

const OWN_TROUBLE: ReadonlySet<ErrorCode> = new Set(['disk-full', 'network-down', 'internal', 'locked', 'conflict']);

/** Whether a failure to fetch or check a result says nothing about its provider. */
export const isOwnTrouble = ({ code }: AppError): boolean => OWN_TROUBLE.has(code);
