/** Raised whenever the tables below change: an index.db of another version is deleted and built anew from the chain. */
export const INDEX_VERSION = 2;

/**
 * index.db: what the logs of the market's contracts say. `logs` is the truth of this file, `offers` and `leases` are
 * folded from it; logs cascade with their block, so undoing blocks is deleting them and folding again.
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
    -- The offer or lease it is about; NULL for money.
    entity TEXT,
    -- Whom it concerns: provider or account, and renter.
    account TEXT NOT NULL,
    other TEXT,
    event TEXT NOT NULL,
    PRIMARY KEY (block, log_index)
  ) WITHOUT ROWID;
  CREATE INDEX logs_by_entity ON logs (entity, block, log_index) WHERE entity IS NOT NULL;
  CREATE INDEX logs_by_account ON logs (account, block);
  CREATE INDEX logs_by_other ON logs (other, block) WHERE other IS NOT NULL;
  CREATE INDEX logs_by_tx ON logs (tx_hash);

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
`;
