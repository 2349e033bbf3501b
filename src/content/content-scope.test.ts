/** Whose content may be reused for whom: an address alone opens nothing. */
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PUBLIC_SCOPE, type ContentStore } from './content-store.ts';
import { fetchContent } from './fetch-content.ts';
import { fetchUrl } from './fetch-url.ts';
import { testFolder, testStore } from './testing.ts';

const ALICE = `0x${'a1'.repeat(20)}`;
const MALLORY = `0x${'ee'.repeat(20)}`;
const SECRET = 'the weights of a model\n';

let root: string;
let host: ContentStore;
let elsewhere: ContentStore;
/** Blocks that the source has, by address; what it was asked for. */
let given: Set<string>;
let asked: string[];
let server: http.Server;

const openStore = (name: string) => testStore(path.join(root, name));
const source = () => [{ gateway: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }];
const fetchFor = (scope: string, cid: string) => fetchContent(cid, source(), { store: host, scope });

beforeEach(async () => {
  root = testFolder();
  host = await openStore('host');
  elsewhere = await openStore('elsewhere');
  given = new Set();
  asked = [];
  server = http.createServer((request, response) => {
    void (async () => {
      const block = /^\/ipfs\/(\w+)/.exec(request.url ?? '')?.[1] ?? '';
      asked.push(block);
      const holder = given.has(block) ? elsewhere.blocks.holders(block)[0] : undefined;
      const bytes = holder === undefined ? null : await elsewhere.blocks.get(holder, block);
      if (bytes === null) response.writeHead(404).end();
      else response.end(bytes);
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** A folder elsewhere with these files; its address, and those of its files. */
async function folderOf(name: string, files: Record<string, string>): Promise<{ cid: string; blocks: string[] }> {
  const dir = path.join(root, name);
  await mkdir(dir);
  for (const [file, text] of Object.entries(files)) await writeFile(path.join(dir, file), text);
  const { cid } = await elsewhere.importFolder(dir);
  const blocks: string[] = [];
  for await (const entry of elsewhere.entries(cid)) blocks.push(entry.cid);
  return { cid, blocks };
}

test('the same address for two wallets: each fetches it itself, once', async () => {
  const { cid, blocks } = await folderOf('input', { 'model.bin': SECRET });
  for (const block of [cid, ...blocks]) given.add(block);
  await fetchFor(ALICE, cid);
  expect(host.has(cid, ALICE)).toBe(true);
  expect(host.has(cid, MALLORY)).toBe(false);
  given.clear();
  await expect(fetchFor(MALLORY, cid)).rejects.toMatchObject({ code: 'not-found' });
  expect(host.has(cid, MALLORY)).toBe(false);
  expect(host.has(cid, ALICE)).toBe(true);
  for (const block of [cid, ...blocks]) given.add(block);
  const before = host.usage().bytes;
  expect(await fetchFor(MALLORY, cid)).toMatchObject({ blocks: 2, alreadyHere: 0 });
  expect(host.usage().bytes).toBe(before);
  asked = [];
  for (const scope of [ALICE, MALLORY]) await fetchFor(scope, cid);
  expect(asked).toEqual([]);
  await host.close();
  host = await openStore('host');
  expect([host.has(cid, ALICE), host.has(cid, MALLORY), host.has(cid, 'own')]).toEqual([true, true, false]);
});

test('a root that links to blocks of others does not get them, not even after a restart', async () => {
  const secret = await host.importBytes(Buffer.from(SECRET), { scope: ALICE });
  const { cid, blocks } = await folderOf('bait', { mine: 'bait', stolen: SECRET });
  expect(blocks).toContain(secret.cid);
  for (const block of [cid, ...blocks]) if (block !== secret.cid) given.add(block);
  await expect(fetchFor(MALLORY, cid)).rejects.toMatchObject({ code: 'not-found' });
  await host.close();
  host = await openStore('host');
  await expect(fetchFor(MALLORY, cid)).rejects.toMatchObject({ code: 'not-found' });
  expect(asked).toContain(secret.cid);
  expect(host.has(cid)).toBe(false);
});

test('what two fetch at the same time comes for each, and whoever ends first disturbs nobody', async () => {
  const { cid, blocks } = await folderOf('both', { some: SECRET, more: 'more' });
  const secret = await host.importBytes(Buffer.from(SECRET), { scope: ALICE });
  const first = await host.blocks.fetching(cid, 'run:alice', ALICE);
  const second = await host.blocks.fetching(cid, 'run:mallory', MALLORY);
  expect(await first.get(secret.cid)).not.toBeNull();
  expect(await second.get(secret.cid)).toBeNull();
  for (const block of [cid, ...blocks]) {
    expect(await second.put(block, (await elsewhere.blocks.get(cid, block)) ?? new Uint8Array())).toBe(true);
  }
  await second.complete(cid);
  expect([host.has(cid, ALICE), host.has(cid, MALLORY)]).toEqual([false, true]);
  for (const block of [cid, ...blocks]) {
    expect(await first.put(block, (await elsewhere.blocks.get(cid, block)) ?? new Uint8Array())).toBe(true);
  }
  expect((await first.complete(cid)).pins.toSorted()).toEqual(['run:alice', 'run:mallory']);
  expect([host.has(cid, ALICE), host.has(cid, MALLORY)]).toEqual([true, true]);
});

test('files of the owner’s, where they lie, are fetched like anything else, and then no longer read', async () => {
  const { cid, blocks } = await folderOf('uploads', { 'private.csv': SECRET });
  await host.importFolder(path.join(root, 'uploads'), { pin: 'inputs' });
  expect([host.has(cid), host.has(cid, ALICE)]).toEqual([true, false]);
  await expect(fetchFor(ALICE, cid)).rejects.toMatchObject({ code: 'not-found' });
  for (const block of [cid, ...blocks]) given.add(block);
  await fetchFor(ALICE, cid);
  await rm(path.join(root, 'uploads'), { recursive: true });
  await host.materialize(cid, path.join(root, 'out'));
  expect(await readFile(path.join(root, 'out', 'private.csv'), 'utf8')).toBe(SECRET);
  expect(host.stat(cid)).toMatchObject({ kind: 'stored', pins: ['inputs'] });
});

test('what is public is shared with everybody: from a gateway, and from a URL by its hash', async () => {
  const { cid, blocks } = await folderOf('open', { data: SECRET });
  for (const block of [cid, ...blocks]) given.add(block);
  await fetchFor(PUBLIC_SCOPE, cid);
  asked = [];
  expect(await fetchFor(MALLORY, cid)).toMatchObject({ blocks: 0 });
  expect(asked).toEqual([]);

  const page = http.createServer((_, response) => response.end('a table'));
  page.listen(0, '127.0.0.1');
  await once(page, 'listening');
  const url = `http://127.0.0.1:${(page.address() as AddressInfo).port}/t.csv`;
  const sha256 = createHash('sha256').update('a table').digest('hex');
  const download = (scope: string) => fetchUrl(url, sha256, { store: host, allowPrivate: true, scope });
  try {
    expect((await download(ALICE)).bytes).toBe(7);
    expect((await download(MALLORY)).bytes).toBe(7);
    expect((await download(PUBLIC_SCOPE)).bytes).toBe(7);
    expect((await download(MALLORY)).bytes).toBe(0);
  } finally {
    page.close();
  }
});
