import type { Address } from '../shared/ids.ts';
import type { SqliteDatabase } from './database.ts';
import type { JobTaskPhase, Ledger } from './ledger.ts';
import { pageBounds, pageOf } from './ledger-page.ts';

interface BatchRow {
  /** Of its first task: never changes, so that pages stay where they are while tasks end. */
  id: number;
  batchId: string;
  taskId: string;
}

interface Wanted {
  account: Address;
  batchId: string | null;
  ended: number | null;
}

const ENDED = `phase IN ('verified', 'failed', 'cancelled')`;
/** Less says more; ids stay far below what a rank is apart from the next. */
const RANK = `CASE WHEN phase = 'review' THEN 0 WHEN NOT (${ENDED}) THEN 1 WHEN phase = 'failed' THEN 2 ELSE 3 END`;
const APART = 2 ** 50;

/** Submissions, each in one line: an index that holds every column asked for is read, never the tasks. */
export function jobBatches(db: SqliteDatabase): Ledger['tasks']['batches'] {
  const listWhere = (which: string) =>
    db.prepare<[Wanted & { before: number; limit: number }], BatchRow>(
      `SELECT first AS id, batch_id AS batchId, (SELECT task_id FROM job_tasks WHERE id = telling % ${APART}) AS taskId FROM
      (SELECT batch_id, min(id) AS first,
        min(${RANK} * ${APART} + id) FILTER (WHERE :ended IS NULL OR (${ENDED}) = :ended) AS telling
        FROM job_tasks INDEXED BY job_tasks_by_account_batch
        WHERE ${which} GROUP BY batch_id)
      WHERE telling IS NOT NULL AND first < :before ORDER BY first DESC LIMIT :limit`,
    );
  const all = listWhere('account = :account');
  const one = listWhere('account = :account AND batch_id = :batchId');
  const counts = db.prepare<[{ account: Address; batchId: string }], { phase: JobTaskPhase; n: number }>(
    `SELECT phase, count(*) AS n FROM job_tasks INDEXED BY job_tasks_by_account_batch
      WHERE account = :account AND batch_id = :batchId GROUP BY phase`,
  );
  return ({ account, batchId, open, limit: wanted, cursor }) => {
    const { limit, before } = pageBounds({
      ...(wanted === undefined ? {} : { limit: wanted }),
      ...(cursor === undefined ? {} : { cursor }),
    });
    const found = (batchId === undefined ? all : one).all({
      account,
      batchId: batchId ?? null,
      ended: open === undefined ? null : Number(!open),
      before,
      limit: limit + 1,
    });
    return pageOf(found, limit, (row) => ({
      batchId: row.batchId,
      taskId: row.taskId,
      phases: Object.fromEntries(
        counts.all({ account, batchId: row.batchId }).map(({ phase, n }) => [phase, n]),
      ) as Partial<Record<JobTaskPhase, number>>,
    }));
  };
}
