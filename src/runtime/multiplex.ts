/** One piece of a container's output: 1 is standard output, 2 standard error. */
export interface OutputChunk {
  stream: 1 | 2;
  bytes: Uint8Array;
}

const HEADER = 8;

/**
 * Splits Docker's multiplexed stream (header: stream, three zero bytes, length as uint32 big-endian) into chunks. Frames
 * are handed on as they arrive, never collected, so a frame that claims 4 GiB costs no memory.
 * @throws Error when the bytes are not such a stream.
 */
export function createDemultiplexer(): (bytes: Uint8Array) => OutputChunk[] {
  const header = new Uint8Array(HEADER);
  let have = 0;
  let left = 0;
  let stream: 1 | 2 = 1;
  return (bytes) => {
    const chunks: OutputChunk[] = [];
    let at = 0;
    while (at < bytes.length) {
      if (left > 0) {
        const piece = bytes.subarray(at, at + left);
        chunks.push({ stream, bytes: piece });
        left -= piece.length;
        at += piece.length;
        continue;
      }
      const piece = bytes.subarray(at, at + HEADER - have);
      header.set(piece, have);
      have += piece.length;
      at += piece.length;
      if (have < HEADER) break;
      have = 0;
      // Stream 0 is "standard input echoed", which some engines use for standard output; 3 carries the engine's own errors.
      const kind = header[0] ?? 255;
      if (kind > 3 || header[1] !== 0 || header[2] !== 0 || header[3] !== 0)
        throw new Error('Not a multiplexed stream.');
      stream = kind >= 2 ? 2 : 1;
      left = new DataView(header.buffer).getUint32(4);
    }
    return chunks;
  };
}

/** The chunks of a multiplexed byte source; reads only as fast as it is read. */
export async function* demultiplex(source: AsyncIterable<Uint8Array>): AsyncGenerator<OutputChunk, void> {
  const next = createDemultiplexer();
  for await (const bytes of source) yield* next(bytes);
}
