import net from 'node:net';
import { AppError } from '../shared/errors.ts';
import type { PeerStream } from './peer-link.ts';

/** Connections at once through one forwarded port; a program that opens more waits for none and is refused. */
const MAX_CONNECTIONS = 64;
const LOOPBACK = /^(127(\.\d{1,3}){3}|::1)$/;

export interface ForwardOptions {
  /** Loopback only: what is forwarded was rented for this machine, not for its network. */
  listenHost: string;
  /** 0 takes any free port. */
  listenPort: number;
  /** A new stream to the rented machine's port, for one connection. */
  open: () => Promise<PeerStream>;
  signal?: AbortSignal;
  /** Told why a connection could not be carried. */
  onError?: (error: unknown) => void;
}

export interface Forward {
  readonly port: number;
  /** Stops listening and cuts the connections. */
  close(): Promise<void>;
}

/**
 * The renter's side of a tunnel: every connection to a local port becomes a stream.
 * @throws AppError `bad-input` for an address that is not loopback, `conflict` when the port is taken.
 */
export async function forwardPort({ listenHost, listenPort, open, signal, onError }: ForwardOptions): Promise<Forward> {
  if (!LOOPBACK.test(listenHost)) {
    throw new AppError('bad-input', 'A tunnel listens on this computer only.', {
      field: 'listenHost',
      next: 'Use 127.0.0.1.',
    });
  }
  signal?.throwIfAborted();
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    open().then(
      (stream) => join(socket, stream),
      (error: unknown) => {
        socket.resetAndDestroy();
        onError?.(error);
      },
    );
  });
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    // Stays on: failing to accept one connection later must not end the host.
    server.on('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE' || error.code === 'EACCES'
          ? new AppError('conflict', `Port ${listenPort} on ${listenHost} is not free.`, {
              field: 'listenPort',
              next: 'Choose another port, or 0 for any free one.',
              cause: error,
            })
          : error,
      ),
    );
    server.listen(listenPort, listenHost, resolve);
  });
  let closed: Promise<void> | null = null;
  const close = () => {
    closed ??= new Promise((resolve) => {
      signal?.removeEventListener('abort', onAbort);
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
    return closed;
  };
  const onAbort = () => void close();
  signal?.addEventListener('abort', onAbort, { once: true });
  return { port: (server.address() as net.AddressInfo).port, close };
}

/**
 * The provider's side of a tunnel: the stream becomes a TCP connection. Resolves when it is made; from then on bytes,
 * ends and resets pass by themselves.
 * @throws AppError `not-found` when nobody listens there.
 */
export function pipeToTcp(stream: PeerStream, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, allowHalfOpen: true, noDelay: true });
    let connected = false;
    socket.on('error', (error) => {
      if (connected) return;
      reject(
        new AppError('not-found', `Nothing answers on port ${port} of the rented machine.`, {
          field: 'port',
          next: 'Start the program that listens there and try again.',
          cause: error,
        }),
      );
    });
    socket.once('connect', () => {
      connected = true;
      join(socket, stream);
      resolve();
    });
    // The renter may be gone before the connection is made.
    void stream.closed.then(({ reason }) => {
      if (reason !== null && !connected) socket.destroy();
    });
  });
}

/** Carries both directions, each with its own end and back-pressure; a failure of one side resets the other. */
function join(socket: net.Socket, stream: PeerStream): void {
  const fail = (error: unknown) => {
    stream.abort(error instanceof Error ? error.message : 'the connection failed');
    if (!socket.destroyed) socket.resetAndDestroy();
  };
  if (socket.destroyed) {
    stream.abort('the connection was closed');
    return;
  }
  socket.on('error', fail);
  socket.once('close', () => stream.abort('the connection was closed'));
  void stream.closed.then(({ reason }) => {
    if (reason !== null && !socket.destroyed) socket.resetAndDestroy();
  });
  outward(socket, stream).catch(fail);
  inward(socket, stream).catch(fail);
}

async function outward(socket: net.Socket, stream: PeerStream): Promise<void> {
  for await (const bytes of socket.iterator({ destroyOnReturn: false })) await stream.write(bytes as Uint8Array);
  await stream.end();
}

async function inward(socket: net.Socket, stream: PeerStream): Promise<void> {
  for await (const bytes of stream.bytes) {
    if (!socket.write(bytes)) await drained(socket);
  }
  socket.end();
}

function drained(socket: net.Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const onDrain = () => {
      socket.off('close', onClose);
      resolve();
    };
    const onClose = () => {
      socket.off('drain', onDrain);
      reject(new Error('the connection was closed'));
    };
    socket.once('drain', onDrain);
    socket.once('close', onClose);
  });
}
