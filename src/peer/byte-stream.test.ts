import { expect, test } from 'vitest';
import { AppError } from '../shared/errors.ts';
import { createByteStream } from './byte-stream.ts';
import { LIMITS } from './limits.ts';

const WINDOW = 64 * 1024;

/** A stream whose line is a list of what was said. */
function alone() {
  const said: string[] = [];
  let unread = 0;
  const end = createByteStream('x', null, WINDOW, {
    data: (bytes) => said.push(`data ${bytes.byteLength}`),
    note: (value) => said.push(`note ${JSON.stringify(value)}`),
    eof: () => said.push('eof'),
    abort: (reason) => said.push(`abort ${reason}`),
    credit: (amount) => said.push(`credit ${amount}`),
    drained: () => Promise.resolve(),
    touched: () => undefined,
    unread: (change) => {
      unread += change;
    },
  });
  return { said, end, stream: end.stream, unread: () => unread };
}

test('writing stops at the credit and goes on when it is granted', async () => {
  const { said, end, stream } = alone();
  const writing = stream.write(Buffer.alloc(WINDOW + 1000));
  let done = false;
  void writing.then(() => (done = true));
  await new Promise(setImmediate);
  const sent = said.reduce((sum, line) => sum + Number(line.split(' ')[1]) + LIMITS.messageCost, 0);
  expect(sent).toBeLessThanOrEqual(WINDOW);
  expect(done).toBe(false);
  end.onCredit(WINDOW / 2);
  await writing;
});

test('credit goes back by halves, when the reader comes for more', async () => {
  const { said, end, stream, unread } = alone();
  const cost = 1000 + LIMITS.messageCost;
  const count = Math.floor(WINDOW / cost);
  for (let index = 0; index < count; index += 1) end.onData(new Uint8Array(1000));
  expect(unread()).toBe(count * cost);
  expect(() => end.onData(new Uint8Array(1000))).toThrow(/more than it was granted/);
  const reader = stream.bytes[Symbol.asyncIterator]();
  await reader.next();
  expect(said).toEqual([]);
  for (let index = 0; index < count / 2; index += 1) await reader.next();
  expect(said).toHaveLength(1);
  expect(Number(said[0]?.split(' ')[1])).toBeGreaterThanOrEqual(WINDOW / 2);
});

test('many small messages cost what they weigh in memory', () => {
  const { end } = alone();
  let taken = 0;
  expect(() => {
    for (;;) {
      end.onData(new Uint8Array(1));
      taken += 1;
    }
  }).toThrow(/granted/);
  expect(taken).toBeLessThan(WINDOW / LIMITS.messageCost);
});

test('what was not read when a stream failed is forgotten', async () => {
  const { end, stream, unread } = alone();
  end.onData(new Uint8Array(5000));
  end.fail(new AppError('cancelled', 'gone'));
  expect(unread()).toBe(0);
  expect(await stream.closed).toEqual({ reason: 'gone' });
  await expect(stream.bytes[Symbol.asyncIterator]().next()).rejects.toMatchObject({ message: 'gone' });
});

test('what arrived before the end can still be read after both ends', async () => {
  const { end, stream } = alone();
  end.onData(new Uint8Array(10));
  await stream.end();
  end.onEof();
  expect(await stream.closed).toEqual({ reason: null });
  const sizes: number[] = [];
  for await (const bytes of stream.bytes) sizes.push(bytes.byteLength);
  expect(sizes).toEqual([10]);
});

test('writes, notes and the end leave in the order they were called', async () => {
  const { said, stream } = alone();
  await Promise.all([
    stream.write(new Uint8Array(3)),
    stream.note({ exitCode: 0 }),
    stream.write(new Uint8Array(4)),
    stream.end(),
  ]);
  expect(said).toEqual(['data 3', 'note {"exitCode":0}', 'data 4', 'eof']);
});

test('notes that nobody listens to yet are kept, the newest few', () => {
  const { end, stream } = alone();
  for (let index = 0; index < 40; index += 1) end.onNote({ index }, 12);
  const heard: unknown[] = [];
  stream.onNote((value) => heard.push(value));
  expect(heard).toHaveLength(16);
  expect(heard.at(-1)).toEqual({ index: 39 });
});

test('a second reader at the same time is refused, a later one goes on', async () => {
  const { end, stream } = alone();
  end.onData(new Uint8Array(1));
  end.onData(new Uint8Array(2));
  const first = stream.bytes[Symbol.asyncIterator]();
  await first.next();
  await expect(stream.bytes[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'conflict' });
  await first.return?.();
  const { value } = await stream.bytes[Symbol.asyncIterator]().next();
  expect((value as Uint8Array).byteLength).toBe(2);
});
