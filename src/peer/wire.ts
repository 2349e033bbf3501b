import { Socket } from 'node:net';
import type NoiseSecretStream from '@hyperswarm/secret-stream';
import type { Encoding } from 'compact-encoding';
import codecs from 'compact-encoding';
import Protomux from 'protomux';
import type { ErrorCode } from '../shared/errors.ts';
import type { Hex } from '../shared/ids.ts';
import { tame, toHex } from './bytes.ts';
import { type Control, createControlDecoder, encodeControl } from './frames.ts';
import { LIMITS } from './limits.ts';

const PROTOCOL = 'commonwatt/1';

/** What comes in over a wire. Throwing an Error with a reason ends the connection and tells the peer that reason. */
export interface WireReceiver {
  control(frame: Control): void;
  data(id: number, bytes: Uint8Array): void;
  credit(id: number, amount: number): void;
  pong(nonce: number): void;
}

/** One encrypted connection that carries our five kinds of messages, whatever carries it. */
export interface Wire {
  readonly remoteKey: Hex;
  readonly initiator: boolean;
  /** @throws AppError `bad-input` when the frame is too large. */
  control(frame: Control): void;
  data(id: number, bytes: Uint8Array): void;
  credit(id: number, amount: number): void;
  ping(nonce: number): void;
  /** Resolves when the carrier takes more bytes, or the wire is closed. */
  drained(): Promise<void>;
  /** Who hears what comes in from now on. */
  receiver: WireReceiver;
  /** Counts every message that came in. */
  readonly heard: number;
  readonly open: boolean;
  /** Tells the other side why, lets that leave, and closes. */
  close(code: ErrorCode, reason: string): void;
  /** Set when the other side said good-bye. */
  readonly farewell: { code: string; reason: string } | null;
  readonly closed: Promise<{ reason: string }>;
}

interface Numbered {
  id: number;
  bytes: Uint8Array;
}

const numberedBytes: Encoding<Numbered> = {
  preencode(state, { bytes }) {
    state.end += 4 + bytes.byteLength;
  },
  encode(state, { id, bytes }) {
    const target = state.buffer as Uint8Array;
    new DataView(target.buffer, target.byteOffset).setUint32(state.start, id);
    target.set(bytes, state.start + 4);
    state.start += 4 + bytes.byteLength;
  },
  decode(state) {
    const source = state.buffer as Uint8Array;
    if (state.end - state.start < 4) throw new Error('sent a message that is too short');
    const id = new DataView(source.buffer, source.byteOffset).getUint32(state.start);
    const bytes = source.subarray(state.start + 4, state.end);
    state.start = state.end;
    return { id, bytes };
  },
};

const pair: Encoding<{ id: number; amount: number }> = {
  preencode(state) {
    state.end += 8;
  },
  encode(state, { id, amount }) {
    const view = new DataView((state.buffer as Uint8Array).buffer, (state.buffer as Uint8Array).byteOffset);
    view.setUint32(state.start, id);
    view.setUint32(state.start + 4, amount);
    state.start += 8;
  },
  decode(state) {
    const source = state.buffer as Uint8Array;
    if (state.end - state.start !== 8) throw new Error('sent a message of the wrong size');
    const view = new DataView(source.buffer, source.byteOffset);
    const value = { id: view.getUint32(state.start), amount: view.getUint32(state.start + 4) };
    state.start = state.end;
    return value;
  },
};

/**
 * Puts our messages on an encrypted stream once the key exchange is done, and hands the wire to `begin`, which must set
 * a receiver before it returns: the other side's first words may be here already.
 * @throws Error with the reason when it fails, takes longer than the signal allows or is not the peer we want.
 */
export async function openWire<T>(
  stream: NoiseSecretStream,
  options: { farewellMs: number; signal: AbortSignal; expectKey?: Hex },
  begin: (wire: Wire) => Promise<T>,
): Promise<T> {
  let failure: Error | null = null;
  stream.on('error', (error: Error) => {
    failure ??= error;
  });
  // Through the DHT keys are exchanged in bounded packets before there is a carrier; and to listen to that carrier before
  // the encrypting stream does would make it flow into nothing.
  const overTcp = stream.rawStream instanceof Socket;
  if (overTcp) guardFrames(stream);
  const abort = () => stream.destroy(new Error('gave up'));
  if (options.signal.aborted) abort();
  options.signal.addEventListener('abort', abort, { once: true });
  const opened = await stream.opened.finally(() => options.signal.removeEventListener('abort', abort));
  if (!opened || stream.remotePublicKey === null) {
    throw failure ?? new Error('the connection ended before keys were exchanged');
  }
  if (!overTcp) guardFrames(stream);
  const remoteKey = toHex(stream.remotePublicKey);
  if (options.expectKey !== undefined && remoteKey !== options.expectKey) {
    stream.destroy(new Error('another peer'));
    throw new Error('another peer answers there');
  }
  return begin(createWire(stream, remoteKey, options.farewellMs, () => failure));
}

function createWire(stream: NoiseSecretStream, remoteKey: Hex, farewellMs: number, failure: () => Error | null): Wire {
  let reason: string | null = null;
  let farewell: { code: string; reason: string } | null = null;
  let open = true;
  let heard = 0;
  let receiver: WireReceiver | null = null;
  let waiting: (() => void)[] = [];
  const decode = createControlDecoder();
  const closed = Promise.withResolvers<{ reason: string }>();

  // oxlint-disable-next-line no-underscore-dangle -- streamx has no public count of the bytes it holds
  const queued = () => stream._writableState?.buffered ?? LIMITS.queuedBytes;

  const release = () => {
    const wake = waiting;
    waiting = [];
    for (const resolve of wake) resolve();
  };
  const mux = new Protomux(stream);
  const channel = mux.createChannel({
    protocol: PROTOCOL,
    ondrain: release,
    onclose: () => stream.destroy(),
  });
  if (channel === null) throw new Error('the connection ended before it began');

  /** Runs what came in; a broken rule ends this connection only, with the reason told. */
  const guarded =
    <T>(act: (value: T) => void) =>
    (value: T) => {
      if (!open) return;
      heard += 1;
      try {
        act(value);
      } catch (thrown) {
        close('bad-input', thrown instanceof Error ? thrown.message : 'broke a rule');
        return;
      }
      if (queued() > LIMITS.backlogBytes) {
        reason = 'does not read what it asked for';
        stream.destroy();
      }
    };

  const controls = channel.addMessage<Uint8Array>({
    encoding: codecs.raw,
    autoBatch: false,
    onmessage: guarded((message) => {
      const frame = decode(message);
      if (frame === null) return;
      if (frame.t === 'bye') {
        farewell = { code: frame.code, reason: tame(frame.reason) };
        reason ??= farewell.reason;
        open = false;
        release();
        stream.end();
        cutLater();
        return;
      }
      receiver?.control(frame);
    }),
  });
  const datas = channel.addMessage<Numbered>({
    encoding: numberedBytes,
    autoBatch: false,
    onmessage: guarded(({ id, bytes }) => receiver?.data(id, bytes)),
  });
  const credits = channel.addMessage({
    encoding: pair,
    autoBatch: false,
    onmessage: guarded(({ id, amount }) => receiver?.credit(id, amount)),
  });
  const pings = channel.addMessage({
    encoding: pair,
    autoBatch: false,
    onmessage: guarded(({ id, amount }) => {
      if (amount === 1) receiver?.pong(id);
      else pings.send({ id, amount: 1 });
    }),
  });

  function cutLater() {
    const timer = setTimeout(() => stream.destroy(), farewellMs);
    void closed.promise.then(() => clearTimeout(timer));
  }

  function close(code: ErrorCode, why: string) {
    if (!open) return;
    for (const part of encodeControl({ t: 'bye', code, reason: tame(why) })) controls.send(part);
    reason ??= why;
    open = false;
    release();
    stream.end();
    cutLater();
  }

  stream.on('close', () => {
    open = false;
    release();
    closed.resolve({ reason: reason ?? plainReason(failure()) });
  });
  channel.open();

  return {
    remoteKey,
    initiator: stream.isInitiator,
    control(frame) {
      const parts = encodeControl(frame);
      if (open) for (const part of parts) controls.send(part);
    },
    data(id, bytes) {
      if (open) datas.send({ id, bytes });
    },
    credit(id, amount) {
      if (open) credits.send({ id, amount });
    },
    ping(nonce) {
      if (open) pings.send({ id: nonce, amount: 0 });
    },
    drained() {
      if (!open || mux.drained || queued() < LIMITS.queuedBytes) return Promise.resolve();
      return new Promise((resolve) => {
        waiting.push(resolve);
      });
    },
    get receiver() {
      if (receiver === null) throw new Error('nobody listens yet');
      return receiver;
    },
    set receiver(next) {
      receiver = next;
    },
    get heard() {
      return heard;
    },
    get open() {
      return open;
    },
    get farewell() {
      return farewell;
    },
    close,
    closed: closed.promise,
  };
}

const PLAIN: Record<string, string> = {
  ECONNRESET: 'the other side dropped the connection',
  ETIMEDOUT: 'the other side stopped answering',
  EPIPE: 'the other side dropped the connection',
  ECONNREFUSED: 'nobody listens there',
  EHOSTUNREACH: 'no route to that address',
  ENETUNREACH: 'no route to that address',
};

/** A carrier's failure in words for a person. */
export function plainReason(error: unknown): string {
  if (error === null || error === undefined) return 'the connection ended';
  const { code, message } = error as { code?: string; message?: string };
  return PLAIN[code ?? ''] ?? tame(message ?? 'the connection ended', 200);
}

/**
 * Encrypted messages announce their length in 24 bits and are gathered in memory before they are checked: cut the
 * connection when one announces more than we ever send.
 */
function guardFrames(stream: NoiseSecretStream): void {
  const check = () => {
    // oxlint-disable-next-line no-underscore-dangle -- the only place where the announced length is kept
    if (stream._len > LIMITS.frameBytes) stream.destroy(new Error('announced a message that is too large'));
  };
  // After the stream itself has looked at the bytes, in whichever order the two of us listen.
  stream.rawStream?.on('data', () => queueMicrotask(check));
}
