import { AppError } from '../shared/errors.ts';

const MAX_ROWS = 1000;

/** What a page asks for: at most `limit` rows older than the one `before`. */
export interface PageBounds {
  limit: number;
  before: number;
}

/** @throws AppError bad-input for a cursor that no page gave */
export function pageBounds({ limit = 100, cursor }: { limit?: number; cursor?: string }): PageBounds {
  const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(cursor);
  if (!Number.isSafeInteger(before) || before < 1) {
    throw new AppError('bad-input', 'This cursor does not belong to this list.', {
      field: 'cursor',
      next: 'Start again from the first page.',
    });
  }
  return { limit: Math.min(MAX_ROWS, Math.max(1, Math.floor(limit))), before };
}

/** Every row of a list that comes in pages, read a page at a time. */
export function* everyRow<T>(
  list: (page: { limit: number; cursor?: string }) => { rows: T[]; cursor: string | null },
): Generator<T> {
  let page = list({ limit: MAX_ROWS });
  yield* page.rows;
  while (page.cursor !== null) {
    page = list({ limit: MAX_ROWS, cursor: page.cursor });
    yield* page.rows;
  }
}

/** Cuts a page out of one row more than it may have: that one only says that there is more. */
export function pageOf<Row extends { id: number }, T>(
  found: readonly Row[],
  limit: number,
  fromRow: (row: Row) => T,
): { rows: T[]; cursor: string | null } {
  const rows = found.slice(0, limit);
  const last = rows.at(-1);
  return { rows: rows.map(fromRow), cursor: found.length > limit && last ? String(last.id) : null };
}
