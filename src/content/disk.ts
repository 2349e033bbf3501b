import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '../shared/errors.ts';
import { MAX_BLOCK_BYTES } from './address.ts';
import type { Cid } from './content-store.ts';
import { inOrder } from './in-order.ts';

/** How many files are asked about at once: as many as there are threads for it, and some in line. */
const WIDTH = 16;

const codeOf = (thrown: unknown): string => (thrown as { code?: string } | null)?.code ?? '';
export const isMissing = (thrown: unknown): boolean => codeOf(thrown) === 'ENOENT' || codeOf(thrown) === 'ENOTDIR';

/** The computer's own refusals in words; everything else as it is. */
export function diskError(thrown: unknown): unknown {
  if (codeOf(thrown) !== 'ENOSPC' && codeOf(thrown) !== 'EDQUOT') return thrown;
  return new AppError('disk-full', 'The disk is full.', { next: 'Free some space and try again.', cause: thrown });
}

/** Survives the loss of power right after it returned. */
export async function sync(file: string): Promise<void> {
  let handle: FileHandle;
  try {
    handle = await open(file, process.platform === 'win32' ? 'r+' : 'r');
  } catch (thrown) {
    if (process.platform === 'win32') return;
    throw thrown;
  }
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A folder cannot be synced on Windows, and need not be. */
const syncFolder = (folder: string): Promise<void> => (process.platform === 'win32' ? Promise.resolve() : sync(folder));

/** The files of blocks, each under its address: written beside and renamed, so that none is ever there in part. */
export interface BlockFiles {
  write(cid: Cid, bytes: Uint8Array): Promise<void>;
  /** Not compared with the address yet; null when there is none. */
  read(cid: Cid): Promise<Uint8Array | null>;
  remove(cid: Cid): Promise<void>;
  /** Makes these blocks durable. */
  sync(cids: Iterable<Cid>): Promise<void>;
  /** All blocks on disk with their sizes. */
  list(): AsyncIterable<{ cid: Cid; bytes: number }>;
}

export function openBlockFiles(dir: string, scratch: string): BlockFiles {
  const made = new Set<string>();
  const folderOf = (cid: Cid) => path.join(dir, cid.slice(-2));
  const fileOf = (cid: Cid) => path.join(folderOf(cid), cid);
  return {
    async write(cid, bytes) {
      const folder = folderOf(cid);
      if (!made.has(folder)) {
        await mkdir(folder, { recursive: true });
        made.add(folder);
      }
      const beside = path.join(scratch, randomBytes(12).toString('hex'));
      const handle = await open(beside, 'wx');
      try {
        await handle.writeFile(bytes);
      } catch (thrown) {
        await rm(beside, { force: true });
        throw diskError(thrown);
      } finally {
        await handle.close();
      }
      await rename(beside, fileOf(cid));
    },
    async read(cid) {
      let handle: FileHandle;
      try {
        handle = await open(fileOf(cid), 'r');
      } catch (thrown) {
        if (isMissing(thrown)) return null;
        throw thrown;
      }
      try {
        const { size } = await handle.stat();
        return size > MAX_BLOCK_BYTES ? null : await readAt(handle, 0, size);
      } finally {
        await handle.close();
      }
    },
    remove: (cid) => rm(fileOf(cid), { force: true }),
    async sync(cids) {
      const folders = new Set<string>();
      const all = inOrder(cids, WIDTH, (cid) => {
        folders.add(folderOf(cid));
        return sync(fileOf(cid));
      });
      // oxlint-disable-next-line no-unused-vars -- only their end matters
      for await (const _ of all);
      // oxlint-disable-next-line no-unused-vars -- only their end matters
      for await (const _ of inOrder(folders, WIDTH, syncFolder));
    },
    async *list() {
      for (const name of await readdir(dir)) {
        const folder = path.join(dir, name);
        yield* inOrder(await readdir(folder), WIDTH, async (cid) => ({
          cid,
          bytes: (await stat(path.join(folder, cid))).size,
        }));
      }
    },
  };
}

/** Exactly these bytes of a file. @throws Error when it is shorter. */
export async function readAt(handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) throw new Error('the file is shorter than before');
    done += bytesRead;
  }
  return bytes;
}

/** Replaces a file as a whole, durably. */
export async function writeWhole(file: string, text: string): Promise<void> {
  const beside = `${file}.${randomBytes(6).toString('hex')}.new`;
  const handle = await open(beside, 'wx');
  try {
    await handle.writeFile(text);
    await handle.sync();
  } catch (thrown) {
    await rm(beside, { force: true });
    throw diskError(thrown);
  } finally {
    await handle.close();
  }
  await rename(beside, file);
  await syncFolder(path.dirname(file));
}

/** SHA-256 of a file's bytes, and how many. */
export async function hashFile(
  file: string,
  signal?: AbortSignal,
): Promise<{ hash: ReturnType<typeof createHash>; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  const handle = await open(file, 'r');
  try {
    const stream = handle.createReadStream({ highWaterMark: 1024 * 1024, autoClose: false });
    for await (const part of stream as AsyncIterable<Buffer>) {
      signal?.throwIfAborted();
      hash.update(part);
      bytes += part.byteLength;
    }
  } finally {
    await handle.close();
  }
  return { hash, bytes };
}
