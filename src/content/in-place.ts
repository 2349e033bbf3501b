import { open } from 'node:fs/promises';
import path from 'node:path';
import { isRaw, matches } from './address.ts';
import type { Cid } from './content-store.ts';
import { readAt } from './disk.ts';
import { changed } from './import-tree.ts';
import type { Source } from './records.ts';
import { type GetBlock, placesOf } from './tree.ts';

/** Where a block of plain bytes lies in a file that was addressed without copying it. */
export interface Place {
  file: string;
  offset: number;
  length: number;
  /** The file as it was then. */
  size: number;
  mtimeNs: string;
}

/** The places of all plain blocks of these files; `get` reads the blocks that hold them together. */
export async function findPlaces(source: Source, get: GetBlock): Promise<Map<Cid, Place>> {
  const places = new Map<Cid, Place>();
  for (const { path: name, cid, size, mtimeNs } of source.files) {
    const file = path.join(source.base, name);
    if (isRaw(cid)) {
      places.set(cid, { file, offset: 0, length: size, size, mtimeNs });
      continue;
    }
    for await (const leaf of placesOf(get, cid)) {
      places.set(leaf.cid, { file, offset: leaf.offset, length: leaf.length, size, mtimeNs });
    }
  }
  return places;
}

/** Verified bytes. @throws AppError `conflict` when the file is gone or no longer what it was. */
export async function readPlace(place: Place, block: Cid): Promise<Uint8Array> {
  let bytes: Uint8Array | null = null;
  try {
    const handle = await open(place.file, 'r');
    try {
      const { size, mtimeNs } = await handle.stat({ bigint: true });
      if (Number(size) === place.size && `${mtimeNs}` === place.mtimeNs) {
        bytes = await readAt(handle, place.offset, place.length);
      }
    } finally {
      await handle.close();
    }
  } catch {
    throw changed(place.file);
  }
  if (bytes === null || !(await matches(block, bytes))) throw changed(place.file);
  return bytes;
}
