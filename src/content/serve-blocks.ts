import { z } from 'zod';
import type { PeerStream } from '../peer/peer-link.ts';
import { AppError } from '../shared/errors.ts';
import { toCid } from './address.ts';
import { encodeHead, readWants } from './block-frames.ts';
import type { Cid, ContentStore } from './content-store.ts';
import { inOrder } from './in-order.ts';

const paramsSchema = z.object({ root: z.string().max(128) });

/** Blocks read at once while one is being sent. */
const AHEAD = 4;

export interface Served {
  blocks: number;
  bytes: number;
}

/**
 * Answers a `content.blocks` stream until its end: every block of the one root it was opened for, nothing else.
 * Wants are read only as fast as the other side reads blocks, so nothing piles up here.
 * @throws AppError `not-allowed` or `not-found` before the stream is taken.
 */
export async function serveBlocks(
  stream: PeerStream,
  store: ContentStore,
  mayRead: (root: Cid) => boolean,
): Promise<Served> {
  const params = paramsSchema.safeParse(stream.params);
  if (!params.success) throw new AppError('bad-input', 'The stream does not say which content it is about.');
  const root = toCid(params.data.root, 'root');
  if (!mayRead(root)) throw new AppError('not-allowed', 'This content is not shared with you.', { field: root });
  if (!store.has(root)) throw new AppError('not-found', 'This content is not here.', { field: root });
  const served: Served = { blocks: 0, bytes: 0 };
  const answers = inOrder(readWants(stream.bytes), AHEAD, async ({ id, cid }) => ({
    id,
    bytes: await store.blocks.get(root, cid),
  }));
  for await (const { id, bytes } of answers) {
    await stream.write(encodeHead(id, bytes));
    if (bytes === null) continue;
    await stream.write(bytes);
    served.blocks += 1;
    served.bytes += bytes.byteLength;
  }
  await stream.end();
  return served;
}

/**
 * One block for `GET /ipfs/{cid}?format=raw`, when it belongs to content that anybody may read; null otherwise, and
 * for what is no address at all.
 */
export const serveGateway =
  (store: ContentStore, mayRead: (root: Cid) => boolean) =>
  async (text: string): Promise<Uint8Array | null> => {
    let cid: Cid;
    try {
      cid = toCid(text);
    } catch {
      return null;
    }
    for (const root of store.blocks.holders(cid)) {
      if (!mayRead(root) || !store.has(root)) continue;
      const bytes = await store.blocks.get(root, cid);
      if (bytes !== null) return bytes;
    }
    return null;
  };
