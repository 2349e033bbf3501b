import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { z } from 'zod';
import { AppError } from '../shared/errors.ts';

const hostInfoSchema = z.object({
  pid: z.int(),
  /** Unix seconds. */
  startedAt: z.int(),
  url: z.string(),
  network: z.string(),
  version: z.string(),
});

/** Who runs on a data directory, as other programs find it in `host.json`. */
export type HostInfo = z.infer<typeof hostInfoSchema>;

export interface HostLock {
  /** Tells other programs where this host answers. */
  publish(info: HostInfo): void;
  release(): void;
}

const infoFile = (dataDir: string) => path.join(dataDir, 'host.json');

/**
 * Makes this process the one host of `dataDir`. The operating system holds the lock (SQLite's file lock on `host.lock`)
 * and drops it the moment the process ends, however it ends: no lock can be stale, and no reused pid can be mistaken.
 * @throws AppError `conflict` naming who runs.
 */
export function lockDataDir(dataDir: string): HostLock {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const file = new Database(path.join(dataDir, 'host.lock'), { timeout: 0 });
  try {
    file.exec('BEGIN EXCLUSIVE');
  } catch (thrown) {
    file.close();
    if ((thrown as { code?: string }).code !== 'SQLITE_BUSY') throw thrown;
    const running = readHostInfo(dataDir);
    throw new AppError(
      'conflict',
      running
        ? `Commonwatt already runs on ${dataDir} (process ${running.pid}, ${running.url}).`
        : `Commonwatt already runs on ${dataDir}.`,
      { field: 'data-dir', next: 'Use that one, or choose another folder with --data-dir.', cause: thrown },
    );
  }
  return {
    publish(info) {
      const draft = `${infoFile(dataDir)}.${process.pid}`;
      writeFileSync(draft, `${JSON.stringify(info)}\n`, { mode: 0o600 });
      renameSync(draft, infoFile(dataDir));
    },
    release() {
      rmSync(infoFile(dataDir), { force: true });
      if (file.inTransaction) file.exec('ROLLBACK');
      file.close();
    },
  };
}

/** What the last host wrote about itself; it may be gone since. */
export function readHostInfo(dataDir: string): HostInfo | undefined {
  try {
    return hostInfoSchema.parse(JSON.parse(readFileSync(infoFile(dataDir), 'utf8')));
  } catch {
    return undefined;
  }
}
