import type { Job } from '../../api/contract.ts';
import { jobFileSchema, jobSpecSchema, type JobFile, type JobSpec, type JobStatus } from '../../shared/job-spec.ts';
import { parseAmount, type Token } from '../../shared/money.ts';
import { providerOfOffer } from '../../shared/typed-data.ts';
import { hasResult } from '../../renter/jobs/fetch-result.ts';
import { currentDeals, isTaskOver, verdictOfTask } from '../../renter/jobs/task-facts.ts';
import type { JobTask, JobTaskDeal, JobTaskPhase } from '../../store/ledger.ts';
import { SIMULATED_CARD } from '../practice-offers.ts';
import type { Rooms } from '../rooms.ts';

/** The host's finer words in the founding documents' ones. */
const STATUS_OF: Record<JobTaskPhase, JobStatus> = {
  waiting: 'pending',
  posting: 'pending',
  open: 'pending',
  assigning: 'pending',
  refunding: 'pending',
  assigned: 'assigned',
  submitted: 'completed',
  verifying: 'completed',
  review: 'completed',
  accepting: 'completed',
  verified: 'verified',
  failed: 'failed',
  cancelled: 'cancelled',
};

export const statusOfPhase = (phase: JobTaskPhase): JobStatus => STATUS_OF[phase];
export const phasesOf = (status: JobStatus): JobTaskPhase[] =>
  (Object.keys(STATUS_OF) as JobTaskPhase[]).filter((phase) => STATUS_OF[phase] === status);

/** Specs and files never change, and lists of them are shown again and again. */
const MOST_PARSED = 2000;
const known = new Map<string, { spec: JobSpec; file: JobFile }>();

function parsed({ taskId, specText, file }: JobTask): { spec: JobSpec; file: JobFile } {
  const before = known.get(taskId);
  if (before) return before;
  const fresh = { spec: jobSpecSchema.parse(JSON.parse(specText)), file: jobFileSchema.parse(file) };
  const [oldest] = known.keys();
  if (known.size >= MOST_PARSED && oldest !== undefined) known.delete(oldest);
  known.set(taskId, fresh);
  return fresh;
}

/** A task as every door shows it: the book's row, with what runs right now. */
export function jobView(task: JobTask, { chain, content, jobs }: Rooms): Job {
  const { spec, file } = parsed(task);
  const desk = jobs.deskOf(task.account);
  const flow = desk?.flow(task.taskId);
  const token = tokenNamed(chain.profile.tokens, task.terms?.token ?? file.token);
  const why = task.phase === 'open' ? jobs.scheduling.reasonsOf(task.taskId) : null;
  const waiting = (why?.reasons ?? []).map(({ reason, offers }) => ({ reason, offers }));
  const verdict = verdictOfTask(task);
  const review = flow?.review ?? null;
  const current = new Set(currentDeals(task).map(({ dealId }) => dealId));
  const runOf = (deal: JobTaskDeal): Job['runs'][number] => {
    const offer = chain.offer(deal.offerId);
    const live = flow?.live.get(deal.dealId);
    const isFetched = current.has(deal.dealId) && task.phase === 'verifying';
    return {
      dealId: deal.dealId,
      provider: providerOfOffer(deal.offerId),
      offerId: deal.offerId,
      gpuType: offer?.gpuType ?? 'unknown',
      gpuModel: offer?.gpuModel ?? 'unknown',
      simulatedCard: offer?.features.includes(SIMULATED_CARD) ?? false,
      phase: live?.phase ?? deal.phase,
      detail: live?.detail ?? deal.detail,
      progress: isFetched ? (flow?.fetching ?? null) : (live?.progress ?? null),
      startedAt: deal.startedAt,
      finishedAt: deal.finishedAt,
      exitCode: verdict?.run && current.has(deal.dealId) ? verdict.run.exitCode : deal.exitCode,
      resultCid: deal.resultCid,
      connected: flow !== undefined && desk?.isConnected(flow, deal.offerId) === true,
    };
  };
  return {
    taskId: task.taskId,
    batchId: task.batchId,
    jobId: task.jobId,
    account: task.account,
    name: task.name,
    index: task.index,
    of: task.of,
    spec,
    status: statusOfPhase(task.phase),
    phase: task.phase,
    detail: why && task.detail === '' ? why.sentence : task.detail,
    waiting,
    token,
    bounty: `${task.terms?.bounty ?? parseAmount(file.bounty, token.decimals, 'bounty')}`,
    paid: task.paid === null ? null : `${task.paid}`,
    refund: task.refund === null ? null : `${task.refund}`,
    priority: task.priority,
    attempts: task.attempts,
    retries: file.retries,
    runs: task.deals.map(runOf),
    resultCid: task.resultCid,
    resultHere: verdict !== null && hasResult(content, task),
    verdict: verdict && { tier: verdict.tier, valid: verdict.valid, reason: verdict.reason, checks: verdict.checks },
    review: review && { until: review.until, bond: `${review.bond}` },
    postedAt: (task.jobId && chain.job(task.jobId)?.postedAt) ?? null,
    deadline: isTaskOver(task) ? null : (task.terms?.deadline ?? null),
    endedAt: task.endedAt,
    createdAt: task.createdAt,
  };
}

function tokenNamed(tokens: readonly Token[], text: string): Token {
  const found = tokens.find(({ symbol, address }) => symbol === text || address === text.toLowerCase());
  return found ?? { address: '0x0000000000000000000000000000000000000000', symbol: text, name: text, decimals: 0 };
}
