/**
 * A result folder from the provider's disk to the renter's, over a line between two processes: fetched, every block
 * checked, kept in the store. Against the same bytes over plain TCP between two processes, and against copying the
 * folder on the same disk, in turns. The folder: one large file and two hundred small ones.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import net, { type AddressInfo } from 'node:net';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fetchContent } from '../src/content/fetch-content.ts';
import { openContentStore } from '../src/content/open-content-store.ts';
import { serveBlocks } from '../src/content/serve-blocks.ts';
import { startPracticeDht } from '../src/peer/practice-dht.ts';
import type { PeerAddress, PeerStream } from '../src/peer/peer-link.ts';
import { testLink } from '../src/peer/test-link.ts';
import { silentLog } from '../src/shared/log.ts';
import { systemClock } from '../src/shared/time.ts';
import { median, report, say } from './harness.ts';

const ROUNDS = 5;
const MiB = 1024 * 1024;
const LARGE = 128 * MiB;
const SMALL_FILES = 200;
const SMALL = 64 * 1024;
const TOTAL = LARGE + SMALL_FILES * SMALL;

interface Served {
  cid: string;
  tcp: PeerAddress;
  dht: PeerAddress;
  tcpPort: number;
}

const storeAt = (dir: string) =>
  openContentStore({ dir, limitBytes: () => 2 ** 40, log: silentLog, clock: systemClock });

const listAll = async (dir: string): Promise<string[]> =>
  (await readdir(dir, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));

/** The provider's half, in a process of its own: the folder addressed in place, served; and as plain bytes. */
async function provide(dir: string, bootstrap: { host: string; port: number }[]): Promise<void> {
  process.once('disconnect', () => process.exit(0));
  const store = await storeAt(path.join(dir, 'provider'));
  const source = path.join(dir, 'source');
  const { cid } = await store.importFolder(source);
  const handler = {
    onStream: async (_: unknown, stream: PeerStream) => {
      await serveBlocks(stream, store, () => true);
    },
  };
  // One way to each: who can be reached over both is reached over TCP.
  const overTcpOnly = await testLink('provider', handler);
  const overDhtOnly = await testLink('provider in the DHT', handler, { tcp: null, bootstrap });
  await overDhtOnly.whenDhtReady;
  const files = await listAll(source);
  const plain = net.createServer((socket) => {
    void (async () => {
      for (const file of files) {
        const handle = await open(file);
        for await (const bytes of handle.createReadStream({ highWaterMark: MiB }) as AsyncIterable<Buffer>) {
          if (!socket.write(bytes)) await once(socket, 'drain');
        }
      }
      socket.end();
    })();
  });
  plain.listen(0, '127.0.0.1');
  await once(plain, 'listening');
  const served: Served = {
    cid,
    tcp: { peerKey: overTcpOnly.peerKey, endpoints: overTcpOnly.endpoints },
    dht: { peerKey: overDhtOnly.peerKey },
    tcpPort: (plain.address() as AddressInfo).port,
  };
  process.send?.(served);
}

const seconds = async (act: () => Promise<unknown>): Promise<number> => {
  const started = performance.now();
  await act();
  return (performance.now() - started) / 1000;
};

/** Plain bytes into one file, synced like ours. */
async function overTcp(port: number, file: string): Promise<void> {
  const socket = net.connect(port, '127.0.0.1');
  const handle = await open(file, 'w');
  let came = 0;
  for await (const bytes of socket as AsyncIterable<Buffer>) {
    await handle.writeFile(bytes);
    came += bytes.byteLength;
  }
  await handle.sync();
  await handle.close();
  if (came !== TOTAL) throw new Error(`${came} of ${TOTAL} bytes came over TCP`);
}

async function copy(source: string, target: string): Promise<void> {
  await cp(source, target, { recursive: true });
  for (const file of await listAll(target)) {
    const handle = await open(file, 'r+');
    await handle.sync();
    await handle.close();
  }
}

async function compare(): Promise<void> {
  const dir = await mkdtemp(path.join(tmpdir(), 'commonwatt-transfer-'));
  const dht = await startPracticeDht({ host: '127.0.0.1' });
  let provider: ChildProcess | null = null;
  const renter = await testLink('renter', {}, { tcp: null, bootstrap: dht.bootstrap });
  try {
    await mkdir(path.join(dir, 'source', 'small'), { recursive: true });
    await writeFile(path.join(dir, 'source', 'large.bin'), randomBytes(LARGE));
    for (let index = 0; index < SMALL_FILES; index += 1) {
      await writeFile(path.join(dir, 'source', 'small', `${index}.bin`), randomBytes(SMALL));
    }
    provider = fork(import.meta.filename, [dir, JSON.stringify(dht.bootstrap)]);
    const [served] = (await once(provider, 'message')) as [Served];
    await renter.whenDhtReady;

    const overPeer = async (address: PeerAddress, carrier: string): Promise<number> => {
      const target = path.join(dir, 'renter');
      const store = await storeAt(target);
      const peer = await renter.connect(address, { purpose: 'bulk' });
      if (peer.carrier !== carrier) throw new Error(`connected over ${peer.carrier} instead of ${carrier}`);
      const took = await seconds(() => fetchContent(served.cid, [{ peer }], { store }));
      peer.close();
      if (!store.has(served.cid)) throw new Error('not all of it came');
      await store.close();
      await rm(target, { recursive: true });
      return took;
    };
    const file = path.join(dir, 'plain.bin');
    const target = path.join(dir, 'copy');
    const byTcp: number[] = [];
    const byDht: number[] = [];
    const plain: number[] = [];
    const disk: number[] = [];
    for (let round = 0; round <= ROUNDS; round += 1) {
      const times = [
        await overPeer(served.tcp, 'tcp'),
        await overPeer(served.dht, 'dht'),
        await seconds(() => overTcp(served.tcpPort, file)),
        await seconds(() => copy(path.join(dir, 'source'), target)),
      ] as const;
      await rm(file);
      await rm(target, { recursive: true });
      const speeds = times.map((took) => TOTAL / MiB / took) as [number, number, number, number];
      const line = speeds.map((speed) => speed.toFixed(0)).join(' / ');
      say(`${round === 0 ? 'warm-up' : `round ${round}`}: line over TCP / over DHT / plain TCP / copy: ${line} MiB/s`);
      // The first round fills caches and makes connections.
      if (round === 0) continue;
      byTcp.push(speeds[0]);
      byDht.push(speeds[1]);
      plain.push(speeds[2]);
      disk.push(speeds[3]);
    }
    say(`disk copy ${median(disk).toFixed(0)} MiB/s`);
    report({ name: 'transfer-disk', value: median(byTcp), unit: 'MiB/s', baseline: median(disk), n: ROUNDS });
    report({ name: 'transfer-dht', value: median(byDht), unit: 'MiB/s', baseline: median(plain), n: ROUNDS });
    report({ name: 'transfer', value: median(byTcp), unit: 'MiB/s', baseline: median(plain), n: ROUNDS });
  } finally {
    // It ends with its parent, in whichever way that ends.
    if (provider?.connected === true) provider.disconnect();
    await renter.close();
    await dht.close();
    await rm(dir, { recursive: true, force: true });
  }
}

const [, , sharedDir, bootstrap] = process.argv;
if (sharedDir !== undefined && bootstrap !== undefined && process.send !== undefined) {
  await provide(sharedDir, JSON.parse(bootstrap) as { host: string; port: number }[]);
} else {
  await compare();
}
