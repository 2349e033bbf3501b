/**
 * Random numbers that everybody draws alike: the keystream of ChaCha20 (RFC 8439), a counter-mode cipher, so that any part
 * of a stream can be had without the ones before it. Not a source of secrets: who knows the seed knows the numbers.
 */
import { chacha20 } from '@noble/ciphers/chacha.js';

const BLOCK_BYTES = 64;
const BATCH_BYTES = 1024;

/** A 32-byte key from a whole number: its 8 bytes little-endian, then zeros. */
export function keyOfSeed(seed: number): Uint8Array {
  const key = new Uint8Array(32);
  new DataView(key.buffer).setBigUint64(0, BigInt(seed), true);
  return key;
}

/** Bytes `start … start + length` of the keystream (`start` a multiple of 64); `stream` and `lane` make the nonce. */
export function keystream(
  key: Uint8Array,
  place: { stream: number; lane: number },
  start: number,
  length: number,
): Uint8Array {
  const nonce = new Uint8Array(12);
  const view = new DataView(nonce.buffer);
  view.setUint32(0, place.stream, true);
  view.setBigUint64(4, BigInt(place.lane), true);
  return chacha20(key, nonce, new Uint8Array(length), undefined, start / BLOCK_BYTES);
}

/** Draws from [0, 1) in steps of 2^-53, a different endless row of them for every (seed, stream). */
export function seededRandom(seed: number, stream: number): () => number {
  const key = keyOfSeed(seed);
  let batch = -1;
  let view: DataView = new DataView(new ArrayBuffer(0));
  let at = 0;
  return () => {
    if (at === view.byteLength) {
      batch += 1;
      view = new DataView(keystream(key, { stream, lane: 0 }, batch * BATCH_BYTES, BATCH_BYTES).buffer);
      at = 0;
    }
    const high = view.getUint32(at, true) >>> 5;
    const low = view.getUint32(at + 4, true) >>> 6;
    at += 8;
    return (high * 67_108_864 + low) / 9_007_199_254_740_992;
  };
}
