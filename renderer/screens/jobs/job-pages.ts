import { useThrottledValue } from '@mantine/hooks';
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { useApi } from '../../state/host.ts';
import { useJobs } from '../../state/status.ts';

const PAGE = 100;
const REFRESH_MS = 1000;

interface Wanted {
  open: boolean;
  /** Only tasks of this submission. */
  batchId: string | null;
}

/** Jobs page by page, newest first; pages that are here follow what happens, the more slowly the more there are. */
export function useJobPages({ open, batchId }: Wanted) {
  const api = useApi();
  const filter = { open, limit: PAGE, ...(batchId === null ? {} : { batchId }) };
  const query = useInfiniteQuery(
    api.jobs.list.infiniteOptions({
      input: (after: string | undefined) => ({ ...filter, ...(after === undefined ? {} : { after }) }),
      initialPageParam: undefined,
      getNextPageParam: (last) => last.next ?? undefined,
    }),
  );
  const pages = query.data?.pages ?? [];
  useAgainOnChange(pages.length);
  return { ...query, jobs: pages.flatMap(({ jobs }) => jobs), counts: pages[0]?.counts };
}

/** How many tasks of one submission stand where. */
export function useBatchCounts(batchId: string) {
  const query = useQuery(useApi().jobs.list.queryOptions({ input: { batchId, limit: 1 } }));
  useAgainOnChange(1);
  return query.data?.counts;
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
  }, [api, queries, changedAt]);
}
