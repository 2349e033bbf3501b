import { z } from 'zod';
import { toCid } from '../content/address.ts';
import type { ContentStore } from '../content/content-store.ts';
import { serveBlocks } from '../content/serve-blocks.ts';
import type { PeerStream } from '../peer/peer-link.ts';
import { AppError, toAppError } from '../shared/errors.ts';

const paramsSchema = z.object({ root: z.string().max(128) });

/**
 * Takes over a `content.blocks` stream: refused at once where the reader may not have the content, else answered until its
 * end while the caller goes on.
 * @throws AppError bad-input, not-allowed, not-found
 */
export function serveContent(stream: PeerStream, store: ContentStore, mayRead: (root: string) => boolean): void {
  const params = paramsSchema.safeParse(stream.params);
  if (!params.success) throw new AppError('bad-input', 'The stream does not say which content it is about.');
  const root = toCid(params.data.root, 'root');
  if (!mayRead(root)) throw new AppError('not-allowed', 'This content is not shared with you.', { field: root });
  if (!store.has(root)) throw new AppError('not-found', 'This content is not here.', { field: root });
  serveBlocks(stream, store, mayRead).catch((thrown: unknown) => stream.abort(toAppError(thrown).message));
}
