import { AppError } from '../shared/errors.ts';
import { isRaw } from './address.ts';
import { type Cid, type ContentCaps, type ContentEntry, DEFAULT_CAPS } from './content-store.ts';
import { inOrder } from './in-order.ts';
import { checkDistinct, checkName } from './names.ts';
import { type Node, readNode } from './nodes.ts';

/** A verified block; throws where it is not here. */
export type GetBlock = (cid: Cid) => Promise<Uint8Array>;

/** Levels of parts within one file or one large folder: 1024 links a node make 2^100 bytes of ten. */
const NODE_DEPTH = 10;
/** Blocks read ahead of the reader. */
const AHEAD = 4;
const READ_AT_ONCE = 8;

export const overCap = (what: string, field: string) =>
  new AppError('over-limit', `The content is larger than allowed: ${what}.`, { field });

/**
 * Counts what a tree costs to walk. A few blocks can describe endless trees by naming each other many times, so every
 * visit counts, not every block.
 */
export interface Meter {
  readonly caps: ContentCaps;
  entry(path: string): void;
  bytes(size: number, path: string): void;
  visit(path: string): void;
}

export function createMeter(given: Partial<ContentCaps> = {}): Meter {
  const caps = { ...DEFAULT_CAPS, ...given };
  // Folders and their shards, and files cut into parts of 4 KiB, the smallest in use.
  const visits = 1000 + caps.entries * 4 + caps.bytes / 4096;
  let entries = 0;
  let bytes = 0;
  let visited = 0;
  return {
    caps,
    entry(path) {
      entries += 1;
      if (entries > caps.entries) throw overCap(`more than ${caps.entries} files and folders`, path);
    },
    bytes(size, path) {
      bytes += size;
      if (bytes > caps.bytes) throw overCap(`more than ${caps.bytes} bytes`, path);
    },
    visit(path) {
      visited += 1;
      if (visited > visits) throw overCap('too many parts', path);
    },
  };
}

const joined = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`);

interface Child {
  name: string;
  cid: Cid;
}

/** All names of a folder, of all its shards, sorted; checked as if they were about to be written. */
async function childrenOfFolder(get: GetBlock, node: Node, path: string, meter: Meter): Promise<Child[]> {
  const children: Child[] = [];
  const add = (child: Child) => {
    checkName(child.name, joined(path, child.name));
    meter.entry(joined(path, child.name));
    children.push(child);
  };
  async function gather(part: Node, level: number): Promise<void> {
    if (part.kind === 'file' || level > NODE_DEPTH) {
      throw new AppError('bad-input', 'A large folder is not well-formed.', { field: path });
    }
    if (part.kind === 'folder') {
      for (const link of part.links) add(link);
      return;
    }
    for (const { name, cid } of part.links) {
      if (name !== null) {
        add({ name, cid });
        continue;
      }
      meter.visit(path);
      const below = readNode(cid, await get(cid));
      if (below.kind !== 'shard' || below.fanout !== part.fanout) {
        throw new AppError('bad-input', 'A large folder is not well-formed.', { field: path });
      }
      await gather(below, level + 1);
    }
  }
  await gather(node, 0);
  children.sort((a, b) => (a.name < b.name ? -1 : 1));
  checkDistinct(
    children.map(({ name }) => name),
    path,
  );
  return children;
}

/** Everything in the tree, parents first, names in order. @throws AppError `bad-input`, `over-limit` naming the entry. */
export async function* walkTree(
  get: GetBlock,
  cid: Cid,
  meter: Meter,
  path = '',
  depth = 0,
): AsyncGenerator<ContentEntry, void> {
  meter.visit(path);
  const node = readNode(cid, await get(cid));
  if (node.kind === 'file') {
    meter.bytes(node.size, path);
    yield { path, kind: 'file', size: node.size, cid };
    return;
  }
  if (path !== '') yield { path, kind: 'folder', size: 0, cid };
  if (depth >= meter.caps.depth && node.links.length > 0) {
    throw overCap(`more than ${meter.caps.depth} folders within each other`, path);
  }
  const children = await childrenOfFolder(get, node, path, meter);
  // Small files are most of many trees: read a few of them at once, only to learn how long they are.
  const sized = inOrder(children, READ_AT_ONCE, async (child) => ({
    ...child,
    size: isRaw(child.cid) ? (await get(child.cid)).byteLength : null,
  }));
  for await (const child of sized) {
    const where = joined(path, child.name);
    if (child.size === null) {
      yield* walkTree(get, child.cid, meter, where, depth + 1);
    } else {
      meter.bytes(child.size, where);
      yield { path: where, kind: 'file', size: child.size, cid: child.cid };
    }
  }
}

/** The file or folder at `path` below a root. @throws AppError `not-found`. */
export async function resolvePath(get: GetBlock, root: Cid, path: string): Promise<Cid> {
  let cid = root;
  let done = '';
  const meter = createMeter();
  for (const name of path === '' ? [] : path.split('/')) {
    const node = readNode(cid, await get(cid));
    const child =
      node.kind === 'file' ? undefined : (await childrenOfFolder(get, node, done, meter)).find((c) => c.name === name);
    if (child === undefined) throw new AppError('not-found', `There is no ${path} in this content.`, { field: path });
    cid = child.cid;
    done = joined(done, name);
  }
  return cid;
}

export interface FileRange {
  offset?: number;
  length?: number;
}

/**
 * The blocks of one file that hold bytes of the range, in order. `leaf` is the block, `skip` and `take` say which of
 * its bytes; `at` is where its first byte stands in the file.
 */
async function* leavesOf(
  get: GetBlock,
  part: { cid: Cid; size: number | null },
  range: { from: number; to: number },
  at: number,
  level: number,
  meter: Meter,
  path: string,
): AsyncGenerator<{ read: () => Promise<Uint8Array>; at: number }, void> {
  meter.visit(path);
  const wrong = (why: string) => new AppError('bad-input', `A file is not well-formed: ${why}.`, { field: path });
  if (level > NODE_DEPTH) throw wrong('it is divided too often');
  const whole = async () => {
    const bytes = await get(part.cid);
    const node = readNode(part.cid, bytes);
    if (node.kind !== 'file') throw wrong('a part of it is a folder');
    if (part.size !== null && node.size !== part.size) throw wrong('a part is not as long as said');
    return node;
  };
  // A raw leaf is read where it is needed, ahead of the reader; everything else says first what is below it.
  if (isRaw(part.cid) && part.size !== null) {
    yield { at, read: async () => (await whole()).data };
    return;
  }
  const node = await whole();
  if (node.data.byteLength > 0) yield { at, read: () => Promise.resolve(node.data) };
  let offset = at + node.data.byteLength;
  for (const below of node.parts) {
    if (offset < range.to && offset + below.size > range.from) {
      yield* leavesOf(get, below, range, offset, level + 1, meter, path);
    }
    offset += below.size;
  }
}

/** The bytes of a file. @throws AppError `bad-input` where its parts do not add up. */
export async function* readFileTree(
  get: GetBlock,
  cid: Cid,
  { offset = 0, length = Number.MAX_SAFE_INTEGER }: FileRange = {},
  meter: Meter = createMeter({ bytes: Number.MAX_SAFE_INTEGER }),
  path = '',
): AsyncGenerator<Uint8Array, void> {
  const range = { from: offset, to: Math.min(offset + length, Number.MAX_SAFE_INTEGER) };
  const leaves = leavesOf(get, { cid, size: null }, range, 0, 0, meter, path);
  for await (const { at, bytes } of inOrder(leaves, AHEAD, async (leaf) => ({
    at: leaf.at,
    bytes: await leaf.read(),
  }))) {
    const from = Math.max(0, range.from - at);
    const to = Math.min(bytes.byteLength, range.to - at);
    if (from < to) yield bytes.subarray(from, to);
  }
}

/** Where the raw leaves of a file stand in it: for files that stay where they are. */
export async function* placesOf(
  get: GetBlock,
  cid: Cid,
  at = 0,
): AsyncGenerator<{ cid: Cid; offset: number; length: number }, void> {
  const node = readNode(cid, await get(cid));
  if (node.kind !== 'file') throw new AppError('bad-input', 'A part of a file is a folder.', { field: cid });
  let offset = at;
  for (const part of node.parts) {
    if (isRaw(part.cid)) yield { cid: part.cid, offset, length: part.size };
    else yield* placesOf(get, part.cid, offset);
    offset += part.size;
  }
}
