import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import type { ContentStore } from '../../content/content-store.ts';
import { Uploads } from './uploads.ts';
import { testFolder, testStore } from '../../content/testing.ts';

let dir: string;
let content: ContentStore;

beforeEach(async () => {
  const root = testFolder();
  dir = path.join(root, 'uploads');
  content = await testStore(path.join(root, 'content'));
});

const give = (uploads: Uploads, uploadId: string, name: string, offset: number, text: string, end = false) =>
  uploads.take({ uploadId, path: name, offset, base64: Buffer.from(text).toString('base64'), end });

test('an upload goes with the last pin, after a restart too', async () => {
  const uploads = new Uploads(dir, content);
  const { cid } = await give(uploads, 'one', 'data.csv', 0, '1,2', true);
  await uploads.tidy();
  expect(content.has(cid ?? '')).toBe(true);
  await content.pin(cid ?? '', 'inputs');
  const again = new Uploads(dir, content);
  await again.tidy();
  expect(await readdir(dir)).toEqual(['one', 'one.cid']);
  await content.unpin(cid ?? '', 'inputs');
  await again.tidy();
  expect(await readdir(dir)).toEqual([]);
  expect(content.has(cid ?? '')).toBe(false);
});

test('what nobody came back for goes at the next start; what is recent stays', async () => {
  for (const name of ['old', 'new']) {
    await mkdir(path.join(dir, name), { recursive: true });
    await writeFile(path.join(dir, name, 'part'), 'some');
  }
  await utimes(path.join(dir, 'old'), 1, 1);
  await new Uploads(dir, content).tidy();
  expect(await readdir(dir)).toEqual(['new']);
});

test('the sum is what is limited: of the files of one upload, and of all uploads', async () => {
  const uploads = new Uploads(dir, content, { one: 10, together: 15 });
  await give(uploads, 'one', 'a', 0, '12345678');
  await expect(give(uploads, 'one', 'b', 0, '123')).rejects.toMatchObject({ code: 'over-limit' });
  expect((await give(uploads, 'one', 'b', 0, '12')).received).toBe(2);
  await expect(give(uploads, 'two', 'a', 0, '123456')).rejects.toMatchObject({ code: 'over-limit' });
  expect((await give(uploads, 'two', 'a', 0, '12345')).received).toBe(5);
  // A piece sent twice counts once.
  expect((await give(uploads, 'two', 'a', 0, '12345')).received).toBe(5);
  expect((await give(uploads, 'two', 'a', 2, '345')).received).toBe(5);
});
