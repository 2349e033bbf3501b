import { AppError } from '../shared/errors.ts';
import { State } from '../shared/emitter.ts';
import { backoffMs } from '../shared/retry.ts';
import { createApiClient, createLineCaller, type FrameLine, type LineCaller } from './client-link.ts';
import type { ApiClient } from './contract.ts';
import { CLOSE_NOT_SIGNED_IN, RPC_PROTOCOL, TOKEN_PROTOCOL_PREFIX } from './wire.ts';

/** `refused`: the host does not know this caller, trying again will not help. `closed`: by `close()`, or for good. */
export type ConnectionState = 'connecting' | 'open' | 'refused' | 'closed';

export interface ApiConnection {
  client: ApiClient;
  readonly state: ConnectionState;
  /** Ends running calls with `host-down` or `cancelled` and never reconnects. */
  close(): void;
}

export interface WebSocketOptions {
  onState?: (state: ConnectionState) => void;
  /** Whether a lost line is opened again with growing pauses. Default true. */
  reconnect?: boolean;
  /** How long a call waits for the line to open, milliseconds. */
  waitMs?: number;
  WebSocket?: new (url: string, protocols: string[]) => WebSocket;
  random?: () => number;
}

const notRunning = () =>
  new AppError('host-down', 'Commonwatt is not running on this computer, or does not answer.', {
    next: 'Start it with `commonwatt serve` or open the app.',
  });

const notSignedIn = () =>
  new AppError('not-signed-in', 'This computer’s Commonwatt does not know you.', {
    next: 'Open the sign-in link that `commonwatt serve` prints.',
  });

const closedByUs = () => new AppError('cancelled', 'The connection was closed.');

/**
 * Speaks to a host over a WebSocket such as `ws://127.0.0.1:7310/rpc`, opening it again whenever it is lost.
 * `token` is the host's token for programs; a browser leaves it out and is known by its cookie. Running streams end
 * with `host-down` when the line is lost; subscribe again once `onState` says `open`.
 */
export function connectWebSocket(url: string, token?: string, options: WebSocketOptions = {}): ApiConnection {
  const { reconnect = true, waitMs = 10_000, random = Math.random } = options;
  const Socket = options.WebSocket ?? WebSocket;
  const protocols = [RPC_PROTOCOL, ...(token === undefined ? [] : [`${TOKEN_PROTOCOL_PREFIX}${token}`])];
  const state = new State<ConnectionState>('connecting');
  let socket: WebSocket | undefined;
  let caller: LineCaller | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let attempt = 0;

  const become = (next: ConnectionState) => {
    if (state.value === next) return;
    state.set(next);
    options.onState?.(next);
  };

  const connect = () => {
    const opening = new Socket(url, protocols);
    socket = opening;
    // Before the line's own listener: running calls are told why the line closed.
    opening.addEventListener('close', (event) => {
      caller = undefined;
      if (state.value === 'closed') return;
      if (event.code === CLOSE_NOT_SIGNED_IN) become('refused');
      else if (reconnect) {
        become('connecting');
        timer = setTimeout(connect, 50 + backoffMs(attempt++, random));
      } else become('closed');
    });
    opening.addEventListener('error', () => undefined);
    // A fresh line per socket: frames of a lost one can never reach the next.
    const lineCaller = createLineCaller(webSocketLine(opening), () =>
      state.value === 'refused' ? notSignedIn() : undefined,
    );
    opening.addEventListener('open', () => {
      attempt = 0;
      caller = lineCaller;
      become('open');
    });
  };
  connect();

  const client = createApiClient(async (signal) => {
    if (caller) return caller;
    if (state.value === 'connecting') {
      const limit = AbortSignal.any([AbortSignal.timeout(waitMs), ...(signal ? [signal] : [])]);
      await state.until((now) => now !== 'connecting', limit).catch(() => undefined);
      if (signal?.aborted) throw new AppError('cancelled', 'Cancelled.');
    }
    if (caller) return caller;
    if (state.value === 'refused') throw notSignedIn();
    throw notRunning();
  });

  return {
    client,
    get state() {
      return state.value;
    },
    close() {
      clearTimeout(timer);
      become('closed');
      socket?.close();
    },
  };
}

function webSocketLine(socket: WebSocket): FrameLine {
  return {
    get open() {
      return socket.readyState === 1;
    },
    send: (frame) => socket.send(frame),
    onFrame: (listener) =>
      socket.addEventListener('message', (event) => {
        if (typeof event.data === 'string') listener(event.data);
      }),
    onClose: (listener) => socket.addEventListener('close', () => listener()),
  };
}

/** The ports that exist: a browser's and Node's MessagePort. Electron's main-process kind is wrapped by the host. */
export interface PortLike {
  postMessage(message: unknown): void;
  addEventListener(type: 'message' | 'close', listener: (event: { data?: unknown }) => void): void;
  start?(): void;
  close(): void;
}

/** Speaks to a host over a MessagePort that the shell handed out. When the port closes the connection is closed for good. */
export function connectMessagePort(
  port: PortLike | MessagePort,
  { onState }: { onState?: (state: ConnectionState) => void } = {},
): ApiConnection {
  const end: PortLike = port;
  let state: ConnectionState = 'open';
  let byUs = false;
  const line: FrameLine = {
    get open() {
      return state === 'open';
    },
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port has no origin
    send: (frame) => end.postMessage(frame),
    onFrame: (listener) =>
      end.addEventListener('message', (event) => {
        if (typeof event.data === 'string') listener(event.data);
      }),
    onClose: (listener) => {
      closeListeners.push(listener);
    },
  };
  const closeListeners: (() => void)[] = [];
  const closed = () => {
    if (state === 'closed') return;
    state = 'closed';
    for (const listener of closeListeners) listener();
    onState?.('closed');
  };
  const caller = createLineCaller(line);
  end.addEventListener('close', closed);
  end.start?.();
  onState?.('open');
  return {
    client: createApiClient(() => {
      if (state === 'open') return caller;
      throw byUs ? closedByUs() : notRunning();
    }),
    get state() {
      return state;
    },
    close() {
      byUs = true;
      end.close();
      closed();
    },
  };
}
