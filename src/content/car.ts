import http from 'node:http';
import https from 'node:https';
import { once } from 'node:events';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CarWriter } from '@ipld/car/writer';
import { z } from 'zod';
import { AppError } from '../shared/errors.ts';
import { isRaw, toCid, toLink } from './address.ts';
import type { Cid, ContentStore } from './content-store.ts';
import { checkUrl } from './http-get.ts';
import { childrenOf } from './nodes.ts';

/** All blocks below a root, each once, the root first. @throws AppError `not-found`. */
async function* allBlocks(store: ContentStore, root: Cid): AsyncGenerator<{ cid: Cid; bytes: Uint8Array }, void> {
  const waiting = [root];
  const seen = new Set(waiting);
  for (let cid = waiting.pop(); cid !== undefined; cid = waiting.pop()) {
    const bytes = await store.blocks.get(root, cid);
    if (bytes === null) throw new AppError('not-found', 'This content is not here, or not completely.', { field: cid });
    yield { cid, bytes };
    if (isRaw(cid)) continue;
    for (const child of childrenOf(cid, bytes).toReversed()) {
      if (seen.has(child)) continue;
      seen.add(child);
      waiting.push(child);
    }
  }
}

function carOf(store: ContentStore, text: Cid): Readable {
  const root = toCid(text);
  const { writer, out } = CarWriter.create([toLink(root)]);
  const car = Readable.from(out, { objectMode: false });
  const fill = async () => {
    for await (const { cid, bytes } of allBlocks(store, root)) {
      if (car.destroyed) return;
      await writer.put({ cid: toLink(cid), bytes });
    }
    await writer.close();
  };
  fill().catch((thrown: unknown) => car.destroy(thrown as Error));
  return car;
}

/** Writes the whole tree as a CAR (version 1) and ends the stream. @throws AppError `not-found`. */
export async function writeCar(
  store: ContentStore,
  cid: Cid,
  to: Writable,
  options: { signal?: AbortSignal } = {},
): Promise<void> {
  await pipeline(carOf(store, cid), to, options);
}

const imported = z.object({
  Root: z.object({ Cid: z.object({ '/': z.string() }), PinErrorMsg: z.string().optional() }),
});
const MAX_ANSWER = 64 * 1024;

/**
 * Gives the whole tree to the user's own Kubo node and pins it there. `api` is the node's RPC address, such as
 * `http://127.0.0.1:5001`; being the user's own, it may be anywhere.
 * @throws AppError `network-down`, `peer-refused` with the node's words, `not-found`, `cancelled`.
 */
export async function pushCarToKubo(
  store: ContentStore,
  api: string,
  text: Cid,
  { signal }: { signal?: AbortSignal } = {},
): Promise<void> {
  const cid = toCid(text);
  const url = checkUrl(`${api.replace(/\/+$/, '')}/api/v0/dag/import?pin-roots=true`, true);
  const boundary = `commonwatt-${cid}`;
  const request = (url.protocol === 'https:' ? https : http).request(url, {
    method: 'POST',
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}`, 'user-agent': 'commonwatt' },
    ...(signal === undefined ? {} : { signal }),
  });
  const answer = once(request, 'response') as Promise<[http.IncomingMessage]>;
  answer.catch(() => undefined);
  async function* body() {
    const type =
      'Content-Disposition: form-data; name="file"; filename="content.car"\r\nContent-Type: application/vnd.ipld.car';
    yield Buffer.from(`--${boundary}\r\n${type}\r\n\r\n`);
    yield* carOf(store, cid) as AsyncIterable<Buffer>;
    yield Buffer.from(`\r\n--${boundary}--\r\n`);
  }
  try {
    // A node that refuses answers before it has read everything.
    const sent = pipeline(Readable.from(body(), { objectMode: false }), request);
    const [response] = await Promise.race([answer, sent.then(() => answer)]);
    let words = '';
    for await (const part of response.setEncoding('utf8') as AsyncIterable<string>) {
      words += part;
      if (words.length > MAX_ANSWER) break;
    }
    check(cid, response.statusCode ?? 0, words);
    await sent;
  } catch (thrown) {
    request.destroy();
    if (signal?.aborted === true) throw new AppError('cancelled', 'Cancelled.', { cause: thrown });
    if (thrown instanceof AppError) throw thrown;
    throw new AppError('network-down', 'Your IPFS node could not be reached.', {
      field: 'api',
      next: 'Check that it runs and that its address is right.',
      cause: thrown,
    });
  }
}

function check(cid: Cid, status: number, words: string): void {
  const said = words.trim().slice(0, 300);
  const roots = said.split('\n').flatMap((line) => {
    try {
      const parsed = imported.safeParse(JSON.parse(line));
      return parsed.success ? [parsed.data.Root] : [];
    } catch {
      return [];
    }
  });
  const ours = roots.find((root) => root.Cid['/'] === cid);
  if (status === 200 && ours !== undefined && (ours.PinErrorMsg ?? '') === '') return;
  throw new AppError('peer-refused', `Your IPFS node did not take it: ${ours?.PinErrorMsg ?? (said || status)}.`, {
    field: 'api',
  });
}
