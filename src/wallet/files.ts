import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';

/** Steps a test may interrupt. Empty in the product. */
export interface WriteSteps {
  /** The new text is on disk under another name; the old file still stands. */
  beforeRename?: () => void | Promise<void>;
}

/** Our unfinished files, so that a start can sweep them: `.NAME.RANDOM.tmp`. */
const LEFTOVER = /^\..+\.[0-9a-f]{12}\.tmp$/;

/**
 * Replaces a file so that a crash at any moment leaves the old text or the new one, whole; readable by the owner only.
 * @throws the file system's error (disk full, no permission); the old file then still stands.
 */
export async function writePrivateFile(file: string, text: string, steps: WriteSteps = {}): Promise<void> {
  const folder = path.dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = path.join(folder, `.${path.basename(file)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(text, 'utf8');
      await handle.sync();
    } finally {
      await handle.close();
    }
    await steps.beforeRename?.();
    await rename(temporary, file);
  } catch (thrown) {
    await rm(temporary, { force: true });
    throw thrown;
  }
  await syncFolder(folder);
}

/** The text, or null when there is no such file. */
export async function readPrivateFile(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw thrown;
  }
}

/** Deletes what an interrupted write left in a folder of ours. Only while no write is under way. */
export async function sweepLeftovers(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  await Promise.all(
    names.filter((name) => LEFTOVER.test(name)).map((name) => rm(path.join(folder, name), { force: true })),
  );
}

/** Makes a rename or removal last through a power cut. Folders cannot be opened for this on Windows, which journals them. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
