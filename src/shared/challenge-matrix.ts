/**
 * Matrices for a proof of work done: whole numbers from -8 to 7, each from its own four bits of a counter-mode cipher's
 * stream, so that nothing about a row or a diagonal can be foretold from another. Products of up to 32768 terms are exact in
 * single precision, the same bits on every card.
 */
import { keystream } from './seeded-random.ts';

/** Which of the two factors; the number is part of the cipher's nonce. */
export const FACTOR = { A: 0x41, B: 0x42 } as const;
export type Factor = (typeof FACTOR)[keyof typeof FACTOR];

/** Row `row` of a factor. Byte t of the stream holds entry 2t in its lower and 2t + 1 in its upper half, each less 8. */
export function challengeRow(key: Uint8Array, factor: Factor, row: number, length: number): Int8Array {
  const stream = keystream(key, { stream: factor, lane: row }, 0, Math.ceil(length / 2));
  const entries = new Int8Array(length);
  for (let j = 0; j < length; j += 1) {
    const byte = stream[j >> 1]!;
    entries[j] = (j % 2 === 0 ? byte & 15 : byte >> 4) - 8;
  }
  return entries;
}
