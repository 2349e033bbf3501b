import { Worker } from 'node:worker_threads';
import { AppError } from '../shared/errors.ts';
import type { Token } from '../shared/money.ts';
import { sibling } from '../shared/sibling.ts';
import type { OfferPage, OfferSearch } from './search-offers.ts';
import type { SearchAnswer, SearchRequest, SearchWorkerData } from './search-worker.ts';

/** Searching index.db in a thread of its own: a search over a million offers must not freeze a click. */
export interface OfferFinder {
  /** @param now unix seconds: what has ended by then is left out */
  find(search: OfferSearch, now: number): Promise<OfferPage>;
  close(): Promise<void>;
}

/** The thread starts with the first search. */
export function openSearch(indexPath: string, tokens: readonly Token[]): OfferFinder {
  let worker: Worker | null = null;
  let nextId = 1;
  const waiting = new Map<number, { resolve: (page: OfferPage) => void; reject: (reason: AppError) => void }>();

  const start = (): Worker => {
    const started = new Worker(sibling(import.meta.url, 'search-worker'), {
      workerData: { indexPath, tokens: structuredClone(tokens) } satisfies SearchWorkerData,
    });
    started.unref();
    started.on('message', (answer: SearchAnswer) => {
      const asked = waiting.get(answer.id);
      waiting.delete(answer.id);
      if ('page' in answer) asked?.resolve(answer.page);
      else {
        const { code, message, field, next } = answer.error;
        asked?.reject(
          new AppError(code, message, {
            ...(field === undefined ? {} : { field }),
            ...(next === undefined ? {} : { next }),
          }),
        );
      }
    });
    const ended = () => {
      if (worker === started) worker = null;
      const error = new AppError('internal', 'The search stopped; search again.');
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
    };
    started.on('error', ended);
    started.on('exit', ended);
    return started;
  };

  return {
    find: (search, now) =>
      new Promise((resolve, reject) => {
        worker ??= start();
        const id = nextId;
        nextId += 1;
        waiting.set(id, { resolve, reject });
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread has no origin
        worker.postMessage({ id, search, now } satisfies SearchRequest);
      }),
    async close() {
      await worker?.terminate();
    },
  };
}
