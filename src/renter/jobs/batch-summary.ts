import type { JobTask } from '../../store/ledger.ts';

/** How a submission ended, in one sentence for its owner; null where all of it was taken back. */
export function batchSummary(
  task: JobTask,
  counts: Partial<Record<JobTask['phase'], number>>,
): { level: 'success' | 'warning' | 'error'; title: string; body: string } | null {
  const name = task.name === '' ? 'Your job' : `“${task.name}”`;
  const { verified = 0, failed = 0, cancelled = 0 } = counts;
  if (verified + failed === 0) return null;
  if (task.of === 1) {
    return verified === 1
      ? { level: 'success', title: `${name} is done`, body: task.detail }
      : { level: 'error', title: `${name} failed`, body: task.detail };
  }
  const parts = [`${verified} of ${task.of} tasks are done`];
  if (failed > 0) parts.push(`${failed} failed`);
  if (cancelled > 0) parts.push(`${cancelled} were taken back`);
  return {
    level: failed === 0 ? 'success' : verified === 0 ? 'error' : 'warning',
    title: `${name} has ended`,
    body: `${parts.join(', ')}.`,
  };
}
