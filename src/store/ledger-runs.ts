import { AppError } from '../shared/errors.ts';
import type { Address, Bytes32 } from '../shared/ids.ts';
import type { SqliteDatabase } from './database.ts';
import type { JobRun, JobRunPhase, Ledger } from './ledger.ts';
import { pageBounds, pageOf } from './ledger-page.ts';
import { jobTermsFromText, jobTermsToText } from './terms-text.ts';

/** Phases that a run never leaves. */
const ENDS: ReadonlySet<JobRunPhase> = new Set<JobRunPhase>(['settled', 'failed']);

type RunRow = Omit<JobRun, 'terms' | 'paid'> & { terms: string; paid: string | null };

const COLUMNS = `id, deal_id AS dealId, job_id AS jobId, account, offer_id AS offerId, terms, spec AS specText, phase, detail,
  started_at AS startedAt, finished_at AS finishedAt, exit_code AS exitCode, result_cid AS resultCid, salt,
  submit_deadline AS submitDeadline, paid, settled_at AS settledAt, created_at AS createdAt, updated_at AS updatedAt`;

const fromRow = ({ id: _id, ...row }: RunRow & { id: number }): JobRun => ({
  ...row,
  terms: jobTermsFromText(row.terms),
  paid: row.paid === null ? null : BigInt(row.paid),
});

const toRow = (run: JobRun): RunRow & { ended: number } => ({
  ...run,
  ended: ENDS.has(run.phase) ? 1 : 0,
  terms: jobTermsToText(run.terms),
  paid: run.paid === null ? null : `${run.paid}`,
});

export function runsTable(db: SqliteDatabase, now: () => number): Ledger['runs'] {
  const select = db.prepare<[Bytes32], RunRow & { id: number }>(`SELECT ${COLUMNS} FROM job_runs WHERE deal_id = ?`);
  const insert = db.prepare<[ReturnType<typeof toRow>]>(
    `INSERT INTO job_runs (deal_id, job_id, account, offer_id, terms, spec, phase, ended, detail, started_at, finished_at,
      exit_code, result_cid, salt, submit_deadline, paid, settled_at, created_at, updated_at)
      VALUES (:dealId, :jobId, :account, :offerId, :terms, :specText, :phase, :ended, :detail, :startedAt, :finishedAt,
      :exitCode, :resultCid, :salt, :submitDeadline, :paid, :settledAt, :createdAt, :updatedAt) ON CONFLICT DO NOTHING`,
  );
  const change = db.prepare<[ReturnType<typeof toRow>]>(
    `UPDATE job_runs SET phase = :phase, ended = :ended, detail = :detail, started_at = :startedAt,
      finished_at = :finishedAt, exit_code = :exitCode, result_cid = :resultCid, salt = :salt,
      submit_deadline = :submitDeadline, paid = :paid, settled_at = :settledAt, updated_at = :updatedAt
      WHERE deal_id = :dealId`,
  );
  type Page = { account: Address | null; before: number; limit: number };
  const listAll = db.prepare<[Page & { ended: number | null }], RunRow & { id: number }>(
    `SELECT ${COLUMNS} FROM job_runs WHERE id < :before AND (:account IS NULL OR account = :account)
      AND (:ended IS NULL OR ended = :ended) ORDER BY id DESC LIMIT :limit`,
  );
  const listOpen = db.prepare<[Page], RunRow & { id: number }>(
    `SELECT ${COLUMNS} FROM job_runs INDEXED BY job_runs_open WHERE ended = 0 AND id < :before
      AND (:account IS NULL OR account = :account) ORDER BY id DESC LIMIT :limit`,
  );
  const get = (dealId: Bytes32): JobRun | null => {
    const row = select.get(dealId);
    return row ? fromRow(row) : null;
  };
  const need = (dealId: Bytes32): JobRun => {
    const run = get(dealId);
    if (run) return run;
    throw new AppError('not-found', `There is no job ${dealId} in this computer's book.`, { field: 'dealId' });
  };
  return {
    get,
    list({ account, open, limit: wanted, cursor } = {}) {
      const { limit, before } = pageBounds({
        ...(wanted === undefined ? {} : { limit: wanted }),
        ...(cursor === undefined ? {} : { cursor }),
      });
      const page = { account: account ?? null, before, limit: limit + 1 };
      const found = open === true ? listOpen.all(page) : listAll.all({ ...page, ended: open === undefined ? null : 1 });
      return pageOf(found, limit, fromRow);
    },
    put(run) {
      insert.run(toRow({ ...run, updatedAt: now() }));
      return need(run.dealId);
    },
    update(dealId, values) {
      const next: JobRun = { ...need(dealId), ...values, updatedAt: now() };
      change.run(toRow(next));
      return next;
    },
  };
}
