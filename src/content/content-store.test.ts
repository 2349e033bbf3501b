import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { appendFile, mkdir, readFile, readdir, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { bytes32ToCid, cidToBytes32, toCid } from './address.ts';
import type { ContentStore } from './content-store.ts';
import { testFolder, testStore } from './testing.ts';

// Generous: the machine may be busy with other suites.
vi.setConfig({ testTimeout: 60_000 });

const MiB = 1024 * 1024;
let root: string;
let store: ContentStore;
let limit: number;

const reopen = (dir = path.join(root, 'store')) => testStore(dir, () => limit);

beforeEach(async () => {
  root = testFolder();
  limit = 1024 * MiB;
  store = await reopen();
});

async function folder(name: string, files: Record<string, Uint8Array | string>): Promise<string> {
  const dir = path.join(root, name);
  await mkdir(dir, { recursive: true });
  for (const [file, bytes] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(dir, file)), { recursive: true });
    await writeFile(path.join(dir, file), bytes);
  }
  return dir;
}

async function tree(dir: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    found[path.relative(dir, file)] = entry.isFile()
      ? createHash('sha256')
          .update(await readFile(file))
          .digest('hex')
      : 'folder';
  }
  return found;
}

/** The keystream that the published vectors are made of: ChaCha20, key = SHA-256 of the seed, counter and nonce zero. */
const deterministic = (size: number, seed: string): Uint8Array =>
  createCipheriv('chacha20', createHash('sha256').update(seed).digest(), Buffer.alloc(16)).update(Buffer.alloc(size));

/** Names as Kubo's tests derive them. */
function deterministicNames(count: number, length: number, lastLength: number, seed: string): string[] {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz01234567890-_';
  const stream = deterministic(MiB, seed);
  return Array.from({ length: count }, (_, index) =>
    Array.from({ length: index === count - 1 ? lastLength : length }, (__, offset) =>
      alphabet.charAt((stream[index * length + offset] ?? 0) % alphabet.length),
    ).join(''),
  );
}

// Source: kubo test/cli/cid_profiles_test.go and js-ipfs-unixfs ipip-499-profiles.spec.ts.
describe('addresses published for unixfs-v1-2025', () => {
  test('a short file is one raw block', async () => {
    const { cid } = await store.importBytes(Buffer.from('hello world'));
    expect(cid).toBe('bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e');
  });
  test('an empty folder', async () => {
    const { cid } = await store.importFolder(await folder('empty', {}));
    expect(cid).toBe('bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354');
  });
  test('exactly one block, and one byte more', async () => {
    const one = await store.importBytes(deterministic(MiB, 'chunk-v1-seed'));
    const more = await store.importBytes(deterministic(MiB + 1, 'chunk-v1-seed'));
    expect(one.cid).toBe('bafkreiacndfy443ter6qr2tmbbdhadvxxheowwf75s6zehscklu6ezxmta');
    expect(more.cid).toBe('bafybeigmix7t42i6jacydtquhet7srwvgpizfg7gjbq7627d35mjomtu64');
  });
  test.each([
    [21, 'bafybeic3h7rwruealwxkacabdy45jivq2crwz6bufb5ljwupn36gicplx4'],
    [22, 'bafybeiegvuterwurhdtkikfhbxcldohmxp566vpjdofhzmnhv6o4freidu'],
  ])('a folder at the size where it is divided, last name of %i letters', async (lastLength, cid) => {
    const names = deterministicNames(4766, 11, lastLength, 'hamt-unixfs-v1-2025');
    const dir = await folder('many', Object.fromEntries(names.map((name) => [name, 'x'])));
    expect((await store.importFolder(dir)).cid).toBe(cid);
    const target = path.join(root, 'out');
    expect(await store.materialize(cid, target)).toEqual({ entries: 4766, files: 4766, bytes: 4766 });
    expect((await readdir(target)).toSorted()).toEqual(names.toSorted());
  });
});

test('a folder there and back, without a second copy of it', async () => {
  const dir = await folder('source', {
    'a.bin': randomBytes(3 * MiB + 17),
    'deep/er/b.txt': 'b',
    'deep/empty.txt': '',
    '.hidden': 'h',
    'ünï cödé: "quoted".txt': 'u',
  });
  await mkdir(path.join(dir, 'nothing'));
  const progress: number[] = [];
  const imported = await store.importFolder(dir, { pin: 'test', onProgress: ({ bytes }) => progress.push(bytes) });
  expect(imported).toMatchObject({ kind: 'in-place', complete: true, pins: ['test'], profile: 'unixfs-v1-2025' });
  expect(imported.storedBytes).toBeLessThan(2000);
  expect(progress.at(-1)).toBe(3 * MiB + 17 + 3);
  const target = path.join(root, 'target');
  await store.materialize(imported.cid, target);
  expect(await tree(target)).toEqual(await tree(dir));

  await store.close();
  store = await reopen();
  expect(store.has(imported.cid)).toBe(true);
  expect(store.stat(imported.cid)).toMatchObject({ pins: ['test'], kind: 'in-place' });
  const again = path.join(root, 'again');
  await store.materialize(imported.cid, again);
  expect(await tree(again)).toEqual(await tree(dir));
  const entries = [];
  for await (const entry of store.entries(imported.cid)) entries.push(`${entry.path} ${entry.kind} ${entry.size}`);
  expect(entries).toEqual([
    '.hidden file 1',
    `a.bin file ${3 * MiB + 17}`,
    'deep folder 0',
    'deep/empty.txt file 0',
    'deep/er folder 0',
    'deep/er/b.txt file 1',
    'nothing folder 0',
    'ünï cödé: "quoted".txt file 1',
  ]);
});

test('part of a file in a folder', async () => {
  const bytes = randomBytes(5 * MiB);
  const { cid } = await store.importFolder(await folder('source', { 'sub/file': bytes }));
  const parts = [];
  for await (const part of store.read(cid, 'sub/file', { offset: MiB - 3, length: 2 * MiB })) parts.push(part);
  expect(Buffer.concat(parts)).toEqual(bytes.subarray(MiB - 3, 3 * MiB - 3));
  await expect(store.read(cid, 'sub/none')[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'not-found' });
});

test('equal bytes under equal names have equal addresses, whatever their modes and times', async () => {
  const one = await folder('one', { 'run.sh': 'echo', 'b/c': 'c' });
  const two = await folder('two', { 'b/c': 'c', 'run.sh': 'echo' });
  await utimes(path.join(two, 'b/c'), 1, 1);
  expect((await store.importFolder(one)).cid).toBe((await store.importFolder(two)).cid);
});

test('a file that changes under it is noticed and said', async () => {
  const dir = await folder('source', { 'a.bin': randomBytes(2 * MiB) });
  const { cid } = await store.importFolder(dir);
  await appendFile(path.join(dir, 'a.bin'), 'x');
  await expect(store.materialize(cid, path.join(root, 'out'))).rejects.toMatchObject({
    code: 'conflict',
    field: path.join(dir, 'a.bin'),
  });
  expect(await readdir(root)).not.toContain('out');
  expect(store.has(cid)).toBe(false);
  expect(store.stat(cid)?.broken).toContain('has changed');

  // Same length, same time: the bytes tell.
  const other = await folder('other', { 'b.bin': 'before' });
  await utimes(path.join(other, 'b.bin'), 1000, 1000);
  const second = await store.importFolder(other);
  await writeFile(path.join(other, 'b.bin'), 'behind');
  await utimes(path.join(other, 'b.bin'), 1000, 1000);
  await expect(store.materialize(second.cid, path.join(root, 'out'))).rejects.toMatchObject({ code: 'conflict' });
  // Imported again it is other content, and fine.
  expect(store.has((await store.importFolder(other)).cid)).toBe(true);
});

test('links and special files are refused by name', async () => {
  const dir = await folder('source', { a: 'a' });
  await symlink('/etc/passwd', path.join(dir, 'passwd'));
  await expect(store.importFolder(dir)).rejects.toMatchObject({
    code: 'bad-input',
    field: 'passwd',
    message: 'passwd is a symbolic link; only files and folders can be shared.',
  });
  await unlink(path.join(dir, 'passwd'));
  await expect(store.importFolder(dir, { caps: { entries: 0 } })).rejects.toMatchObject({ code: 'over-limit' });
  await expect(store.importFolder(path.join(root, 'none'))).rejects.toMatchObject({ code: 'not-found' });
  expect(store.roots()).toEqual([]);
});

test('the least recently used goes first, pinned content stays, and a full store says so', async () => {
  limit = 10 * MiB;
  const put = (owner?: string) => store.importBytes(randomBytes(3 * MiB), owner === undefined ? {} : { pin: owner });
  const pinned = await put('keep');
  const older = await put();
  const newer = await put();
  for await (const bytes of store.read(older.cid, '', { length: 1 })) expect(bytes.byteLength).toBe(1);
  const next = await put();
  expect([pinned, older, newer, next].map(({ cid }) => store.has(cid))).toEqual([true, true, false, true]);
  expect(store.usage().bytes).toBeLessThanOrEqual(limit);
  await store.pin(older.cid, 'a');
  await store.pin(next.cid, 'b');
  await expect(put()).rejects.toMatchObject({ code: 'disk-full' });
  await store.unpin(older.cid, 'a');
  const last = await put();
  expect(store.has(older.cid)).toBe(false);
  await store.close();
  store = await reopen();
  expect(
    store
      .roots()
      .map(({ cid }) => cid)
      .toSorted(),
  ).toEqual([pinned.cid, next.cid, last.cid].toSorted());
  expect(store.usage().bytes).toBeLessThanOrEqual(limit);
  await expect(store.remove(pinned.cid)).rejects.toMatchObject({ code: 'conflict' });
  await store.unpin(pinned.cid, 'keep');
  await store.remove(pinned.cid);
  await store.unpin(next.cid, 'b');
  await store.remove(next.cid);
  await store.remove(last.cid);
  expect(store.usage().bytes).toBe(0);
});

test('what two hold is stored once and goes with the last', async () => {
  const shared = randomBytes(2 * MiB);
  const one = await store.importBytes(Buffer.concat([shared, Buffer.from('1')]));
  const before = store.usage().bytes;
  const two = await store.importBytes(Buffer.concat([shared, Buffer.from('2')]));
  expect(store.usage().bytes - before).toBeLessThan(1000);
  await store.remove(one.cid);
  const parts = [];
  for await (const part of store.read(two.cid)) parts.push(part);
  expect(Buffer.concat(parts).subarray(0, shared.length)).toEqual(shared);
});

test('a block spoiled on disk is never handed out', async () => {
  const { cid } = await store.importBytes(randomBytes(2 * MiB));
  const leaf = (await readdir(path.join(root, 'store', 'by-cid'), { recursive: true })).find((name) =>
    name.includes('bafkrei'),
  );
  const file = path.join(root, 'store', 'by-cid', leaf ?? '');
  const bytes = await readFile(file);
  bytes.writeUInt8(bytes.readUInt8(5) ^ 1, 5);
  await writeFile(file, bytes);
  await expect(store.materialize(cid, path.join(root, 'out'))).rejects.toMatchObject({ code: 'not-found' });
  expect(store.has(cid)).toBe(false);
});

test('what lies about in its folder does no harm', async () => {
  const { cid } = await store.importBytes(randomBytes(2 * MiB), { pin: 'x' });
  await store.close();
  const at = (name: string) => path.join(root, 'store', name);
  await writeFile(at('roots/bafkreibroken.json'), '{"version":1,');
  await writeFile(at('roots/half.json.123.new'), '{}');
  await writeFile(at('scratch/left'), 'left');
  await mkdir(at('by-cid/zz'));
  await writeFile(at('by-cid/zz/bafkreiorphanzz'), 'orphan');
  await writeFile(at('files/orphan'), 'orphan');
  store = await reopen();
  expect(store.roots().map((entry) => entry.cid)).toEqual([cid]);
  expect(await readdir(at('roots'))).toEqual([`${cid}.json`]);
  expect(await readdir(at('scratch'))).toEqual([]);
  expect(await readdir(at('by-cid/zz'))).toEqual([]);
  expect(await readdir(at('files'))).toEqual([]);
});

test('addresses and the 32 bytes on chain', async () => {
  const { cid } = await store.importFolder(await folder('result', { 'out.txt': 'result' }));
  const digest = cidToBytes32(cid);
  expect(digest).toMatch(/^0x[0-9a-f]{64}$/);
  expect(bytes32ToCid(digest)).toBe(cid);
  // CIDv0 of the same block, from Kubo's documentation: an empty folder.
  expect(toCid('QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn')).toBe(
    'bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354',
  );
  expect(() => cidToBytes32('bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e')).toThrow(
    'a result is a folder',
  );
  for (const bad of [
    '',
    'x',
    'bafkrei',
    `b${'a'.repeat(200)}`,
    'bafkrgqbqt3gerhas23vuzrapkdeqf4vu2dwxp3srdj6hvg6nhsug2tgyn6mj3u23yx7utftq3i2ckw2fwdh5qmhid5qf3t35yvkc5e5ottlw6',
  ]) {
    expect(() => toCid(bad)).toThrow('not a content address');
  }
});
