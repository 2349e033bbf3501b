import http, { type IncomingMessage } from 'node:http';
import type { PeerConnection, PeerStream } from '../peer/peer-link.ts';
import { AppError } from '../shared/errors.ts';
import { MAX_BLOCK_BYTES } from './address.ts';
import { BLOCKS_STREAM, encodeWant, readAnswers } from './block-frames.ts';
import type { Cid } from './content-store.ts';
import { httpGet } from './http-get.ts';

/** Where blocks come from. What it hands out is compared with the address by whoever asked. */
export interface BlockSource {
  readonly name: string;
  /** Null where the source does not have it. @throws Error where the source fails. */
  get(cid: Cid, signal: AbortSignal): Promise<Uint8Array | null>;
  close(): void;
}

/** A machine we are connected to, or an IPFS gateway that this computer's owner named: `https://host[/prefix]`. */
export type ContentSource = { peer: PeerConnection } | { gateway: string };

/** Silence of a peer, while it owes us blocks, after which it counts as gone. */
const PEER_IDLE_MS = 60_000;

/** @throws AppError the peer's refusal. */
export async function openPeerSource(peer: PeerConnection, root: Cid, signal: AbortSignal): Promise<BlockSource> {
  const stream = await peer.open(BLOCKS_STREAM, { root }, { bulk: true, signal });
  const waiting = new Map<number, PromiseWithResolvers<Uint8Array | null>>();
  let nextId = 0;
  let failure: Error | null = null;
  let heard = setTimeout(() => undefined, 0);

  function fail(thrown: unknown): void {
    failure ??= thrown instanceof Error ? thrown : new Error('the stream ended');
    clearTimeout(heard);
    stream.abort(failure.message);
    for (const answer of waiting.values()) answer.reject(failure);
    waiting.clear();
  }
  function rearm(): void {
    clearTimeout(heard);
    if (waiting.size > 0) heard = setTimeout(() => fail(new Error('the other machine went silent')), PEER_IDLE_MS);
  }
  async function listen(): Promise<void> {
    for await (const { id, bytes } of readAnswers(watched(stream, rearm), (asked) => waiting.has(asked))) {
      const answer = waiting.get(id);
      waiting.delete(id);
      rearm();
      answer?.resolve(bytes);
    }
    throw new Error('the other machine ended the transfer');
  }
  listen().catch(fail);

  return {
    name: `peer ${peer.remote.peerKey.slice(0, 10)}`,
    async get(cid) {
      if (failure !== null) throw failure;
      const id = nextId;
      nextId += 1;
      const answer = Promise.withResolvers<Uint8Array | null>();
      waiting.set(id, answer);
      rearm();
      stream.write(encodeWant({ id, cid })).catch(fail);
      return answer.promise;
    },
    close() {
      fail(new AppError('cancelled', 'The transfer is over.'));
    },
  };
}

async function* watched(stream: PeerStream, onBytes: () => void): AsyncGenerator<Uint8Array, void> {
  for await (const bytes of stream.bytes) {
    onBytes();
    yield bytes;
  }
}

/** `GET {gateway}/ipfs/{cid}?format=raw`; redirects are refused, bodies over 2 MiB too. */
export function openGatewaySource(gateway: string): BlockSource {
  const base = gateway.replace(/\/+$/, '');
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
  return {
    name: base,
    async get(cid, signal) {
      const response = await httpGet(`${base}/ipfs/${cid}?format=raw`, {
        headers: { accept: 'application/vnd.ipld.raw' },
        signal,
        // The owner of this computer chose it; it may well be a node of their own.
        allowPrivate: true,
        redirects: 0,
        agent,
      });
      if (response.statusCode === 404 || response.statusCode === 410) {
        response.destroy();
        return null;
      }
      if (response.statusCode !== 200) {
        response.destroy();
        throw new Error(`it answered ${response.statusCode}`);
      }
      return readBody(response, MAX_BLOCK_BYTES);
    },
    close: () => agent.destroy(),
  };
}

async function readBody(response: IncomingMessage, limit: number): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.byteLength;
    if (size > limit) {
      response.destroy();
      throw new Error('it answered with more than a block');
    }
    parts.push(part);
  }
  if (!response.complete) throw new Error('the answer broke off');
  return Buffer.concat(parts);
}
