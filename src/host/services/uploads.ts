import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ContentStore } from '../../content/content-store.ts';
import { AppError } from '../../shared/errors.ts';
import { jobPathSchema } from '../../shared/job-spec.ts';
import { Serial } from '../../shared/serial.ts';

/** Under way at once, and how long a piece may be waited for. */
const MOST_UPLOADS = 16;
const MOST_BYTES = 16 * 1024 ** 3;
const FORGOTTEN_MS = 24 * 3600 * 1000;

/**
 * Inputs that a window uploads, piece by piece, into a folder of their own; what is whole stays there, because the store
 * keeps files where they are.
 */
export class Uploads {
  readonly #dir: string;
  readonly #content: ContentStore;
  readonly #turns = new Map<string, Serial>();

  constructor(dir: string, content: ContentStore) {
    this.#dir = dir;
    this.#content = content;
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
    await this.#makeRoom(folder);
    await mkdir(path.dirname(file), { recursive: true });
    const bytes = Buffer.from(piece.base64, 'base64');
    const handle = await open(file, piece.offset === 0 ? 'w' : 'r+', 0o600);
    let received: number;
    try {
      const { size } = await handle.stat();
      if (piece.offset > size || piece.offset + bytes.length > MOST_BYTES) {
        throw new AppError('bad-input', `The next piece of this file begins at ${size}.`, { field: 'offset' });
      }
      await handle.write(bytes, 0, bytes.length, piece.offset);
      received = piece.offset + bytes.length;
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
    return { received, cid };
  }

  async #makeRoom(folder: string): Promise<void> {
    if (await stat(folder).catch(() => null)) return;
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const others = await readdir(this.#dir);
    for (const name of others) {
      const other = path.join(this.#dir, name);
      const { mtimeMs } = await stat(other);
      // Unfinished ones that nobody came back for.
      if (this.#turns.has(name) && Date.now() - mtimeMs > FORGOTTEN_MS) {
        this.#turns.delete(name);
        await rm(other, { recursive: true, force: true });
      }
    }
    if (this.#turns.size > MOST_UPLOADS)
      throw new AppError('busy', 'Too many uploads at once.', { next: 'Finish one first.' });
  }
}
