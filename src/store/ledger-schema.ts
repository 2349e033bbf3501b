/**
 * ledger.db, step by step. A step that shipped is never edited: add one. Money is decimal text, because SQLite's
 * integers end at 64 bits.
 */
export const LEDGER_STEPS: readonly string[] = [
  `
  CREATE TABLE deals (
    lease_id TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('renter', 'provider')),
    offer_id TEXT NOT NULL,
    terms TEXT NOT NULL,
    spec TEXT,
    phase TEXT NOT NULL,
    detail TEXT NOT NULL,
    cap_seconds INTEGER NOT NULL,
    served_seconds INTEGER NOT NULL,
    signed_seconds INTEGER NOT NULL,
    voucher_signature TEXT,
    final TEXT,
    paid_seconds INTEGER NOT NULL,
    opened_at INTEGER,
    closed_at INTEGER,
    close_reason TEXT,
    settlement TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (lease_id, role)
  ) WITHOUT ROWID;
  CREATE INDEX deals_by_age ON deals (created_at DESC);
  CREATE INDEX deals_open ON deals (created_at DESC) WHERE phase <> 'closed';

  CREATE TABLE movements (
    chain_id INTEGER NOT NULL,
    tx_hash TEXT NOT NULL,
    log_index INTEGER NOT NULL,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    token TEXT NOT NULL,
    amount TEXT NOT NULL,
    lease_id TEXT,
    block INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (chain_id, tx_hash, log_index, kind, account)
  ) WITHOUT ROWID;
  CREATE INDEX movements_by_account ON movements (chain_id, account, block DESC, log_index DESC);
  CREATE INDEX movements_by_lease ON movements (lease_id) WHERE lease_id IS NOT NULL;
  CREATE TABLE movement_totals (
    chain_id INTEGER NOT NULL,
    account TEXT NOT NULL,
    token TEXT NOT NULL,
    kind TEXT NOT NULL,
    total TEXT NOT NULL,
    PRIMARY KEY (chain_id, account, token, kind)
  ) WITHOUT ROWID;

  CREATE TABLE outgoing (
    tx_hash TEXT PRIMARY KEY,
    command_id TEXT NOT NULL,
    chain_id INTEGER NOT NULL,
    sender TEXT NOT NULL,
    nonce INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    label TEXT NOT NULL,
    raw TEXT NOT NULL,
    max_fee TEXT NOT NULL,
    max_priority_fee TEXT NOT NULL,
    state TEXT NOT NULL,
    block INTEGER,
    error TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  -- What makes a double send impossible: a command has one first attempt, its replacements count up and share the
  -- nonce. An attempt that no node took ('failed') gives both back.
  CREATE UNIQUE INDEX outgoing_once ON outgoing (command_id, attempt) WHERE state <> 'failed';
  CREATE UNIQUE INDEX outgoing_nonces ON outgoing (chain_id, sender, nonce, attempt) WHERE state <> 'failed';
  CREATE INDEX outgoing_by_command ON outgoing (command_id);
  CREATE INDEX outgoing_pending ON outgoing (chain_id, sender, nonce) WHERE state = 'stored';

  CREATE TABLE commands (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    result TEXT NOT NULL,
    at INTEGER NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE own_offers (
    key TEXT PRIMARY KEY,
    offer_id TEXT,
    sharing INTEGER NOT NULL,
    params TEXT NOT NULL,
    updated_at INTEGER NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

  CREATE TABLE notifications (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    level TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    lease_id TEXT
  ) WITHOUT ROWID;
  CREATE INDEX notifications_by_age ON notifications (at DESC);

  CREATE TABLE cursors (
    chain_id INTEGER NOT NULL,
    account TEXT NOT NULL,
    block INTEGER NOT NULL,
    PRIMARY KEY (chain_id, account)
  ) WITHOUT ROWID;
  `,
  `
  ALTER TABLE movements ADD COLUMN job_id TEXT;
  ALTER TABLE movements ADD COLUMN deal_id TEXT;
  CREATE INDEX movements_by_job ON movements (job_id) WHERE job_id IS NOT NULL;
  ALTER TABLE notifications ADD COLUMN task_id TEXT;
  ALTER TABLE notifications ADD COLUMN deal_id TEXT;

  -- A job file once, however many tasks are made of it.
  CREATE TABLE job_files (hash TEXT PRIMARY KEY, file TEXT NOT NULL);

  CREATE TABLE job_tasks (
    -- In the order they were put: what lists page by.
    id INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL UNIQUE,
    batch_id TEXT NOT NULL,
    account TEXT NOT NULL,
    command_id TEXT NOT NULL,
    name TEXT NOT NULL,
    task_index INTEGER NOT NULL,
    task_of INTEGER NOT NULL,
    terms TEXT,
    job_id TEXT,
    attempts INTEGER NOT NULL,
    phase TEXT NOT NULL,
    ended INTEGER NOT NULL,
    detail TEXT NOT NULL,
    priority INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    deals TEXT NOT NULL,
    result_cid TEXT,
    verdict TEXT,
    paid TEXT,
    refund TEXT,
    ended_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    file_hash TEXT NOT NULL REFERENCES job_files (hash),
    secrets TEXT,
    spec TEXT NOT NULL
  );
  CREATE INDEX job_tasks_by_account ON job_tasks (account, id DESC);
  CREATE INDEX job_tasks_by_batch ON job_tasks (batch_id, id DESC);
  CREATE INDEX job_tasks_by_phase ON job_tasks (account, phase);
  CREATE INDEX job_tasks_open ON job_tasks (id DESC) WHERE ended = 0;
  CREATE INDEX job_tasks_by_job ON job_tasks (job_id) WHERE job_id IS NOT NULL;

  CREATE TABLE job_runs (
    id INTEGER PRIMARY KEY,
    deal_id TEXT NOT NULL UNIQUE,
    job_id TEXT NOT NULL,
    account TEXT NOT NULL,
    offer_id TEXT NOT NULL,
    terms TEXT NOT NULL,
    spec TEXT NOT NULL,
    phase TEXT NOT NULL,
    ended INTEGER NOT NULL,
    detail TEXT NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    exit_code INTEGER,
    result_cid TEXT,
    salt TEXT,
    submit_deadline INTEGER NOT NULL,
    paid TEXT,
    settled_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  );
  CREATE INDEX job_runs_by_account ON job_runs (account, id DESC);
  CREATE INDEX job_runs_open ON job_runs (id DESC) WHERE ended = 0;
  `,
  `
  -- Whole: how batches stand is told without a look at their tasks.
  CREATE INDEX job_tasks_by_account_batch ON job_tasks (account, batch_id, phase, id);
  `,
];
