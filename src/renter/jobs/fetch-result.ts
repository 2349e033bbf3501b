import type { ContentStore } from '../../content/content-store.ts';
import type { ContentSource } from '../../content/block-sources.ts';
import { fetchContent } from '../../content/fetch-content.ts';
import type { JobSpec } from '../../shared/job-spec.ts';
import type { Progress } from '../../shared/ready-check.ts';
import type { JobTask } from '../../store/ledger.ts';
import { resultCaps } from './check-result.ts';

/** Owner of the pin that keeps a task's result. */
export const resultPin = (taskId: string): string => `result:${taskId}`;

/** Whether a task's result is wholly here and kept for it; what others keep of the same content does not count. */
export const hasResult = (content: Pick<ContentStore, 'has' | 'stat'>, { taskId, resultCid }: ResultOf): boolean =>
  resultCid !== null && content.has(resultCid) && (content.stat(resultCid)?.pins.includes(resultPin(taskId)) ?? false);

type ResultOf = Pick<JobTask, 'taskId' | 'resultCid'>;

/**
 * Brings a result folder here, each block compared with its address; what came in an earlier try is not fetched again.
 * @throws AppError not-found, peer-unreachable, over-limit, bad-input, disk-full
 */
export async function fetchResult(
  store: ContentStore,
  sources: readonly ContentSource[],
  options: {
    cid: string;
    taskId: string;
    spec: JobSpec;
    signal: AbortSignal;
    onProgress: (progress: Progress) => void;
  },
): Promise<void> {
  const { cid, taskId, spec, signal, onProgress } = options;
  await fetchContent(cid, sources, {
    store,
    pin: resultPin(taskId),
    signal,
    caps: resultCaps(spec),
    onProgress: ({ bytes, totalBytes }) =>
      onProgress({ label: 'Fetching the result', done: bytes, total: totalBytes, unit: 'bytes' }),
  });
}
