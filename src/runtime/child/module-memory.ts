/**
 * The memory of a stranger's WebAssembly module, bounded before it is compiled: nothing in JavaScript caps what a module's
 * memory may grow to, but the module's own declaration does, so that is rewritten.
 */
import { AppError } from '../../shared/errors.ts';
import { formatBytes } from '../../shared/units.ts';

/** Bytes of one page of memory. */
export const PAGE = 65_536;
/** What 32-bit addresses reach. */
const MOST_PAGES = 65_536;
/** The one set of functions that modules may import. */
export const WASI_MODULE = 'wasi_snapshot_preview1';
const MAX_IMPORTS = 100_000;
const IMPORT_SECTION = 2;
const MEMORY_SECTION = 5;

export interface ModuleMemory {
  /** Under which names the module wants it; null where it brings its own. */
  imported: { module: string; name: string } | null;
  minPages: number;
  maxPages: number;
  /** Whether the module would have grown further. */
  shortened: boolean;
}

export interface BoundedModule {
  bytes: Uint8Array;
  memory: ModuleMemory | null;
}

const bad = (what: string): AppError =>
  new AppError('bad-input', `The module ${what}.`, {
    field: 'work.module',
    next: 'Build it as a WASI preview 1 command (wasm32-wasip1).',
  });

interface Reader {
  readonly at: number;
  readonly end: number;
  byte(): number;
  /** Unsigned LEB128 of at most 32 bits, long forms too: a compiler pads them. */
  u32(): number;
  skip(bytes: number): void;
  text(): string;
}

function readerOf(bytes: Uint8Array, from: number, end: number): Reader {
  let at = from;
  const byte = (): number => {
    const value = at < end ? bytes[at] : undefined;
    if (value === undefined) throw bad('is cut off');
    at += 1;
    return value;
  };
  const u32 = (): number => {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const part = byte();
      if (shift === 28 && part > 0x0f) throw bad('holds a number that is too long');
      value += (part & 0x7f) * 2 ** shift;
      if (part < 0x80) return value;
    }
    throw bad('holds a number that is too long');
  };
  const skip = (count: number): void => {
    if (count > end - at) throw bad('is cut off');
    at += count;
  };
  return {
    get at() {
      return at;
    },
    end,
    byte,
    u32,
    skip,
    text() {
      const length = u32();
      const start = at;
      skip(length);
      return new TextDecoder().decode(bytes.subarray(start, start + length));
    },
  };
}

function lengthEncoded(value: number): number[] {
  const encoded: number[] = [];
  let left = value;
  do {
    const part = left % 128;
    left = Math.floor(left / 128);
    encoded.push(left > 0 ? part + 128 : part);
  } while (left > 0);
  return encoded;
}

/** Reads limits and says what they become. @throws AppError unsupported, bad-input. */
function boundLimits(
  reader: Reader,
  limitPages: number,
  imported: ModuleMemory['imported'],
): { memory: ModuleMemory; encoded: number[] } {
  const flags = reader.byte();
  if (flags > 1) {
    const what = (flags & 4) !== 0 ? '64-bit memory' : (flags & 2) !== 0 ? 'memory shared by threads' : 'odd pages';
    throw new AppError('unsupported', `The module asks for ${what}.`, {
      field: 'work.module',
      next: 'Build it for wasm32-wasip1.',
    });
  }
  const minPages = reader.u32();
  const declared = flags === 1 ? reader.u32() : MOST_PAGES;
  if (minPages > MOST_PAGES || declared > MOST_PAGES || declared < minPages) throw bad('declares impossible memory');
  if (minPages > limitPages) {
    throw new AppError(
      'bad-input',
      `The module needs ${formatBytes(minPages * PAGE)} of memory, the job has ${formatBytes(limitPages * PAGE)}.`,
      { field: 'resources.memoryBytes', next: 'Ask for more memory.' },
    );
  }
  const maxPages = Math.min(declared, limitPages);
  const memory = { imported, minPages, maxPages, shortened: maxPages < declared };
  return { memory, encoded: [1, ...lengthEncoded(minPages), ...lengthEncoded(maxPages)] };
}

interface Rewritten {
  body: Uint8Array;
  memory: ModuleMemory | null;
}

/** The section with another limit in it, everything else byte by byte. */
function rewriteImports(bytes: Uint8Array, reader: Reader, limitPages: number): Rewritten {
  const from = reader.at;
  const count = reader.u32();
  if (count > MAX_IMPORTS) throw bad('imports too much');
  let memory: ModuleMemory | null = null;
  let limits: { from: number; to: number; encoded: number[] } | null = null;
  for (let i = 0; i < count; i += 1) {
    const module = reader.text();
    const name = reader.text();
    const kind = reader.byte();
    if (kind === 0) {
      reader.u32();
      if (module === WASI_MODULE) continue;
      throw bad(`imports ${module.slice(0, 60)}.${name.slice(0, 60)}, which is no function of WASI preview 1`);
    }
    if (kind !== 2) throw bad(`imports ${module.slice(0, 60)}.${name.slice(0, 60)}, which nobody here provides`);
    if (memory !== null) throw bad('has more than one memory');
    const start = reader.at;
    const bounded = boundLimits(reader, limitPages, { module, name });
    memory = bounded.memory;
    limits = { from: start, to: reader.at, encoded: bounded.encoded };
  }
  if (reader.at !== reader.end) throw bad('is malformed');
  if (limits === null) return { body: bytes.subarray(from, reader.end), memory };
  return {
    body: Buffer.concat([
      bytes.subarray(from, limits.from),
      Uint8Array.from(limits.encoded),
      bytes.subarray(limits.to, reader.end),
    ]),
    memory,
  };
}

function rewriteMemories(reader: Reader, limitPages: number): Rewritten {
  const count = reader.u32();
  if (count > 1) throw bad('has more than one memory');
  const bounded = count === 1 ? boundLimits(reader, limitPages, null) : null;
  if (reader.at !== reader.end) throw bad('is malformed');
  return { body: Uint8Array.from([count, ...(bounded?.encoded ?? [])]), memory: bounded?.memory ?? null };
}

/**
 * The module with a memory that ends at `limitBytes`, and what that memory is.
 * @throws AppError bad-input for what is no module, needs more, or imports other things than WASI; unsupported for
 * 64-bit, shared or several memories.
 */
export function boundMemory(bytes: Uint8Array, limitBytes: number): BoundedModule {
  const limitPages = Math.max(0, Math.min(MOST_PAGES, Math.floor(limitBytes / PAGE)));
  const [a, b, c, d, version, , layer] = bytes;
  if (a !== 0x00 || b !== 0x61 || c !== 0x73 || d !== 0x6d) throw bad('is no WebAssembly module');
  if (layer === 1) throw bad('is a component');
  if (version !== 1 || bytes[5] !== 0 || bytes[6] !== 0 || bytes[7] !== 0) throw bad('has an unknown version');
  const pieces: Uint8Array[] = [bytes.subarray(0, 8)];
  const seen = new Set<number>();
  let memory: ModuleMemory | null = null;
  const reader = readerOf(bytes, 8, bytes.length);
  while (reader.at < reader.end) {
    const from = reader.at;
    const id = reader.byte();
    const size = reader.u32();
    const start = reader.at;
    reader.skip(size);
    if (id !== IMPORT_SECTION && id !== MEMORY_SECTION) {
      pieces.push(bytes.subarray(from, reader.at));
      continue;
    }
    if (seen.has(id)) throw bad('is malformed');
    seen.add(id);
    const section = readerOf(bytes, start, reader.at);
    const rewritten =
      id === IMPORT_SECTION ? rewriteImports(bytes, section, limitPages) : rewriteMemories(section, limitPages);
    if (rewritten.memory !== null && memory !== null) throw bad('has more than one memory');
    memory = rewritten.memory ?? memory;
    pieces.push(Uint8Array.from([id, ...lengthEncoded(rewritten.body.length)]), rewritten.body);
  }
  return { bytes: Buffer.concat(pieces), memory };
}
