import { AppError } from '../shared/errors.ts';
import type { Json } from '../shared/json.ts';
import { LIMITS } from './limits.ts';
import type { PeerStream } from './peer-link.ts';

/** How a stream talks to its connection. */
export interface StreamLine {
  data(bytes: Uint8Array): void;
  note(value: Json): void;
  eof(): void;
  abort(reason: string): void;
  credit(amount: number): void;
  /** Resolves when the carrier takes more. */
  drained(): Promise<void>;
  /** Called before the first word of an accepting side, so that it may speak before its handler returned. */
  touched(): void;
  /** Unread bytes grew or shrank. */
  unread(change: number): void;
}

/** The connection's side of a stream. */
export interface StreamEnd {
  readonly stream: PeerStream;
  /** @throws Error when the peer sent more than it was granted. */
  onData(bytes: Uint8Array): void;
  onNote(value: Json, textBytes: number): void;
  onEof(): void;
  onCredit(amount: number): void;
  /** Ends both directions; the other side knows already. */
  fail(error: AppError): void;
}

type Item = { bytes: Uint8Array; cost: number } | { note: Json; cost: number };

const UNHEARD_NOTES = 16;
const CHUNK_BYTES = LIMITS.messageBytes - 1024;

const ended = () => new AppError('conflict', 'This direction of the stream has already ended.');

/**
 * One logical stream. Both sides start with a `window` of credit; payload and a fixed cost per message use it up, and
 * reading gives it back in halves of the window.
 */
export function createByteStream(kind: string, params: Json, window: number, line: StreamLine): StreamEnd {
  let granted = window;
  let owed = 0;
  let allowed = window;
  const queue: Item[] = [];
  let unheard: Json[] = [];
  const noteListeners: ((value: Json) => void)[] = [];
  let remoteEnded = false;
  let localEnded = false;
  let reading = false;
  let handling = false;
  let error: AppError | null = null;
  let wakeReader: (() => void) | null = null;
  let wakeWriter: (() => void) | null = null;
  let turn: Promise<unknown> = Promise.resolve();
  let settled = false;
  const closed = Promise.withResolvers<{ reason: string | null }>();

  const wake = () => {
    wakeReader?.();
    wakeReader = null;
    wakeWriter?.();
    wakeWriter = null;
  };
  const settle = () => {
    if (settled || !(error !== null || (localEnded && remoteEnded && (queue.length === 0 || !reading)))) return;
    settled = true;
    closed.resolve({ reason: error === null ? null : error.message });
  };

  function repay(cost: number) {
    line.unread(-cost);
    owed += cost;
    if (owed < window / 2 || remoteEnded || error !== null) return;
    granted += owed;
    line.credit(owed);
    owed = 0;
  }

  function deliver(note: Json) {
    if (noteListeners.length === 0) {
      unheard.push(note);
      if (unheard.length > UNHEARD_NOTES) unheard.shift();
    }
    for (const listener of noteListeners) listener(note);
  }

  /** Notes at the head of the queue have no bytes before them any more, once the reader is done with the last ones. */
  function passNotes() {
    if (handling) return;
    for (let head = queue[0]; head !== undefined && 'note' in head; head = queue[0]) {
      queue.shift();
      deliver(head.note);
      repay(head.cost);
    }
  }

  function take(item: Item) {
    if (remoteEnded) throw new Error('sent bytes after the end of a stream');
    granted -= item.cost;
    if (granted < 0) throw new Error('sent more than it was granted');
    line.unread(item.cost);
    queue.push(item);
    passNotes();
    if (queue.length > 0) {
      wakeReader?.();
      wakeReader = null;
    }
  }

  function fail(reason: AppError) {
    if (error !== null || settled) return;
    error = reason;
    for (const item of queue.splice(0)) line.unread(-item.cost);
    wake();
    settle();
  }

  /** Waits for `cost` of credit (or as much as there is, at least `least`) and an open carrier. */
  async function clearance(least: number): Promise<void> {
    for (;;) {
      if (error !== null) throw error;
      if (allowed >= least) return;
      await new Promise<void>((resolve) => {
        wakeWriter = resolve;
      });
    }
  }

  /** One writer after the other, in the order they called. */
  function inTurn<T>(act: () => Promise<T>): Promise<T> {
    line.touched();
    const mine = turn.then(act);
    turn = mine.catch(() => undefined);
    return mine;
  }

  async function* read(): AsyncGenerator<Uint8Array, void> {
    if (reading) throw new AppError('conflict', 'Only one reader at a time.');
    line.touched();
    reading = true;
    try {
      for (;;) {
        const item = queue.shift();
        if (item !== undefined && 'bytes' in item) {
          // Credit goes back only once the reader comes for more: its own buffers count as unread.
          handling = true;
          try {
            yield item.bytes;
          } finally {
            handling = false;
            repay(item.cost);
            passNotes();
          }
          continue;
        }
        if (error !== null) throw error;
        if (remoteEnded) return;
        await new Promise<void>((resolve) => {
          wakeReader = resolve;
        });
      }
    } finally {
      reading = false;
      settle();
    }
  }

  const stream: PeerStream = {
    kind,
    params,
    write: (bytes) =>
      inTurn(async () => {
        if (localEnded) throw ended();
        for (let offset = 0; offset < bytes.byteLength;) {
          await clearance(LIMITS.messageCost + Math.min(bytes.byteLength - offset, 1024));
          const size = Math.min(bytes.byteLength - offset, allowed - LIMITS.messageCost, CHUNK_BYTES);
          allowed -= size + LIMITS.messageCost;
          line.data(bytes.subarray(offset, offset + size));
          offset += size;
          await line.drained();
        }
        if (error !== null) throw error;
      }),
    end: () =>
      inTurn(async () => {
        if (error !== null) throw error;
        if (localEnded) return;
        localEnded = true;
        line.eof();
        settle();
        return Promise.resolve();
      }),
    get bytes() {
      return read();
    },
    note: (value) =>
      inTurn(async () => {
        if (localEnded) throw ended();
        const size = Buffer.byteLength(JSON.stringify(value));
        if (size > LIMITS.noteBytes) {
          throw new AppError('bad-input', `A note of ${size} bytes is too large; ${LIMITS.noteBytes} are allowed.`);
        }
        await clearance(LIMITS.messageCost + size);
        allowed -= size + LIMITS.messageCost;
        line.note(value);
        await line.drained();
      }),
    onNote(listener) {
      noteListeners.push(listener);
      const missed = unheard;
      unheard = [];
      for (const value of missed) listener(value);
    },
    abort(reason) {
      if (error !== null || settled) return;
      line.abort(reason);
      fail(new AppError('cancelled', reason));
    },
    closed: closed.promise,
  };

  return {
    stream,
    onData(bytes) {
      // A small part must not keep the whole buffer alive that it arrived in.
      const own = bytes.byteLength * 2 < bytes.buffer.byteLength ? bytes.slice() : bytes;
      take({ bytes: own, cost: bytes.byteLength + LIMITS.messageCost });
    },
    onNote(value, textBytes) {
      take({ note: value, cost: textBytes + LIMITS.messageCost });
    },
    onEof() {
      if (remoteEnded) throw new Error('ended a stream twice');
      remoteEnded = true;
      wakeReader?.();
      wakeReader = null;
      settle();
    },
    onCredit(amount) {
      allowed += amount;
      if (allowed > window) throw new Error('granted more than it took');
      wakeWriter?.();
      wakeWriter = null;
    },
    fail,
  };
}
