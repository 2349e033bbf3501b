import type { ApiOutputs, Job } from '../../src/api/contract.ts';
import { JOB_STATUSES, type JobStatus } from '../../src/shared/job-spec.ts';

interface PageFilter {
  batchId?: string | undefined;
  open?: boolean | undefined;
  after?: string | undefined;
  limit: number;
}

export interface TaskFilter extends PageFilter {
  status?: JobStatus | undefined;
}

export const isOver = ({ status }: Job): boolean =>
  status === 'verified' || status === 'failed' || status === 'cancelled';

/** Tasks one by one, newest first, as `jobs.list` gives them. */
export function fakePage(
  all: readonly Job[],
  { batchId, status, open, after, limit }: TaskFilter,
): ApiOutputs['jobs']['list'] {
  const counted = all.filter((job) => batchId === undefined || job.batchId === batchId);
  const fitting = counted
    .filter((job) => status === undefined || job.status === status)
    .filter((job) => open === undefined || isOver(job) !== open)
    .toSorted((a, b) => b.createdAt - a.createdAt || a.index - b.index || (a.taskId < b.taskId ? 1 : -1));
  const from = after === undefined ? 0 : fitting.findIndex((job) => job.taskId === after) + 1;
  const jobs = fitting.slice(from, from + limit);
  return {
    jobs,
    counts: countsOf(counted),
    next: from + limit < fitting.length ? (jobs.at(-1)?.taskId ?? null) : null,
  };
}

/** Submissions, each in one line, as `jobs.batches` gives them. */
export function fakeBatches(
  all: readonly Job[],
  { batchId, open, after, limit }: PageFilter,
): ApiOutputs['jobs']['batches'] {
  const { jobs: tasks, counts } = fakePage(all, { batchId, limit: Number.MAX_SAFE_INTEGER });
  const fitting = [...Map.groupBy(tasks, (job) => job.batchId)].flatMap(([id, jobs]) => {
    const [job] = jobs
      .filter((one) => open === undefined || isOver(one) !== open)
      .toSorted((a, b) => rankOf(a) - rankOf(b) || a.index - b.index);
    const review = jobs.filter((one) => one.review !== null).length;
    return job ? [{ batchId: id, counts: countsOf(jobs), review, job }] : [];
  });
  const from = after === undefined ? 0 : fitting.findIndex((batch) => batch.batchId === after) + 1;
  const batches = fitting.slice(from, from + limit);
  return { batches, counts, next: from + limit < fitting.length ? (batches.at(-1)?.batchId ?? null) : null };
}

const countsOf = (jobs: readonly Job[]) =>
  Object.fromEntries(
    JOB_STATUSES.map((name) => [name, jobs.filter((job) => job.status === name).length]),
  ) as ApiOutputs['jobs']['list']['counts'];

/** Less says more about an array. */
const rankOf = (job: Job): number => (job.review ? 0 : isOver(job) ? (job.status === 'failed' ? 2 : 3) : 1);
