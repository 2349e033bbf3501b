import { closeSync, openSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { LogChunk } from '../engine.ts';

/** Bytes of both outputs that are kept. */
export const MAX_LOG_BYTES = 16 * 1024 ** 2;
const MAX_FRAME = 65_536;
const HEADER = 5;
const CUT = new TextEncoder().encode('\n[The rest of the output is left out: it passed 16 MiB.]\n');

export interface RunLog {
  write(stream: 1 | 2, bytes: Uint8Array): void;
  close(): void;
}

/** Appends frames (stream, length as uint32 big-endian, bytes) until the cap, then says so once and drops the rest. */
export function openRunLog(file: string, maxBytes = MAX_LOG_BYTES): RunLog {
  const handle = openSync(file, 'a', 0o600);
  let left = maxBytes;
  const frame = (stream: 1 | 2, bytes: Uint8Array): void => {
    const framed = Buffer.alloc(HEADER + bytes.length);
    framed[0] = stream;
    framed.writeUInt32BE(bytes.length, 1);
    framed.set(bytes, HEADER);
    writeSync(handle, framed);
  };
  return {
    write(stream, bytes) {
      for (let at = 0; at < bytes.length && left > 0; at += MAX_FRAME) {
        const piece = bytes.subarray(at, Math.min(at + MAX_FRAME, at + left));
        frame(stream, piece);
        left -= piece.length;
        if (left === 0) frame(2, CUT);
      }
    },
    close: () => closeSync(handle),
  };
}

async function exactly(file: FileHandle, at: number, bytes: number): Promise<Buffer | null> {
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await file.read(buffer, 0, bytes, at);
  return bytesRead === bytes ? buffer : null;
}

/**
 * The frames from the byte `fromByte` of both outputs on. At the end of the file `more` is asked: true once something may
 * have come, false when nothing will come any more.
 */
export async function* readRunLog(
  name: string,
  fromByte: number,
  more: () => Promise<boolean>,
): AsyncGenerator<LogChunk, void> {
  let file: FileHandle | null = null;
  let at = 0;
  let skip = Math.max(0, Math.floor(fromByte));
  try {
    for (;;) {
      file ??= await open(name, 'r').catch(() => null);
      const header = file === null ? null : await exactly(file, at, HEADER);
      const length = header?.readUInt32BE(1) ?? 0;
      // A frame that is being written is not there yet.
      const bytes = header === null || file === null ? null : await exactly(file, at + HEADER, length);
      if (header === null || bytes === null) {
        if (await more()) continue;
        return;
      }
      at += HEADER + length;
      const skipped = Math.min(skip, length);
      skip -= skipped;
      if (skipped < length) yield { stream: header[0] === 2 ? 2 : 1, bytes: bytes.subarray(skipped) };
    }
  } finally {
    await file?.close();
  }
}
