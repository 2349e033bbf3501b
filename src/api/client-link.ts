import { createORPCClient, ORPCError } from '@orpc/client';
import { RPCLink } from '@orpc/client/websocket';
import { AppError } from '../shared/errors.ts';
import type { ApiClient } from './contract.ts';
import { creditFrame, fromWireError, MAX_FRAME_BYTES, STREAM_HEADER, STREAM_WINDOW } from './wire.ts';

/** A line of text frames to a host: what a WebSocket and a MessagePort have in common. */
export interface FrameLine {
  send(frame: string): void;
  /** Both are set once, before the first frame can arrive. */
  onFrame(listener: (frame: string) => void): void;
  onClose(listener: () => void): void;
  readonly open: boolean;
}

interface CallContext extends Record<PropertyKey, unknown> {
  stream?: string;
}

/** Calls over one line, for as long as it lasts. */
export interface LineCaller {
  call(
    path: readonly string[],
    input: unknown,
    signal: AbortSignal | undefined,
    lastEventId?: string,
  ): Promise<unknown>;
}

const hostLost = (cause?: unknown) =>
  new AppError('host-down', 'The connection to Commonwatt on this computer was lost.', {
    next: 'It reconnects by itself; try again in a moment.',
    ...(cause === undefined ? {} : { cause }),
  });

/**
 * What a failed call means to the caller: the host's own error, "cancelled" when the caller cancelled, and otherwise
 * a lost line.
 */
function asAppError(thrown: unknown, signal: AbortSignal | undefined, whyClosed: () => AppError | undefined): AppError {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof ORPCError) return fromWireError(thrown);
  if (signal?.aborted) return new AppError('cancelled', 'Cancelled.', { cause: thrown });
  return whyClosed() ?? hostLost(thrown);
}

const isStream = (value: unknown): value is AsyncIterator<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

/** Passes events on, tells the host how many were read, and turns failures into AppErrors. */
function creditedStream(
  events: AsyncIterator<unknown>,
  acknowledge: (read: number) => void,
  toError: (thrown: unknown) => AppError,
): AsyncIterableIterator<unknown> & AsyncDisposable {
  let read = 0;
  const stream = {
    async next() {
      try {
        const result = await events.next();
        if (!result.done && ++read % (STREAM_WINDOW / 2) === 0) acknowledge(read);
        return result;
      } catch (thrown) {
        throw toError(thrown);
      }
    },
    async return(value?: unknown) {
      await events.return?.();
      return { done: true as const, value };
    },
    [Symbol.asyncIterator]: () => stream,
    async [Symbol.asyncDispose]() {
      await stream.return();
    },
  };
  return stream;
}

/** `whyClosed` explains to calls that were running why the line ended, where that is known. */
export function createLineCaller(line: FrameLine, whyClosed: () => AppError | undefined = () => undefined): LineCaller {
  const link = new RPCLink<CallContext>({
    websocket: asWebSocket(line),
    headers: ({ context }) => (context.stream === undefined ? {} : { [STREAM_HEADER]: context.stream }),
  });
  let calls = 0;
  return {
    async call(path, input, signal, lastEventId) {
      const stream = (++calls).toString(36);
      const toError = (thrown: unknown) => asAppError(thrown, signal, whyClosed);
      try {
        const output = await link.call(path, input, {
          context: { stream },
          ...(signal ? { signal } : {}),
          ...(lastEventId === undefined ? {} : { lastEventId }),
        });
        if (!isStream(output)) return output;
        const acknowledge = (read: number) => {
          if (line.open) line.send(creditFrame(stream, read));
        };
        return creditedStream(output, acknowledge, toError);
      } catch (thrown) {
        throw toError(thrown);
      }
    },
  };
}

const OPEN = 1;
const ABORT = 4;

const isAbort = (frame: string): boolean => (JSON.parse(frame) as { t?: unknown }).t === ABORT;

/**
 * oRPC's link speaks to a WebSocket; this is the part of one that it uses. It always claims to be open: on a closed one
 * the link would reject, with nobody listening, when a cancelled call is reported to a host that is gone.
 */
function asWebSocket(
  line: FrameLine,
): Pick<WebSocket, 'addEventListener' | 'removeEventListener' | 'send' | 'readyState'> {
  return {
    readyState: OPEN,
    send: (data: unknown) => {
      const frame = data as string;
      if (!line.open) {
        // A lost line has ended every call already: there is nothing left to cancel.
        if (isAbort(frame)) return;
        throw new Error('The line is closed.');
      }
      // Refused here: the host would have to drop the whole connection, and every other call with it.
      if (frame.length > MAX_FRAME_BYTES) {
        throw new AppError('bad-input', `The input is larger than ${MAX_FRAME_BYTES} bytes.`, {
          next: 'Send less at once.',
        });
      }
      line.send(frame);
    },
    addEventListener: (type: string, listener: unknown) => {
      const call = listener as (event: unknown) => void;
      if (type === 'message') line.onFrame((data) => call({ data }));
      if (type === 'close') line.onClose(() => call({}));
    },
    removeEventListener: () => undefined,
  };
}

/** The typed client over whatever line `caller` finds at the moment of each call. */
export function createApiClient(
  caller: (signal: AbortSignal | undefined) => LineCaller | Promise<LineCaller>,
): ApiClient {
  return createORPCClient<ApiClient>({
    call: async (path, input, options) => {
      const line = await caller(options.signal);
      return line.call(path, input, options.signal, options.lastEventId);
    },
  });
}
