import { type BigIntStats } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { type ImportCandidate, importer, type WritableStorage } from 'ipfs-unixfs-importer';
import { AppError } from '../shared/errors.ts';
import { fromLink } from './address.ts';
import { type BlockIntake, CONTENT_PROFILE, type Cid, type ContentProgress } from './content-store.ts';
import { isMissing } from './disk.ts';
import { checkDistinct, checkName } from './names.ts';
import type { Source } from './records.ts';
import { createMeter, type Meter, overCap } from './tree.ts';

const READ_BYTES = 1024 * 1024;

/** What becomes one tree. Folders need be named only where they are empty. */
export interface TreeEntry {
  path: string;
  content?: AsyncIterable<Uint8Array>;
}

interface Building {
  signal?: AbortSignal | undefined;
  /** Leave the plain bytes where they are and keep only what holds them together. */
  inPlace?: boolean;
  /** Files read at once: one where they come out of one stream. */
  files?: number;
  onFile?: (path: string, cid: Cid) => void;
}

/**
 * Puts the blocks of a tree into the store and returns its root: the folder that holds all entries, or, when `wrap` is
 * false, the only one. Modes and times are not part of it, so equal bytes under equal names give equal addresses.
 */
export async function buildTree(
  entries: AsyncIterable<TreeEntry> | Iterable<TreeEntry>,
  intake: BlockIntake,
  { signal, inPlace = false, files = 1, onFile }: Building,
  wrap = true,
): Promise<Cid> {
  const storage: WritableStorage = {
    async put(link, bytes) {
      signal?.throwIfAborted();
      const cid = fromLink(link);
      if (!(bytes instanceof Uint8Array)) throw new TypeError('blocks come whole');
      if (!inPlace || !cid.startsWith('bafkrei')) await intake.put(cid, bytes);
      return link;
    },
  };
  let root: Cid | null = null;
  const results = importer(entries as AsyncIterable<ImportCandidate>, storage, {
    profile: CONTENT_PROFILE,
    wrapWithDirectory: wrap,
    fileImportConcurrency: files,
    blockWriteConcurrency: 4,
  });
  for await (const result of results) {
    root = fromLink(result.cid);
    if (result.unixfs?.isDirectory() !== true) onFile?.(result.path ?? '', root);
  }
  if (root === null) throw new Error('nothing was imported');
  return root;
}

export interface ScannedFile {
  /** Relative, with `/`. */
  path: string;
  size: number;
  mtimeNs: string;
}

export interface Scan {
  files: ScannedFile[];
  emptyFolders: string[];
  bytes: number;
}

const refuse = (where: string, what: string) =>
  new AppError('bad-input', `${where} is ${what}; only files and folders can be shared.`, { field: where });

function kindOf(facts: BigIntStats): string {
  if (facts.isSymbolicLink()) return 'a symbolic link';
  if (facts.isFIFO()) return 'a named pipe';
  if (facts.isSocket()) return 'a socket';
  return 'a device';
}

export const changed = (file: string) =>
  new AppError('conflict', `${file} has changed since it was addressed.`, {
    field: file,
    next: 'Import it again.',
  });

/** Everything in a folder, before any of it is read. @throws AppError `bad-input`, `over-limit`, `not-found`. */
export async function scanFolder(dir: string, meter: Meter = createMeter()): Promise<Scan> {
  const scan: Scan = { files: [], emptyFolders: [], bytes: 0 };
  async function visit(relative: string, depth: number): Promise<void> {
    const names = (await readdir(path.join(dir, relative))).toSorted();
    if (names.length === 0 && relative !== '') scan.emptyFolders.push(relative);
    if (depth > meter.caps.depth) throw overCap(`more than ${meter.caps.depth} folders within each other`, relative);
    checkDistinct(names, relative);
    for (const name of names) {
      const where = relative === '' ? name : `${relative}/${name}`;
      checkName(name, where);
      meter.entry(where);
      const facts = await lstat(path.join(dir, where), { bigint: true });
      if (facts.isDirectory()) {
        await visit(where, depth + 1);
      } else if (facts.isFile()) {
        meter.bytes(Number(facts.size), where);
        scan.files.push({ path: where, size: Number(facts.size), mtimeNs: `${facts.mtimeNs}` });
        scan.bytes += Number(facts.size);
      } else {
        throw refuse(where, kindOf(facts));
      }
    }
  }
  try {
    await visit('', 0);
  } catch (thrown) {
    throw isMissing(thrown) ? new AppError('not-found', `There is no folder ${dir}.`, { cause: thrown }) : thrown;
  }
  return scan;
}

/** @throws AppError `not-found`, `bad-input`. */
export async function scanFile(file: string, meter: Meter): Promise<ScannedFile> {
  let facts: BigIntStats;
  try {
    facts = await lstat(file, { bigint: true });
  } catch (thrown) {
    throw isMissing(thrown) ? new AppError('not-found', `There is no file ${file}.`, { cause: thrown }) : thrown;
  }
  if (!facts.isFile()) throw refuse(file, facts.isDirectory() ? 'a folder' : kindOf(facts));
  meter.bytes(Number(facts.size), file);
  return { path: path.basename(file), size: Number(facts.size), mtimeNs: `${facts.mtimeNs}` };
}

/** The bytes of a scanned file; refuses one that is not as it was scanned, at the beginning and at the end. */
export async function* fileBytes(
  base: string,
  scanned: ScannedFile,
  onBytes: (count: number) => void = () => undefined,
): AsyncGenerator<Uint8Array, void> {
  const file = path.join(base, scanned.path);
  const handle = await open(file, 'r');
  const check = async () => {
    const { size, mtimeNs } = await handle.stat({ bigint: true });
    if (Number(size) !== scanned.size || `${mtimeNs}` !== scanned.mtimeNs) throw changed(file);
  };
  try {
    await check();
    let left = scanned.size;
    while (left > 0) {
      const bytes = new Uint8Array(Math.min(READ_BYTES, left));
      const { bytesRead } = await handle.read(bytes, 0, bytes.byteLength, scanned.size - left);
      if (bytesRead === 0) throw changed(file);
      left -= bytesRead;
      onBytes(bytesRead);
      yield bytes.subarray(0, bytesRead);
    }
    await check();
  } finally {
    await handle.close();
  }
}

/** A scan as entries of a tree, with progress. */
export function scanEntries(base: string, scan: Scan, onProgress?: (progress: ContentProgress) => void): TreeEntry[] {
  let done = 0;
  const onBytes = (count: number) => {
    done += count;
    onProgress?.({ bytes: done, totalBytes: scan.bytes });
  };
  return [
    ...scan.emptyFolders.map((folder) => ({ path: folder })),
    ...scan.files.map((file) => ({ path: file.path, content: fileBytes(base, file, onBytes) })),
  ];
}

export const sourceFiles = (scan: Pick<Scan, 'files'>, cids: ReadonlyMap<string, Cid>): Source['files'] =>
  scan.files.map((file) => {
    const cid = cids.get(file.path);
    if (cid === undefined) throw new Error(`no address for ${file.path}`);
    return { ...file, cid };
  });
