import { CID_BYTES, fromCidBytes, cidBytes, MAX_BLOCK_BYTES } from './address.ts';
import type { Cid } from './content-store.ts';

/**
 * What travels over a `content.blocks` stream. The asking side: 4 bytes number (big-endian, its own choice), 36 bytes
 * CIDv1. The answering side: 4 bytes number, 4 bytes length, the block; length `ABSENT` where there is none.
 */
export const BLOCKS_STREAM = 'content.blocks';

const WANT_BYTES = 4 + CID_BYTES;
const HEAD_BYTES = 8;
const ABSENT = 0xffff_ffff;

export interface Want {
  id: number;
  cid: Cid;
}

export interface Answer {
  id: number;
  bytes: Uint8Array | null;
}

export function encodeWant({ id, cid }: Want): Uint8Array {
  const frame = new Uint8Array(WANT_BYTES);
  new DataView(frame.buffer).setUint32(0, id);
  frame.set(cidBytes(cid), 4);
  return frame;
}

export function encodeHead(id: number, bytes: Uint8Array | null): Uint8Array {
  const frame = new Uint8Array(HEAD_BYTES);
  const view = new DataView(frame.buffer);
  view.setUint32(0, id);
  view.setUint32(4, bytes === null ? ABSENT : bytes.byteLength);
  return frame;
}

/** Cuts a stream of bytes into pieces of the lengths asked for, at most a block; null where it ends before the first byte of one. */
function createCutter(source: AsyncIterable<Uint8Array>) {
  const iterator = source[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array();
  return {
    async take(length: number): Promise<Uint8Array | null> {
      if (length <= rest.byteLength) {
        const piece = rest.subarray(0, length);
        rest = rest.subarray(length);
        return piece;
      }
      const piece = new Uint8Array(length);
      piece.set(rest);
      let have = rest.byteLength;
      rest = new Uint8Array();
      while (have < length) {
        const { value, done } = (await iterator.next()) as IteratorResult<Uint8Array, undefined>;
        if (done === true) {
          if (have === 0) return null;
          throw new Error('the stream ended in the middle of a message');
        }
        const part = value.subarray(0, length - have);
        rest = value.subarray(part.byteLength);
        piece.set(part, have);
        have += part.byteLength;
      }
      return piece;
    },
    close: () => void iterator.return?.(undefined)?.catch(() => undefined),
  };
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** @throws Error, AppError `bad-input` at the first byte that is not as agreed. */
export async function* readWants(source: AsyncIterable<Uint8Array>): AsyncGenerator<Want, void> {
  const cutter = createCutter(source);
  try {
    for (;;) {
      const frame = await cutter.take(WANT_BYTES);
      if (frame === null) return;
      yield { id: viewOf(frame).getUint32(0), cid: fromCidBytes(frame.subarray(4)) };
    }
  } finally {
    cutter.close();
  }
}

/**
 * `expects` is asked before a block's bytes are taken in: false for a number nobody waits for.
 * @throws Error at the first byte that is not as agreed.
 */
export async function* readAnswers(
  source: AsyncIterable<Uint8Array>,
  expects: (id: number) => boolean,
): AsyncGenerator<Answer, void> {
  const cutter = createCutter(source);
  try {
    for (;;) {
      const head = await cutter.take(HEAD_BYTES);
      if (head === null) return;
      const id = viewOf(head).getUint32(0);
      const length = viewOf(head).getUint32(4);
      if (!expects(id)) throw new Error('answered what was not asked');
      if (length === ABSENT) {
        yield { id, bytes: null };
        continue;
      }
      if (length > MAX_BLOCK_BYTES) throw new Error('announced a block that is too large');
      const bytes = await cutter.take(length);
      if (bytes === null && length > 0) throw new Error('the stream ended in the middle of a message');
      yield { id, bytes: bytes ?? new Uint8Array() };
    }
  } finally {
    cutter.close();
  }
}
