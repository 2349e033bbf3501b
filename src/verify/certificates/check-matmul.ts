/**
 * A matrix product by Freivalds' check (1977) on opened rows: `C_i · r = A_i · (B r)` modulo 2^31 - 1, with r the verifier's
 * secret until the product is committed to. A wrong row passes with a chance of 2^-31. Both factors come from the verifier's
 * seed and sizes; the prover gives a Merkle root over the rows first and the rows asked for afterwards.
 */
import { z } from 'zod';
import { FACTOR, challengeRow } from '../../shared/challenge-matrix.ts';
import { seededRandom } from '../../shared/seeded-random.ts';
import { isUnderRoot } from '../merkle.ts';
import { atMost, refused, verdictOf, type Verdict } from './verdict.ts';

/** 2^31 - 1, a prime. */
const PRIME = 2_147_483_647;
/** Keeps every sum below 2^53: what a double holds exactly. */
const MAX_SIZE = 32_768;
const LARGEST_ENTRY = 64;

/** A is rows × inner, B is inner × columns. */
export interface MatmulChallenge {
  /** 32 bytes. */
  key: Uint8Array;
  rows: number;
  inner: number;
  columns: number;
}

const openingSchema = z.strictObject({
  rows: z.array(
    z.strictObject({
      index: z.int().min(0),
      /** The row as 32-bit integers, little-endian, in base64: as bytes it is the leaf of the tree. */
      values: z.base64(),
      /** Siblings from the leaf up, 64 hexadecimal digits each. */
      path: z.array(z.string().regex(/^[0-9a-f]{64}$/)).max(16),
    }),
  ),
});
export type MatmulOpening = z.infer<typeof openingSchema>;

/** Which rows the verifier asks for: different ones, in rising order, not to be foretold without its seed. */
export function rowsToOpen(seed: number, rows: number, count: number): number[] {
  const random = seededRandom(seed, 4);
  const drawn = new Set<number>();
  while (drawn.size < Math.min(rows, count)) drawn.add(Math.floor(random() * rows));
  return [...drawn].toSorted((a, b) => a - b);
}

/**
 * Judges opened rows; never throws for what `opening` holds.
 * @param root as committed before `open` and `seed` were told.
 * @param open the rows asked for.
 * @param seed the verifier's own, for r.
 * @throws RangeError for a challenge too large to be checked exactly.
 */
export function verifyMatmul(
  challenge: MatmulChallenge,
  root: Uint8Array,
  opening: Uint8Array,
  { open, seed }: { open: readonly number[]; seed: number },
): Verdict {
  const { key, rows, inner, columns } = challenge;
  if ([rows, inner, columns].some((size) => !(size >= 1 && size <= MAX_SIZE))) {
    throw new RangeError(`Sizes must be from 1 to ${MAX_SIZE}.`);
  }
  const mostBytes = 64 + open.length * (Math.ceil((columns * 4) / 3) * 4 + 16 * 70 + 128);
  if (opening.length > mostBytes)
    return refused(`Wrong: ${opening.length} bytes, at most ${mostBytes} were asked for.`);
  const read = readOpening(opening);
  if (!read) return refused('Wrong: not an opening in the agreed form.');
  if (read.rows.length !== open.length || read.rows.some((row, at) => row.index !== open[at])) {
    return refused('Wrong: other rows than those asked for.');
  }

  const random = seededRandom(seed, 5);
  const r = Float64Array.from({ length: columns }, () => Math.floor(random() * PRIME));
  const br = Float64Array.from({ length: inner }, (_, i) => residue(dot(challengeRow(key, FACTOR.B, i, columns), r)));

  let foreign = 0;
  let tooLarge = 0;
  let wrong = 0;
  for (const { index, values, path } of read.rows) {
    const leaf = Uint8Array.from(atob(values), (letter) => letter.charCodeAt(0));
    if (leaf.length !== columns * 4) return refused(`Wrong: row ${index} does not have ${columns} entries.`);
    if (!isUnderRoot(root, leaf, { index, count: rows }, path.map(fromHex))) foreign += 1;
    const view = new DataView(leaf.buffer);
    const row = Int32Array.from({ length: columns }, (_, j) => view.getInt32(4 * j, true));
    // Larger entries could not be honest, and would leave what doubles add exactly.
    if (row.some((entry) => Math.abs(entry) > LARGEST_ENTRY * inner)) {
      tooLarge += 1;
      continue;
    }
    const expected = residue(dot(challengeRow(key, FACTOR.A, index, inner), br));
    if (dotModulo(row, r) !== expected) wrong += 1;
  }
  return verdictOf(
    [
      atMost('rows that are not under the root', foreign, 0),
      atMost('rows with impossible entries', tooLarge, 0),
      atMost('rows that are not the product', wrong, 0),
    ],
    `${open.length} of ${rows} rows opened, all of them the product.`,
  );
}

function readOpening(bytes: Uint8Array): MatmulOpening | undefined {
  try {
    return openingSchema.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))).data;
  } catch {
    return undefined;
  }
}

const fromHex = (hex: string): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, at) => Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16));

/** From 0 to PRIME - 1, exact for whole numbers below 2^53. */
function residue(value: number): number {
  const rest = value % PRIME;
  return rest < 0 ? rest + PRIME : rest + 0;
}

/** Exact: entries are at most 8 in size, r below 2^31, terms at most 2^15. */
function dot(entries: Int8Array, r: Float64Array): number {
  let sum = 0;
  for (let j = 0; j < entries.length; j += 1) sum += entries[j]! * r[j]!;
  return sum;
}

/** Exact: entries are at most 2^21 in size, so r is taken in two halves. */
function dotModulo(entries: Int32Array, r: Float64Array): number {
  let high = 0;
  let low = 0;
  for (let j = 0; j < entries.length; j += 1) {
    const upper = Math.floor(r[j]! / 65_536);
    high += entries[j]! * upper;
    low += entries[j]! * (r[j]! - upper * 65_536);
  }
  return residue(residue(high) * 65_536 + residue(low));
}
