import { randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { type Header, pack } from 'tar-stream';
import { beforeEach, expect, test, vi } from 'vitest';
import { AppError } from '../shared/errors.ts';
import type { ContentStore } from './content-store.ts';
import { packOutputs } from './pack-outputs.ts';
import { testFolder, testStore } from './testing.ts';

// Generous: the machine may be busy with other suites.
vi.setConfig({ testTimeout: 60_000 });

let root: string;
let store: ContentStore;
beforeEach(async () => {
  root = testFolder();
  store = await testStore(path.join(root, 'store'));
});

type Item = Partial<Header> & { name: string; body?: Uint8Array | string };

function tarOf(items: readonly Item[]): Promise<Buffer> {
  const tar = pack();
  for (const { body, ...header } of items) {
    if (body === undefined) tar.entry(header, Buffer.alloc(0));
    else tar.entry(header, Buffer.from(body));
  }
  tar.finalize();
  return buffer(tar);
}

const packing = async (tar: Buffer, options: Partial<Parameters<typeof packOutputs>[1]> = {}) =>
  packOutputs({ tar: Readable.from(cut(tar), { objectMode: false }) }, { store, ...options });

/** As an engine sends it: in parts that know nothing of entries. */
function* cut(tar: Buffer) {
  for (let at = 0; at < tar.length; at += 32_768) yield tar.subarray(at, at + 32_768);
}

test('an archive of the engine becomes the folder it was made of', async () => {
  const big = randomBytes(2_500_000);
  const tar = await tarOf([
    { name: 'out/', type: 'directory', mode: 0o2775 },
    { name: 'out/sub/', type: 'directory' },
    { name: 'out/sub/big.bin', body: big },
    { name: 'out/empty/', type: 'directory' },
    { name: `out/${'long-name-'.repeat(20)}.txt`, body: 'long' },
    { name: 'out/zero', body: '' },
  ]);
  const packed = await packing(tar, { strip: 1, pin: 'job' });
  expect(packed).toMatchObject({ kind: 'stored', complete: true, pins: ['job'] });
  const target = path.join(root, 'target');
  await store.materialize(packed.cid, target);
  expect((await readdir(target, { recursive: true })).toSorted()).toEqual(
    ['empty', `${'long-name-'.repeat(20)}.txt`, 'sub', 'sub/big.bin', 'zero'].toSorted(),
  );
  expect(await readFile(path.join(target, 'sub/big.bin'))).toEqual(big);
  // The same bytes in a folder, in another order, without anything but their names: the same address.
  expect((await packOutputs({ folder: target }, { store })).cid).toBe(packed.cid);
  const other = await tarOf([
    { name: './zero', body: '', mode: 0o777, mtime: new Date(0) },
    { name: './empty', type: 'directory', mtime: new Date(0) },
    { name: './sub/big.bin', body: big },
    { name: `./${'long-name-'.repeat(20)}.txt`, body: 'long', uid: 4 },
  ]);
  expect((await packing(other)).cid).toBe(packed.cid);
  await rm(target, { recursive: true });
  await store.materialize(packed.cid, target);
});

test.each<[string, Item[], string, string]>([
  ['an absolute symbolic link', [{ name: 'a', type: 'symlink', linkname: '/etc/passwd' }], 'bad-input', 'a'],
  ['a hard link', [{ name: 'a', type: 'link', linkname: 'b' }], 'bad-input', 'a'],
  ['a way out', [{ name: 'x/../../a', body: 'x' }], 'bad-input', 'x/../../a'],
  ['an absolute path', [{ name: '/etc/cron.d/x', body: 'x' }], 'bad-input', '/etc/cron.d/x'],
  ['a pipe', [{ name: 'p', type: 'fifo' }], 'bad-input', 'p'],
  ['a device', [{ name: 'sda', type: 'block-device', devmajor: 8 }], 'bad-input', 'sda'],
  ['a setuid file', [{ name: 'su', mode: 0o4755, body: 'x' }], 'bad-input', 'su'],
  [
    'the same file twice',
    [
      { name: 'a', body: '1' },
      { name: './a', body: '2' },
    ],
    'bad-input',
    'a',
  ],
  [
    'a file that is a folder',
    [
      { name: 'a', body: '1' },
      { name: 'a/b', body: '2' },
    ],
    'bad-input',
    'a',
  ],
  [
    'a folder that is a file',
    [
      { name: 'a/b', body: '1' },
      { name: 'a', body: '2' },
    ],
    'bad-input',
    'a',
  ],
  ['a backslash', [{ name: 'a\\..\\b', body: '1' }], 'bad-input', 'a\\..\\b'],
  ['a line break', [{ name: 'a\nb', body: '1' }], 'bad-input', 'a\nb'],
  ['an empty name within', [{ name: 'a//b', body: '1' }], 'bad-input', 'a//b'],
  ['a name too long to store', [{ name: 'n'.repeat(300), body: '1' }], 'bad-input', 'n'.repeat(300)],
  ['too deep', [{ name: `${'d/'.repeat(40)}x`, body: '1' }], 'over-limit', `${'d/'.repeat(40)}x`],
  [
    'a sparse file',
    [{ name: 's', body: 'x', pax: { 'GNU.sparse.major': '1', 'GNU.sparse.realsize': '10737418240' } }],
    'bad-input',
    's',
  ],
])('%s is refused by name', async (_, items, code, field) => {
  await expect(packing(await tarOf([{ name: 'good', body: randomBytes(100_000) }, ...items]))).rejects.toMatchObject({
    code,
    field,
  });
  expect(store.roots()).toEqual([]);
  expect(store.usage().bytes).toBe(0);
});

/** Rewrites one header of an archive and makes its checksum right again. */
function forge(tar: Buffer, change: (header: Buffer) => void): Buffer {
  const forged = Buffer.from(tar);
  const header = forged.subarray(0, 512);
  change(header);
  header.fill(' ', 148, 156);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  return forged;
}

test('headers that lie', async () => {
  const plain = await tarOf([{ name: 'a', body: 'x' }]);
  // GNU sparse, and 10 GiB announced.
  await expect(packing(forge(plain, (header) => header.write('S', 156)))).rejects.toMatchObject({ code: 'bad-input' });
  const huge = forge(plain, (header) => header.write('120000000000', 124));
  await expect(packing(huge, { caps: { bytes: 2 ** 20 } })).rejects.toMatchObject({ code: 'over-limit', field: 'a' });
  await expect(packing(huge)).rejects.toMatchObject({ code: 'bad-input' });
  await expect(packing(plain.subarray(0, 512))).rejects.toMatchObject({ code: 'bad-input' });
  await expect(packing(randomBytes(4096))).rejects.toMatchObject({ code: 'bad-input' });
  expect(store.usage().bytes).toBe(0);
});

test('a million entries end at the cap, and endless nothing too', async () => {
  let made = 0;
  async function* million() {
    const one = await tarOf([{ name: '0000000', body: '' }]);
    for (; made < 1_000_000; made += 1) {
      yield forge(one.subarray(0, 512), (header) => header.write(`${made}`.padStart(7, '0'), 0));
    }
  }
  const bomb = Readable.from(million(), { objectMode: false, highWaterMark: 65_536 });
  await expect(packOutputs({ tar: bomb }, { store, caps: { entries: 500 } })).rejects.toMatchObject({
    code: 'over-limit',
  });
  expect(made).toBeLessThan(2000);
  let zeros = 0;
  async function* nothing() {
    for (; zeros < 10_000; zeros += 1) yield Buffer.alloc(65_536);
  }
  const endless = Readable.from(nothing(), { objectMode: false });
  await expect(packOutputs({ tar: endless }, { store, caps: { entries: 10, bytes: 1024 } })).rejects.toMatchObject({
    code: 'over-limit',
  });
  expect(zeros).toBeLessThan(1000);
});

test('work that is given up leaves nothing behind', async () => {
  const stop = new AbortController();
  async function* slow() {
    yield (await tarOf([{ name: 'a', body: randomBytes(4_000_000) }])).subarray(0, 3_000_000);
    stop.abort();
    yield Buffer.alloc(1024);
  }
  await expect(
    packOutputs({ tar: Readable.from(slow(), { objectMode: false }) }, { store, signal: stop.signal }),
  ).rejects.toMatchObject({ code: 'cancelled' });
  expect(store.usage().bytes).toBe(0);
});

test('whatever an archive holds: a folder or a plain refusal', async () => {
  const good = await tarOf([
    { name: 'dir/', type: 'directory' },
    { name: 'dir/file.bin', body: randomBytes(700) },
    { name: `${'x'.repeat(120)}/y`, body: 'y' },
  ]);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 12 }),
      fc.option(fc.nat(good.length)),
      fc.boolean(),
      async (changes, length, rightSum) => {
        let bytes: Buffer = Buffer.from(good);
        for (const [at, value] of changes) bytes[at] = value;
        if (rightSum) bytes = forge(bytes, () => undefined);
        if (length !== null) bytes = bytes.subarray(0, length);
        const outcome = await packing(bytes, { caps: { bytes: 1_000_000, entries: 50 } }).then(
          ({ cid }) => store.remove(cid).then(() => 'packed'),
          (thrown: unknown) => (thrown instanceof AppError ? thrown.code : thrown),
        );
        expect(['packed', 'bad-input', 'over-limit']).toContain(outcome);
        expect(store.roots()).toEqual([]);
      },
    ),
    { numRuns: 300 },
  );
});

test('a folder of our own with links in it is refused too', async () => {
  const dir = path.join(root, 'out');
  await mkdir(dir);
  await writeFile(path.join(dir, 'con\u0001'), 'x');
  await expect(packOutputs({ folder: dir }, { store })).rejects.toMatchObject({ code: 'bad-input' });
});
