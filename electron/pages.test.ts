import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ORIGIN, answerPage, externalLink, fileOf } from './pages.ts';

const root = path.resolve('/ui');
const source = (files: Record<string, string>) => ({
  uiDir: root,
  readFile: (file: string) => Promise.resolve(files[file] === undefined ? null : Buffer.from(files[file])),
  hostState: () => ({ state: 'running' }) as const,
});

test('files come with their type and a policy that allows only our own scripts', async () => {
  const files = source({ [path.join(root, 'assets/a.js')]: 'code', [path.join(root, 'index.html')]: 'page' });
  const script = await answerPage({ url: `${ORIGIN}/assets/a.js`, method: 'GET' }, files);
  expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
  expect(await script.text()).toBe('code');
  const screen = await answerPage({ url: `${ORIGIN}/rentals?x=1#y`, method: 'GET' }, files);
  expect(await screen.text()).toBe('page');
  const policy = screen.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self'");
  expect(policy).not.toContain('unsafe-eval');
  expect(screen.headers.get('x-content-type-options')).toBe('nosniff');
  expect((await answerPage({ url: `${ORIGIN}/assets/b.js`, method: 'GET' }, files)).status).toBe(404);
  expect((await answerPage({ url: `${ORIGIN}/index.html`, method: 'POST' }, files)).status).toBe(405);
});

test.each([
  '/../secret.txt',
  '/%2e%2e/secret.txt',
  '/..%2fsecret.txt',
  '/a/%2e%2e/%2e%2e/secret.txt',
  '/..%5csecret.txt',
  '/%00.js',
  '/%E0%A4%A.js',
  '//etc/passwd.txt',
  '/C:%5cx.txt',
])('%s never leaves the folder', (address) => {
  const file = fileOf(ORIGIN + address, root);
  expect(file === null || file.startsWith(root + path.sep)).toBe(true);
});

test('no address whatsoever leads outside the folder', () => {
  const piece = fc.constantFrom('..', '.', '%2e', '%2f', '%5c', '/', '\\', 'a', '.js', '%00', '%', ':', '//', '?', '#');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const file = fileOf(`${ORIGIN}/${pieces.join('')}`, root);
      expect(file === null || path.resolve(file).startsWith(root + path.sep)).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

test('only plain https links leave the app', () => {
  expect(externalLink('https://example.com/a b')).toBe('https://example.com/a%20b');
  for (const url of [
    'http://example.com',
    'https://u@example.com',
    'mailto:a@b',
    'nonsense',
    `https://a/${'x'.repeat(3000)}`,
  ]) {
    expect(externalLink(url)).toBeNull();
  }
});
