import { useQueryClient, type QueryKey } from '@tanstack/react-query';
import { useEffect, useEffectEvent } from 'react';
import { useLine } from './host-connection.ts';

const RESUBSCRIBE_MS = 1000;

/**
 * Follows a stream while mounted and hands each item on; opens it again when it ends or the line comes back.
 * `id` names what is followed: a new id is a new subscription.
 */
export function useStream<T>(
  id: string,
  open: (signal: AbortSignal) => Promise<AsyncIterable<T>>,
  onItem: (item: T) => void,
): void {
  const ready = useLine((line) => line.state === 'open');
  const client = useLine((line) => line.client);
  const openNow = useEffectEvent(open);
  const take = useEffectEvent(onItem);
  useEffect(() => {
    if (!ready || !client) return undefined;
    const abort = new AbortController();
    void (async () => {
      while (!abort.signal.aborted) {
        try {
          for await (const item of await openNow(abort.signal)) {
            if (abort.signal.aborted) return;
            take(item);
          }
        } catch {
          // The screens' own queries say what is wrong; a stream only comes back.
        }
        await pause(RESUBSCRIBE_MS, abort.signal);
      }
    })();
    return () => abort.abort();
  }, [id, ready, client]);
}

/** Keeps a query's data at the newest item of a stream. */
export function useLiveQuery<T>(key: QueryKey, open: (signal: AbortSignal) => Promise<AsyncIterable<T>>): void {
  const queries = useQueryClient();
  useStream(JSON.stringify(key), open, (item) => queries.setQueryData(key, item));
}

const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
