/**
 * The files a module sees: inputs read from where they lie, outputs written under numbers, never under the names a stranger
 * chose. What it may write is counted as it writes.
 */
import { closeSync, ftruncateSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { Directory, Fd, Inode, OpenDirectory, wasi } from '@bjorn3/browser_wasi_shim';
import { formatBytes } from '../../shared/units.ts';

/** Files that a module may hold open at once. */
const MAX_OPEN = 256;
/** Bytes of one read: a module asks again for the rest. */
const MAX_READ = 4 * 1024 ** 2;
/** Folders in folders. */
const MAX_DEPTH = 64;
const MAX_NAME = 255;

/** Thrown through the module where it passes what it may write. */
export class OutputLimit extends Error {
  override readonly name = 'OutputLimit';
}

/** What one run has written so far, over all of its folders. */
export class WriteBudget {
  readonly blobs: string;
  /** Bytes written, where the process around can see them. */
  readonly #written: BigInt64Array;
  readonly #maxBytes: number;
  readonly #maxFiles: number;
  readonly #onPassed: () => void;
  #bytes = 0;
  #files = 0;
  #made = 0;
  open = 0;

  constructor(options: {
    blobs: string;
    maxBytes: number;
    maxFiles: number;
    written: BigInt64Array;
    onPassed: () => void;
  }) {
    this.blobs = options.blobs;
    this.#maxBytes = options.maxBytes;
    this.#maxFiles = options.maxFiles;
    this.#written = options.written;
    this.#onPassed = options.onPassed;
  }

  /** @throws OutputLimit */
  bytes(change: number): void {
    if (this.#bytes + change > this.#maxBytes) this.#pass(`It wrote more than ${formatBytes(this.#maxBytes)}.`);
    this.#bytes += change;
    Atomics.store(this.#written, 0, BigInt(this.#bytes));
  }

  /** @throws OutputLimit */
  files(change: number): void {
    if (this.#files + change > this.#maxFiles) this.#pass(`It made more than ${this.#maxFiles} files and folders.`);
    this.#files += change;
  }

  newBlob(): string {
    this.#made += 1;
    const file = path.join(this.blobs, String(this.#made));
    closeSync(openSync(file, 'wx', 0o600));
    return file;
  }

  #pass(message: string): never {
    this.#onPassed();
    throw new OutputLimit(message);
  }
}

const NONE = new Uint8Array();

/** A file on this computer under a name that is ours; without a budget it can only be read. */
export class DiskFile extends Inode {
  readonly file: string;
  readonly budget: WriteBudget | null;
  readonly opened: { count: number };
  size: number;
  #gone = false;
  #users = 0;

  constructor(file: string, size: number, budget: WriteBudget | null, opened: { count: number }) {
    super();
    this.file = file;
    this.size = size;
    this.budget = budget;
    this.opened = opened;
  }

  override path_open(oflags: number, rights: bigint, fdFlags: number): { ret: number; fd_obj: Fd | null } {
    const writes = (rights & BigInt(wasi.RIGHTS_FD_WRITE)) !== 0n || (oflags & wasi.OFLAGS_TRUNC) !== 0;
    if (this.budget === null && writes) return { ret: wasi.ERRNO_ROFS, fd_obj: null };
    if (this.opened.count >= MAX_OPEN) return { ret: wasi.ERRNO_MFILE, fd_obj: null };
    const handle = openSync(this.file, this.budget === null ? 'r' : 'r+');
    this.opened.count += 1;
    this.#users += 1;
    const open = new OpenDiskFile(this, handle, (fdFlags & wasi.FDFLAGS_APPEND) !== 0);
    if ((oflags & wasi.OFLAGS_TRUNC) !== 0) open.fd_filestat_set_size(0n);
    return { ret: wasi.ERRNO_SUCCESS, fd_obj: open };
  }

  override stat(): wasi.Filestat {
    return new wasi.Filestat(this.ino, wasi.FILETYPE_REGULAR_FILE, BigInt(this.size));
  }

  /** It has no name any more. */
  unlink(): void {
    this.#gone = true;
    this.#release();
  }

  closed(): void {
    this.opened.count -= 1;
    this.#users -= 1;
    this.#release();
  }

  #release(): void {
    if (!this.#gone || this.#users > 0 || this.budget === null) return;
    rmSync(this.file, { force: true });
    this.budget.bytes(-this.size);
    this.budget.files(-1);
    this.size = 0;
  }
}

/** Offsets of a module are 64 bit; past what a number holds there is nothing. */
const place = (offset: bigint): number | null =>
  offset < 0n || offset > BigInt(Number.MAX_SAFE_INTEGER) ? null : Number(offset);

class OpenDiskFile extends Fd {
  readonly #inode: DiskFile;
  readonly #handle: number;
  readonly #append: boolean;
  #at = 0;

  constructor(inode: DiskFile, handle: number, append: boolean) {
    super();
    this.#inode = inode;
    this.#handle = handle;
    this.#append = append;
  }

  #read(size: number, at: number): Uint8Array {
    const bytes = Math.max(0, Math.min(size, MAX_READ, this.#inode.size - at));
    if (bytes === 0) return NONE;
    const data = new Uint8Array(bytes);
    return data.subarray(0, readSync(this.#handle, data, 0, bytes, at));
  }

  #write(data: Uint8Array, at: number): { ret: number; nwritten: number } {
    const { budget, size } = this.#inode;
    if (budget === null) return { ret: wasi.ERRNO_BADF, nwritten: 0 };
    const end = at + data.length;
    if (data.length > 0 && end > size) {
      budget.bytes(end - size);
      this.#inode.size = end;
    }
    for (let done = 0; done < data.length;) done += writeSync(this.#handle, data, done, data.length - done, at + done);
    return { ret: wasi.ERRNO_SUCCESS, nwritten: data.length };
  }

  override fd_close(): number {
    closeSync(this.#handle);
    this.#inode.closed();
    return wasi.ERRNO_SUCCESS;
  }

  override fd_fdstat_get(): { ret: number; fdstat: wasi.Fdstat } {
    const stat = new wasi.Fdstat(wasi.FILETYPE_REGULAR_FILE, this.#append ? wasi.FDFLAGS_APPEND : 0);
    const write = this.#inode.budget === null ? 0 : wasi.RIGHTS_FD_WRITE;
    stat.fs_rights_base = BigInt(wasi.RIGHTS_FD_READ | wasi.RIGHTS_FD_SEEK | wasi.RIGHTS_FD_TELL | write);
    return { ret: wasi.ERRNO_SUCCESS, fdstat: stat };
  }

  override fd_filestat_get(): { ret: number; filestat: wasi.Filestat } {
    return { ret: wasi.ERRNO_SUCCESS, filestat: this.#inode.stat() };
  }

  override fd_filestat_set_size(size: bigint): number {
    const { budget } = this.#inode;
    const bytes = place(size);
    if (budget === null || bytes === null) return wasi.ERRNO_INVAL;
    budget.bytes(bytes - this.#inode.size);
    ftruncateSync(this.#handle, bytes);
    this.#inode.size = bytes;
    return wasi.ERRNO_SUCCESS;
  }

  override fd_allocate(offset: bigint, length: bigint): number {
    return offset + length > BigInt(this.#inode.size) ? this.fd_filestat_set_size(offset + length) : wasi.ERRNO_SUCCESS;
  }

  override fd_read(size: number): { ret: number; data: Uint8Array } {
    const data = this.#read(size, this.#at);
    this.#at += data.length;
    return { ret: wasi.ERRNO_SUCCESS, data };
  }

  override fd_pread(size: number, offset: bigint): { ret: number; data: Uint8Array } {
    const at = place(offset);
    return at === null ? { ret: wasi.ERRNO_INVAL, data: NONE } : { ret: 0, data: this.#read(size, at) };
  }

  override fd_write(data: Uint8Array): { ret: number; nwritten: number } {
    if (this.#append) this.#at = this.#inode.size;
    const done = this.#write(data, this.#at);
    this.#at += done.nwritten;
    return done;
  }

  override fd_pwrite(data: Uint8Array, offset: bigint): { ret: number; nwritten: number } {
    const at = place(offset);
    return at === null ? { ret: wasi.ERRNO_INVAL, nwritten: 0 } : this.#write(data, at);
  }

  override fd_seek(offset: bigint, whence: number): { ret: number; offset: bigint } {
    const bases = [0n, BigInt(this.#at), BigInt(this.#inode.size)];
    const at = place((bases[whence] ?? -1n) + offset);
    if (at === null || bases[whence] === undefined) return { ret: wasi.ERRNO_INVAL, offset: 0n };
    this.#at = at;
    return { ret: wasi.ERRNO_SUCCESS, offset: BigInt(at) };
  }

  override fd_tell(): { ret: number; offset: bigint } {
    return { ret: wasi.ERRNO_SUCCESS, offset: BigInt(this.#at) };
  }
}

/** A folder that can only be read. */
export class InputFolder extends Directory {
  override path_open(): { ret: number; fd_obj: OpenDirectory } {
    return { ret: wasi.ERRNO_SUCCESS, fd_obj: new OpenInputFolder(this) };
  }
  override create_entry_for_path(): { ret: number; entry: Inode | null } {
    return { ret: wasi.ERRNO_ROFS, entry: null };
  }
}

class OpenInputFolder extends OpenDirectory {
  override path_link(): number {
    return wasi.ERRNO_ROFS;
  }
  override path_unlink(): { ret: number; inode_obj: Inode | null } {
    return { ret: wasi.ERRNO_ROFS, inode_obj: null };
  }
  override path_unlink_file(): number {
    return wasi.ERRNO_ROFS;
  }
  override path_remove_directory(): number {
    return wasi.ERRNO_ROFS;
  }
}

/** A folder whose files lie in the run's blobs. */
export class OutputFolder extends Directory {
  readonly #budget: WriteBudget;
  readonly #opened: { count: number };
  readonly #depth: number;

  constructor(budget: WriteBudget, opened: { count: number }, depth = 0) {
    super(new Map());
    this.#budget = budget;
    this.#opened = opened;
    this.#depth = depth;
  }

  get budget(): WriteBudget {
    return this.#budget;
  }

  override path_open(): { ret: number; fd_obj: OpenDirectory } {
    return { ret: wasi.ERRNO_SUCCESS, fd_obj: new OpenOutputFolder(this) };
  }

  override create_entry_for_path(name: string, isFolder: boolean): { ret: number; entry: Inode | null } {
    const parts: string[] = [];
    for (const part of name.split('/')) {
      if (part === '..') parts.pop();
      else if (part !== '' && part !== '.') parts.push(part);
    }
    const last = parts.pop();
    if (last === undefined) return { ret: wasi.ERRNO_INVAL, entry: null };
    if (Buffer.byteLength(last) > MAX_NAME) return { ret: wasi.ERRNO_NAMETOOLONG, entry: null };
    const parent = parts.reduce<Inode | undefined>(
      (at, part) => (at instanceof Directory ? at.contents.get(part) : undefined),
      this,
    );
    if (!(parent instanceof OutputFolder)) return { ret: wasi.ERRNO_NOENT, entry: null };
    if (parent.contents.has(last)) return { ret: wasi.ERRNO_EXIST, entry: null };
    if (parent.#depth >= MAX_DEPTH) return { ret: wasi.ERRNO_NAMETOOLONG, entry: null };
    this.#budget.files(1);
    const entry = isFolder
      ? new OutputFolder(this.#budget, this.#opened, parent.#depth + 1)
      : new DiskFile(this.#budget.newBlob(), 0, this.#budget, this.#opened);
    parent.contents.set(last, entry);
    return { ret: wasi.ERRNO_SUCCESS, entry };
  }
}

/** The shim's own removal and renaming, with what they free given back. */
class OpenOutputFolder extends OpenDirectory {
  readonly #folder: OutputFolder;

  constructor(folder: OutputFolder) {
    super(folder);
    this.#folder = folder;
  }

  override path_link(name: string, inode: Inode, allowFolder: boolean): number {
    const { inode_obj: before } = this.path_lookup(name, 0);
    const ret = super.path_link(name, inode, allowFolder);
    if (ret === wasi.ERRNO_SUCCESS && before !== null && before !== inode) {
      if (before instanceof DiskFile) before.unlink();
      else this.#folder.budget.files(-1);
    }
    return ret;
  }

  override path_unlink_file(name: string): number {
    const { inode_obj: before } = this.path_lookup(name, 0);
    const ret = super.path_unlink_file(name);
    if (ret === wasi.ERRNO_SUCCESS && before instanceof DiskFile) before.unlink();
    return ret;
  }

  override path_remove_directory(name: string): number {
    const ret = super.path_remove_directory(name);
    if (ret === wasi.ERRNO_SUCCESS) this.#folder.budget.files(-1);
    return ret;
  }
}

/** An open folder that the module finds at its start, under `name`. */
export function preopened(name: string, folder: Directory): OpenDirectory {
  const open = folder.path_open(0, 0n, 0).fd_obj;
  open.fd_prestat_get = () => ({ ret: wasi.ERRNO_SUCCESS, prestat: wasi.Prestat.dir(name) });
  return open;
}

export interface OutputEntry {
  /** Relative to `out/`, with slashes. */
  name: string;
  /** null for a folder. */
  file: { blob: string; bytes: number } | null;
}

/** Everything below, in the order of the names, so that equal results make equal archives. */
export function outputEntries(folder: Directory): OutputEntry[] {
  const found: OutputEntry[] = [];
  const walk = (at: Directory, prefix: string, depth: number): void => {
    for (const [name, inode] of [...at.contents].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      const full = `${prefix}${name}`;
      if (inode instanceof DiskFile) {
        found.push({ name: full, file: { blob: path.basename(inode.file), bytes: inode.size } });
      } else if (inode instanceof Directory) {
        // Folders can be moved into deeper ones after they were made.
        if (depth >= MAX_DEPTH * 2) throw new OutputLimit('Its folders lie too deep in one another.');
        found.push({ name: full, file: null });
        walk(inode, `${full}/`, depth + 1);
      }
    }
  };
  walk(folder, '', 0);
  return found;
}
