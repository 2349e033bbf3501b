import { createReadStream } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack as tarPack } from 'tar-stream';
import { AppError } from '../shared/errors.ts';

/** Most files and folders of one job's inputs. */
const MAX_ENTRIES = 100_000;

export interface InputEntry {
  /** Relative to the folder, with slashes. */
  name: string;
  /** On this computer. */
  file: string;
  /** null for a folder. */
  bytes: number | null;
}

/** Every file and folder below, folders before what they hold. @throws AppError bad-input for links, sockets, devices. */
export async function listInputs(folder: string): Promise<InputEntry[]> {
  const found: InputEntry[] = [];
  const queue = [''];
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    for (const child of (await readdir(path.join(folder, at))).toSorted()) {
      const name = at === '' ? child : `${at}/${child}`;
      const file = path.join(folder, name);
      const stat = await lstat(file);
      if (!stat.isFile() && !stat.isDirectory()) {
        throw new AppError('bad-input', `The input ${name.slice(0, 200)} is neither a file nor a folder.`, {
          field: 'inputs',
          next: 'Replace links by what they point to.',
        });
      }
      if (stat.isDirectory()) queue.push(name);
      found.push({ name, file, bytes: stat.isDirectory() ? null : stat.size });
      if (found.length > MAX_ENTRIES) {
        throw new AppError('bad-input', `The inputs hold more than ${MAX_ENTRIES} files.`, {
          field: 'inputs',
          next: 'Put them into an archive.',
        });
      }
    }
  }
  return found;
}

async function writeEntries(
  pack: Pack,
  entries: readonly InputEntry[],
  options: { user: number; onBytes: (bytes: number) => void },
): Promise<void> {
  const folder = (name: string, mode: number, owner: number): void => {
    pack.entry({ name: `${name}/`, type: 'directory', mode, uid: owner, gid: owner });
  };
  folder('out', 0o755, options.user);
  folder('in', 0o555, 0);
  for (const { name, file, bytes } of entries) {
    if (bytes === null) {
      folder(`in/${name}`, 0o555, 0);
      continue;
    }
    const header = { name: `in/${name}`, size: bytes, mode: 0o444, uid: 0, gid: 0 };
    if (bytes === 0) {
      pack.entry(header, '');
      continue;
    }
    const entry = pack.entry(header);
    const source = createReadStream(file, { end: bytes - 1 });
    source.on('data', (chunk) => options.onBytes(chunk.length));
    await pipeline(source, entry);
  }
  pack.finalize();
}

/** A tar of the volume as a job finds it: `in/` that nobody can write, an empty `out/` that belongs to `user`. */
export function packInputs(
  entries: readonly InputEntry[],
  options: { user: number; onBytes: (bytes: number) => void },
): Pack {
  const pack = tarPack();
  writeEntries(pack, entries, options).catch((thrown: unknown) => pack.destroy(thrown as Error));
  return pack;
}
