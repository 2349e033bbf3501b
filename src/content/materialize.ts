import { mkdir, open, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '../shared/errors.ts';
import type { Cid, ContentEntry, WorkOptions } from './content-store.ts';
import { diskError, isMissing } from './disk.ts';
import { inOrder } from './in-order.ts';
import { createMeter, type GetBlock, readFileTree, walkTree } from './tree.ts';

const FILES_AT_ONCE = 8;

/** True when the folder was there already, empty. @throws AppError `conflict`. */
async function isEmptyFolder(target: string): Promise<boolean> {
  const taken = () =>
    new AppError('conflict', `${target} exists already and is not an empty folder.`, {
      field: target,
      next: 'Choose another place.',
    });
  try {
    if ((await readdir(target)).length > 0) throw taken();
    return true;
  } catch (thrown) {
    if (isMissing(thrown) && (thrown as { code?: string }).code === 'ENOENT') return false;
    throw thrown instanceof AppError ? thrown : taken();
  }
}

/** Writes a tree of files below `target`; see `ContentStore.materialize`. */
export async function materializeTree(
  get: GetBlock,
  cid: Cid,
  target: string,
  { signal, onProgress, caps }: WorkOptions,
): Promise<{ entries: number; files: number; bytes: number }> {
  // Before anything is written: names, sizes and counts of all of it.
  const entries: ContentEntry[] = [];
  let totalBytes = 0;
  for await (const entry of walkTree(get, cid, createMeter(caps))) {
    signal?.throwIfAborted();
    entries.push(entry);
    totalBytes += entry.size;
  }
  const existed = await isEmptyFolder(target);
  const placeOf = (entry: ContentEntry) => path.join(target, ...entry.path.split('/'));
  const meter = createMeter(caps);
  const writing = new Set<Promise<void>>();
  const files = entries.filter(({ kind }) => kind === 'file');
  let bytes = 0;
  try {
    const single = entries.length === 1 && entries[0]?.path === '';
    if (single) await rm(target, { recursive: true, force: true });
    else await mkdir(target, { recursive: true });
    for (const entry of entries) if (entry.kind === 'folder') await mkdir(placeOf(entry));
    const write = async (entry: ContentEntry) => {
      signal?.throwIfAborted();
      const handle = await open(placeOf(entry), 'wx', 0o644);
      try {
        for await (const part of readFileTree(get, entry.cid, {}, meter, entry.path)) {
          signal?.throwIfAborted();
          await handle.writeFile(part);
          bytes += part.byteLength;
          onProgress?.({ bytes, totalBytes });
        }
      } finally {
        await handle.close();
      }
    };
    const written = inOrder(files, FILES_AT_ONCE, (entry) => {
      const one = write(entry).finally(() => writing.delete(one));
      writing.add(one);
      return one;
    });
    try {
      // oxlint-disable-next-line no-unused-vars -- only their end matters
      for await (const _ of written);
    } catch (thrown) {
      // The others must have ended before their files are removed.
      await Promise.allSettled(writing);
      throw thrown;
    }
  } catch (thrown) {
    await rm(target, { recursive: true, force: true });
    if (existed) await mkdir(target, { recursive: true });
    if (signal?.aborted === true) throw new AppError('cancelled', 'Cancelled.', { cause: thrown });
    throw diskError(thrown);
  }
  return { entries: entries.length, files: files.length, bytes };
}
