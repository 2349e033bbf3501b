import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { CLOSE_BAD_FRAME, CLOSE_NOT_SIGNED_IN, MAX_FRAME_BYTES, RPC_PROTOCOL } from '../../api/wire.ts';
import type { RpcServer } from './rpc-line.ts';

/** Bytes the kernel has not taken yet, above which the next frame of a connection waits. */
const HIGH_WATER_BYTES = 1024 * 1024;
const PING_MS = 20_000;
/** How long a caller may take to answer the goodbye. */
const CLOSE_GRACE_MS = 500;

export interface RpcSockets {
  /** Takes over an upgrade whose Host and Origin were already checked. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, signedIn: boolean): void;
  close(): void;
}

/** `/rpc`: the typed interface over WebSockets. */
export function createRpcSockets(server: RpcServer): RpcSockets {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(RPC_PROTOCOL) ? RPC_PROTOCOL : false),
  });
  const alive = new WeakSet<WebSocket>();
  const pings = setInterval(() => {
    for (const socket of sockets.clients) {
      if (!alive.delete(socket)) socket.terminate();
      else socket.ping();
    }
  }, PING_MS);
  pings.unref();

  const serve = (socket: WebSocket) => {
    alive.add(socket);
    const line = server({
      send: (frame) => send(socket, frame),
      refuse: (reason) => socket.close(CLOSE_BAD_FRAME, reason),
    });
    socket.on('pong', () => alive.add(socket));
    socket.on('message', (data, binary) => line.receive(binary ? data : (data as Buffer).toString('utf8')));
    socket.on('close', () => line.closed());
    // Too large or malformed frames: the library answers with the close code and closes.
    socket.on('error', () => undefined);
  };

  return {
    upgrade(request, socket, head, signedIn) {
      sockets.handleUpgrade(request, socket, head, (opened) => {
        // A browser cannot read a refused upgrade's status, so the answer is a close code; no frame is ever read.
        if (signedIn) serve(opened);
        else {
          opened.on('error', () => undefined);
          opened.close(CLOSE_NOT_SIGNED_IN, 'sign in first');
        }
      });
    },
    close() {
      clearInterval(pings);
      for (const socket of sockets.clients) socket.close(1001, 'the host stops');
      sockets.close();
      setTimeout(() => {
        for (const socket of sockets.clients) socket.terminate();
      }, CLOSE_GRACE_MS).unref();
    },
  };
}

function send(socket: WebSocket, frame: string): void | Promise<void> {
  if (socket.readyState !== socket.OPEN) return undefined;
  if (socket.bufferedAmount < HIGH_WATER_BYTES) {
    socket.send(frame, () => undefined);
    return undefined;
  }
  return new Promise((resolve) => {
    socket.send(frame, () => resolve());
  });
}
