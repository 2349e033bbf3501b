import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';

/** A week: an interrupted download that nobody came back for. */
const PARTIAL_SECONDS = 7 * 86_400;

/** Removes files that no content claims. */
export async function removeUnclaimed(dir: string, claimed: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(dir)) if (!claimed.has(name)) await rm(path.join(dir, name), { force: true });
}

/** Removes interrupted downloads that are old; returns the bytes of those that stay. */
export async function removeOldParts(dir: string, now: number): Promise<number> {
  let kept = 0;
  for (const name of await readdir(dir)) {
    const file = path.join(dir, name);
    const { mtimeMs, size } = await stat(file);
    if (mtimeMs / 1000 < now - PARTIAL_SECONDS) await rm(file);
    else kept += size;
  }
  return kept;
}
