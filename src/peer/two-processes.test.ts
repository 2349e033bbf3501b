import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import HyperDHT from 'hyperdht';
import type { Hex } from '../shared/ids.ts';
import { type DhtCarrier, openDht } from './dht-carrier.ts';
import { decodeEndpointRecord, encodeEndpointRecord } from './endpoint-record.ts';
import { type LabProcess, startLab } from './lab/start.ts';
import type { PeerLink } from './peer-link.ts';
import { loadPeerKey } from './peer-key.ts';
import { startPracticeDht } from './practice-dht.ts';
import { keyPairOf, readAll, refuseAll, testLink } from './test-link.ts';

// Generous: the machine may be busy with other suites.
vi.setConfig({ testTimeout: 30_000 });

interface Answering {
  peerKey: Hex;
  endpoints: { host: string; port: number }[];
}

let open: (() => Promise<unknown>)[] = [];
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'peer-'));
});
afterEach(async () => {
  for (const close of open.toReversed()) await close();
  open = [];
  await rm(folder, { recursive: true });
});

function run(...args: Parameters<typeof startLab>): LabProcess {
  const started = startLab(...args);
  open.push(() => started.end());
  return started;
}
async function link(...args: Parameters<typeof testLink>): Promise<PeerLink> {
  const opened = await testLink(...args);
  open.push(() => opened.close());
  return opened;
}

function joinDht(name: string, bootstrap: { host: string; port: number }[]): DhtCarrier {
  const carrier = openDht({
    bootstrap,
    relays: [],
    keyPair: keyPairOf(name),
    endpoints: [],
    onStream: (stream) => stream.destroy(),
    isFlooding: () => false,
    now: () => Math.floor(Date.now() / 1000),
    log: () => undefined,
  });
  open.push(() => carrier.close());
  return carrier;
}

test('two processes find each other in the practice DHT', async () => {
  const dht = await startPracticeDht({ host: '127.0.0.1' });
  open.push(() => dht.close());
  const other = run({ run: 'answer', name: 'provider', bootstrap: dht.bootstrap, relays: [], tcp: true });
  const { peerKey } = await other.next<Answering>();
  const renter = await link('renter', refuseAll, { bootstrap: dht.bootstrap, tcp: null });
  await renter.whenDhtReady;
  const connection = await renter.connect({ peerKey });
  const stream = await connection.open('echo', null);
  const back = readAll(stream.bytes);
  await stream.write(Buffer.from('hello'));
  await stream.end();
  expect((await back).toString()).toBe('hello');
}, 30_000);

test('TCP endpoints are published in the DHT under the peer key, and a forged record is not believed', async () => {
  const dht = await startPracticeDht({ host: '127.0.0.1' });
  open.push(() => dht.close());
  const provider = await link('provider', refuseAll, { bootstrap: dht.bootstrap });
  await provider.whenDhtReady;
  const reader = joinDht('renter', dht.bootstrap);
  await reader.whenReady;
  await expect.poll(() => reader.endpointsOf(provider.peerKey)).toEqual(provider.endpoints);
  const stranger: Hex = `0x${Buffer.from(keyPairOf('nobody').publicKey).toString('hex')}`;
  expect(await reader.endpointsOf(stranger)).toEqual([]);

  // Signed by mallory, stored under the provider's key: the nodes and the reader both check the signature.
  const forger = new HyperDHT({ bootstrap: dht.bootstrap, host: '127.0.0.1' });
  open.push(() => forger.destroy());
  await forger.fullyBootstrapped();
  const { publicKey } = keyPairOf('provider');
  const { secretKey } = keyPairOf('mallory');
  const lie = encodeEndpointRecord([{ host: '10.6.6.6', port: 666 }], 2_000_000_000);
  await forger.mutablePut({ publicKey, secretKey }, lie, { seq: 2_000_000_000 }).catch(() => undefined);
  expect(await reader.endpointsOf(provider.peerKey)).toEqual(provider.endpoints);
}, 30_000);

test('all ways are tried at once, the other side sees one connection, and a dead endpoint does no harm', async () => {
  const dht = await startPracticeDht({ host: '127.0.0.1' });
  open.push(() => dht.close());
  let arrivals = 0;
  const provider = await link(
    'provider',
    { onConnection: () => (arrivals += 1), onRequest: (_, __, body) => Promise.resolve(body) },
    { bootstrap: dht.bootstrap },
  );
  const renter = await link('renter', refuseAll, { bootstrap: dht.bootstrap, tcp: null });
  await Promise.all([provider.whenDhtReady, renter.whenDhtReady]);
  const both = await renter.connect({ peerKey: provider.peerKey, endpoints: provider.endpoints });
  expect(await both.request('echo', 1)).toBe(1);
  expect(arrivals).toBe(1);
  const dead = await renter.connect({ peerKey: provider.peerKey, endpoints: [{ host: '127.0.0.1', port: 9 }] });
  expect(await dead.request('echo', 2)).toBe(2);
  expect(arrivals).toBe(2);
});

test('a frozen peer is noticed, and everything on its line ends', async () => {
  const other = run({ run: 'answer', name: 'provider', bootstrap: null, relays: [], tcp: true });
  const to = await other.next<Answering>();
  const renter = await link('renter', refuseAll, { tcp: null, timing: { pingMs: 50, silenceMs: 200, farewellMs: 50 } });
  const connection = await renter.connect(to);
  await connection.request('echo', 1);
  other.process.kill('SIGSTOP');
  const asked = connection.request('echo', 2);
  await expect(asked).rejects.toMatchObject({ code: 'peer-unreachable' });
  expect((await connection.closed).reason).toMatch(/no sign of life/);
});

test('a killed peer is noticed at once', async () => {
  const other = run({ run: 'answer', name: 'provider', bootstrap: null, relays: [], tcp: true });
  const to = await other.next<Answering>();
  const renter = await link('renter', refuseAll, { tcp: null });
  const connection = await renter.connect(to);
  await other.end();
  expect((await connection.closed).reason).toMatch(/dropped|ended/);
  await expect(renter.connect(to)).rejects.toMatchObject({
    code: 'peer-unreachable',
    message: expect.stringContaining('nobody listens there') as string,
  });
});

test.each(['tcp', 'dht'] as const)(
  'over %s, a reader that never reads costs neither side memory',
  async (carrier) => {
    const dht = carrier === 'dht' ? await startPracticeDht({ host: '127.0.0.1' }) : null;
    if (dht) open.push(() => dht.close());
    const bootstrap = dht?.bootstrap ?? null;
    const other = run({ run: 'answer', name: 'provider', bootstrap, relays: [], tcp: carrier === 'tcp' });
    const to = await other.next<Answering>();
    const renter = await link('renter', refuseAll, { tcp: null, bootstrap });
    const connection = await renter.connect(to);
    const before = process.memoryUsage().rss;
    const chunk = Buffer.alloc(64 * 1024);
    let written = 0;
    const streams = await Promise.all(Array.from({ length: 16 }, () => connection.open('sink', null, { bulk: true })));
    const writing = streams.map(async (stream) => {
      for (let index = 0; index < 1000; index += 1) {
        await stream.write(chunk);
        written += chunk.length;
      }
    });
    const ended = Promise.allSettled(writing);
    for (let last = -1, still = 0; still < 20;) {
      await connection.request('echo', null);
      still = written === last ? still + 1 : 0;
      last = written;
    }
    // 16 streams of 1 MiB of credit, of a gigabyte that wanted to go.
    expect(written).toBeLessThanOrEqual(16 * 1024 * 1024);
    expect(written).toBeGreaterThan(8 * 1024 * 1024);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
    other.process.stdin?.write('rss\n');
    const { rss } = await other.next<{ rss: number }>();
    expect(rss).toBeLessThan(220 * 1024 * 1024);
    connection.close();
    await ended;
  },
  30_000,
);

test('the peer key is made once, kept privately, and a damaged file is not replaced', async () => {
  const file = path.join(folder, 'deep', 'peer-key');
  const first = await loadPeerKey(file);
  const again = await loadPeerKey(file);
  expect(again).toEqual(first);
  expect(await readFile(file, 'utf8')).toMatch(/^[0-9a-f]{64}\n$/);
  const { mode } = await stat(file);
  expect(mode & 0o777).toBe(process.platform === 'win32' ? mode & 0o777 : 0o600);
  await writeFile(file, 'not a key');
  await expect(loadPeerKey(file)).rejects.toMatchObject({ code: 'conflict' });
  expect(await readFile(file, 'utf8')).toBe('not a key');
});

test('endpoint records: addresses only, few, fresh', () => {
  const endpoints = [
    { host: '192.168.1.7', port: 4000 },
    { host: '::1', port: 1 },
  ];
  const record = encodeEndpointRecord(endpoints, 1000);
  expect(decodeEndpointRecord(record, 2000)).toEqual(endpoints);
  expect(decodeEndpointRecord(record, 1000 + 3 * 86_400)).toEqual([]);
  expect(
    encodeEndpointRecord(
      Array.from({ length: 50 }, () => endpoints[0] ?? { host: '', port: 1 }),
      1,
    ).byteLength,
  ).toBeLessThan(1000);
  for (const bad of [
    '',
    'x',
    '{}',
    '{"v":1,"at":1,"tcp":[["evil.example",80]]}',
    '{"v":1,"at":1,"tcp":[["10.0.0.1",0]]}',
    `{"v":1,"at":1,"tcp":[${'["10.0.0.1",1],'.repeat(9)}["10.0.0.1",1]]}`,
  ]) {
    expect(decodeEndpointRecord(Buffer.from(bad), 1)).toEqual([]);
  }
});
