import { closeSync, fdatasync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { z } from 'zod';

const raw = z.string().regex(/^0x[0-9a-f]+$/);

const recordSchema = z.union([
  /** A block: its number, its unix time, and what entered the pool since the block before, in order. */
  z.object({ block: z.int(), at: z.int(), txs: z.array(raw) }),
  /** What waited in the pool when this journal began; a node's dump does not hold it. */
  z.object({ pool: z.array(raw) }),
]);
export type JournalRecord = z.infer<typeof recordSchema>;

const sync = promisify(fdatasync);

/** Blocks since a dump, each on disk before it is mined: replayed in order they give the same chain, hash by hash. */
export interface Journal {
  /** Resolves when the record is on disk. */
  append(record: JournalRecord): Promise<void>;
  close(): void;
}

/** Goes on behind the last whole record: a torn one is cut off, or it would hide everything written after it. */
export function openJournal(file: string): Journal {
  const { wholeBytes } = read(file);
  const fd = openSync(file, 'a', 0o600);
  ftruncateSync(fd, wholeBytes);
  return {
    async append(record) {
      writeSync(fd, `${JSON.stringify(record)}\n`);
      // A block without transactions is only time passing: losing it loses nothing.
      if (!('txs' in record) || record.txs.length > 0) await sync(fd);
    },
    close() {
      fsyncSync(fd);
      closeSync(fd);
    },
  };
}

/** The records of a journal up to the first that is torn, as the last one is when the machine stopped while writing. */
export const readJournal = (file: string): JournalRecord[] => read(file).records;

function read(file: string): { records: JournalRecord[]; wholeBytes: number } {
  const records: JournalRecord[] = [];
  let wholeBytes = 0;
  const lines = textOf(file).split('\n');
  // Without its line end the last line may be whole or half: either way nothing was mined from it yet.
  lines.pop();
  for (const line of lines) {
    try {
      records.push(recordSchema.parse(JSON.parse(line)));
    } catch {
      break;
    }
    wholeBytes += Buffer.byteLength(line) + 1;
  }
  return { records, wholeBytes };
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw thrown;
  }
}
