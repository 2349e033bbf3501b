import { AppError } from '../shared/errors.ts';

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
  return { limit: Math.min(1000, Math.max(1, Math.floor(limit))), before };
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
