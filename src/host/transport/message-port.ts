import type { RpcServer } from './rpc-line.ts';

/** Electron's main-process port, which has neither `addEventListener` nor a browser's types. */
export interface MainPort {
  on(event: 'message', listener: (event: { data: unknown }) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
  postMessage(message: unknown): void;
  start(): void;
  close(): void;
}

/** A browser's or Node's port. */
export interface EventPort {
  addEventListener(type: 'message' | 'close', listener: (event: { data?: unknown }) => void): void;
  postMessage(message: unknown): void;
  start?(): void;
  close(): void;
}

/** Answers calls that come in through a MessagePort until it closes. */
export function serveMessagePort(port: MainPort | EventPort, server: RpcServer): void {
  const line = server({
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port has no origin
    send: (frame) => port.postMessage(frame),
    refuse: () => port.close(),
  });
  if ('addEventListener' in port) {
    port.addEventListener('message', (event) => line.receive(event.data));
    port.addEventListener('close', () => line.closed());
  } else {
    port.on('message', (event) => line.receive(event.data));
    port.on('close', () => line.closed());
  }
  port.start?.();
}
