import { describe, expect, test } from 'vitest';
import type { PeerStream } from '../../peer/peer-link.ts';
import type { Json } from '../../shared/json.ts';
import { CreditGate } from './credit-gate.ts';
import { Sessions } from './sessions.ts';

describe('credit gate', () => {
  test('a reader that never acknowledges stops the producer at the window', async () => {
    const gate = new CreditGate(3);
    const stop = new AbortController();
    expect([await gate.take(stop.signal), await gate.take(stop.signal), await gate.take(stop.signal)]).toEqual([
      1, 2, 3,
    ]);
    let fourth = 0;
    const waiting = gate.take(stop.signal).then((seq) => {
      fourth = seq;
    });
    await Promise.resolve();
    expect(fourth).toBe(0);
    gate.ack(2);
    await waiting;
    expect(fourth).toBe(4);
  });

  test('acknowledging the future gives no credit for it', async () => {
    const gate = new CreditGate(1);
    const stop = new AbortController();
    gate.ack(1_000_000);
    await gate.take(stop.signal);
    const blocked = gate.take(stop.signal);
    stop.abort(new Error('gone'));
    await expect(blocked).rejects.toThrow('gone');
  });
});

/** The reading end of a stream whose other side is this test. */
function fakeStream(chunks: Uint8Array[], exitCode: number) {
  const notes: ((note: Json) => void)[] = [];
  let close: (value: { reason: string | null }) => void = () => undefined;
  const closed = new Promise<{ reason: string | null }>((resolve) => {
    close = resolve;
  });
  const written: Uint8Array[] = [];
  const stream: PeerStream = {
    kind: 'deal.exec',
    params: {},
    write: async (bytes) => void written.push(bytes),
    end: async () => undefined,
    bytes: (async function* read() {
      for (const chunk of chunks) yield chunk;
      for (const note of notes) note({ exitCode });
    })(),
    note: async () => undefined,
    onNote: (listener) => void notes.push(listener),
    abort: (reason) => close({ reason }),
    closed,
  };
  return { stream, written };
}

describe('sessions', () => {
  test('tells the two outputs apart and ends with the exit code', async () => {
    const sessions = new Sessions(() => 'one');
    const { stream } = fakeStream([new Uint8Array([1, 104, 105]), new Uint8Array([2, 33])], 7);
    const frames = [];
    for await (const frame of sessions.frames(stream, true, new AbortController().signal)) frames.push(frame);
    expect(frames).toEqual([
      { type: 'opened', sessionId: 'one' },
      { type: 'data', seq: 1, stream: 1, base64: 'aGk=' },
      { type: 'data', seq: 2, stream: 2, base64: 'IQ==' },
      { type: 'exit', exitCode: 7, reason: '' },
    ]);
    sessions.ack('one', 2);
    await expect(sessions.input('one', '', false)).rejects.toThrow('This terminal has ended.');
  });

  test('a reader that goes away hangs up', async () => {
    const sessions = new Sessions(() => 'one');
    const { stream } = fakeStream([new Uint8Array([1])], 0);
    const frames = sessions.frames(stream, false, new AbortController().signal);
    await frames.next();
    await frames.return();
    expect(await stream.closed).toEqual({ reason: 'The reader went away.' });
  });

  test('input reaches the machine', async () => {
    const sessions = new Sessions(() => 'one');
    const { stream, written } = fakeStream([], 0);
    const frames = sessions.frames(stream, false, new AbortController().signal);
    await frames.next();
    await sessions.input('one', Buffer.from('ls\n').toString('base64'), false);
    expect(Buffer.concat(written).toString()).toBe('ls\n');
    await frames.return();
  });
});
