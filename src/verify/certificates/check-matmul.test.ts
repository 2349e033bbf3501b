import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FACTOR, challengeRow } from '../../shared/challenge-matrix.ts';
import { keyOfSeed } from '../../shared/seeded-random.ts';
import { merkleTree } from '../merkle.ts';
import { rowsToOpen, verifyMatmul, type MatmulChallenge, type MatmulOpening } from './check-matmul.ts';

const challenge: MatmulChallenge = { key: keyOfSeed(11), rows: 37, inner: 64, columns: 29 };
const open = rowsToOpen(99, challenge.rows, 12);
const secret = { open, seed: 1234 };

type Entry = (factor: 'A' | 'B', row: number, column: number) => number;

const honestEntry: Entry = (factor, row, column) => {
  const length = factor === 'A' ? challenge.inner : challenge.columns;
  return challengeRow(challenge.key, FACTOR[factor], row, length)[column]!;
};

function product(entry: Entry): Int32Array[] {
  const { rows, inner, columns } = challenge;
  const a = Array.from({ length: rows }, (_, i) => Array.from({ length: inner }, (__, t) => entry('A', i, t)));
  const b = Array.from({ length: inner }, (_, t) => Array.from({ length: columns }, (__, j) => entry('B', t, j)));
  return a.map((row) =>
    Int32Array.from({ length: columns }, (_, j) => row.reduce((sum, value, t) => sum + value * b[t]![j]!, 0)),
  );
}

/** What a prover does: commit to all rows, then open those asked for. */
function prove(c: Int32Array[]): { root: Uint8Array; opening: MatmulOpening } {
  const leaves = c.map((row) => {
    const leaf = new DataView(new ArrayBuffer(row.length * 4));
    for (const [j, value] of row.entries()) leaf.setInt32(4 * j, value, true);
    return new Uint8Array(leaf.buffer);
  });
  const tree = merkleTree(leaves);
  const rows = open.map((index) => ({
    index,
    values: Buffer.from(leaves[index]!).toString('base64'),
    path: tree.path(index).map((hash) => Buffer.from(hash).toString('hex')),
  }));
  return { root: tree.root, opening: { rows } };
}

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const honest = product(honestEntry);
const judge = ({ root, opening }: { root: Uint8Array; opening: unknown }) =>
  verifyMatmul(challenge, root, bytes(opening), secret);

test('the true product passes', () => {
  expect(judge(prove(honest))).toMatchObject({ valid: true, reason: '12 of 37 rows opened, all of them the product.' });
});

describe('refused', () => {
  test('one entry of one opened row off by one', () => {
    const forged = honest.map((row) => row.slice());
    const row = forged[open[5]!]!;
    row[7] = row[7]! + 1;
    expect(judge(prove(forged))).toMatchObject({ valid: false, reason: expect.stringContaining('not the product') });
  });

  test('matrices whose entries depend on i + j, whose product costs next to nothing', () => {
    const diagonal = (at: number) => challengeRow(challenge.key, FACTOR.A, 0, 256)[at]!;
    expect(judge(prove(product((_, row, column) => diagonal(row + column))))).toMatchObject({ valid: false });
  });

  test('the product for another seed', () => {
    const other = keyOfSeed(12);
    const forged = product((factor, row, column) => challengeRow(other, FACTOR[factor], row, 64)[column]!);
    expect(judge(prove(forged))).toMatchObject({ valid: false });
  });

  test('true rows that were not committed to', () => {
    const idle = prove(honest.map((row) => row.map(() => 0)));
    expect(judge({ root: idle.root, opening: prove(honest).opening })).toMatchObject({
      valid: false,
      reason: expect.stringContaining('not under the root'),
    });
  });

  test('rows out of the range that an honest product can have', () => {
    const forged = honest.map((row) => row.map((value) => value + 2 ** 30));
    expect(judge(prove(forged)).checks.find((check) => !check.ok)?.name).toBe('rows with impossible entries');
  });

  test('other rows, fewer rows, the same row twice, sizes of its own, more bytes than asked for', () => {
    const { root, opening } = prove(honest);
    const rows = opening.rows;
    for (const forged of [
      { rows: rows.slice(1) },
      { rows: [rows[1], ...rows.slice(1)] },
      { rows: rows.map((row) => ({ ...row, index: row.index + 1 })) },
      { rows: rows.map((row) => ({ ...row, values: row.values.slice(0, 8) })) },
      { rows: rows.map((row) => ({ ...row, path: [] })) },
      { ...opening, columns: 1 },
      { rows: [...rows, ...rows, ...rows, ...rows, ...rows, ...rows, ...rows, ...rows, ...rows, ...rows] },
    ]) {
      expect(judge({ root, opening: forged })).toMatchObject({ valid: false });
    }
  });

  test('any bytes, any JSON', () => {
    const { root } = prove(honest);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (file) => {
        expect(verifyMatmul(challenge, root, file, secret).valid).toBe(false);
      }),
    );
    fc.assert(fc.property(fc.json(), (json) => !judge({ root, opening: JSON.parse(json) }).valid));
  });
});

test('the largest sums stay exact: 32768 terms against whole numbers without limit', () => {
  const wide: MatmulChallenge = { key: keyOfSeed(3), rows: 1, inner: 2, columns: 32_768 };
  const a = challengeRow(wide.key, FACTOR.A, 0, 2);
  const b = [0, 1].map((t) => challengeRow(wide.key, FACTOR.B, t, wide.columns));
  const row = Int32Array.from({ length: wide.columns }, (_, j) => a[0]! * b[0]![j]! + a[1]! * b[1]![j]!);
  const leaf = new Uint8Array(row.buffer);
  const opening = bytes({ rows: [{ index: 0, values: Buffer.from(leaf).toString('base64'), path: [] }] });
  const { root } = merkleTree([leaf]);
  for (const seed of [1, 2, 3])
    expect(verifyMatmul(wide, root, opening, { open: [0], seed })).toMatchObject({ valid: true });
});

test('rows to open are drawn anew for each seed, never twice the same', () => {
  expect(rowsToOpen(1, 1000, 128)).toHaveLength(128);
  expect(new Set(rowsToOpen(1, 1000, 128)).size).toBe(128);
  expect(rowsToOpen(1, 1000, 128)).not.toEqual(rowsToOpen(2, 1000, 128));
  expect(rowsToOpen(1, 5, 128)).toEqual([0, 1, 2, 3, 4]);
});

test('challenges too large to check exactly are not judged', () => {
  expect(() => verifyMatmul({ ...challenge, inner: 32_769 }, new Uint8Array(32), bytes({}), secret)).toThrow(
    RangeError,
  );
});
