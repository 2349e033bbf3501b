import { StandardRPCHandler } from '@orpc/server/standard';
import {
  encodeResponseMessage,
  experimental_ServerPeerWithoutCodec as ServerPeer,
  type DecodedRequestMessage,
} from '@orpc/standard-server-peer';
import type { Logger } from 'pino';
import { z } from 'zod';
import { creditOf, MAX_FRAME_BYTES, STREAM_HEADER, STREAM_WINDOW, toWireError } from '../../api/wire.ts';
import { AppError } from '../../shared/errors.ts';
import { StreamGate } from './guarded-stream.ts';
import { callOptions, type ApiRouter, type TransportContext } from './router.ts';

/** The transport's half: sends text frames, and can give up on the caller. */
export interface ServerLine {
  /** A promise where the reader is behind: the next frame waits for it. */
  send(frame: string): void | Promise<void>;
  /** After too many frames that are not ours. */
  refuse(reason: string): void;
}

export interface RpcLine {
  receive(frame: unknown): void;
  /** The caller is gone: every running call is aborted. */
  closed(): void;
}

export type RpcServer = (line: ServerLine) => RpcLine;

const REQUEST = 1;
const ABORT = 4;
const MAX_CALLS = 4096;
const MAX_BAD_FRAMES = 16;

const header = z.union([z.string().max(200), z.array(z.string().max(200)).max(4)]);
const frameSchema = z.union([
  z.object({ i: z.string().min(1).max(64), t: z.literal(ABORT), p: z.unknown().optional() }),
  z.object({
    i: z.string().min(1).max(64),
    t: z.literal(REQUEST).optional(),
    p: z.object({
      u: z.string().min(1).max(500).startsWith('/'),
      b: z.unknown().optional(),
      h: z.record(z.string().max(100), header).optional(),
      m: z.string().max(10).optional(),
    }),
  }),
]);

/** Speaks the typed interface over any line of text frames: one of these per connection. */
export function createRpcServer(router: ApiRouter, log: Logger): RpcServer {
  const handler = new StandardRPCHandler<TransportContext>(router, callOptions(log));

  return (line) => {
    const gates = new Map<string, StreamGate>();
    let running = 0;
    let badFrames = 0;

    const peer = new ServerPeer(async ([id, type, payload]) => {
      await line.send((await encodeResponseMessage(id, type, payload)) as string);
    });

    const answerBadFrame = (why: string) => {
      badFrames++;
      log.warn({ why, badFrames }, 'a frame was refused');
      const error = new AppError('bad-input', why, { next: 'Send one JSON text frame per call.' });
      void line.send(JSON.stringify({ error }));
      if (badFrames >= MAX_BAD_FRAMES) line.refuse('too many frames that could not be read');
    };

    const call = async (id: string, message: z.infer<typeof frameSchema>) => {
      if (message.t === ABORT) {
        await peer.message([id, ABORT, undefined] as unknown as DecodedRequestMessage, unanswered);
        return;
      }
      const { u, b, h = {} } = message.p;
      const stream = h[STREAM_HEADER];
      const gate = typeof stream === 'string' ? new StreamGate(STREAM_WINDOW) : undefined;
      if (gate) gates.set(stream as string, gate);
      running++;
      try {
        const request = { url: new URL(u, 'http://orpc'), method: 'POST', headers: {}, body: b };
        await peer.message([id, REQUEST, request] as unknown as DecodedRequestMessage, async (received) => {
          if (running > MAX_CALLS) return failure(new AppError('busy', 'Too many calls at once on one connection.'));
          const { matched, response } = await handler.handle(
            { ...received, body: () => Promise.resolve(received.body) },
            { context: gate ? { gate } : {} },
          );
          if (matched) return response;
          const name = u.slice(1).replaceAll('/', '.').slice(0, 100);
          return failure(new AppError('not-found', `There is no call named ${name}.`, { field: name }));
        });
      } finally {
        running--;
        if (gate && gates.get(stream as string) === gate) gates.delete(stream as string);
      }
    };

    return {
      receive(frame) {
        if (typeof frame !== 'string') return answerBadFrame('A frame must be text.');
        if (frame.length > MAX_FRAME_BYTES) return answerBadFrame(`A frame is larger than ${MAX_FRAME_BYTES} bytes.`);
        const json = parse(frame);
        if (json === undefined) {
          return answerBadFrame(frame === '' ? 'A frame is empty.' : 'A frame is not JSON.');
        }
        const credit = creditOf(json);
        if (credit) {
          gates.get(credit.stream)?.acknowledge(credit.read);
          return undefined;
        }
        const message = frameSchema.safeParse(json);
        if (!message.success) return answerBadFrame('A frame is not a call.');
        call(message.data.i, message.data).catch((thrown: unknown) => {
          log.debug({ err: thrown }, 'a call ended without its caller');
        });
        return undefined;
      },
      closed: () => peer.close({ reason: new DOMException('The caller went away.', 'AbortError') }),
    };
  };
}

const unanswered = () => Promise.reject(new Error('An abort frame is never answered.'));

const failure = (error: AppError) => {
  const wire = toWireError(error);
  return { status: wire.status, headers: {}, body: { json: wire.toJSON() } };
};

function parse(frame: string): unknown {
  try {
    return JSON.parse(frame);
  } catch {
    return undefined;
  }
}
