import { expect, test } from 'vitest';
import { FACTOR, challengeRow } from './challenge-matrix.ts';
import { keyOfSeed, keystream, seededRandom } from './seeded-random.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test('the keystream is that of RFC 8439, section 2.3.2', () => {
  const key = Uint8Array.from({ length: 32 }, (_, at) => at);
  // Nonce 00 00 00 09 00 00 00 4a 00 00 00 00, block 1.
  const block = keystream(key, { stream: 0x09_00_00_00, lane: 0x4a_00_00_00 }, 64, 64);
  expect(hex(block)).toBe(
    '10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4' +
      'ed2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e',
  );
});

test('draws are the same everywhere, differ by stream and seed, and lie in [0, 1)', () => {
  const draws = (seed: number, stream: number, count: number) =>
    Array.from({ length: count }, seededRandom(seed, stream));
  expect(draws(1, 0, 3)).toEqual(draws(1, 0, 300).slice(0, 3));
  expect(draws(1, 0, 3)).not.toEqual(draws(1, 1, 3));
  expect(draws(1, 0, 3)).not.toEqual(draws(2, 0, 3));
  const many = draws(7, 0, 20_000);
  expect(many.every((value) => value >= 0 && value < 1)).toBe(true);
  const mean = many.reduce((sum, value) => sum + value, 0) / many.length;
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.01);
});

test('challenge entries are whole numbers from -8 to 7, evenly, and not a function of i + j', () => {
  const key = keyOfSeed(5);
  const rows = Array.from({ length: 200 }, (_, i) => challengeRow(key, FACTOR.A, i, 200));
  const counts = new Map<number, number>();
  for (const value of rows.flatMap((row) => [...row])) counts.set(value, (counts.get(value) ?? 0) + 1);
  expect([...counts.keys()].toSorted((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, at) => at - 8));
  expect([...counts.values()].every((count) => Math.abs(count - 2500) < 300)).toBe(true);
  let alike = 0;
  for (let i = 1; i < 200; i += 1) for (let j = 0; j < 199; j += 1) if (rows[i]![j] === rows[i - 1]![j + 1]) alike += 1;
  expect(alike / (199 * 199)).toBeLessThan(0.08);
  expect(challengeRow(key, FACTOR.B, 3, 200)).not.toEqual(rows[3]);
  expect(challengeRow(key, FACTOR.A, 3, 7)).toEqual(rows[3]!.slice(0, 7));
});
