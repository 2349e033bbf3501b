/** Hostile bytes on the line: nothing a caller sends may crash the host, reach a service unchecked, or cost another caller. */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { MAX_FRAME_BYTES, RPC_PROTOCOL } from '../../src/api/wire.ts';
import { createRouter } from '../../src/host/transport/router.ts';
import { createRpcServer, type RpcLine } from '../../src/host/transport/rpc-line.ts';
import { collectLog, startFakeServer, TOKEN } from './doors.ts';
import { createFakeHost } from './fake-services.ts';

interface Answer {
  i?: string;
  t?: number;
  p?: { s?: number; b?: { json?: unknown } };
  error?: { code: string; message: string };
}

let answers: Answer[];
let refused: string | undefined;
let line: RpcLine;
let done: string[];

beforeEach(() => {
  const host = createFakeHost();
  answers = [];
  refused = undefined;
  ({ done } = host);
  line = createRpcServer(
    createRouter(host.services),
    collectLog().log,
  )({
    send: (frame) => void answers.push(JSON.parse(frame) as Answer),
    refuse: (reason) => (refused = reason),
  });
});
afterEach(() => line.closed());

const call = (i: string, u: string, json?: unknown) => JSON.stringify({ i, p: { u, b: { json } } });
const answered = async (i: string) => {
  await expect.poll(() => answers.find((answer) => answer.i === i), { timeout: 2000, interval: 1 }).toBeDefined();
  return answers.find((answer) => answer.i === i);
};
const stillWorks = async () => {
  line.receive(call('probe', '/system/status'));
  expect((await answered('probe'))?.p?.s).toBeUndefined();
};

test.each([
  ['an empty frame', '', 'A frame is empty.'],
  ['text that is no JSON', 'hello', 'A frame is not JSON.'],
  ['a huge frame', `"${'x'.repeat(MAX_FRAME_BYTES)}"`, `A frame is larger than ${MAX_FRAME_BYTES} bytes.`],
  ['bytes', new Uint8Array(8), 'A frame must be text.'],
  ['JSON that is no call', '{"a":1}', 'A frame is not a call.'],
  ['null', 'null', 'A frame is not a call.'],
])('%s is answered, and the next call works', async (_name, frame, message) => {
  line.receive(frame);
  expect(answers).toEqual([{ error: { code: 'bad-input', message, next: 'Send one JSON text frame per call.' } }]);
  await stillWorks();
});

test('an unknown procedure is named, inherited names included', async () => {
  for (const name of ['nothing/here', 'constructor', '__proto__/toString', 'system', 'system/']) {
    line.receive(call(`call-${name}`, `/${name}`));
    expect((await answered(`call-${name}`))?.p?.b?.json).toMatchObject({ code: 'not-found', status: 404 });
  }
});

test('a caller who only sends rubbish is disconnected', () => {
  for (let sent = 0; sent < 20; sent++) line.receive('rubbish');
  expect(refused).toContain('could not be read');
});

test('any JSON in any place of a call is answered or ignored, never run', async () => {
  const names = fc.constantFrom(
    '/wallet/deposit',
    '/rentals/open',
    '/wallet/withdraw',
    '/share/start',
    '/market/search',
  );
  await fc.assert(
    fc.asyncProperty(names, fc.jsonValue(), fc.jsonValue(), async (u, json, meta) => {
      line.receive(JSON.stringify({ i: 'fuzz', p: { u, b: { json, meta } } }));
      line.receive(JSON.stringify({ i: 'other', t: 4 }));
      line.receive(JSON.stringify({ credit: json }));
      await answered('fuzz');
      answers.length = 0;
    }),
    { numRuns: 300 },
  );
  expect(done).toEqual([]);
  await stillWorks();
});

test('any frame at all leaves the line working', async () => {
  const host = createFakeHost();
  const server = createRpcServer(createRouter(host.services), collectLog().log);
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), fc.json(), fc.uint8Array()), async (frame) => {
      const replies: string[] = [];
      const fresh = server({ send: (reply) => void replies.push(reply), refuse: () => undefined });
      fresh.receive(frame);
      fresh.receive(call('after', '/system/status'));
      await expect.poll(() => replies.some((reply) => reply.includes('"after"')), { interval: 1 }).toBe(true);
      fresh.closed();
    }),
    { numRuns: 300 },
  );
});

test('over a real socket a huge frame ends that connection only', async () => {
  const { server } = await startFakeServer();
  const url = `${server.url.replace('http', 'ws')}/rpc`;
  const open = () =>
    new Promise<WebSocket>((resolve, reject) => {
      const socket = new WebSocket(url, [RPC_PROTOCOL, `bearer.${TOKEN}`]);
      socket.once('open', () => resolve(socket)).once('error', reject);
    });
  const [hostile, honest] = [await open(), await open()];
  const closed = new Promise<number>((resolve) => hostile.once('close', resolve));
  hostile.on('error', () => undefined);
  hostile.send('x'.repeat(MAX_FRAME_BYTES + 1));
  expect(await closed).toBe(1009);
  const reply = new Promise<string>((resolve) =>
    honest.once('message', (data) => resolve((data as Buffer).toString())),
  );
  honest.send(call('1', '/system/status'));
  expect(await reply).toContain('practice');
  honest.terminate();
  await server.close();
});
