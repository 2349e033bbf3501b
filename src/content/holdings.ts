import { AppError } from '../shared/errors.ts';
import type { Log } from '../shared/log.ts';
import { matches } from './address.ts';
import type { Cid } from './content-store.ts';
import type { BlockFiles } from './disk.ts';

/** A set of blocks that belong together: a root with what is below it, or one that is being built. */
export interface Holding {
  readonly blocks: Set<Cid>;
  /** Bytes of the store that are not blocks: a file it owns. */
  fileBytes: number;
  /** May be evicted to make room. */
  free(): boolean;
  /** Its blocks go now: forget it, remove what else it has on disk. */
  evict(): Promise<void>;
  /** One of its blocks was found spoiled and is gone. */
  spoiled(block: Cid): void;
}

/**
 * Who holds which block, and how much space all of them take together. A block that several hold is stored and counted
 * once, and goes with the last of them.
 */
export interface Holdings {
  /** Verified bytes, or null; spoiled blocks are removed when they are met. */
  read(block: Cid): Promise<Uint8Array | null>;
  has(block: Cid): boolean;
  /** Adds a block that is on disk already. False when it is not. */
  hold(holding: Holding, block: Cid): boolean;
  /** Stores a verified block for this holding. @throws AppError `disk-full`. */
  write(holding: Holding, block: Cid, bytes: Uint8Array): Promise<void>;
  /** Makes room for bytes that are about to be written. @throws AppError `disk-full`. */
  reserve(bytes: number): void;
  release(bytes: number): void;
  /** Counts bytes that are on disk already. */
  count(bytes: number): void;
  add(holding: Holding): void;
  /** Lets go of all its blocks. */
  drop(holding: Holding): void;
  /** Was used just now: evicted later. */
  touch(holding: Holding): void;
  all(): Iterable<Holding>;
  bytesOf(holding: Holding): number;
  readonly bytes: number;
  /** Removes blocks that nobody holds. */
  sweep(): number;
  /** Resolves when removals under way are done. */
  settled(): Promise<void>;
}

export async function openHoldings(files: BlockFiles, limitBytes: () => number, log: Log): Promise<Holdings> {
  const blocks = new Map<Cid, { bytes: number; holders: number }>();
  const writing = new Map<Cid, Promise<void>>();
  const removing = new Map<Cid, Promise<void>>();
  const evicting = new Set<Promise<void>>();
  /** Least recently used first. */
  const order = new Set<Holding>();
  let used = 0;
  for await (const { cid, bytes } of files.list()) {
    blocks.set(cid, { bytes, holders: 0 });
    used += bytes;
  }

  function forget(block: Cid): void {
    const known = blocks.get(block);
    if (known === undefined) return;
    blocks.delete(block);
    used -= known.bytes;
    const gone = files
      .remove(block)
      .catch((thrown: unknown) => log.warn({ block, error: String(thrown) }, 'a block could not be removed'))
      .finally(() => removing.delete(block));
    removing.set(block, gone);
  }

  function drop(holding: Holding): void {
    if (order.delete(holding)) used -= holding.fileBytes;
    for (const block of holding.blocks) {
      const known = blocks.get(block);
      if (known === undefined) continue;
      known.holders -= 1;
      if (known.holders === 0) forget(block);
    }
    holding.blocks.clear();
  }

  function hold(holding: Holding, block: Cid): boolean {
    // Writes may still be under way when their work was given up.
    if (!order.has(holding)) throw new AppError('cancelled', 'This content was given up meanwhile.');
    const known = blocks.get(block);
    if (known === undefined) return false;
    if (holding.blocks.has(block)) return true;
    holding.blocks.add(block);
    known.holders += 1;
    return true;
  }

  function reserve(bytes: number): void {
    const limit = limitBytes();
    for (const holding of order) {
      if (used + bytes <= limit) break;
      if (!holding.free()) continue;
      // What it has on disk besides blocks goes first: a record without blocks is repaired, blocks without one are swept.
      const gone = holding
        .evict()
        .catch((thrown: unknown) => log.warn({ error: String(thrown) }, 'content could not be evicted'))
        .finally(() => evicting.delete(gone));
      evicting.add(gone);
      drop(holding);
    }
    if (used + bytes > limit) {
      throw new AppError('disk-full', 'The space for job files is used up.', {
        next: 'Remove results that are no longer needed, or raise the limit: commonwatt job storage --limit 200g.',
      });
    }
    used += bytes;
  }

  async function read(block: Cid): Promise<Uint8Array | null> {
    if (!blocks.has(block)) return null;
    const bytes = await files.read(block);
    if (bytes !== null && (await matches(block, bytes))) return bytes;
    // Evicted while it was read, or spoiled on disk.
    if (!blocks.has(block)) return null;
    log.warn({ block }, 'a stored block is spoiled and was removed');
    for (const holding of order) if (holding.blocks.delete(block)) holding.spoiled(block);
    forget(block);
    return null;
  }

  async function store(block: Cid, bytes: Uint8Array): Promise<void> {
    await removing.get(block);
    reserve(bytes.byteLength);
    try {
      await files.write(block, bytes);
    } catch (thrown) {
      used -= bytes.byteLength;
      throw thrown;
    }
    blocks.set(block, { bytes: bytes.byteLength, holders: 0 });
  }

  return {
    read,
    has: (block) => blocks.has(block),
    hold,
    async write(holding, block, bytes) {
      while (!hold(holding, block)) {
        const other = writing.get(block);
        const mine = other ?? store(block, bytes).finally(() => writing.delete(block));
        if (other === undefined) writing.set(block, mine);
        await mine;
        if (!order.has(holding) && blocks.get(block)?.holders === 0) forget(block);
      }
    },
    reserve,
    release(bytes) {
      used -= bytes;
    },
    count(bytes) {
      used += bytes;
    },
    add: (holding) => void order.add(holding),
    drop,
    touch(holding) {
      if (order.delete(holding)) order.add(holding);
    },
    all: () => order,
    bytesOf: (holding) =>
      [...holding.blocks].reduce((sum, block) => sum + (blocks.get(block)?.bytes ?? 0), holding.fileBytes),
    get bytes() {
      return used;
    },
    sweep() {
      const orphans = [...blocks].filter(([, known]) => known.holders === 0);
      for (const [block] of orphans) forget(block);
      return orphans.length;
    },
    async settled() {
      await Promise.all([...evicting, ...removing.values()]);
    },
  };
}
