import { createHash } from 'node:crypto';
import { AppError } from '../shared/errors.ts';
import type { Address, Bytes32 } from '../shared/ids.ts';
import type { Json } from '../shared/json.ts';
import type { SqliteDatabase } from './database.ts';
import { jobBatches } from './ledger-batches.ts';
import type { JobTask, JobTaskDeal, JobTaskPhase, JobTaskSummary, Ledger } from './ledger.ts';
import { pageBounds, pageOf } from './ledger-page.ts';
import { jobTermsFromText, jobTermsToText } from './terms-text.ts';

/** Phases that a task never leaves. */
const ENDS: ReadonlySet<JobTaskPhase> = new Set<JobTaskPhase>(['verified', 'failed', 'cancelled']);

interface SummaryRow {
  id: number;
  taskId: string;
  batchId: string;
  account: Address;
  commandId: string;
  name: string;
  index: number;
  of: number;
  terms: string | null;
  jobId: Bytes32 | null;
  attempts: number;
  phase: JobTaskPhase;
  detail: string;
  priority: number;
  notBefore: number;
  deals: string;
  resultCid: string | null;
  verdict: string | null;
  paid: string | null;
  refund: string | null;
  endedAt: number | null;
  createdAt: number;
  updatedAt: number;
}

type TaskRow = SummaryRow & { file: string; secrets: string | null; specText: string };

const SUMMARY_COLUMNS = `id, task_id AS taskId, batch_id AS batchId, account, command_id AS commandId, name,
  task_index AS "index", task_of AS "of", terms, job_id AS jobId, attempts, phase, detail, priority,
  not_before AS notBefore, deals, result_cid AS resultCid, verdict, paid, refund, ended_at AS endedAt,
  created_at AS createdAt, updated_at AS updatedAt`;

const amount = (text: string | null): bigint | null => (text === null ? null : BigInt(text));

const summaryFromRow = ({ id: _id, ...row }: SummaryRow): JobTaskSummary => ({
  ...row,
  terms: row.terms === null ? null : jobTermsFromText(row.terms),
  deals: JSON.parse(row.deals) as JobTaskDeal[],
  verdict: row.verdict === null ? null : (JSON.parse(row.verdict) as Json),
  paid: amount(row.paid),
  refund: amount(row.refund),
});

const taskFromRow = ({ file, secrets, specText, ...row }: TaskRow): JobTask => ({
  ...summaryFromRow(row),
  file: JSON.parse(file) as Json,
  secrets: secrets === null ? null : (JSON.parse(secrets) as Record<string, string>),
  specText,
});

const toRow = ({ file: _file, ...task }: JobTask) => ({
  ...task,
  ended: ENDS.has(task.phase) ? 1 : 0,
  terms: task.terms === null ? null : jobTermsToText(task.terms),
  deals: JSON.stringify(task.deals),
  verdict: task.verdict === null ? null : JSON.stringify(task.verdict),
  paid: task.paid === null ? null : `${task.paid}`,
  refund: task.refund === null ? null : `${task.refund}`,
  secrets: task.secrets === null || ENDS.has(task.phase) ? null : JSON.stringify(task.secrets),
});
type TaskValues = ReturnType<typeof toRow>;

/** @param onSecretsGone a row has lost secrets that older pages of the file may still hold */
export function tasksTable(db: SqliteDatabase, now: () => number, onSecretsGone: () => void): Ledger['tasks'] {
  const whole = `SELECT ${SUMMARY_COLUMNS}, file, secrets, spec AS specText FROM job_tasks JOIN job_files ON hash = file_hash`;
  const byId = db.prepare<[string], TaskRow>(`${whole} WHERE task_id = ?`);
  const byJob = db.prepare<[Bytes32], TaskRow>(`${whole} WHERE job_id = ? ORDER BY id DESC LIMIT 1`);
  const putFile = db.prepare<[string, string]>('INSERT INTO job_files VALUES (?, ?) ON CONFLICT DO NOTHING');
  const insert = db.prepare<[TaskValues & { fileHash: string }]>(
    `INSERT INTO job_tasks (task_id, batch_id, account, command_id, name, task_index, task_of, terms, job_id, attempts, phase,
      ended, detail, priority, not_before, deals, result_cid, verdict, paid, refund, ended_at, created_at, updated_at,
      file_hash, secrets, spec)
      VALUES (:taskId, :batchId, :account, :commandId, :name, :index, :of, :terms, :jobId, :attempts, :phase,
      :ended, :detail, :priority, :notBefore, :deals, :resultCid, :verdict, :paid, :refund, :endedAt, :createdAt, :updatedAt,
      :fileHash, :secrets, :specText) ON CONFLICT DO NOTHING`,
  );
  const change = db.prepare<[TaskValues]>(
    `UPDATE job_tasks SET name = :name, terms = :terms, job_id = :jobId, attempts = :attempts, phase = :phase, ended = :ended,
      detail = :detail, priority = :priority, not_before = :notBefore, deals = :deals, result_cid = :resultCid,
      verdict = :verdict, paid = :paid, refund = :refund, ended_at = :endedAt, updated_at = :updatedAt, secrets = :secrets,
      spec = :specText
      WHERE task_id = :taskId`,
  );
  const list = db.prepare<
    [
      {
        account: Address | null;
        batchId: string | null;
        ended: number | null;
        phases: string | null;
        before: number;
        limit: number;
      },
    ],
    SummaryRow
  >(
    `SELECT ${SUMMARY_COLUMNS} FROM job_tasks WHERE id < :before AND (:account IS NULL OR account = :account)
      AND (:batchId IS NULL OR batch_id = :batchId) AND (:ended IS NULL OR ended = :ended)
      AND (:phases IS NULL OR phase IN (SELECT value FROM json_each(:phases)))
      ORDER BY id DESC LIMIT :limit`,
  );
  const openOnes = db.prepare<[{ account: Address | null; before: number; limit: number }], SummaryRow>(
    `SELECT ${SUMMARY_COLUMNS} FROM job_tasks INDEXED BY job_tasks_open WHERE ended = 0 AND id < :before
      AND (:account IS NULL OR account = :account) ORDER BY id DESC LIMIT :limit`,
  );
  const ofBatch = db.prepare<[{ batchId: string; before: number; limit: number }], SummaryRow>(
    `SELECT ${SUMMARY_COLUMNS} FROM job_tasks WHERE batch_id = :batchId AND id < :before ORDER BY id DESC LIMIT :limit`,
  );
  const counts = db.prepare<[{ account: Address | null; batchId: string | null }], { phase: JobTaskPhase; n: number }>(
    `SELECT phase, count(*) AS n FROM job_tasks WHERE (:account IS NULL OR account = :account)
      AND (:batchId IS NULL OR batch_id = :batchId) GROUP BY phase`,
  );

  const get = (taskId: string): JobTask | null => {
    const row = byId.get(taskId);
    return row ? taskFromRow(row) : null;
  };
  const need = (taskId: string): JobTask => {
    const task = get(taskId);
    if (task) return task;
    throw new AppError('not-found', `There is no task ${taskId} in this computer's book.`, { field: 'taskId' });
  };
  const put = db.transaction((task: JobTask): void => {
    const file = JSON.stringify(task.file);
    const fileHash = createHash('sha256').update(file).digest('hex');
    putFile.run(fileHash, file);
    insert.run({ ...toRow(task), fileHash });
  });
  return {
    get,
    byJob(jobId) {
      const row = byJob.get(jobId);
      return row ? taskFromRow(row) : null;
    },
    list({ account, batchId, open, phases, limit: wanted, cursor } = {}) {
      const { limit, before } = pageBounds({
        ...(wanted === undefined ? {} : { limit: wanted }),
        ...(cursor === undefined ? {} : { cursor }),
      });
      const page = { before, limit: limit + 1 };
      const plain = phases === undefined;
      const found =
        plain && open === true && batchId === undefined
          ? openOnes.all({ account: account ?? null, ...page })
          : plain && open === undefined && batchId !== undefined && account === undefined
            ? ofBatch.all({ batchId, ...page })
            : list.all({
                account: account ?? null,
                batchId: batchId ?? null,
                ended: open === undefined ? null : Number(!open),
                phases: phases === undefined ? null : JSON.stringify(phases),
                ...page,
              });
      return pageOf(found, limit, summaryFromRow);
    },
    count: ({ account, batchId } = {}) =>
      Object.fromEntries(
        counts.all({ account: account ?? null, batchId: batchId ?? null }).map(({ phase, n }) => [phase, n]),
      ),
    batches: jobBatches(db),
    put(task) {
      put({ ...task, updatedAt: now() });
      return need(task.taskId);
    },
    update(taskId, values) {
      const before = need(taskId);
      const next: JobTask = { ...before, ...values, updatedAt: now() };
      const row = toRow(next);
      change.run(row);
      if (before.secrets !== null && row.secrets === null) onSecretsGone();
      return row.secrets === null ? { ...next, secrets: null } : next;
    },
  };
}
