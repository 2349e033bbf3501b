import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { PeerConnection, PeerHandler, PeerLink } from '../peer/peer-link.ts';
import { addressOf, refuseAll, testLink } from '../peer/test-link.ts';
import { encodeHead, encodeWant, readAnswers, readWants } from './block-frames.ts';
import { openGatewaySource } from './block-sources.ts';
import type { ContentStore } from './content-store.ts';
import { fetchContent } from './fetch-content.ts';
import { serveBlocks, serveGateway } from './serve-blocks.ts';
import { testFolder, testStore } from './testing.ts';

// Generous: the machine may be busy with other suites.
vi.setConfig({ testTimeout: 60_000 });

const MiB = 1024 * 1024;
let root: string;
let theirs: ContentStore;
let ours: ContentStore;
const closing: (() => unknown)[] = [];

const openStore = (name: string) => testStore(path.join(root, name));

beforeEach(async () => {
  root = testFolder();
  theirs = await openStore('theirs');
  ours = await openStore('ours');
});
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** A result folder of about `megabytes` in files of different sizes. */
async function makeFolder(name: string, megabytes: number): Promise<string> {
  const dir = path.join(root, name);
  await mkdir(path.join(dir, 'sub'), { recursive: true });
  await writeFile(path.join(dir, 'model.bin'), randomBytes(Math.floor((megabytes - 0.5) * MiB)));
  await writeFile(path.join(dir, 'sub/log.txt'), 'fine\n');
  await writeFile(path.join(dir, 'sub/half.bin'), randomBytes(MiB / 2));
  return dir;
}

/** A gateway over real HTTP; `spoil` may change what block number n is answered with. */
async function gateway(
  store: ContentStore,
  spoil: (bytes: Uint8Array, count: number, response: http.ServerResponse) => Uint8Array | null = (bytes) => bytes,
): Promise<{ url: string; asked: string[] }> {
  const serve = serveGateway(store, () => true);
  const asked: string[] = [];
  const server = http.createServer((request, response) => {
    void (async () => {
      const cid = /^\/ipfs\/(\w+)\?format=raw$/.exec(request.url ?? '')?.[1] ?? '';
      const count = asked.push(cid);
      const bytes = await serve(cid);
      if (bytes === null) {
        response.writeHead(404).end();
        return;
      }
      const sent = spoil(bytes, count, response);
      if (sent !== null) response.end(sent);
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const spoiled = (bytes: Uint8Array): Uint8Array => {
  const copy = new Uint8Array(bytes);
  copy[Math.floor(copy.length / 2)] = (copy[Math.floor(copy.length / 2)] ?? 0) ^ 0x40;
  return copy;
};

async function expectSame(cid: string, dir: string): Promise<void> {
  const target = path.join(root, `target-${randomBytes(4).toString('hex')}`);
  await ours.materialize(cid, target);
  for (const file of ['model.bin', 'sub/log.txt', 'sub/half.bin']) {
    expect((await readFile(path.join(target, file))).equals(await readFile(path.join(dir, file)))).toBe(true);
  }
}

/** A line between two machines, the provider answering with `onStream`. */
async function line(onStream: NonNullable<Partial<PeerHandler>['onStream']>): Promise<PeerConnection> {
  const provider: PeerLink = await testLink('provider', { onStream });
  const renter: PeerLink = await testLink('renter', refuseAll, { tcp: null });
  closing.push(
    () => provider.close(),
    () => renter.close(),
  );
  return renter.connect(addressOf(provider), { purpose: 'bulk' });
}

const serving = () =>
  line(async (_, stream) => {
    await serveBlocks(stream, theirs, () => true);
  });

describe('gateways', () => {
  test('two corrupt blocks in a hundred: refused, fetched again, identical in the end, and counted', async () => {
    const dir = await makeFolder('source', 120);
    const { cid } = await theirs.importFolder(dir);
    const spoil = (bytes: Uint8Array, count: number) => (count % 50 === 7 ? spoiled(bytes) : bytes);
    const { url } = await gateway(theirs, spoil);
    const seen: number[] = [];
    const report = await fetchContent(cid, [{ gateway: url }], {
      store: ours,
      pin: 'job',
      onProgress: ({ bytes, totalBytes }) => seen.push(bytes / (totalBytes ?? 1)),
    });
    expect(report.sources[0]).toMatchObject({ name: url, corrupt: 3, dropped: null });
    expect(report.blocks).toBe(report.sources[0]?.blocks);
    expect(seen.at(-1)).toBe(1);
    expect(ours.stat(cid)).toMatchObject({ complete: true, pins: ['job'], kind: 'stored', profile: null });
    await expectSame(cid, dir);
  });

  test('one that lies always is left alone, the next one serves', async () => {
    const dir = await makeFolder('source', 40);
    const { cid } = await theirs.importFolder(dir);
    const liar = await gateway(theirs, spoiled);
    const honest = await gateway(theirs);
    const report = await fetchContent(cid, [{ gateway: liar.url }, { gateway: honest.url }], { store: ours });
    // The 17th is one too many; eight more are on their way, eight being checked.
    expect(report.sources[0]?.blocks).toBe(0);
    expect(report.sources[0]?.corrupt).toBeGreaterThanOrEqual(17);
    expect(report.sources[0]?.corrupt).toBeLessThan(17 + 16);
    expect(report.sources[0]?.dropped).toContain('corrupt');
    expect(liar.asked.length).toBeLessThan(17 + 16);
    await expectSame(cid, dir);
  });

  test.each<[string, Parameters<typeof gateway>[1], string]>([
    [
      'redirects',
      (_, __, response) => (response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), null),
      'peer-unreachable',
    ],
    ['sends too much', () => Buffer.alloc(3 * MiB), 'peer-unreachable'],
    ['is broken', (_, __, response) => (response.writeHead(500).end(), null), 'peer-unreachable'],
    ['hangs up', (_, __, response) => (response.destroy(), null), 'peer-unreachable'],
    ['lies', spoiled, 'peer-unreachable'],
    ['has nothing', (_, __, response) => (response.writeHead(404).end(), null), 'not-found'],
  ])('one that %s is an error with its reason', async (_, behave, code) => {
    const { cid } = await theirs.importBytes(randomBytes(MiB / 2));
    const { url } = await gateway(theirs, behave);
    await expect(fetchContent(cid, [{ gateway: url }], { store: ours })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(url) as string,
    });
    expect(ours.has(cid)).toBe(false);
  });

  test('more than allowed is refused, as early as it is said', async () => {
    const { cid } = await theirs.importFolder(await makeFolder('source', 20));
    const { url, asked } = await gateway(theirs);
    await expect(
      fetchContent(cid, [{ gateway: url }], { store: ours, caps: { bytes: 5 * MiB, entries: 10 } }),
    ).rejects.toMatchObject({ code: 'over-limit' });
    expect(asked.length).toBe(1);
  });

  test('only what may be read is served', async () => {
    const open = await theirs.importBytes(Buffer.from('public'));
    const hidden = await theirs.importBytes(Buffer.from('private'));
    const serve = serveGateway(theirs, (cid) => cid === open.cid);
    expect(await serve(open.cid)).toEqual(new Uint8Array(Buffer.from('public')));
    expect(await serve(hidden.cid)).toBeNull();
    expect(await serve('../../etc/passwd')).toBeNull();
  });
});

describe('a peer', () => {
  test('a folder over the line, byte for byte', async () => {
    const dir = await makeFolder('source', 30);
    const { cid } = await theirs.importFolder(dir);
    const report = await fetchContent(cid, [{ peer: await serving() }], { store: ours });
    expect(report).toMatchObject({ alreadyHere: 0 });
    expect(report.sources[0]).toMatchObject({ corrupt: 0, failures: 0 });
    await expectSame(cid, dir);
    // Nothing is asked for what is here.
    expect(await fetchContent(cid, [], { store: ours })).toMatchObject({ blocks: 0, bytes: 0 });
  });

  test('interrupted at 40 %: the second try takes exactly what is missing', async () => {
    const dir = await makeFolder('source', 60);
    const { cid } = await theirs.importFolder(dir);
    const stop = new AbortController();
    const first = fetchContent(cid, [{ peer: await serving() }], {
      store: ours,
      signal: stop.signal,
      onProgress: ({ bytes, totalBytes }) => {
        if (bytes > 0.4 * (totalBytes ?? Number.POSITIVE_INFINITY)) stop.abort();
      },
    });
    await expect(first).rejects.toMatchObject({ code: 'cancelled' });
    expect(ours.stat(cid)).toMatchObject({ complete: false });
    // The host starts again in between.
    await ours.close();
    ours = await openStore('ours');
    expect(ours.has(cid)).toBe(false);
    const second = await fetchContent(cid, [{ peer: await serving() }], { store: ours });
    // 60 parts of the model, what holds them together, two small files and two folders.
    const all = 60 + 1 + 2 + 2;
    expect(second.alreadyHere).toBeGreaterThan(0.35 * all);
    expect(second.alreadyHere + second.blocks).toBe(all);
    await expectSame(cid, dir);
  });

  test('one that corrupts a few blocks: refused, asked again, counted', async () => {
    const dir = await makeFolder('source', 60);
    const { cid } = await theirs.importFolder(dir);
    let count = 0;
    const peer = await line(async (_, stream) => {
      for await (const want of readWants(stream.bytes)) {
        const bytes = await theirs.blocks.get(cid, want.cid);
        count += 1;
        const sent = bytes !== null && count % 20 === 3 ? spoiled(bytes) : bytes;
        await stream.write(encodeHead(want.id, sent));
        if (sent !== null) await stream.write(sent);
      }
    });
    const report = await fetchContent(cid, [{ peer }], { store: ours });
    expect(report.sources[0]?.corrupt).toBe(4);
    await expectSame(cid, dir);
  });

  test('one that goes away: the gateway goes on', async () => {
    const dir = await makeFolder('source', 40);
    const { cid } = await theirs.importFolder(dir);
    let left = 10;
    const peer = await line(async (connection, stream) => {
      for await (const want of readWants(stream.bytes)) {
        left -= 1;
        if (left === 0) connection.close('gone to lunch');
        const bytes = await theirs.blocks.get(cid, want.cid);
        await stream.write(encodeHead(want.id, bytes));
        if (bytes !== null) await stream.write(bytes);
      }
    });
    const { url } = await gateway(theirs);
    const report = await fetchContent(cid, [{ peer }, { gateway: url }], { store: ours });
    expect(report.sources[0]?.dropped).toContain('gone to lunch');
    expect(report.sources[1]?.blocks).toBeGreaterThan(20);
    await expectSame(cid, dir);
  });

  test('who may not read is refused, and other content of the same machine is not to be had', async () => {
    const mine = await theirs.importBytes(Buffer.from('for you'));
    const other = await theirs.importBytes(Buffer.from('not for you'));
    const peer = await line(async (_, stream) => {
      await serveBlocks(stream, theirs, (cid) => cid === mine.cid);
    });
    await expect(fetchContent(other.cid, [{ peer }], { store: ours })).rejects.toMatchObject({ code: 'not-allowed' });
    await expect(
      fetchContent('bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e', [{ peer }], { store: ours }),
    ).rejects.toMatchObject({ code: 'not-allowed' });
    const stream = await peer.open('content.blocks', { root: mine.cid });
    await stream.write(encodeWant({ id: 1, cid: other.cid }));
    await stream.write(encodeWant({ id: 2, cid: mine.cid }));
    await stream.end();
    const answers = [];
    for await (const answer of readAnswers(stream.bytes, () => true)) answers.push(answer.bytes?.byteLength ?? null);
    expect(answers).toEqual([null, 7]);
  });

  test('a reader that does not read stalls the sender, not its memory', async () => {
    const { cid } = await theirs.importFolder(await makeFolder('source', 100));
    let read = 0;
    const counting: ContentStore = {
      ...theirs,
      blocks: {
        ...theirs.blocks,
        get: (of, block) => {
          read += 1;
          return theirs.blocks.get(of, block);
        },
      },
    };
    const peer = await line(async (_, stream) => {
      await serveBlocks(stream, counting, () => true);
    });
    const leaves = [];
    for await (const { cid: leaf } of theirs.entries(cid)) leaves.push(leaf);
    const stream = await peer.open('content.blocks', { root: cid }, { bulk: true });
    // Ten thousand wants for half a megabyte each, none of the answers read.
    const asking = (async () => {
      for (let id = 0; id < 10_000; id += 1) await stream.write(encodeWant({ id, cid: leaves.at(-2) ?? cid }));
    })();
    asking.catch(() => undefined);
    const before = process.memoryUsage().rss;
    for (let last = -1, still = 0; still < 30;) {
      await peer.request('tick', null).catch(() => undefined);
      still = read === last ? still + 1 : 0;
      last = read;
    }
    expect(read).toBeLessThan(20);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * MiB);
    stream.abort('enough');
  });
});

describe('frames', () => {
  async function* cut(bytes: Uint8Array, sizes: readonly number[]) {
    let at = 0;
    for (let index = 0; at < bytes.length; index += 1) {
      const size = sizes.length === 0 ? bytes.length : (sizes[index % sizes.length] ?? 1);
      yield bytes.subarray(at, at + size);
      at += size;
    }
  }

  test('however the bytes are cut, the same answers come out', async () => {
    const answer = fc.record({
      id: fc.nat(0xffff_ffff),
      bytes: fc.option(fc.uint8Array({ maxLength: 300 })),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(answer), fc.array(fc.integer({ min: 1, max: 50 })), async (answers, sizes) => {
        const wire = Buffer.concat(
          answers.flatMap(({ id, bytes }) => [encodeHead(id, bytes), ...(bytes === null ? [] : [bytes])]),
        );
        const read = [];
        for await (const { id, bytes } of readAnswers(cut(wire, sizes), () => true)) {
          read.push({ id, bytes: bytes === null ? null : new Uint8Array(bytes) });
        }
        expect(read).toEqual(answers.map(({ id, bytes }) => ({ id, bytes: bytes && new Uint8Array(bytes) })));
      }),
    );
  });

  test('any bytes at all: frames or one plain error, never a large buffer', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
        const drain = async (frames: AsyncIterable<{ id: number }>): Promise<string> => {
          try {
            for await (const { id } of frames) if (id < 0) return 'a number below zero';
            return 'fine';
          } catch (thrown) {
            return thrown instanceof Error ? thrown.constructor.name : 'thrown';
          }
        };
        expect(['fine', 'Error', 'AppError']).toContain(await drain(readWants(cut(bytes, [7]))));
        const answers = readAnswers(cut(bytes, [7]), (id) => id % 2 === 0);
        expect(['fine', 'Error', 'AppError']).toContain(await drain(answers));
      }),
      { numRuns: 500 },
    );
    const long = encodeHead(1, new Uint8Array(2 * MiB + 1));
    await expect(readAnswers(cut(long, []), () => true).next()).rejects.toThrow('too large');
    await expect(readAnswers(cut(encodeHead(9, null), []), () => false).next()).rejects.toThrow('not asked');
  });
});

describe('kill -9', () => {
  const script = `
    import { openContentStore } from ${JSON.stringify(path.join(import.meta.dirname, 'open-content-store.ts'))};
    import { fetchContent } from ${JSON.stringify(path.join(import.meta.dirname, 'fetch-content.ts'))};
    import { packOutputs } from ${JSON.stringify(path.join(import.meta.dirname, 'pack-outputs.ts'))};
    const [, , dir, what, from, url] = process.argv;
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const clock = { now: () => Math.floor(Date.now() / 1000), monotonicMs: () => performance.now() };
    const store = await openContentStore({ dir, limitBytes: () => 2 ** 32, log, clock });
    const onProgress = ({ bytes }) => process.stdout.write(bytes + '\\n');
    if (what === 'fetch') await fetchContent(from, [{ gateway: url }], { store, onProgress });
    else await packOutputs({ folder: from }, { store, onProgress });
    process.stdout.write('done\\n');
    setInterval(() => undefined, 1000);
  `;

  /** Runs until it has got so far, then kills it the hard way. */
  async function killedAt(bytes: number, args: string[]): Promise<void> {
    const file = path.join(root, 'child.mjs');
    await writeFile(file, script);
    const child: ChildProcess = spawn(process.execPath, [file, path.join(root, 'ours'), ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    let tail = '';
    for await (const part of child.stdout as AsyncIterable<Buffer>) {
      tail = (tail + part.toString()).slice(-200);
      const lines = tail.split('\n');
      if (lines.includes('done') || Number(lines.at(-2) ?? 0) >= bytes) break;
    }
    child.kill('SIGKILL');
    await exited;
  }

  test.each([0.1, 0.5, 0.9])('during a fetch, at %f of it: opens clean, and goes on', async (part) => {
    const dir = await makeFolder('source', 40);
    const { cid } = await theirs.importFolder(dir);
    const { url, asked } = await gateway(theirs);
    await ours.close();
    await killedAt(part * 40 * MiB, ['fetch', cid, url]);
    ours = await openStore('ours');
    const asks = asked.length;
    const report = await fetchContent(cid, [{ gateway: url }], { store: ours });
    expect(report.alreadyHere).toBeGreaterThanOrEqual(Math.floor(part * 40) - 17);
    expect(asked.length - asks).toBe(report.blocks);
    await expectSame(cid, dir);
  });

  test.each([0.2, 0.8])('while outputs are packed, at %f of it: nothing wrong, nothing left over', async (part) => {
    const dir = await makeFolder('source', 40);
    await ours.close();
    await killedAt(part * 40 * MiB, ['pack', dir]);
    ours = await openStore('ours');
    for (const found of ours.roots()) expect(found.complete).toBe(true);
    // What was finished is there, what was not is gone.
    expect(ours.usage().bytes === 0).toBe(ours.roots().length === 0);
    const { cid } = await ours.importFolder(dir);
    await expectSame(cid, dir);
  });
});

test('a source says what went wrong in plain words', async () => {
  const source = openGatewaySource('http://127.0.0.1:1/');
  await expect(
    source.get('bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e', new AbortController().signal),
  ).rejects.toMatchObject({ code: 'network-down' });
  source.close();
});
