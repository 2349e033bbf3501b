import net from 'node:net';
import { networkInterfaces } from 'node:os';
import NoiseSecretStream, { type KeyPair } from '@hyperswarm/secret-stream';
import { AppError } from '../shared/errors.ts';
import { LIMITS } from './limits.ts';
import { plainReason } from './wire.ts';

export interface Endpoint {
  host: string;
  port: number;
}

/** The carrier for the local network, forwarded ports and tests: the same encryption over plain TCP. */
export interface TcpCarrier {
  readonly endpoints: readonly Endpoint[];
  close(): void;
}

/** Listens. @throws AppError `conflict` when the port is taken. */
export async function listenTcp(
  at: Endpoint,
  keyPair: KeyPair,
  onStream: (stream: NoiseSecretStream, fromHost: string) => void,
): Promise<TcpCarrier> {
  const server = net.createServer({ noDelay: true, keepAlive: true }, (socket) => {
    socket.on('error', () => undefined);
    onStream(new NoiseSecretStream(false, socket, { keyPair }), socket.remoteAddress ?? '');
  });
  server.maxConnections = LIMITS.connections;
  await new Promise<void>((resolve, reject) => {
    // Stays on: failing to accept one connection later must not end the host.
    server.on('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE' || error.code === 'EACCES'
          ? new AppError('conflict', `Port ${at.port} on ${at.host} is not free.`, {
              field: 'tcp.port',
              next: 'Choose another port, or 0 for any free one.',
              cause: error,
            })
          : error,
      ),
    );
    server.listen(at.port, at.host, resolve);
  });
  const { port } = server.address() as net.AddressInfo;
  return {
    endpoints: reachableHosts(at.host).map((host) => ({ host, port })),
    close: () => server.close(),
  };
}

/** The encrypted stream to an endpoint. @throws Error with the reason. */
export function connectTcp(
  { host, port }: Endpoint,
  keyPair: KeyPair,
  signal: AbortSignal,
): Promise<NoiseSecretStream> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, noDelay: true, keepAlive: true });
    const fail = (error: Error) => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      reject(new Error(plainReason(error), { cause: error }));
    };
    const onAbort = () => fail(new Error('no answer in time'));
    socket.on('error', fail);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    socket.once('connect', () => {
      signal.removeEventListener('abort', onAbort);
      resolve(new NoiseSecretStream(true, socket, { keyPair }));
    });
  });
}

/** Under which addresses a listener on `host` can be reached from outside this process. */
function reachableHosts(host: string): string[] {
  if (host !== '0.0.0.0' && host !== '::') return [host];
  const outside = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((address) => !address.internal && address.family === 'IPv4')
    .map(({ address }) => address);
  return outside.length === 0 ? ['127.0.0.1'] : outside.slice(0, LIMITS.endpoints);
}
