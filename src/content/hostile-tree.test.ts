import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { Writable } from 'node:stream';
import { CarReader } from '@ipld/car';
import { createLink, encode, prepare, type PBLink } from '@ipld/dag-pb';
import fc from 'fast-check';
import { UnixFS } from 'ipfs-unixfs';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { AppError } from '../shared/errors.ts';
import { bytes32ToCid, rawCid, toLink } from './address.ts';
import { pushCarToKubo, writeCar } from './car.ts';
import type { Cid, ContentCaps, ContentStore } from './content-store.ts';
import { checkDistinct, checkName } from './names.ts';
import { readNode } from './nodes.ts';
import { testFolder, testStore } from './testing.ts';

// Generous: the machine may be busy with other suites.
vi.setConfig({ testTimeout: 60_000 });

let root: string;
let store: ContentStore;
beforeEach(async () => {
  root = testFolder();
  store = await testStore(path.join(root, 'store'));
});

/** Blocks as a stranger would make them, put in as if they had been fetched. */
function forger() {
  const blocks = new Map<Cid, Uint8Array>();
  const add = (bytes: Uint8Array, cid: Cid): Cid => {
    blocks.set(cid, bytes);
    return cid;
  };
  const raw = (bytes: Uint8Array): Cid => add(bytes, rawCid(bytes));
  const node = (unixfs: UnixFS | Uint8Array, links: PBLink[] = []): Cid => {
    const bytes = encode(prepare({ Data: unixfs instanceof UnixFS ? unixfs.marshal() : unixfs, Links: links }));
    const digest = Buffer.from(toLink(rawCid(bytes)).multihash.digest).toString('hex');
    return add(bytes, bytes32ToCid(`0x${digest}`));
  };
  const link = (name: string, cid: Cid, size = 1) => createLink(name, size, toLink(cid));
  const folder = (entries: [string, Cid][]) =>
    node(
      new UnixFS({ type: 'directory' }),
      entries.map(([name, cid]) => link(name, cid)),
    );
  const file = (parts: Cid[], sizes: number[]) =>
    node(
      new UnixFS({ type: 'file', blockSizes: sizes.map(BigInt) }),
      parts.map((cid) => link('', cid)),
    );
  return {
    raw,
    node,
    link,
    folder,
    file,
    async put(cid: Cid): Promise<Cid> {
      const intake = await store.blocks.fetching(cid);
      for (const [block, bytes] of blocks) expect(await intake.put(block, bytes)).toBe(true);
      await intake.complete(cid);
      return cid;
    },
  };
}

/** Writes it out: what is said, while nothing is left, neither at the target nor beside it. */
async function refusal(cid: Cid, caps?: Partial<ContentCaps>): Promise<string> {
  const target = path.join(root, 'out', 'target');
  const said = await store.materialize(cid, target, caps === undefined ? {} : { caps }).then(
    () => 'written',
    (thrown: unknown) => (thrown instanceof AppError ? `${thrown.code}: ${thrown.message}` : String(thrown)),
  );
  await expect(stat(target)).rejects.toMatchObject({ code: 'ENOENT' });
  expect((await readdir(root)).toSorted().filter((name) => name !== 'out')).toEqual(['store']);
  return said;
}

describe('a stranger’s tree', () => {
  test.each([
    ['../escaped', /slash/],
    ['/etc/passwd', /slash/],
    ['..', /leads out/],
    ['.', /leads out/],
    ['', /empty/],
    ['a\\b', /slash/],
    ['a\u0000b', /control/],
    ['n'.repeat(256), /longer/],
  ])('the name %j', async (name, message) => {
    const f = forger();
    expect(await refusal(await f.put(f.folder([[name, f.raw(Buffer.from('x'))]])))).toMatch(message);
    const g = forger();
    const inner = g.folder([['ok', g.folder([[name, g.raw(Buffer.from('y'))]])]]);
    expect(await refusal(await g.put(inner))).toMatch(message);
  });

  test('the same name twice', async () => {
    const f = forger();
    const cid = f.folder([
      ['a', f.raw(Buffer.from('1'))],
      ['a', f.raw(Buffer.from('2'))],
    ]);
    expect(await refusal(await f.put(cid))).toMatch(/^bad-input: .*twice/);
  });

  test('a symbolic link', async () => {
    const f = forger();
    const away = f.node(new UnixFS({ type: 'symlink', data: Buffer.from('/etc') }));
    expect(await refusal(await f.put(f.folder([['link', away]])))).toMatch(/^bad-input: .*symbolic link/);
  });

  test('a file whose parts are longer, shorter or fewer than said', async () => {
    for (const sizes of [[3], [5], [4, 4], []]) {
      const f = forger();
      expect(await refusal(await f.put(f.folder([['file', f.file([f.raw(Buffer.from('four'))], sizes)]])))).toMatch(
        /^bad-input: .*(not as long as said|how long its parts are)/,
      );
    }
  });

  test('a file with a folder inside, and one without end of parts of nothing', async () => {
    const f = forger();
    expect(await refusal(await f.put(f.folder([['file', f.file([f.folder([])], [4])]])))).toMatch(
      /^bad-input: .*a part of it is a folder/,
    );
    const g = forger();
    expect(await refusal(await g.put(g.file([g.raw(Buffer.alloc(0))], [0])))).toMatch(
      /^bad-input: .*impossible length/,
    );
  });

  test('sixteen blocks that unfold into a petabyte end at the cap', async () => {
    const f = forger();
    let cid = f.raw(Buffer.alloc(1024));
    let size = 1024;
    for (let level = 0; level < 5; level += 1) {
      cid = f.file(
        Array.from({ length: 200 }, () => cid),
        Array.from({ length: 200 }, () => size),
      );
      size *= 200;
    }
    expect(await refusal(await f.put(f.folder([['bomb', cid]])))).toMatch(/^over-limit: .*bytes/);
    const g = forger();
    let folder = g.folder([['x', g.raw(Buffer.from('x'))]]);
    for (let level = 0; level < 8; level += 1) {
      const below = folder;
      folder = g.folder(Array.from({ length: 100 }, (_, index) => [`${index}`, below]));
    }
    expect(await refusal(await g.put(folder), { entries: 5000 })).toMatch(/^over-limit: .*files and folders/);
  });

  test('folders within folders without end', async () => {
    const f = forger();
    let cid = f.folder([]);
    for (let level = 0; level < 500; level += 1) cid = f.folder([['d', cid]]);
    expect(await refusal(await f.put(cid))).toMatch(/^over-limit: .*within each other/);
  });

  test('a divided folder that leads into itself level after level', async () => {
    const f = forger();
    const shard = (links: PBLink[]) =>
      f.node(new UnixFS({ type: 'hamt-sharded-directory', fanout: 256n, hashType: 0x22n }), links);
    let cid = shard([]);
    for (let level = 0; level < 40; level += 1) {
      const below = cid;
      cid = shard(Array.from({ length: 16 }, (_, index) => f.link(`0${index.toString(16).toUpperCase()}`, below)));
    }
    expect(await refusal(await f.put(cid))).toMatch(/^bad-input: .*well-formed/);
    const g = forger();
    const wild = g.node(new UnixFS({ type: 'hamt-sharded-directory', fanout: 3n, hashType: 0x22n }));
    expect(await refusal(await g.put(wild))).toMatch(/^bad-input: .*impossible way/);
  });

  test('bytes that are no node at all: one plain refusal', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const cid = bytes32ToCid(`0x${'00'.repeat(32)}`);
        const read = () => {
          try {
            return readNode(cid, bytes).kind;
          } catch (thrown) {
            return thrown instanceof AppError ? thrown.code : thrown;
          }
        };
        expect(['file', 'folder', 'shard', 'bad-input']).toContain(read());
      }),
      { numRuns: 2000 },
    );
  });

  test('a place that is taken is left as it is', async () => {
    const { cid } = await store.importBytes(randomBytes(100));
    await writeFile(path.join(root, 'mine'), 'mine');
    await expect(store.materialize(cid, path.join(root, 'mine'))).rejects.toMatchObject({ code: 'conflict' });
    expect(await readFile(path.join(root, 'mine'), 'utf8')).toBe('mine');
    await expect(store.materialize(cid, root)).rejects.toMatchObject({ code: 'conflict' });
  });
});

test('names that Windows and case-blind disks cannot tell or store', () => {
  for (const name of ['con', 'NUL.txt', 'com1', 'a:b', 'what?', 'dot.', 'space ', 'a|b']) {
    expect(() => checkName(name, name, 'win32')).toThrow('Windows');
    expect(() => checkName(name, name, 'linux')).not.toThrow();
  }
  expect(() => checkDistinct(['A', 'a'], '', 'darwin')).toThrow('twice');
  expect(() => checkDistinct(['\u00e9', 'e\u0301'], '', 'win32')).toThrow('twice');
  expect(() => checkDistinct(['A', 'a'], '', 'linux')).not.toThrow();
});

describe('content for other software', () => {
  const collect = () => {
    const parts: Buffer[] = [];
    const to = new Writable({
      write(part: Buffer, _, done) {
        parts.push(part);
        done();
      },
    });
    return { to, bytes: () => Buffer.concat(parts) };
  };

  test('a CAR holds every block once, the root first', async () => {
    const dir = await mkdtemp(path.join(root, 'dir-'));
    await writeFile(path.join(dir, 'a'), randomBytes(2_500_000));
    await writeFile(path.join(dir, 'b'), 'same');
    await writeFile(path.join(dir, 'c'), 'same');
    const { cid } = await store.importFolder(dir);
    const out = collect();
    await writeCar(store, cid, out.to);
    const car = await CarReader.fromBytes(out.bytes());
    expect((await car.getRoots()).map(String)).toEqual([cid]);
    const cids = [];
    for await (const block of car.blocks()) cids.push(block.cid.toString());
    expect(cids[0]).toBe(cid);
    // Folder, file, three parts of it, and the two equal files as one.
    expect(cids).toHaveLength(6);
    expect(new Set(cids).size).toBe(6);
    await expect(writeCar(store, bytes32ToCid(`0x${'11'.repeat(32)}`), collect().to)).rejects.toMatchObject({
      code: 'not-found',
    });
  });

  test('pushed to a node that speaks Kubo’s RPC', async () => {
    const { cid } = await store.importBytes(randomBytes(3_000_000));
    let behave: (body: Buffer, response: http.ServerResponse) => void = () => undefined;
    const server = http.createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        expect(request.method).toBe('POST');
        expect(request.url).toBe('/api/v0/dag/import?pin-roots=true');
        const boundary = request.headers['content-type']?.split('boundary=')[1] ?? '';
        const body = Buffer.concat(parts);
        const start = body.indexOf('\r\n\r\n') + 4;
        behave(body.subarray(start, body.lastIndexOf(`\r\n--${boundary}--`)), response);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    let car = Buffer.alloc(0);
    behave = (body, response) => {
      car = Buffer.from(body);
      response.end(`${JSON.stringify({ Root: { Cid: { '/': cid }, PinErrorMsg: '' } })}\n`);
    };
    await pushCarToKubo(store, api, cid);
    expect((await (await CarReader.fromBytes(car)).getRoots()).map(String)).toEqual([cid]);
    behave = (_, response) =>
      response.end(JSON.stringify({ Root: { Cid: { '/': cid }, PinErrorMsg: 'merkledag: not found' } }));
    await expect(pushCarToKubo(store, api, cid)).rejects.toMatchObject({
      code: 'peer-refused',
      message: 'Your IPFS node did not take it: merkledag: not found.',
    });
    behave = (_, response) => response.writeHead(403).end('403 - Forbidden');
    await expect(pushCarToKubo(store, api, cid)).rejects.toMatchObject({ code: 'peer-refused' });
    server.closeAllConnections();
    server.close();
    await expect(pushCarToKubo(store, api, cid)).rejects.toMatchObject({ code: 'network-down' });
    await expect(pushCarToKubo(store, api, bytes32ToCid(`0x${'11'.repeat(32)}`))).rejects.toBeInstanceOf(AppError);
  });
});
