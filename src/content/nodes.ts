import { decode, type PBLink, type PBNode } from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import { AppError } from '../shared/errors.ts';
import { fromLink, isRaw } from './address.ts';
import type { Cid } from './content-store.ts';

export interface FilePart {
  cid: Cid;
  /** Bytes of the file below it, as its parent says; the child must agree. */
  size: number;
}

/** One block of a UnixFS tree, read and checked as far as one block can be. */
export type Node =
  | { kind: 'file'; size: number; data: Uint8Array; parts: FilePart[] }
  | { kind: 'folder'; links: { name: string; cid: Cid }[] }
  /** Part of a large folder: links with `name` null lead to further parts. */
  | { kind: 'shard'; fanout: number; links: { name: string | null; cid: Cid }[] };

const MAX_FANOUT = 1024;
const NOTHING = new Uint8Array();

const broken = (cid: Cid, why: string) =>
  new AppError('bad-input', `The content is not a well-formed tree of files: ${why}.`, { field: cid });

const textOf = (link: PBLink): string => link.Name ?? '';

function decoded(cid: Cid, bytes: Uint8Array): PBNode {
  try {
    return decode(bytes);
  } catch (cause) {
    throw new AppError('bad-input', 'The content is not a well-formed tree of files: a block cannot be read.', {
      field: cid,
      cause,
    });
  }
}

/** All blocks below this one, each once, in order. @throws AppError `bad-input`. */
export function childrenOf(cid: Cid, bytes: Uint8Array): Cid[] {
  if (isRaw(cid)) return [];
  return [...new Set(decoded(cid, bytes).Links.map((link) => fromLink(link.Hash)))];
}

/** What the root claims everything below it amounts to, in bytes; null where it claims nothing. For display only. */
export function claimedBytes(cid: Cid, bytes: Uint8Array): number | null {
  if (isRaw(cid)) return bytes.byteLength;
  const { Links } = decoded(cid, bytes);
  const sum = Links.reduce((total, { Tsize }) => total + (Tsize ?? Number.NaN), bytes.byteLength);
  return Number.isSafeInteger(sum) ? sum : null;
}

/** @throws AppError `bad-input` saying what is wrong with it. */
export function readNode(cid: Cid, bytes: Uint8Array): Node {
  if (isRaw(cid)) return { kind: 'file', size: bytes.byteLength, data: bytes, parts: [] };
  const node = decoded(cid, bytes);
  const unixfs = unixfsOf(cid, node);
  switch (unixfs.type) {
    case 'file':
    case 'raw':
      return fileNode(cid, node, unixfs);
    case 'directory':
      return {
        kind: 'folder',
        links: node.Links.map((link) => ({ name: textOf(link), cid: fromLink(link.Hash) })),
      };
    case 'hamt-sharded-directory':
      return shardNode(cid, node, Number(unixfs.fanout ?? 0n));
    case 'symlink':
      throw broken(cid, 'it holds a symbolic link');
    default:
      throw broken(cid, `it holds something that is neither a file nor a folder (${unixfs.type})`);
  }
}

function unixfsOf(cid: Cid, node: PBNode): UnixFS {
  if (node.Data === undefined) throw broken(cid, 'a block says nothing about itself');
  try {
    return UnixFS.unmarshal(node.Data);
  } catch {
    throw broken(cid, 'a block says nothing readable about itself');
  }
}

function fileNode(cid: Cid, node: PBNode, unixfs: UnixFS): Node {
  const data = unixfs.data ?? NOTHING;
  if (unixfs.blockSizes.length !== node.Links.length) throw broken(cid, 'a file does not say how long its parts are');
  const parts = node.Links.map((link, index) => {
    const size = Number(unixfs.blockSizes[index] ?? 0n);
    // A part without bytes serves only to make readers walk in circles.
    if (size === 0 || !Number.isSafeInteger(size)) throw broken(cid, 'a part of a file has an impossible length');
    return { cid: fromLink(link.Hash), size };
  });
  const size = parts.reduce((sum, part) => sum + part.size, data.byteLength);
  if (!Number.isSafeInteger(size)) throw broken(cid, 'a file has an impossible length');
  return { kind: 'file', size, data, parts };
}

function shardNode(cid: Cid, node: PBNode, fanout: number): Node {
  if (fanout < 2 || fanout > MAX_FANOUT || (fanout & (fanout - 1)) !== 0) {
    throw broken(cid, 'a large folder is divided in an impossible way');
  }
  const prefix = (fanout - 1).toString(16).length;
  const links = node.Links.map((link) => {
    const name = textOf(link);
    if (!/^[0-9A-F]+$/.test(name.slice(0, prefix)) || name.length < prefix) {
      throw broken(cid, 'a large folder is divided in an impossible way');
    }
    return { name: name.length === prefix ? null : name.slice(prefix), cid: fromLink(link.Hash) };
  });
  return { kind: 'shard', fanout, links };
}
