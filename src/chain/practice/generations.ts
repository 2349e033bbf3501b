import { closeSync, existsSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readJournal } from './journal.ts';
import type { JournalRecord } from './journal.ts';

/**
 * The practice chain on disk: `state-N.json` is a dump at block N, `journal-N.jsonl` what came after it. The newest
 * generation and the one before are kept, so a dump that cannot be read costs nothing but time.
 */
export interface Generations {
  /** Blocks of the dumps, newest first. */
  list(): number[];
  statePath(block: number): string;
  journalPath(block: number): string;
  /** Every record after `block`, out of all journals, in order and without holes. */
  recordsAfter(block: number): { pool: string[]; blocks: Extract<JournalRecord, { block: number }>[] };
  /** Puts a dump in place so that a crash leaves either the old file or the new one. */
  saveState(block: number, json: Uint8Array): void;
  /** Removes what is older than the generation before the newest. */
  prune(): void;
}

const name = (kind: string, block: number) => `${kind}-${String(block).padStart(12, '0')}`;

export function generationsIn(folder: string): Generations {
  const statePath = (block: number) => path.join(folder, `${name('state', block)}.json`);
  const journalPath = (block: number) => path.join(folder, `${name('journal', block)}.jsonl`);
  const numbers = (pattern: RegExp) =>
    readdirSync(folder)
      .map((file) => pattern.exec(file)?.[1])
      .filter((digits) => digits !== undefined)
      .map(Number)
      .toSorted((a, b) => b - a);
  const list = () => numbers(/^state-(\d{12})\.json$/);
  return {
    list,
    statePath,
    journalPath,
    recordsAfter(block) {
      const files = numbers(/^journal-(\d{12})\.jsonl$/).toReversed();
      const pool: string[] = [];
      const blocks: Extract<JournalRecord, { block: number }>[] = [];
      let next = block + 1;
      for (const start of files) {
        for (const record of readJournal(journalPath(start))) {
          if ('pool' in record) {
            // Later journals repeat what still waits: only the one that belongs to the dump counts.
            if (start === block) pool.push(...record.pool);
          } else if (record.block === next) {
            blocks.push(record);
            next += 1;
          }
        }
      }
      return { pool, blocks };
    },
    saveState(block, json) {
      const temporary = `${statePath(block)}.tmp`;
      const fd = openSync(temporary, 'w', 0o600);
      try {
        writeFileSync(fd, json);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(temporary, statePath(block));
      syncFolder(folder);
    },
    prune() {
      const [newest, before] = list();
      const keep = new Set([newest, before]);
      for (const block of list()) if (!keep.has(block)) rmSync(statePath(block));
      for (const start of numbers(/^journal-(\d{12})\.jsonl$/)) {
        if (before !== undefined && start < before) rmSync(journalPath(start));
      }
      for (const file of readdirSync(folder)) if (file.endsWith('.tmp')) rmSync(path.join(folder, file));
    },
  };
}

function syncFolder(folder: string): void {
  if (process.platform === 'win32' || !existsSync(folder)) return;
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
