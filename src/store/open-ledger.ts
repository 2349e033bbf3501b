import { AppError } from '../shared/errors.ts';
import type { Address } from '../shared/ids.ts';
import type { Json } from '../shared/json.ts';
import { migrate, openDatabase } from './database.ts';
import type { SqliteDatabase } from './database.ts';
import type { Ledger, Notification, OwnOffer } from './ledger.ts';
import { dealsTable } from './ledger-deals.ts';
import { movementsTable } from './ledger-movements.ts';
import { outgoingTable } from './ledger-outgoing.ts';
import { runsTable } from './ledger-runs.ts';
import { LEDGER_STEPS } from './ledger-schema.ts';
import { tasksTable } from './ledger-tasks.ts';

/**
 * Opens this machine's book. It is never rebuilt: a damaged file is an error for a person, not a reason to start anew.
 * @param now unix seconds
 */
export function openLedger(file: string, now: () => number): Ledger {
  const db = openDatabase(file, 'FULL');
  // Secrets of jobs are in here while they run: what is deleted is overwritten.
  db.pragma('secure_delete = ON');
  // The log beside the file keeps every page as it once was, until it is emptied. Also where the last life was killed.
  const emptyLog = () => void db.pragma('wal_checkpoint(TRUNCATE)');
  try {
    migrate(db, LEDGER_STEPS, 'The ledger');
    emptyLog();
  } catch (thrown) {
    db.close();
    if (thrown instanceof AppError) throw thrown;
    throw new AppError('internal', `The ledger ${file} cannot be read.`, {
      next: 'Restore it from a backup: it holds the rentals and jobs that are still open.',
      cause: thrown,
    });
  }
  let emptying: NodeJS.Immediate | null = null;
  const onSecretsGone = () => {
    // Not within the transaction that this is said in.
    emptying ??= setImmediate(() => {
      emptying = null;
      if (db.open) emptyLog();
    });
  };
  const begin = db.transaction((write: () => unknown) => write());
  return {
    transaction: <T>(write: () => T) => begin(write) as T,
    deals: dealsTable(db, now),
    tasks: tasksTable(db, now, onSecretsGone),
    runs: runsTable(db, now),
    movements: movementsTable(db),
    outgoing: outgoingTable(db, now),
    offers: ownOffersTable(db, now),
    settings: settingsTable(db),
    notifications: notificationsTable(db),
    commands: commandsTable(db, now),
    cursors: cursorsTable(db),
    close: () => db.close(),
  };
}

type OwnOfferRow = Omit<OwnOffer, 'sharing' | 'params'> & { sharing: number; params: string };

function ownOffersTable(db: SqliteDatabase, now: () => number): Ledger['offers'] {
  const columns = 'key, offer_id AS offerId, sharing, params, updated_at AS updatedAt';
  const get = db.prepare<[string], OwnOfferRow>(`SELECT ${columns} FROM own_offers WHERE key = ?`);
  const list = db.prepare<[], OwnOfferRow>(`SELECT ${columns} FROM own_offers ORDER BY key`);
  const put = db.prepare<[OwnOfferRow]>(
    'REPLACE INTO own_offers VALUES (:key, :offerId, :sharing, :params, :updatedAt)',
  );
  const remove = db.prepare<[string]>('DELETE FROM own_offers WHERE key = ?');
  const fromRow = (row: OwnOfferRow): OwnOffer => ({
    ...row,
    sharing: row.sharing === 1,
    params: JSON.parse(row.params) as Json,
  });
  return {
    get(key) {
      const row = get.get(key);
      return row ? fromRow(row) : null;
    },
    list: () => list.all().map(fromRow),
    put(offer) {
      put.run({ ...offer, sharing: offer.sharing ? 1 : 0, params: JSON.stringify(offer.params), updatedAt: now() });
    },
    remove(key) {
      remove.run(key);
    },
  };
}

function settingsTable(db: SqliteDatabase): Ledger['settings'] {
  const get = db.prepare<[string], { value: string }>('SELECT value FROM settings WHERE key = ?');
  const set = db.prepare<[string, string]>('REPLACE INTO settings VALUES (?, ?)');
  const remove = db.prepare<[string]>('DELETE FROM settings WHERE key = ?');
  return {
    get(key) {
      const row = get.get(key);
      return row ? (JSON.parse(row.value) as Json) : undefined;
    },
    set(key, value) {
      set.run(key, JSON.stringify(value));
    },
    remove(key) {
      remove.run(key);
    },
  };
}

/** Notifications kept; older ones are dropped as new ones come. */
const NOTIFICATIONS_KEPT = 1000;

function notificationsTable(db: SqliteDatabase): Ledger['notifications'] {
  const add = db.prepare<[Notification]>(
    `INSERT INTO notifications VALUES (:id, :at, :level, :title, :body, :leaseId, :taskId, :dealId)
      ON CONFLICT DO NOTHING`,
  );
  const trim = db.prepare<[number]>(
    'DELETE FROM notifications WHERE id IN (SELECT id FROM notifications ORDER BY at DESC LIMIT -1 OFFSET ?)',
  );
  const list = db.prepare<[number], Notification>(
    `SELECT id, at, level, title, body, lease_id AS leaseId, task_id AS taskId, deal_id AS dealId FROM notifications
      ORDER BY at DESC, id LIMIT ?`,
  );
  const addAndTrim = db.transaction((notification: Notification) => {
    if (add.run({ taskId: null, dealId: null, ...notification }).changes === 1) trim.run(NOTIFICATIONS_KEPT);
  });
  return { add: addAndTrim, list: (limit = 100) => list.all(limit) };
}

function sameKind(kept: string, kind: string): void {
  if (kept === kind) return;
  throw new AppError('conflict', `This command id was used before, for “${kept}”.`, {
    field: 'commandId',
    next: 'Make a new id for each command.',
  });
}

function commandsTable(db: SqliteDatabase, now: () => number): Ledger['commands'] {
  const get = db.prepare<[string], { kind: string; result: string }>('SELECT kind, result FROM commands WHERE id = ?');
  const put = db.prepare<[string, string, string, number]>('INSERT INTO commands VALUES (?, ?, ?, ?)');
  const running = new Map<string, { kind: string; result: Promise<Json> }>();
  return {
    result(id) {
      const row = get.get(id);
      return row ? (JSON.parse(row.result) as Json) : undefined;
    },
    async once<T extends Json>(id: string, kind: string, act: () => Promise<T>): Promise<T> {
      const row = get.get(id);
      if (row) {
        sameKind(row.kind, kind);
        return JSON.parse(row.result) as T;
      }
      const under = running.get(id);
      if (under) {
        sameKind(under.kind, kind);
        return (await under.result) as T;
      }
      const result = (async () => {
        const value = await act();
        put.run(id, kind, JSON.stringify(value), now());
        return value;
      })();
      running.set(id, { kind, result });
      try {
        return await result;
      } finally {
        running.delete(id);
      }
    },
  };
}

function cursorsTable(db: SqliteDatabase): Ledger['cursors'] {
  const get = db.prepare<[number, Address], { block: number }>(
    'SELECT block FROM cursors WHERE chain_id = ? AND account = ?',
  );
  const set = db.prepare<[number, Address, number]>('REPLACE INTO cursors VALUES (?, ?, ?)');
  return {
    get: (chainId, account) => get.get(chainId, account)?.block ?? null,
    set(chainId, account, block) {
      set.run(chainId, account, block);
    },
  };
}
