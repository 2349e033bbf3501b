import { rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import type { Address, Bytes32, Hex } from '../shared/ids.ts';
import { wordsOf } from '../shared/offer-query.ts';
import { openDatabase } from './database.ts';
import type { SqliteDatabase } from './database.ts';
import { jobsReader, jobsWriter } from './index-jobs.ts';
import type { JobsReader, JobsWriter } from './index-jobs.ts';
import { INDEX_SCHEMA, INDEX_VERSION } from './index-schema.ts';
import { LEASE_COLUMNS, leaseFromRow, leaseToRow, OFFER_COLUMNS, offerFromRow } from './index-rows.ts';
import type { LeaseRow, OfferRow } from './index-rows.ts';
import type { IndexedLease, IndexedOffer } from './market-rows.ts';

export interface IndexBlock {
  number: number;
  hash: Bytes32;
  parent: Bytes32;
  /** Unix seconds. */
  at: number;
}

/** One event with whom and what it concerns; `event` is the chain room's own text, which this file only keeps. */
export interface IndexLog {
  block: number;
  logIndex: number;
  txHash: Bytes32;
  /** What it is folded into: an offer, a lease, a job, or an account's standing; null for money. */
  entity: Hex | null;
  accounts: readonly Address[];
  event: string;
}

/** Reading index.db, while a worker writes it. */
export interface IndexReader extends JobsReader {
  offer(offerId: Bytes32): IndexedOffer | null;
  lease(leaseId: Bytes32): IndexedLease | null;
  /** Newest first. */
  offersOf(provider: Address): IndexedOffer[];
  /** As renter or provider, newest first. */
  leasesOf(account: Address, options?: { open?: boolean; limit?: number }): IndexedLease[];
  /** Newest block written. */
  head(): IndexBlock | null;
  eventsOfTransaction(txHash: Bytes32): string[];
  /** Events that concern any of these accounts in blocks after `block` up to `until`, each once, in order. */
  eventsOf(accounts: readonly Address[], block: number, until: number): { block: number; event: string }[];
  close(): void;
}

/** Writing index.db; only the indexer does. */
export interface IndexWriter extends IndexReader, JobsWriter {
  /** All or nothing. */
  transaction<T>(write: () => T): T;
  /** Highest block at or below `number` that is written. */
  blockAtOrBelow(number: number): IndexBlock | null;
  putBlock(block: IndexBlock): void;
  putLog(log: IndexLog): void;
  /** Removes every block after `number` with its logs; answers with the entities they were about. */
  dropBlocksAfter(number: number): Hex[];
  eventsOfEntity(entity: Hex): string[];
  putOffer(offer: Omit<IndexedOffer, 'free'>, priceHour: number): void;
  removeOffer(offerId: Bytes32): void;
  putLease(lease: IndexedLease): void;
  removeLease(leaseId: Bytes32): void;
  /** Counts the units that open leases and running jobs take of an offer. */
  countTaken(offerId: Bytes32): void;
  /** Settles the planner's statistics after much was written. */
  optimize(): void;
}

/** Opens index.db for reading; the file must exist (the writer makes it). */
export function openIndexReader(file: string): IndexReader {
  const db = new Database(file, { readonly: true, fileMustExist: true });
  db.pragma('busy_timeout = 5000');
  return readerOf(db);
}

/**
 * Opens index.db for writing. It is a cache: a file of another version, of another deployment (`about`), or that cannot
 * be read, is deleted and made anew.
 */
export function openIndexWriter(file: string, about: string): IndexWriter {
  let db: SqliteDatabase;
  try {
    db = openFor(file, about);
  } catch {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
    db = openFor(file, about);
  }
  return writerOf(db);
}

function openFor(file: string, about: string): SqliteDatabase {
  const db = openDatabase(file, 'NORMAL');
  try {
    const version = db.pragma('user_version', { simple: true });
    if (version === 0) {
      db.transaction(() => {
        db.exec(INDEX_SCHEMA);
        db.prepare('INSERT INTO about VALUES (?, ?)').run('deployment', about);
        db.pragma(`user_version = ${INDEX_VERSION}`);
      })();
    } else if (
      version !== INDEX_VERSION ||
      db.prepare('SELECT value FROM about WHERE key = ?').pluck().get('deployment') !== about
    ) {
      throw new Error('another index');
    }
    return db;
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}

const BLOCK_COLUMNS = 'number, hash, parent, at';

function readerOf(db: SqliteDatabase): IndexReader {
  const offer = db.prepare<[Bytes32], OfferRow>(`SELECT ${OFFER_COLUMNS} FROM offers WHERE offer_id = ?`);
  const offersOf = db.prepare<[Address], OfferRow>(
    `SELECT ${OFFER_COLUMNS} FROM offers WHERE provider = ? ORDER BY created_at DESC, id DESC LIMIT 10000`,
  );
  const lease = db.prepare<[Bytes32], LeaseRow>(`SELECT ${LEASE_COLUMNS} FROM leases WHERE lease_id = ?`);
  const leasesOf = (open: string) =>
    db.prepare<[{ account: Address; limit: number }], LeaseRow>(
      `SELECT * FROM (SELECT ${LEASE_COLUMNS} FROM leases WHERE renter = :account ${open}
        UNION SELECT ${LEASE_COLUMNS} FROM leases WHERE provider = :account ${open})
        ORDER BY openedAt DESC, leaseId LIMIT :limit`,
    );
  const [all, open] = [leasesOf(''), leasesOf("AND state <> 'closed'")];
  const head = db.prepare<[], IndexBlock>(`SELECT ${BLOCK_COLUMNS} FROM blocks ORDER BY number DESC LIMIT 1`);
  const ofTransaction = db.prepare<[Bytes32], { event: string }>(
    'SELECT event FROM logs WHERE tx_hash = ? ORDER BY block, log_index',
  );
  const ofAccounts = db.prepare<
    [{ accounts: string; block: number; until: number }],
    { block: number; logIndex: number; event: string }
  >(
    // CROSS JOIN: from the few accounts to their logs, never the other way round.
    `SELECT DISTINCT logs.block, logs.log_index AS logIndex, event FROM json_each(:accounts) AS wanted
      CROSS JOIN log_accounts ON account = wanted.value AND log_accounts.block > :block AND log_accounts.block <= :until
      CROSS JOIN logs ON logs.block = log_accounts.block AND logs.log_index = log_accounts.log_index
      ORDER BY 1, 2`,
  );
  return {
    ...jobsReader(db),
    offer(offerId) {
      const row = offer.get(offerId);
      return row ? offerFromRow(row) : null;
    },
    lease(leaseId) {
      const row = lease.get(leaseId);
      return row ? leaseFromRow(row) : null;
    },
    offersOf: (provider) => offersOf.all(provider).map(offerFromRow),
    leasesOf: (account, options = {}) =>
      (options.open === true ? open : all).all({ account, limit: options.limit ?? 10_000 }).map(leaseFromRow),
    head: () => head.get() ?? null,
    eventsOfTransaction: (txHash) => ofTransaction.all(txHash).map(({ event }) => event),
    eventsOf: (accounts, block, until) => ofAccounts.all({ accounts: JSON.stringify(accounts), block, until }),
    close: () => db.close(),
  };
}

function writerOf(db: SqliteDatabase): IndexWriter {
  const begin = db.transaction((write: () => unknown) => write());
  const blockAtOrBelow = db.prepare<[number], IndexBlock>(
    `SELECT ${BLOCK_COLUMNS} FROM blocks WHERE number <= ? ORDER BY number DESC LIMIT 1`,
  );
  const putBlock = db.prepare<[IndexBlock]>(
    'INSERT INTO blocks VALUES (:number, :hash, :parent, :at) ON CONFLICT DO NOTHING',
  );
  const putLog = db.prepare<[Omit<IndexLog, 'accounts'>]>(
    'INSERT INTO logs VALUES (:block, :logIndex, :txHash, :entity, :event) ON CONFLICT DO NOTHING',
  );
  const putAccount = db.prepare<[Address, number, number]>(
    'INSERT INTO log_accounts VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
  );
  const entitiesAfter = db.prepare<[number], { entity: Hex }>(
    'SELECT DISTINCT entity FROM logs WHERE block > ? AND entity IS NOT NULL',
  );
  const dropAfter = db.prepare<[number]>('DELETE FROM blocks WHERE number > ?');
  const ofEntity = db.prepare<[Hex], { event: string }>(
    'SELECT event FROM logs WHERE entity = ? ORDER BY block, log_index',
  );
  const idOf = db.prepare<[Bytes32], { id: number; words: string }>('SELECT id, words FROM offers WHERE offer_id = ?');
  type OfferValues = OfferRow & { priceHour: number; words: string };
  const insertOffer = db.prepare<[OfferValues]>(
    `INSERT INTO offers (offer_id, version, provider, gpu_type, gpu_model, gpu_count, gpu_memory_gb, price, price_hour,
      unit, token, region, features, peer_key, provider_signer, ends_by, min_seconds, units, taken, status, created_at, words)
      VALUES (:offerId, :version, :provider, :gpuType, :gpuModel, :gpuCount, :gpuMemoryGb, :price, :priceHour,
      :unit, :token, :region, :features, :peerKey, :providerSigner, :endsBy, :minSeconds, :units, 0, :status, :createdAt, :words)`,
  );
  const changeOffer = db.prepare<[OfferValues]>(
    `UPDATE offers SET version = :version, gpu_type = :gpuType, gpu_model = :gpuModel, gpu_count = :gpuCount,
      gpu_memory_gb = :gpuMemoryGb, price = :price, price_hour = :priceHour, unit = :unit, token = :token,
      region = :region, features = :features, peer_key = :peerKey, provider_signer = :providerSigner,
      ends_by = :endsBy, min_seconds = :minSeconds, units = :units, status = :status, created_at = :createdAt,
      words = :words
      WHERE offer_id = :offerId`,
  );
  const putWords = db.prepare<[number | bigint, string]>(
    'INSERT OR REPLACE INTO offer_words (rowid, words) VALUES (?, ?)',
  );
  const dropWords = db.prepare<[number]>('DELETE FROM offer_words WHERE rowid = ?');
  const putGpu = db.prepare<[string, string]>('INSERT INTO gpu_names VALUES (?, ?) ON CONFLICT DO NOTHING');
  const putRegion = db.prepare<[string]>('INSERT INTO region_names VALUES (?) ON CONFLICT DO NOTHING');
  const removeOffer = db.prepare<[number]>('DELETE FROM offers WHERE id = ?');
  type LeaseValues = LeaseRow & { offerId: Bytes32; renter: Address; provider: Address };
  const putLease = db.prepare<[LeaseValues]>(
    `REPLACE INTO leases VALUES (:leaseId, :offerId, :renter, :provider, :state, :terms, :openedAt, :capSeconds, :deposit,
      :paidSeconds, :paid, :fee, :claimSeconds, :closeAt, :penalty, :refund, :closedAt, :closedTx)`,
  );
  const removeLease = db.prepare<[Bytes32]>('DELETE FROM leases WHERE lease_id = ?');
  const countTaken = db.prepare<[{ offerId: Bytes32 }]>(
    `UPDATE offers SET taken = (SELECT count(*) FROM leases WHERE offer_id = :offerId AND state <> 'closed')
      + (SELECT count(*) FROM job_deals WHERE offer_id = :offerId AND settled_at IS NULL)
      WHERE offer_id = :offerId`,
  );
  return {
    ...readerOf(db),
    ...jobsWriter(db),
    transaction: <T>(write: () => T) => begin(write) as T,
    blockAtOrBelow: (number) => blockAtOrBelow.get(number) ?? null,
    putBlock: (block) => void putBlock.run(block),
    putLog({ accounts, ...log }) {
      putLog.run(log);
      for (const account of accounts) putAccount.run(account, log.block, log.logIndex);
    },
    dropBlocksAfter(number) {
      const entities = entitiesAfter.all(number).map(({ entity }) => entity);
      dropAfter.run(number);
      return entities;
    },
    eventsOfEntity: (entity) => ofEntity.all(entity).map(({ event }) => event),
    putOffer(offer, priceHour) {
      const features = offer.features.join(',');
      const texts = `${offer.gpuType} ${offer.gpuModel} ${offer.region} ${offer.features.join(' ')}`;
      const words = ` ${wordsOf(texts).join(' ')}`;
      const row: OfferValues = { ...offer, features, price: offer.price.toString(), priceHour, taken: 0, words };
      const known = idOf.get(offer.offerId);
      if (known) changeOffer.run(row);
      const id = known ? known.id : insertOffer.run(row).lastInsertRowid;
      if (known?.words === words) return;
      putWords.run(id, words);
      putGpu.run(offer.gpuType, offer.gpuModel);
      putRegion.run(offer.region);
    },
    removeOffer(offerId) {
      const known = idOf.get(offerId);
      if (!known) return;
      dropWords.run(known.id);
      removeOffer.run(known.id);
    },
    putLease(lease) {
      const { offerId, renter, provider } = lease.terms;
      putLease.run({ ...leaseToRow(lease), offerId, renter, provider });
    },
    removeLease: (leaseId) => void removeLease.run(leaseId),
    countTaken: (offerId) => void countTaken.run({ offerId }),
    optimize: () => void db.pragma('optimize'),
  };
}
