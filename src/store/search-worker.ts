import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { toAppError } from '../shared/errors.ts';
import type { ErrorCode } from '../shared/errors.ts';
import type { Token } from '../shared/money.ts';
import { offerFinder } from './find-offers.ts';
import type { OfferPage, OfferSearch } from './search-offers.ts';

export interface SearchWorkerData {
  indexPath: string;
  tokens: readonly Token[];
}
export interface SearchRequest {
  id: number;
  search: OfferSearch;
  now: number;
}
export type SearchAnswer =
  | { id: number; page: OfferPage }
  | { id: number; error: { code: ErrorCode; message: string; field?: string; next?: string } };

if (!parentPort) throw new Error('search-worker runs as a worker thread');
const port = parentPort;
const { indexPath, tokens } = workerData as SearchWorkerData;
const db = new Database(indexPath, { readonly: true, fileMustExist: true });
db.pragma('busy_timeout = 5000');
const find = offerFinder(db, tokens);

port.on('message', ({ id, search, now }: SearchRequest) => {
  try {
    port.postMessage({ id, page: find(search, now) } satisfies SearchAnswer);
  } catch (thrown) {
    port.postMessage({ id, error: toAppError(thrown).toJSON() } satisfies SearchAnswer);
  }
});
