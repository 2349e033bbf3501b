import type { ApiOutputs, Job } from '../../api/contract.ts';
import { formatSeconds } from '../../shared/time.ts';
import { moment, money, shortTask, table } from './values.ts';

/** All that there is to say about a task. */
export const describe = (job: Job): string[] => [
  ...table([
    ['Task', job.taskId],
    ['Job', job.jobId ?? 'not posted yet'],
    ['Name', job.of > 1 ? `${job.name} (${job.index + 1} of ${job.of})` : job.name],
    ['Status', `${job.status}${job.detail === '' ? '' : `: ${job.detail}`}`],
    ['Bounty', money(job.bounty, job.token)],
    ...(job.paid === null ? [] : [['Paid', money(job.paid, job.token)]]),
    ...(job.refund === null ? [] : [['Refunded', money(job.refund, job.token)]]),
    ...job.runs.map((run) => [
      'Run',
      `${run.gpuModel}${run.simulatedCard ? ' (simulated card)' : ''} at ${run.provider}: ${run.phase}${run.detail === '' ? '' : `, ${run.detail}`}`,
    ]),
    ...(job.verdict === null ? [] : [['Checked', `${job.verdict.tier}: ${job.verdict.reason}`]]),
    ...(job.resultCid === null ? [] : [['Result', job.resultCid]]),
    ...(job.review === null
      ? []
      : [
          ['Your word', `job accept, or job reject, which locks ${money(job.review.bond, job.token)}`],
          ['Paid', `by itself at ${moment(job.review.until)} UTC`],
        ]),
  ]),
  ...job.waiting.map(({ reason, offers }) => `  ${offers} offers: ${reason}`),
];

/** A line for each task. */
export const listed = (jobs: readonly Job[]): string[] =>
  table([
    ['TASK', 'NAME', 'STATUS', 'CARD', 'BOUNTY', 'TOOK'],
    ...jobs.map((job) => {
      const [run] = job.runs;
      const took = run?.startedAt && run.finishedAt ? formatSeconds(run.finishedAt - run.startedAt) : '';
      const name = job.of > 1 ? `${job.name} ${job.index + 1}/${job.of}` : job.name;
      return [shortTask(job), name, job.status, run?.gpuModel ?? '', money(job.bounty, job.token), took];
    }),
  ]);

/** A line for each submission. */
export const folded = (batches: ApiOutputs['jobs']['batches']['batches']): string[] =>
  table([
    ['SUBMITTED', 'NAME', 'TASKS', 'ENDED', 'WAITING', 'NEED YOU', 'BOUNTY'],
    ...batches.map(({ batchId, counts, review, job }) => [
      batchId.slice(0, 12),
      job.name,
      `${job.of}`,
      `${counts.verified + counts.failed + counts.cancelled}`,
      `${counts.pending}`,
      `${review}`,
      money(`${BigInt(job.bounty) * BigInt(job.of)}`, job.token),
    ]),
  ]);
