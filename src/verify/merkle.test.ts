import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isUnderRoot, merkleTree } from './merkle.ts';

const leaves = (count: number) => Array.from({ length: count }, (_, at) => Uint8Array.of(at, at >> 8));

test('the roots of RFC 9162: one empty leaf, and the known tree of eight', () => {
  // Test vectors of the Certificate Transparency reference implementation (merkletree/tree_test).
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
  const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
  const known = inputs.map((text) => Uint8Array.from(Buffer.from(text, 'hex')));
  expect(hex(merkleTree(known.slice(0, 1)).root)).toBe(
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  );
  expect(hex(merkleTree(known.slice(0, 3)).root)).toBe(
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  );
  expect(hex(merkleTree(known).root)).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328');
});

test('every leaf of every size of tree is proven by its own path and by nothing else', () => {
  for (const count of [1, 2, 3, 5, 8, 13]) {
    const tree = merkleTree(leaves(count));
    for (const [index, leaf] of leaves(count).entries()) {
      const path = tree.path(index);
      expect(isUnderRoot(tree.root, leaf, { index, count }, path)).toBe(true);
      expect(isUnderRoot(tree.root, Uint8Array.of(99, 99), { index, count }, path)).toBe(false);
      expect(isUnderRoot(tree.root, leaf, { index: index + 1, count }, path)).toBe(false);
      expect(isUnderRoot(tree.root, leaf, { index: index - 1, count }, path)).toBe(false);
      expect(isUnderRoot(tree.root, leaf, { index, count }, [...path, new Uint8Array(32)])).toBe(false);
      expect(isUnderRoot(tree.root, leaf, { index, count: count * 2 + 1 }, path)).toBe(false);
    }
  }
});

test('an inner node does not pass for a leaf', () => {
  const tree = merkleTree(leaves(4));
  const [first, second] = [tree.path(1)[0]!, tree.path(0)[0]!];
  const forged = Uint8Array.of(...first, ...second);
  expect(isUnderRoot(tree.root, forged, { index: 0, count: 2 }, tree.path(0).slice(1))).toBe(false);
});

test('any other path fails', () => {
  const tree = merkleTree(leaves(6));
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }), fc.integer(), (path, index) => {
      expect(isUnderRoot(tree.root, leaves(6)[0]!, { index, count: 6 }, path)).toBe(false);
    }),
  );
});
