import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { PeerConnection, PeerLink } from './peer-link.ts';
import { addressOf, refuseAll, testLink } from './test-link.ts';
import { type Forward, forwardPort, pipeToTcp } from './tunnel.ts';

// Generous: the machine may be busy with other suites.
vi.setConfig({ testTimeout: 30_000 });

let renter: PeerLink;
let provider: PeerLink;
let line: PeerConnection;
let service: net.Server;
let forward: Forward;
let onService: (socket: net.Socket) => void;

beforeEach(async () => {
  service = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    onService(socket);
  });
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  const { port } = service.address() as net.AddressInfo;
  provider = await testLink('provider', {
    onStream: (_, stream) => pipeToTcp(stream, { host: '127.0.0.1', port: (stream.params as { port: number }).port }),
  });
  renter = await testLink('renter', refuseAll, { tcp: null });
  line = await renter.connect(addressOf(provider));
  forward = await forwardPort({
    listenHost: '127.0.0.1',
    listenPort: 0,
    open: () => line.open('deal.tunnel', { port }, { bulk: true }),
  });
});
afterEach(async () => {
  await forward.close();
  await renter.close();
  await provider.close();
  service.close();
});

/** Closed in any way, by a reset too. */
const closed = (socket: net.Socket) => new Promise((resolve) => socket.once('close', resolve));

const open = () => line.open('x', null);

const dial = () => {
  const socket = net.connect({ host: '127.0.0.1', port: forward.port, allowHalfOpen: true });
  socket.on('error', () => undefined);
  return socket;
};

test('50 MB there and back arrive unchanged', async () => {
  onService = (socket) => void socket.pipe(socket);
  const data = randomBytes(50_000_000);
  const socket = dial();
  const hash = createHash('sha256');
  let size = 0;
  socket.on('data', (bytes: Buffer) => {
    hash.update(bytes);
    size += bytes.length;
  });
  socket.end(data);
  await closed(socket);
  expect(size).toBe(data.length);
  expect(hash.digest('hex')).toBe(createHash('sha256').update(data).digest('hex'));
}, 30_000);

test('each direction ends by itself', async () => {
  onService = (far) => {
    // Answers only after the question has ended, like many a plain protocol.
    void text(far).then((question) => far.end(`you said ${question}`));
  };
  const socket = dial();
  socket.end('hello');
  expect(await text(socket)).toBe('you said hello');

  onService = (far) => {
    far.end('banner');
    far.resume();
  };
  const second = dial();
  expect(await text(second)).toBe('banner');
  second.end();
  await closed(second);
});

test('a reader that stalls stalls the sender across the tunnel, not our memory', async () => {
  const sent = Promise.withResolvers<net.Socket>();
  onService = sent.resolve;
  const socket = dial();
  socket.pause();
  const far = await sent.promise;
  const chunk = Buffer.alloc(1024 * 1024);
  const total = 100;
  const before = process.memoryUsage().rss;
  let pushed = 0;
  const pushing = (async () => {
    while (pushed < total) {
      if (!far.write(chunk)) await once(far, 'drain');
      pushed += 1;
    }
    far.end();
  })();
  // Stalled: nothing moved while many questions were answered on the same line.
  for (let last = -1, still = 0; still < 30;) {
    await line.request('tick', null).catch(() => undefined);
    still = pushed === last ? still + 1 : 0;
    last = pushed;
  }
  expect(pushed).toBeLessThan(60);
  expect(process.memoryUsage().rss - before).toBeLessThan(96 * 1024 * 1024);
  let received = 0;
  socket.on('data', (bytes: Buffer) => {
    received += bytes.length;
  });
  const ended = once(socket, 'end');
  socket.resume();
  await pushing;
  await ended;
  expect(received).toBe(total * chunk.length);
  socket.end();
});

test('a reset passes through', async () => {
  const arrived = Promise.withResolvers<net.Socket>();
  onService = arrived.resolve;
  const socket = dial();
  const far = await arrived.promise;
  socket.resume();
  far.resetAndDestroy();
  await closed(socket);

  const again = Promise.withResolvers<net.Socket>();
  onService = again.resolve;
  const second = dial();
  const farSecond = await again.promise;
  farSecond.resume();
  second.resetAndDestroy();
  await closed(farSecond);
  expect(second.destroyed).toBe(true);
});

test('where nobody listens the connection is reset and the reason reported', async () => {
  const errors: unknown[] = [];
  const other = await forwardPort({
    listenHost: '127.0.0.1',
    listenPort: 0,
    open: () => line.open('deal.tunnel', { port: 1 }),
    onError: (error) => errors.push(error),
  });
  const socket = net.connect(other.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await closed(socket);
  expect(errors).toMatchObject([{ code: 'not-found', field: 'port' }]);
  await other.close();
});

test('the end of the line cuts the connections', async () => {
  const arrived = Promise.withResolvers<void>();
  onService = (far) => {
    far.resume();
    arrived.resolve();
  };
  const socket = dial();
  await arrived.promise;
  line.close('lease over');
  await closed(socket);
  expect(await line.closed).toEqual({ reason: 'lease over' });
});

test('only loopback, only a free port, and the signal closes', async () => {
  await expect(forwardPort({ listenHost: '0.0.0.0', listenPort: 0, open })).rejects.toMatchObject({
    code: 'bad-input',
  });
  await expect(forwardPort({ listenHost: '127.0.0.1', listenPort: forward.port, open })).rejects.toMatchObject({
    code: 'conflict',
    field: 'listenPort',
  });
  const stop = new AbortController();
  const short = await forwardPort({ listenHost: '127.0.0.1', listenPort: 0, open, signal: stop.signal });
  stop.abort();
  await short.close();
  const socket = net.connect(short.port, '127.0.0.1');
  await expect(once(socket, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});
