import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, readdir } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ContentStore } from './content-store.ts';
import { fetchUrl } from './fetch-url.ts';
import { isPublicAddress } from './public-address.ts';
import { testFolder, testStore } from './testing.ts';

// Generous: the machine may be busy with other suites.
vi.setConfig({ testTimeout: 60_000 });

let root: string;
let store: ContentStore;
let server: http.Server;
let base: string;
let answer: (request: http.IncomingMessage, response: http.ServerResponse) => void;
let limit: number;

const reopen = () => testStore(path.join(root, 'store'), () => limit);

beforeEach(async () => {
  root = testFolder();
  limit = 2 ** 30;
  store = await reopen();
  server = http.createServer((request, response) => answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const file = randomBytes(3_500_000);
const hash = sha256(file);

/** A server that understands ranges, as most do; after `upTo` bytes it falls silent or hangs up. */
const ranged =
  (upTo = Number.POSITIVE_INFINITY, asked: (string | undefined)[] = [], then: 'wait' | 'end' = 'wait') =>
  (request: http.IncomingMessage, response: http.ServerResponse) => {
    asked.push(request.headers.range);
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': file.length - from,
      ...(from > 0 ? { 'content-range': `bytes ${from}-${file.length - 1}/${file.length}` } : {}),
    });
    if (upTo >= file.length - from) response.end(file.subarray(from));
    else {
      response.write(file.subarray(from, from + upTo));
      if (then === 'end') request.socket.end();
    }
  };

const get = (name = '/file', options: Partial<Parameters<typeof fetchUrl>[2]> = {}) =>
  fetchUrl(`${base}${name}`, hash, { store, allowPrivate: true, ...options });

test('a file by its hash, once for all who name it, kept over a restart', async () => {
  const asked: (string | undefined)[] = [];
  answer = ranged(undefined, asked);
  const progress: (number | null)[] = [];
  const [one, two] = await Promise.all([
    get('/file', { pin: 'a', onProgress: ({ totalBytes }) => progress.push(totalBytes) }),
    get('/elsewhere', { pin: 'b' }),
  ]);
  expect(asked).toHaveLength(1);
  expect(one).toMatchObject({ bytes: file.length, resumedFrom: 0, root: { kind: 'stored', complete: true } });
  expect(two).toMatchObject({ bytes: 0, root: { cid: one.root.cid } });
  expect(progress[0]).toBe(file.length);
  expect(store.usage().bytes).toBeGreaterThan(file.length);
  expect(store.usage().bytes).toBeLessThan(file.length + 1000);
  await store.close();
  store = await reopen();
  expect(await get()).toMatchObject({ bytes: 0 });
  await store.materialize(one.root.cid, path.join(root, 'target.bin'));
  expect((await readFile(path.join(root, 'target.bin'))).equals(file)).toBe(true);
  for (const owner of ['a', 'b']) await store.unpin(one.root.cid, owner);
  await store.remove(one.root.cid);
  expect(store.usage().bytes).toBe(0);
  expect(await readdir(path.join(root, 'store/files'))).toEqual([]);
});

test('an interrupted download goes on where it stopped, after a restart too', async () => {
  const asked: (string | undefined)[] = [];
  answer = ranged(1_000_000, asked);
  const stop = new AbortController();
  const first = get('/file', {
    signal: stop.signal,
    onProgress: ({ bytes }) => {
      if (bytes >= 1_000_000) stop.abort();
    },
  });
  await expect(first).rejects.toMatchObject({ code: 'cancelled' });
  await store.close();
  store = await reopen();
  expect(store.usage().bytes).toBe(1_000_000);
  answer = ranged(2_000_000, asked, 'end');
  const second = await get();
  // It hung up once in between; nothing came twice.
  expect(second).toMatchObject({ resumedFrom: 1_000_000, bytes: 2_500_000 });
  expect(asked[1]).toBe('bytes=1000000-');
  expect(asked.length).toBeGreaterThan(2);
  expect(store.has(second.root.cid)).toBe(true);
});

test('what was there before is thrown away when the server cannot go on', async () => {
  answer = ranged(1_000_000);
  const stop = new AbortController();
  await expect(
    get('/file', { signal: stop.signal, onProgress: ({ bytes }) => bytes >= 1_000_000 && stop.abort() }),
  ).rejects.toMatchObject({ code: 'cancelled' });
  answer = (_, response) => response.end(file);
  expect(await get()).toMatchObject({ bytes: file.length });
});

test.each<[string, typeof answer, string]>([
  ['other bytes', (_, response) => response.end(randomBytes(1000)), 'bad-input'],
  ['nothing there', (_, response) => response.writeHead(404).end(), 'not-found'],
  ['not for us', (_, response) => response.writeHead(403).end(), 'bad-input'],
  ['too much, said', (_, response) => response.writeHead(200, { 'content-length': 1e9 }).write('x'), 'over-limit'],
  ['too much, unsaid', (_, response) => response.end(randomBytes(5_000_000)), 'over-limit'],
])('%s is refused', async (_, behave, code) => {
  answer = behave;
  await expect(get('/file', { maxBytes: 4_000_000 })).rejects.toMatchObject({ code });
  expect(store.roots()).toEqual([]);
});

test('a full store stops a download', async () => {
  limit = 1_000_000;
  answer = ranged();
  await expect(get()).rejects.toMatchObject({ code: 'disk-full' });
});

test('redirects: three are followed, a fourth and a way to a private address are not', async () => {
  let hops = 0;
  answer = (request, response) => {
    const left = Number(/^\/hop(\d)$/.exec(request.url ?? '')?.[1] ?? 0);
    hops += 1;
    if (left > 0) response.writeHead(302, { location: `/hop${left - 1}` }).end();
    else ranged()(request, response);
  };
  expect(await get('/hop3')).toMatchObject({ bytes: file.length });
  expect(hops).toBe(4);
  const other = sha256(randomBytes(3));
  await expect(fetchUrl(`${base}/hop4`, other, { store, allowPrivate: true })).rejects.toMatchObject({
    code: 'bad-input',
  });
  answer = (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end();
  await expect(fetchUrl(base, other, { store, allowPrivate: true })).rejects.toMatchObject({ code: 'bad-input' });
});

test('addresses of private networks are refused, by number and by name', async () => {
  answer = () => {
    throw new Error('must not be asked');
  };
  const { port } = server.address() as AddressInfo;
  const hosts = [
    '127.0.0.1',
    'localhost',
    '[::1]',
    '0.0.0.0',
    '2130706433',
    '0x7f.1',
    '[::ffff:127.0.0.1]',
    '169.254.169.254',
  ];
  for (const host of hosts) {
    await expect(fetchUrl(`http://${host}:${port}/`, hash, { store })).rejects.toMatchObject({ code: 'not-allowed' });
  }
  for (const url of ['ftp://example.org/x', 'file:///etc/passwd', 'http://user:pass@example.org/', 'nonsense']) {
    await expect(fetchUrl(url, hash, { store })).rejects.toMatchObject({ code: 'bad-input' });
  }
  await expect(fetchUrl(base, 'abc', { store })).rejects.toMatchObject({ code: 'bad-input', field: 'sha256' });
});

test('which addresses are public', () => {
  const inside =
    '10.1.2.3 172.31.255.255 192.168.1.1 100.64.0.1 127.0.0.1 169.254.169.254 168.63.129.16 0.0.0.0 224.0.0.1 255.255.255.255 :: ::1 fe80::1 fc00::1 fd00:ec2::254 ff02::1 ::ffff:8.8.8.8 64:ff9b::a00:1 2002:a00:1:: 2001:db8::1 2001:0:1::1 nonsense';
  const outside = '1.1.1.1 8.8.8.8 172.32.0.1 100.128.0.1 192.0.1.1 2606:4700:4700::1111 2a00:1450:4001::1';
  expect(inside.split(' ').filter(isPublicAddress)).toEqual([]);
  expect(outside.split(' ').filter((address) => !isPublicAddress(address))).toEqual([]);
});
