import { chmodSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { AppError } from '../shared/errors.ts';

export type SqliteDatabase = Database.Database;

/**
 * Opens a database file in WAL mode, its folder and itself readable by this user only.
 * `synchronous` FULL survives power loss at each commit; NORMAL may lose the last commits, never the file's order.
 */
export function openDatabase(file: string, synchronous: 'FULL' | 'NORMAL'): SqliteDatabase {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const db = new Database(file);
  try {
    chmodSync(file, 0o600);
    db.pragma('journal_mode = WAL');
    db.pragma(`synchronous = ${synchronous}`);
    db.pragma('foreign_keys = ON');
    db.pragma('busy_timeout = 5000');
    return db;
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}

/**
 * Brings the schema up to date: `steps[n]` leads from `user_version` n to n+1, each in a transaction of its own.
 * @throws AppError `unsupported` when a newer Commonwatt wrote the file: an older one must not touch it.
 */
export function migrate(db: SqliteDatabase, steps: readonly string[], name: string): void {
  const version = db.pragma('user_version', { simple: true }) as number;
  if (version > steps.length) {
    throw new AppError('unsupported', `${name} was written by a newer Commonwatt (version ${version}).`, {
      next: 'Start the newer Commonwatt, or choose another data directory.',
    });
  }
  for (const [index, sql] of steps.entries()) {
    if (index < version) continue;
    db.transaction(() => {
      db.exec(sql);
      db.pragma(`user_version = ${index + 1}`);
    })();
  }
}
