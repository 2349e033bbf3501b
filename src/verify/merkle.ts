/**
 * Merkle trees over rows, as RFC 9162 (Certificate Transparency) builds them: SHA-256, leaves and inner nodes hashed with
 * different prefixes, so that a node can never pass for a leaf; an odd one out moves up unhashed.
 */
import { concat, getBytes, sha256 } from 'ethers';

const leafHash = (leaf: Uint8Array): Uint8Array => getBytes(sha256(concat([new Uint8Array([0]), leaf])));
const nodeHash = (left: Uint8Array, right: Uint8Array): Uint8Array =>
  getBytes(sha256(concat([new Uint8Array([1]), left, right])));

export interface MerkleTree {
  root: Uint8Array;
  /** Siblings from leaf `index` up to the root: what proves it. */
  path(index: number): Uint8Array[];
}

export function merkleTree(leaves: readonly Uint8Array[]): MerkleTree {
  if (leaves.length === 0) throw new RangeError('A Merkle tree has at least one leaf.');
  const levels = [leaves.map(leafHash)];
  for (let level = levels[0]!; level.length > 1; levels.push(level)) level = above(level);
  return {
    root: levels.at(-1)![0]!,
    path(index) {
      const path: Uint8Array[] = [];
      let at = index;
      for (const level of levels) {
        const sibling = level[at ^ 1];
        if (sibling) path.push(sibling);
        at >>>= 1;
      }
      return path;
    },
  };
}

function above(level: readonly Uint8Array[]): Uint8Array[] {
  const next: Uint8Array[] = [];
  for (let at = 0; at < level.length; at += 2) {
    const right = level[at + 1];
    next.push(right ? nodeHash(level[at]!, right) : level[at]!);
  }
  return next;
}

/** Whether `leaf` is number `index` of `count` leaves under `root`. `count` is the verifier's own, never the prover's. */
export function isUnderRoot(
  root: Uint8Array,
  leaf: Uint8Array,
  { index, count }: { index: number; count: number },
  path: readonly Uint8Array[],
): boolean {
  if (!Number.isSafeInteger(index) || index < 0 || index >= count) return false;
  let hash = leafHash(leaf);
  let used = 0;
  let at = index;
  for (let width = count; width > 1; width = Math.ceil(width / 2)) {
    if ((at ^ 1) < width) {
      const sibling = path[used];
      if (sibling?.length !== 32) return false;
      used += 1;
      hash = at % 2 === 0 ? nodeHash(hash, sibling) : nodeHash(sibling, hash);
    }
    at = Math.floor(at / 2);
  }
  return used === path.length && root.length === 32 && hash.every((byte, position) => byte === root[position]);
}
