/** What the `app:` scheme serves: the built page, and a page of its own for when the host cannot run. */
import path from 'node:path';
import type { HostState } from './host-supervisor.ts';
import type { ShellRequest } from './shell-ports.ts';

export const ORIGIN = 'app://commonwatt';
export const HOME = `${ORIGIN}/index.html`;
export const FAILED = `${ORIGIN}/shell/failed`;
/** Where the failure page's button leads; caught on the way, never loaded. */
export const RETRY = `${ORIGIN}/shell/retry`;

/** Stricter than the browser door's: this page speaks through its port and needs no connection at all. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  // The component library sets colours and sizes as style attributes and one style element.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');
const FAILED_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
};

/** True for the app's own pages: the only places a window of ours may go. */
export function isOwnPage(url: string): boolean {
  try {
    const { protocol, host, username, password } = new URL(url);
    return protocol === 'app:' && host === 'commonwatt' && username === '' && password === '';
  } catch {
    return false;
  }
}

/** The normalised address when it may be opened in the owner's browser, else null. */
export function externalLink(url: string): string | null {
  if (url.length > 2048) return null;
  try {
    const parsed = new URL(url);
    return parsed.protocol === 'https:' && parsed.username === '' && parsed.password === '' ? parsed.href : null;
  } catch {
    return null;
  }
}

/** The file inside `root` that a page of ours asks for, or null when the address tries to leave it. */
export function fileOf(url: string, root: string): string | null {
  if (!isOwnPage(url)) return null;
  let decoded: string;
  try {
    decoded = decodeURIComponent(new URL(url).pathname);
  } catch {
    return null;
  }
  if (decoded.includes('\0') || decoded.includes('\\') || decoded.includes(':')) return null;
  if (decoded.split('/').includes('..')) return null;
  // Addresses without a file's ending are screens of the one page.
  const file = path.join(root, path.posix.extname(decoded) === '' ? 'index.html' : decoded);
  return file.startsWith(root + path.sep) ? file : null;
}

export interface PageSource {
  uiDir: string;
  readFile(file: string): Promise<Uint8Array | null>;
  hostState(): HostState;
}

export async function answerPage(request: ShellRequest, source: PageSource): Promise<Response> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return plain(405, 'Only reading is possible here.');
  if (request.url === FAILED) return page(failedPage(source.hostState()), FAILED_POLICY);
  const file = fileOf(request.url, source.uiDir);
  const bytes = file === null ? null : await source.readFile(file);
  if (file === null || bytes === null) return plain(404, 'There is no such page.');
  return new Response(request.method === 'HEAD' ? null : new Uint8Array(bytes), {
    headers: headers(TYPES[path.extname(file)] ?? 'application/octet-stream', PAGE_POLICY),
  });
}

const headers = (type: string, policy: string) => ({
  'content-type': type,
  'content-security-policy': policy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
});
const page = (html: string, policy: string) =>
  new Response(html, { headers: headers('text/html; charset=utf-8', policy) });
const plain = (status: number, text: string) =>
  new Response(text, { status, headers: headers('text/plain; charset=utf-8', FAILED_POLICY) });

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escaped = (text: string) => text.replaceAll(/[&<>"']/g, (character) => ESCAPES[character] ?? '');

function failedPage(state: HostState): string {
  const { message, next } =
    state.state === 'failed' ? state : { message: 'Commonwatt is starting again.', next: 'It takes a few seconds.' };
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark light">
<title>Commonwatt could not start</title>
<style>
  :root { color-scheme: dark light; --ground: #fff; --ink: #15181c; --quiet: #4b5560; --edge: #d5dae0; --act: #8a5706; --on-act: #fff; }
  @media (prefers-color-scheme: dark) { :root { --ground: #111418; --ink: #e7e9ec; --quiet: #9ea7b1; --edge: #2c333b; --act: #f5a524; --on-act: #15181c; } }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
  main { max-width: 34rem; margin: 2rem; padding: 2rem; border: 1px solid var(--edge); border-radius: 12px; }
  h1 { margin: 0 0 .75rem; font-size: 1.25rem; }
  p { margin: 0 0 .75rem; overflow-wrap: anywhere; }
  .next { color: var(--quiet); }
  a { display: inline-block; margin-top: .5rem; padding: .5rem 1rem; border-radius: 8px; background: var(--act); color: var(--on-act); text-decoration: none; font-weight: 600; }
  a:focus-visible { outline: 3px solid var(--ink); outline-offset: 2px; }
</style>
</head>
<body>
<main role="alert">
<h1>Commonwatt could not start</h1>
<p>${escaped(message)}</p>
<p class="next">${escaped(next)}</p>
<a href="${RETRY}">Try again</a>
</main>
</body>
</html>
`;
}
