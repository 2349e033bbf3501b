/** Who gets in over HTTP, and what a foreign web site or program cannot do. */
import { mkdirSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { request, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { connectWebSocket } from '../../src/api/client.ts';
import { RPC_PROTOCOL } from '../../src/api/wire.ts';
import { readOrMakeToken } from '../../src/host/transport/sessions.ts';
import { startFakeServer, TOKEN } from './doors.ts';

interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

let fake: Awaited<ReturnType<typeof startFakeServer>>;
let url: string;
const folder = mkdtempSync(path.join(tmpdir(), 'commonwatt-ui-'));
const ui = path.join(folder, 'ui');
mkdirSync(path.join(ui, 'assets'), { recursive: true });
writeFileSync(path.join(ui, 'index.html'), '<!doctype html><title>window</title>');
writeFileSync(path.join(ui, 'assets', 'main-abc.js'), 'export {};');
writeFileSync(path.join(folder, 'secret.txt'), 'secret');

beforeEach(async () => {
  fake = await startFakeServer(ui);
  ({ url } = fake.server);
});
afterEach(() => fake.server.close());

/** Node's own client: `fetch` would not send a foreign Host or an unnormalised path. */
function ask(target: string, { method = 'GET', headers = {}, body = '' } = {}): Promise<Reply> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path: target, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const json = { 'content-type': 'application/json' };
const bearer = { authorization: `Bearer ${TOKEN}` };
const codeOf = ({ text }: Reply): string => (JSON.parse(text) as { code: string }).code;
const pair = async (code = fake.server.pairingUrl().split('#pair=')[1] ?? '') =>
  ask('/pair', { method: 'POST', headers: { ...json, origin: url }, body: JSON.stringify({ code }) });
const cookieOf = (reply: Reply): string => (reply.headers['set-cookie']?.[0] ?? '').split(';')[0] ?? '';

const socketTo = (headers: Record<string, string>) =>
  new Promise<string>((resolve) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/rpc`, [RPC_PROTOCOL], { headers });
    socket.on('error', (error) => resolve(error.message));
    socket.on('close', (code) => resolve(`closed ${code}`));
  });
const post = (body: string) => ask('/api/wallet/unlock', { method: 'POST', headers: { ...bearer, ...json }, body });

describe('sessions', () => {
  test('health is open, everything else needs a session', async () => {
    expect(JSON.parse((await ask('/health')).text)).toEqual({ status: 'ok', version: '0.1.0' });
    for (const target of ['/api', '/api/openapi.json', '/api/status', '/api/nothing', '/pair/new']) {
      const reply = await ask(target, target === '/pair/new' ? { method: 'POST' } : {});
      expect([target, reply.status, codeOf(reply)]).toEqual([target, 401, 'not-signed-in']);
    }
    expect((await ask('/api/status', { headers: bearer })).status).toBe(200);
  });

  test('a pairing link signs one browser in, once, with a cookie scripts cannot read', async () => {
    const code = fake.server.pairingUrl().split('#pair=')[1] ?? '';
    const reply = await pair(code);
    expect(reply.status).toBe(200);
    expect(reply.headers['set-cookie']?.[0]).toMatch(/HttpOnly; SameSite=Strict$/);
    expect((await ask('/api/status', { headers: { cookie: cookieOf(reply) } })).status).toBe(200);
    const again = await pair(code);
    expect([again.status, codeOf(again)]).toEqual([403, 'not-allowed']);
  });

  test('a forged, changed or expired cookie is no session', async () => {
    const cookie = cookieOf(await pair());
    const changed = cookie.replace(/v1\.(\d+)/, (_all, time: string) => `v1.${Number(time) + 1}`);
    for (const bad of [changed, `${cookie}x`, cookie.slice(0, -4), 'commonwatt=v1.9.9.9']) {
      expect((await ask('/api/status', { headers: { cookie: bad } })).status).toBe(401);
    }
    fake.pass(31 * 86_400);
    expect((await ask('/api/status', { headers: { cookie } })).status).toBe(401);
  });

  test('a pairing code is too old after ten minutes', async () => {
    const code = fake.server.pairingUrl().split('#pair=')[1] ?? '';
    fake.pass(601);
    expect((await pair(code)).status).toBe(403);
  });

  test('guessing is slowed down, and does not lock the owner out', async () => {
    const statuses: number[] = [];
    for (let attempt = 0; attempt < 12; attempt++) statuses.push((await pair(`guess${attempt}`)).status);
    expect(statuses.filter((status) => status === 403)).toHaveLength(10);
    expect(statuses.at(-1)).toBe(429);
    expect((await ask('/api/status', { headers: { authorization: 'Bearer wrong' } })).status).toBe(429);
    expect((await ask('/api/status', { headers: bearer })).status).toBe(200);
    expect((await pair()).status).toBe(200);
    fake.pass(61);
    expect((await pair('guess')).status).toBe(403);
  });

  test('the token file is made once, for its owner only', () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'commonwatt-token-'));
    const token = readOrMakeToken(dir);
    expect(token).toMatch(/^[\w-]{43}$/);
    expect(readOrMakeToken(dir)).toBe(token);
    const mode = process.platform === 'win32' ? 0o600 : statSync(path.join(dir, 'token')).mode & 0o777;
    expect(mode).toBe(0o600);
  });
});

describe('other web sites', () => {
  test('a rebound DNS name is refused everywhere, with or without a session', async () => {
    for (const host of ['evil.example', `evil.example:${new URL(url).port}`, '127.0.0.1:1']) {
      for (const target of ['/', '/health', '/api/status', '/rpc']) {
        const reply = await ask(target, { headers: { host, ...bearer } });
        expect([host, target, reply.status]).toEqual([host, target, 403]);
      }
    }
    const { port } = new URL(url);
    expect((await ask('/health', { headers: { host: `localhost:${port}` } })).status).toBe(200);
  });

  test('a foreign Origin cannot call, even with the cookie', async () => {
    const cookie = cookieOf(await pair());
    for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1:1', `https${url.slice(4)}`]) {
      const reply = await ask('/api/wallet/lock', { method: 'POST', headers: { cookie, origin } });
      expect([origin, reply.status]).toEqual([origin, 403]);
    }
    expect((await ask('/api/wallet/lock', { method: 'POST', headers: { cookie } })).status).toBe(403);
    expect((await ask('/api/wallet/lock', { method: 'POST', headers: { cookie, origin: url } })).status).toBe(200);
    expect((await ask('/api/status', { headers: { cookie, 'sec-fetch-site': 'cross-site' } })).status).toBe(403);
  });

  test('a form cannot send what the interface reads', async () => {
    const headers = { ...bearer, 'content-type': 'text/plain' };
    const reply = await ask('/api/wallet/unlock', { method: 'POST', headers, body: '{"password":"open sesame"}' });
    expect([reply.status, codeOf(reply)]).toEqual([400, 'bad-input']);
  });

  test('a WebSocket from a foreign site is refused, one without a session closed at once', async () => {
    const cookie = cookieOf(await pair());
    expect(await socketTo({ cookie, origin: 'https://evil.example' })).toContain('403');
    expect(await socketTo({ cookie, host: 'evil.example' })).toContain('403');
    expect(await socketTo({ origin: url })).toBe('closed 4401');
    const refused = connectWebSocket(`${url.replace('http', 'ws')}/rpc`, 'wrong'.repeat(8));
    await expect(refused.client.system.status()).rejects.toMatchObject({ code: 'not-signed-in' });
    expect(refused.state).toBe('refused');
    refused.close();
  });
});

describe('the window', () => {
  test('pages, assets and their headers', async () => {
    const page = await ask('/', { headers: { accept: 'text/html,*/*;q=0.8' } });
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    const policy = String(page.headers['content-security-policy']);
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain(`connect-src 'self' ws://${new URL(url).host}`);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(page.headers['x-content-type-options']).toBe('nosniff');
    expect((await ask('/rentals/0x12')).text).toContain('<title>window');
    const script = await ask('/assets/main-abc.js');
    expect(script.headers['cache-control']).toContain('immutable');
    expect((await ask('/assets/gone.js')).status).toBe(404);
    expect((await ask('/', { method: 'POST' })).status).toBe(404);
  });

  test('whoever does not ask for a page is told what there is', async () => {
    const { status, text } = await ask('/', { headers: { accept: '*/*' } });
    expect(status).toBe(200);
    expect(JSON.parse(text)).toMatchObject({ name: 'Commonwatt', endpoints: { 'GET /health': 'Health check' } });
  });

  test.each(['/../secret.txt', '/%2e%2e/secret.txt', '/..%2fsecret.txt', '/assets/..%5c..%5csecret.txt', '/%00', '/%'])(
    'a path cannot leave the folder: %s',
    async (target) => {
      const reply = await ask(target);
      expect(reply.status).toBe(404);
      expect(reply.text).not.toContain('secret"');
    },
  );
});

describe('REST', () => {
  test('the document describes every call, and the page shows it without a script', async () => {
    const { text } = await ask('/api/openapi.json', { headers: bearer });
    const document = JSON.parse(text) as { openapi: string; paths: Record<string, object> };
    expect(document.openapi).toMatch(/^3\.1/);
    expect(Object.keys(document.paths)).toEqual(expect.arrayContaining(['/status', '/offers', '/rentals/{rentalId}']));
    const page = await ask('/api', { headers: bearer });
    expect(page.text).toContain('/api/rentals/{rentalId}/terminate');
    expect(page.text).not.toContain('<script');
  });

  test('query text becomes what the schema says', async () => {
    const { text, status } = await ask('/api/offers?limit=1&descending=true', { headers: bearer });
    expect(status).toBe(200);
    expect((JSON.parse(text) as { offers: unknown[] }).offers).toHaveLength(1);
    const bad = await ask('/api/offers?limit=many', { headers: bearer });
    expect(JSON.parse(bad.text)).toMatchObject({ code: 'bad-input', field: 'limit' });
  });

  test('a stream is server-sent events, and its path is no id', async () => {
    const leave = new AbortController();
    const response = await fetch(`${url}/api/rentals/stream`, { headers: bearer, signal: leave.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(await response.text()).toContain('event: message\ndata: []');
    leave.abort();
  });

  test('broken and oversized bodies are answered', async () => {
    expect(codeOf(await post('{"password":'))).toBe('bad-input');
    expect(codeOf(await post(''))).toBe('bad-input');
    expect(codeOf(await post('[]'))).toBe('bad-input');
    expect(codeOf(await post(JSON.stringify({ password: 'x'.repeat(2 ** 21) })))).toBe('bad-input');
    expect((await post('{"password":"open sesame"}')).status).toBe(200);
  });

  test('bytes that are no HTTP are turned away', async () => {
    const { hostname, port } = new URL(url);
    const answer = await new Promise<string>((resolve) => {
      let text = '';
      const socket = connect(Number(port), hostname, () => socket.write('\x16\x03\x01 nonsense\r\n\r\n'));
      socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      socket.on('error', () => undefined).on('close', () => resolve(text));
    });
    expect(answer).toContain('400');
    expect((await ask('/health')).status).toBe(200);
  });
});
