/** Raised whenever the tables below change: an index.db of another version is deleted and built anew from the chain. */
export const INDEX_VERSION = 3;

/**
 * index.db: what the logs of the market's contracts say. `logs` is the truth of this file, `offers`, `leases`,
 * `jobs`, `job_deals` and `standings` are folded from it; logs cascade with their block, so undoing blocks is deleting them and folding again.
 */
export const INDEX_SCHEMA = `
  CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

  CREATE TABLE blocks (
    number INTEGER PRIMARY KEY,
    hash TEXT NOT NULL,
    parent TEXT NOT NULL,
    at INTEGER NOT NULL
  );

  CREATE TABLE logs (
    block INTEGER NOT NULL REFERENCES blocks (number) ON DELETE CASCADE,
    log_index INTEGER NOT NULL,
    tx_hash TEXT NOT NULL,
    -- What it is folded into: an offer, a lease, a job, or an account's standing; NULL for money.
    entity TEXT,
    event TEXT NOT NULL,
    PRIMARY KEY (block, log_index)
  ) WITHOUT ROWID;
  CREATE INDEX logs_by_entity ON logs (entity, block, log_index) WHERE entity IS NOT NULL;
  CREATE INDEX logs_by_tx ON logs (tx_hash);

  -- Whom a log concerns: provider, renter, challenger, account.
  CREATE TABLE log_accounts (
    account TEXT NOT NULL,
    block INTEGER NOT NULL REFERENCES blocks (number) ON DELETE CASCADE,
    log_index INTEGER NOT NULL,
    PRIMARY KEY (account, block, log_index)
  ) WITHOUT ROWID;
  -- For the cascade.
  CREATE INDEX log_accounts_by_block ON log_accounts (block);

  CREATE TABLE offers (
    id INTEGER PRIMARY KEY,
    offer_id TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    provider TEXT NOT NULL,
    gpu_type TEXT NOT NULL,
    gpu_model TEXT NOT NULL,
    gpu_count INTEGER NOT NULL,
    gpu_memory_gb INTEGER NOT NULL,
    price TEXT NOT NULL,
    -- Whole tokens for one hour: what people compare, whatever the offer's own unit.
    price_hour REAL NOT NULL,
    unit INTEGER NOT NULL,
    token TEXT NOT NULL,
    region TEXT NOT NULL,
    features TEXT NOT NULL,
    peer_key TEXT NOT NULL,
    provider_signer TEXT NOT NULL,
    ends_by INTEGER NOT NULL,
    min_seconds INTEGER NOT NULL,
    units INTEGER NOT NULL,
    taken INTEGER NOT NULL,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- Every word of the texts, lower case, each behind a blank.
    words TEXT NOT NULL
  );
  CREATE INDEX offers_by_provider ON offers (provider);
  -- Wide enough to answer every filter without reading the row.
  CREATE INDEX offers_by_price ON offers
    (price_hour, id, gpu_model, region, gpu_memory_gb, gpu_count, ends_by, token, unit, taken, units, provider) WHERE status = 'active';
  CREATE INDEX offers_by_age ON offers (created_at, id) WHERE status = 'active';
  CREATE INDEX offers_by_memory ON offers (gpu_memory_gb, id) WHERE status = 'active';
  CREATE INDEX offers_by_count ON offers (gpu_count, id) WHERE status = 'active';
  CREATE INDEX offers_by_model ON offers (gpu_model, id) WHERE status = 'active';
  CREATE INDEX offers_by_model_price ON offers
    (gpu_model, price_hour, id, region, gpu_memory_gb, gpu_count, ends_by, token, unit, taken, units, provider) WHERE status = 'active';
  CREATE INDEX offers_by_region ON offers (region, id) WHERE status = 'active';

  -- The few names that many offers share: words that match one become a list of values instead of a text search.
  CREATE TABLE gpu_names (type TEXT NOT NULL, model TEXT NOT NULL, PRIMARY KEY (type, model)) WITHOUT ROWID;
  CREATE TABLE region_names (region TEXT PRIMARY KEY) WITHOUT ROWID;

  CREATE VIRTUAL TABLE offer_words USING fts5 (
    words, content = '', contentless_delete = 1, detail = none, prefix = '2 3', tokenize = "unicode61 remove_diacritics 2"
  );

  CREATE TABLE leases (
    lease_id TEXT PRIMARY KEY,
    offer_id TEXT NOT NULL,
    renter TEXT NOT NULL,
    provider TEXT NOT NULL,
    state TEXT NOT NULL,
    terms TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    cap_seconds INTEGER NOT NULL,
    deposit TEXT NOT NULL,
    paid_seconds INTEGER NOT NULL,
    paid TEXT NOT NULL,
    fee TEXT NOT NULL,
    claim_seconds INTEGER NOT NULL,
    close_at INTEGER NOT NULL,
    penalty TEXT NOT NULL,
    refund TEXT NOT NULL,
    closed_at INTEGER,
    closed_tx TEXT
  ) WITHOUT ROWID;
  CREATE INDEX leases_by_renter ON leases (renter, opened_at DESC);
  CREATE INDEX leases_by_provider ON leases (provider, opened_at DESC);
  CREATE INDEX leases_taking_units ON leases (offer_id) WHERE state <> 'closed';

  CREATE TABLE jobs (
    job_id TEXT PRIMARY KEY,
    renter TEXT NOT NULL,
    assignee TEXT NOT NULL,
    token TEXT NOT NULL,
    -- Whole tokens, to filter by; the exact amount stands in the terms.
    bounty REAL NOT NULL,
    gpu_count INTEGER NOT NULL,
    gpu_memory_gb INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    last_start INTEGER NOT NULL,
    copies INTEGER NOT NULL,
    state TEXT NOT NULL,
    posted_at INTEGER NOT NULL,
    taken INTEGER NOT NULL,
    submitted INTEGER NOT NULL,
    revealed INTEGER NOT NULL,
    agreeing INTEGER NOT NULL,
    until INTEGER NOT NULL,
    result_id TEXT,
    paid TEXT NOT NULL,
    refund TEXT NOT NULL,
    forfeit TEXT NOT NULL,
    ended_at INTEGER,
    terms TEXT NOT NULL,
    spec TEXT
  );
  CREATE INDEX jobs_by_renter ON jobs (renter, posted_at DESC);
  CREATE INDEX jobs_by_state ON jobs (state);
  CREATE INDEX jobs_open ON jobs (last_start, job_id, gpu_memory_gb, gpu_count, token, bounty, assignee)
    WHERE state = 'open' AND taken < copies;

  CREATE TABLE job_deals (
    deal_id TEXT PRIMARY KEY,
    job_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    offer_id TEXT NOT NULL,
    state TEXT NOT NULL,
    assigned_at INTEGER NOT NULL,
    submitted_at INTEGER,
    commitment TEXT,
    result_id TEXT,
    until INTEGER NOT NULL,
    challenger TEXT,
    challenge_bond TEXT NOT NULL,
    jury TEXT,
    paid TEXT NOT NULL,
    fee TEXT NOT NULL,
    refund TEXT NOT NULL,
    forfeit TEXT NOT NULL,
    settled_at INTEGER,
    settled_tx TEXT,
    -- Smallest units of WATT that it puts at risk.
    risk TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX job_deals_by_job ON job_deals (job_id, assigned_at);
  CREATE INDEX job_deals_by_provider ON job_deals (provider, assigned_at DESC);
  CREATE INDEX job_deals_running ON job_deals (provider) WHERE settled_at IS NULL;
  CREATE INDEX job_deals_taking_units ON job_deals (offer_id) WHERE settled_at IS NULL;

  CREATE TABLE standings (
    account TEXT PRIMARY KEY,
    strikes INTEGER NOT NULL,
    rejections INTEGER NOT NULL,
    rejected_at INTEGER,
    reputation INTEGER NOT NULL,
    staked TEXT NOT NULL,
    unbonding TEXT NOT NULL,
    release_at INTEGER NOT NULL,
    operator TEXT,
    ratings INTEGER NOT NULL,
    ratings_sum INTEGER NOT NULL
  ) WITHOUT ROWID;
`;
