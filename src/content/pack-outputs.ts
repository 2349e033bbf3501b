import type { Readable, Writable } from 'node:stream';
import { extract, type Header } from 'tar-stream';
import { AppError } from '../shared/errors.ts';
import type { ContentRoot, ContentStore, ImportOptions } from './content-store.ts';
import { buildTree, scanEntries, scanFolder, type TreeEntry } from './import-tree.ts';
import { checkPath, nameKey } from './names.ts';
import { createMeter, type Meter, overCap } from './tree.ts';

export interface PackOptions extends ImportOptions {
  store: ContentStore;
  /** Names to cut from the front of every path: the engine's archive of `/job/out` begins with `out/`. Default 0. */
  strip?: number;
  /** Folder of the result that the outputs become; the result itself where it is left out. */
  below?: string;
  /** Files of our own that come first. Not counted against the caps. */
  beside?: readonly { path: string; bytes: Uint8Array }[];
}

/** Bytes of headers of one entry, long names included, in an archive that means well. */
const HEADER_BYTES = 8192;

/**
 * Makes a folder in the store out of what a stranger's job left behind: an archive from the engine or a folder of our
 * own, which may be deleted afterwards. Only regular files and folders; equal bytes under equal names give equal
 * addresses, whatever their modes, times and order.
 * @throws AppError `bad-input` naming the entry (a link, a device, a pipe, a sparse or setuid file, a name that leads
 * elsewhere or occurs twice, a broken archive), `over-limit`, `disk-full`, `cancelled`.
 */
export async function packOutputs(
  outputs: { tar: Readable } | { folder: string },
  { store, strip = 0, below, beside = [], pin, scope, signal, onProgress, caps }: PackOptions,
): Promise<ContentRoot> {
  const meter = createMeter(caps);
  const intake = store.blocks.building(pin, scope);
  try {
    if ('folder' in outputs) {
      const scan = await scanFolder(outputs.folder, meter);
      const entries = scanEntries(outputs.folder, scan, onProgress);
      return await intake.complete(await buildTree(placed(entries, below, beside), intake, { signal, files: 4 }));
    }
    let done = 0;
    const entries = tarEntries(outputs.tar, strip, meter, (bytes) => {
      signal?.throwIfAborted();
      done += bytes;
      onProgress?.({ bytes: done, totalBytes: null });
    });
    return await intake.complete(await buildTree(placed(entries, below, beside), intake, { signal }));
  } catch (thrown) {
    await intake.abandon();
    if (signal?.aborted === true) throw new AppError('cancelled', 'Cancelled.', { cause: thrown });
    throw thrown;
  } finally {
    if ('tar' in outputs) outputs.tar.destroy();
  }
}

async function* placed(
  entries: AsyncIterable<TreeEntry> | Iterable<TreeEntry>,
  below: string | undefined,
  beside: readonly { path: string; bytes: Uint8Array }[],
): AsyncGenerator<TreeEntry, void> {
  for (const { path, bytes } of beside) yield { path, content: once(bytes) };
  for await (const entry of entries) yield below === undefined ? entry : { ...entry, path: `${below}/${entry.path}` };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}

const refuse = (name: string, why: string) =>
  new AppError('bad-input', `The output ${JSON.stringify(name.slice(0, 300))} is refused: ${why}.`, { field: name });

const WHAT: Record<string, string> = {
  link: 'it is a hard link',
  symlink: 'it is a symbolic link',
  'character-device': 'it is a device',
  'block-device': 'it is a device',
  fifo: 'it is a named pipe',
  'contiguous-file': 'it is neither a plain file nor a folder',
};

/** @throws AppError `bad-input` for everything but plain files and folders. */
function checkKind({ name, type, mode, size, pax }: Header): void {
  if (type !== 'file' && type !== 'directory') {
    throw refuse(name, WHAT[type] ?? 'it is neither a plain file nor a folder');
  }
  if (Object.keys(pax ?? {}).some((key) => key.startsWith('GNU.sparse'))) throw refuse(name, 'it is a sparse file');
  if (type === 'file' && (mode & 0o6000) !== 0) throw refuse(name, 'it would run with the rights of another user');
  if (!Number.isSafeInteger(size) || size < 0) throw refuse(name, 'its length is impossible');
  if (type === 'directory' && size > 0) throw refuse(name, 'a folder with bytes of its own');
}

/** `./a/b/` -> `['a', 'b']`. @throws AppError `bad-input`. */
function namesOf(path: string, strip: number): string[] {
  if (path.startsWith('/')) throw refuse(path, 'it names a place outside the outputs');
  const plain = path.replace(/^(\.\/+)+/, '').replace(/\/+$/, '');
  return plain === '' || plain === '.' ? [] : checkPath(plain).slice(strip);
}

/** Files as they come out of the archive; folders at the end, when it is known which are empty. */
async function* tarEntries(
  tar: Readable,
  strip: number,
  meter: Meter,
  onBytes: (count: number) => void,
): AsyncGenerator<TreeEntry, void> {
  const kinds = new Map<string, { path: string; kind: 'file' | 'folder'; empty: boolean }>();
  const most = meter.caps.bytes + meter.caps.entries * HEADER_BYTES + 8 * 1024 * 1024;

  /** Remembers a path and the folders above it. */
  function note(names: string[], kind: 'file' | 'folder', depth = 0): void {
    if (names.length === 0) return;
    if (names.length - (kind === 'file' ? 1 : 0) > meter.caps.depth) {
      throw overCap(`more than ${meter.caps.depth} folders within each other`, names.join('/'));
    }
    const path = names.join('/');
    const key = nameKey(path);
    const before = kinds.get(key);
    if (before === undefined) {
      meter.entry(path);
      kinds.set(key, { path, kind, empty: depth === 0 });
      note(names.slice(0, -1), 'folder', depth + 1);
      return;
    }
    if (before.kind !== kind || kind === 'file' || before.path !== path) throw refuse(path, 'it occurs twice');
    if (depth > 0) before.empty = false;
  }

  const unpack = extract();
  let failure: Error | null = null;
  const fail = (error: Error) => {
    failure ??= error;
    unpack.destroy(error);
  };
  /** What the archive's reader says of its own destruction matters less than why it was destroyed. */
  const reasonOf = (thrown: unknown): unknown => {
    const reason = failure ?? thrown;
    if (reason instanceof AppError || (reason instanceof Error && reason.name === 'AbortError')) return reason;
    return new AppError('bad-input', 'The outputs could not be read: the archive is broken.', { cause: reason });
  };
  let raw = 0;
  tar.on('data', (bytes: Buffer) => {
    raw += bytes.byteLength;
    try {
      onBytes(bytes.byteLength);
    } catch (thrown) {
      fail(thrown as Error);
    }
    if (raw > most) fail(overCap('the archive is longer than what it holds', 'outputs'));
  });
  tar.once('error', fail);
  tar.once('close', () => {
    if (!tar.readableEnded) fail(new Error('the archive broke off'));
  });
  tar.pipe(unpack as unknown as Writable);

  async function* bytesOf(entry: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    try {
      yield* entry;
    } catch (thrown) {
      throw reasonOf(thrown);
    }
  }

  try {
    for await (const entry of unpack) {
      const { header } = entry;
      checkKind(header);
      const names = namesOf(header.name, strip);
      if (header.type === 'directory' || names.length === 0) {
        if (header.type === 'file') throw refuse(header.name, 'it has no name inside the outputs');
        note(names, 'folder');
        entry.resume();
        continue;
      }
      meter.bytes(header.size, names.join('/'));
      note(names, 'file');
      yield { path: names.join('/'), content: bytesOf(entry as AsyncIterable<Uint8Array>) };
    }
  } catch (thrown) {
    throw reasonOf(thrown);
  } finally {
    unpack.destroy();
  }
  if (failure !== null) throw reasonOf(failure);
  for (const { path, kind, empty } of kinds.values()) if (kind === 'folder' && empty) yield { path };
}
