import { mkdir, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ContentStore } from '../../content/content-store.ts';
import { AppError } from '../../shared/errors.ts';
import { jobPathSchema } from '../../shared/job-spec.ts';
import { Serial } from '../../shared/serial.ts';
import { GIB } from '../../shared/units.ts';

/** Under way at once, and how long a piece may be waited for. */
const MOST_UPLOADS = 16;
/** Of one upload, and of all that lie here. */
const MOST_BYTES = 16 * GIB;
const MOST_BYTES_TOGETHER = 4 * MOST_BYTES;
const FORGOTTEN_MS = 24 * 3600 * 1000;

/**
 * Inputs that a window uploads, piece by piece, into a folder of their own; what is whole stays there, because the store
 * keeps files where they are, until no job needs it any more.
 */
export class Uploads {
  readonly #dir: string;
  readonly #content: ContentStore;
  readonly #turns = new Map<string, Serial>();
  readonly #bytes = new Map<string, number>();
  /** Address of each whole one. */
  readonly #whole = new Map<string, { cid: string; wasPinned: boolean }>();
  readonly #mostBytes: { one: number; together: number };
  readonly #opened: Promise<void>;

  constructor(dir: string, content: ContentStore, mostBytes = { one: MOST_BYTES, together: MOST_BYTES_TOGETHER }) {
    this.#dir = dir;
    this.#content = content;
    this.#mostBytes = mostBytes;
    this.#opened = this.#open().catch(() => undefined);
  }

  /** Removes what nobody came back for, and what the last job that needed it has let go of. */
  async tidy(): Promise<void> {
    await this.#opened;
    for (const [id, whole] of this.#whole) {
      const root = this.#content.stat(whole.cid);
      const isRead = root?.kind === 'in-place' && root.complete;
      if (isRead && root.pins.length > 0) {
        whole.wasPinned = true;
        continue;
      }
      if (isRead && !whole.wasPinned && !(await this.#isForgotten(id))) continue;
      // Not while somebody reads it.
      try {
        if (isRead) await this.#content.remove(whole.cid);
      } catch {
        continue;
      }
      await this.#remove(id);
    }
    for (const id of this.#bytes.keys()) {
      if (!this.#whole.has(id) && (await this.#isForgotten(id))) await this.#remove(id);
    }
  }

  async #open(): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    for (const entry of await readdir(this.#dir, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      this.#bytes.set(entry.name, await sizeOf(path.join(this.#dir, entry.name)));
      const cid = await readFile(this.#markOf(entry.name), 'utf8').catch(() => null);
      if (cid !== null) this.#whole.set(entry.name, { cid, wasPinned: false });
    }
  }

  /** Beside the folder, whose files are the content: says that it is whole. */
  readonly #markOf = (id: string): string => path.join(this.#dir, `${id}.cid`);

  async #isForgotten(id: string): Promise<boolean> {
    const { mtimeMs } = await stat(path.join(this.#dir, id)).catch(() => ({ mtimeMs: 0 }));
    return Date.now() - mtimeMs > FORGOTTEN_MS;
  }

  async #remove(id: string): Promise<void> {
    for (const known of [this.#turns, this.#bytes, this.#whole]) known.delete(id);
    await rm(path.join(this.#dir, id), { recursive: true, force: true });
    await rm(this.#markOf(id), { force: true });
  }

  /** @throws AppError bad-input for a piece that does not follow on, busy */
  take(piece: {
    uploadId: string;
    path: string;
    offset: number;
    base64: string;
    end: boolean;
  }): Promise<{ received: number; cid: string | null }> {
    const turn = this.#turns.get(piece.uploadId) ?? new Serial();
    this.#turns.set(piece.uploadId, turn);
    return turn.run(() => this.#take(piece));
  }

  async #take(piece: Parameters<Uploads['take']>[0]): Promise<{ received: number; cid: string | null }> {
    const folder = path.join(this.#dir, piece.uploadId);
    const name = jobPathSchema.safeParse(piece.path);
    if (!name.success)
      throw new AppError('bad-input', 'path must be a relative path without . or ..', { field: 'path' });
    const file = path.join(folder, ...name.data.split('/'));
    await this.#opened;
    await this.#makeRoom(folder);
    await mkdir(path.dirname(file), { recursive: true });
    const bytes = Buffer.from(piece.base64, 'base64');
    const { size } = await stat(file).catch(() => ({ size: 0 }));
    if (piece.offset > size) {
      throw new AppError('bad-input', `The next piece of this file begins at ${size}.`, { field: 'offset' });
    }
    const received = piece.offset + bytes.length;
    this.#count(piece.uploadId, received - size);
    const handle = await open(file, piece.offset === 0 ? 'w' : 'r+', 0o600);
    try {
      await handle.write(bytes, 0, bytes.length, piece.offset);
      await handle.truncate(received);
    } finally {
      await handle.close();
    }
    if (!piece.end) return { received, cid: null };
    this.#turns.delete(piece.uploadId);
    const names = await readdir(folder);
    // One file by itself is that file, everything else the folder.
    const single = names.length === 1 && !name.data.includes('/');
    const { cid } = single ? await this.#content.importFile(file) : await this.#content.importFolder(folder);
    await writeFile(this.#markOf(piece.uploadId), cid, { mode: 0o600 });
    this.#whole.set(piece.uploadId, { cid, wasPinned: false });
    return { received, cid };
  }

  /** @throws AppError over-limit */
  #count(id: string, more: number): void {
    const one = (this.#bytes.get(id) ?? 0) + more;
    const together = [...this.#bytes.values()].reduce((sum, each) => sum + each, more);
    if (more > 0 && (one > this.#mostBytes.one || together > this.#mostBytes.together)) {
      throw new AppError('over-limit', 'There is no room for more uploads.', {
        next: 'Name the files where they lie instead, or wait until jobs that use earlier uploads have ended.',
      });
    }
    this.#bytes.set(id, one);
  }

  async #makeRoom(folder: string): Promise<void> {
    if (await stat(folder).catch(() => null)) return;
    await this.tidy();
    if (this.#turns.size > MOST_UPLOADS)
      throw new AppError('busy', 'Too many uploads at once.', { next: 'Finish one first.' });
  }
}

async function sizeOf(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += (await stat(path.join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}
