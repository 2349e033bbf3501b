import { createHash } from 'node:crypto';
import * as dagPb from '@ipld/dag-pb';
import { CID } from 'multiformats/cid';
import * as raw from 'multiformats/codecs/raw';
import * as Digest from 'multiformats/hashes/digest';
import { sha256 } from 'multiformats/hashes/sha2';
import { AppError } from '../shared/errors.ts';
import type { Bytes32 } from '../shared/ids.ts';
import type { Cid } from './content-store.ts';

/** A CIDv1 of ours in bytes: version, codec, hash function, digest length, digest. */
export const CID_BYTES = 36;
/** What other software writes at most, and what we read at most. */
export const MAX_BLOCK_BYTES = 2 * 1024 * 1024;

const MAX_CID_TEXT = 128;

const refused = (why: string, field: string) =>
  new AppError('bad-input', `This is not a content address that can be used here: ${why}.`, {
    field,
    next: 'Give a CID of a file or folder on IPFS, such as bafybei… or Qm….',
  });

/**
 * The one spelling of an address: CIDv0 and other bases become CIDv1 in base32.
 * @throws AppError `bad-input` for anything but sha2-256 over `dag-pb` or `raw`.
 */
export function toCid(text: string, field = 'cid'): Cid {
  if (text.length > MAX_CID_TEXT) throw refused('it is too long', field);
  let cid: CID;
  try {
    cid = CID.parse(text);
  } catch {
    throw refused('it cannot be read as a CID', field);
  }
  return fromLink(cid, field);
}

/** Whether a text is an address that stores here know. */
export function isCid(text: string): boolean {
  try {
    toCid(text);
    return true;
  } catch {
    return false;
  }
}

/** The same for an address inside a block. */
export function fromLink(cid: CID, field = 'cid'): Cid {
  if (cid.multihash.code !== sha256.code || cid.multihash.digest.byteLength !== 32) {
    throw refused('it is not made with sha2-256', field);
  }
  if (cid.code !== dagPb.code && cid.code !== raw.code) throw refused('it is neither UnixFS nor raw bytes', field);
  return (cid.version === 1 ? cid : cid.toV1()).toString();
}

export const toLink = (cid: Cid): CID => CID.parse(cid);

/** The same first bytes are the same first letters: version 1, `raw`, sha2-256. */
export const isRaw = (cid: Cid): boolean => cid.startsWith('bafkrei');

const create = (codec: number, digest: Uint8Array): Cid =>
  CID.createV1(codec, Digest.create(sha256.code, digest)).toString();

export const cidBytes = (cid: Cid): Uint8Array => toLink(cid).bytes;

/** @throws AppError `bad-input`. */
export function fromCidBytes(bytes: Uint8Array): Cid {
  let cid: CID;
  try {
    cid = CID.decode(bytes);
  } catch {
    throw refused('its bytes cannot be read', 'cid');
  }
  return fromLink(cid);
}

/**
 * What the chain records of a result: the sha-256 digest of its root block. A result is always a folder, so the codec is
 * always `dag-pb` and the digest is enough to rebuild the CID.
 * @throws AppError `bad-input` when the content is a single file of raw bytes, whose codec would be lost.
 */
export function cidToBytes32(cid: Cid): Bytes32 {
  const link = toLink(toCid(cid));
  if (link.code !== dagPb.code) throw refused('a result is a folder, this is a single block of bytes', 'cid');
  return `0x${Buffer.from(link.multihash.digest).toString('hex')}`;
}

/** The folder with this digest; the other direction of `cidToBytes32`. */
export const bytes32ToCid = (digest: Bytes32): Cid => create(dagPb.code, Buffer.from(digest.slice(2), 'hex'));

/** Below this a hash is quicker than handing it to another thread. */
const OFF_THREAD_BYTES = 64 * 1024;

/** Whether the bytes are what the address says. */
export async function matches(cid: Cid, bytes: Uint8Array): Promise<boolean> {
  const expected = toLink(cid).multihash.digest;
  const actual =
    bytes.byteLength < OFF_THREAD_BYTES
      ? createHash('sha256').update(bytes).digest()
      : Buffer.from(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
  return actual.equals(expected);
}

/** The address of one block of plain bytes. */
export const rawCid = (bytes: Uint8Array): Cid => create(raw.code, createHash('sha256').update(bytes).digest());
