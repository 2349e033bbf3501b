import { useThrottledValue } from '@mantine/hooks';
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect } from 'react';
import type { ApiOutputs, Job } from '../../../src/api/contract.ts';
import { useApi } from '../../state/host.ts';
import { useJobs } from '../../state/status.ts';

const PAGE = 100;
const REFRESH_MS = 1000;

type JobBatch = ApiOutputs['jobs']['batches']['batches'][number];

/** A line of the list: a task, or a whole array and the task of it that says most. */
export interface JobLine {
  /** What the line stands for: the task, or the submission. */
  id: string;
  job: Job;
  batch: JobBatch | null;
}

interface Wanted {
  open: boolean;
  /** Only tasks of this submission, one by one; null: every submission in one line. */
  batchId: string | null;
}

/** Jobs page by page, newest first; pages that are here follow what happens, the more slowly the more there are. */
export function useJobPages({ open, batchId }: Wanted) {
  const api = useApi();
  const next = (after: string | undefined) => (after === undefined ? {} : { after });
  const tasks = useInfiniteQuery(
    api.jobs.list.infiniteOptions({
      input: (after: string | undefined) => ({ open, batchId: batchId ?? '', limit: PAGE, ...next(after) }),
      initialPageParam: undefined,
      getNextPageParam: (last) => last.next ?? undefined,
      enabled: batchId !== null,
    }),
  );
  const batches = useInfiniteQuery(
    api.jobs.batches.infiniteOptions({
      input: (after: string | undefined) => ({ open, limit: PAGE, ...next(after) }),
      initialPageParam: undefined,
      getNextPageParam: (last) => last.next ?? undefined,
      enabled: batchId === null,
    }),
  );
  const { isPending, isFetching, hasNextPage, fetchNextPage, error } = batchId === null ? batches : tasks;
  const pages = (batchId === null ? batches : tasks).data?.pages ?? [];
  useAgainOnChange(pages.length);
  const lines: JobLine[] =
    batchId === null
      ? (batches.data?.pages ?? []).flatMap((page) =>
          page.batches.map((batch) => ({ id: batch.batchId, job: batch.job, batch })),
        )
      : (tasks.data?.pages ?? []).flatMap((page) => page.jobs.map((job) => ({ id: job.taskId, job, batch: null })));
  // Pages that are read again cut a page short that is on its way: once they are here, it is asked for again.
  const more = useCallback(() => {
    if (hasNextPage && !isFetching && error === null) void fetchNextPage();
  }, [hasNextPage, isFetching, error, fetchNextPage]);
  return {
    lines,
    counts: pages[0]?.counts,
    isPending,
    error,
    more,
  };
}

/** How the tasks of one submission stand. */
export function useBatch(batchId: string): JobBatch | undefined {
  const query = useQuery(useApi().jobs.batches.queryOptions({ input: { batchId, limit: 1 } }));
  useAgainOnChange(1);
  return query.data?.batches[0];
}

/** Reads lists again when some job changed, at most once in `weight` seconds. */
function useAgainOnChange(weight: number) {
  const api = useApi();
  const queries = useQueryClient();
  const changedAt = useThrottledValue(useJobs().dataUpdatedAt, REFRESH_MS * Math.max(1, weight));
  useEffect(() => {
    // All lists but the live one, whose change this is.
    const live = JSON.stringify(api.jobs.list.queryKey({ input: {} }));
    void queries.invalidateQueries({
      queryKey: api.jobs.list.key(),
      predicate: ({ queryKey }) => JSON.stringify(queryKey) !== live,
    });
    void queries.invalidateQueries({ queryKey: api.jobs.batches.key() });
  }, [api, queries, changedAt]);
}
