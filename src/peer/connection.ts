import { AppError, toAppError } from '../shared/errors.ts';
import { Emitter } from '../shared/emitter.ts';
import type { Json } from '../shared/json.ts';
import type { Clock } from '../shared/time.ts';
import { tame } from './bytes.ts';
import { type StreamEnd, createByteStream } from './byte-stream.ts';
import { asJson, type Control, fromProblem, toProblem } from './frames.ts';
import { LIMITS, type Timing } from './limits.ts';
import type { PeerConnection, PeerHandler, PeerIdentity } from './peer-link.ts';
import type { Wire } from './wire.ts';

export interface ConnectionContext {
  wire: Wire;
  remote: PeerIdentity;
  purpose: PeerConnection['purpose'];
  carrier: PeerConnection['carrier'];
  relayed: () => boolean;
  handler: PeerHandler;
  clock: Clock;
  timing: Timing;
  log: (message: string, details?: Record<string, unknown>) => void;
  /** Told how the sum of unread bytes changes. */
  onUnread: (change: number) => void;
}

interface Pending {
  resolve(body: Json): void;
  reject(error: AppError): void;
}

interface OpenStream {
  end: StreamEnd;
  bulk: boolean;
  /** Set while the other side has not answered our `open`. */
  answer: { resolve(): void; reject(error: AppError): void } | null;
}

const gone = (reason: string) =>
  new AppError('peer-unreachable', `The connection to the other machine ended: ${reason}.`, { next: 'Try again.' });

/** What both sides may say to each other once they know who they are. */
export function createConnection(context: ConnectionContext): PeerConnection {
  const { wire, handler, clock, timing, log, purpose } = context;
  const pending = new Map<number, Pending>();
  const streams = new Map<number, OpenStream>();
  const events = new Emitter<{ kind: string; body: Json }>((thrown) => log('an event listener failed', { thrown }));
  // The initiator numbers its streams evenly, the other side oddly, so that they never collide.
  let nextStream = wire.initiator ? 0 : 1;
  let nextRequest = 0;
  let served = 0;
  let opening = 0;
  let rtt: number | null = null;

  const ensureOpen = () => {
    if (!wire.open) throw gone(wire.farewell?.reason ?? 'it was closed');
  };

  // Streams

  const theirs = (id: number) => (id % 2 === 0) !== wire.initiator;

  function addStream(id: number, kind: string, params: Json, bulk: boolean, touched: () => void): OpenStream {
    const end = createByteStream(kind, params, bulk ? LIMITS.bulkWindow : LIMITS.interactiveWindow, {
      data: (bytes) => wire.data(id, bytes),
      note: (value) => wire.control({ t: 'note', id, value }),
      eof: () => wire.control({ t: 'eof', id }),
      abort: (reason) => wire.control({ t: 'abort', id, reason: reason.slice(0, 500) }),
      credit: (amount) => wire.credit(id, amount),
      drained: () => wire.drained(),
      touched,
      unread: context.onUnread,
    });
    const entry: OpenStream = { end, bulk, answer: null };
    streams.set(id, entry);
    void end.stream.closed.then(() => streams.delete(id));
    return entry;
  }

  const bulkStreams = () => [...streams.values()].filter((entry) => entry.bulk).length;
  const full = (bulk: boolean) =>
    streams.size >= LIMITS.streams || opening >= LIMITS.streams || (bulk && bulkStreams() >= LIMITS.bulkStreams);

  async function acceptStream({ id, kind, params, bulk }: Extract<Control, { t: 'open' }>) {
    if (!theirs(id) || streams.has(id)) throw new Error('opened a stream with a number that is not free');
    if (full(bulk)) {
      const error = new AppError('busy', 'Too many streams are open on this connection.', { next: 'Close one first.' });
      wire.control({ t: 'refused', id, problem: toProblem(error) });
      return;
    }
    let accepted = false;
    const accept = () => {
      if (accepted) return;
      accepted = true;
      wire.control({ t: 'opened', id });
    };
    const { end } = addStream(id, kind, asJson(params), bulk, accept);
    opening += 1;
    try {
      await handler.onStream(connection, end.stream);
      accept();
    } catch (thrown) {
      const problem = toProblem(thrown);
      if (problem.code === 'internal') log('a stream handler failed', { kind, thrown });
      if (accepted) end.stream.abort(problem.message);
      else wire.control({ t: 'refused', id, problem });
      end.fail(fromProblem(problem));
    } finally {
      opening -= 1;
    }
  }

  // Requests

  async function serve({ id, kind, body }: Extract<Control, { t: 'ask' }>) {
    if (served >= LIMITS.servedRequests) {
      const error = new AppError('busy', 'Too many requests at once.', { next: 'Wait for answers first.' });
      wire.control({ t: 'sorry', id, problem: toProblem(error) });
      return;
    }
    served += 1;
    try {
      const answer = await handler.onRequest(connection, kind, asJson(body));
      wire.control({ t: 'answer', id, body: answer });
    } catch (thrown) {
      const problem = toProblem(thrown);
      if (problem.code === 'internal') log('a request handler failed', { kind, thrown });
      wire.control({ t: 'sorry', id, problem });
    } finally {
      served -= 1;
    }
  }

  function settle(id: number, act: (request: Pending) => void) {
    // An answer that comes after its request was given up is not an error.
    const request = pending.get(id);
    pending.delete(id);
    if (request) act(request);
  }

  function onControl(frame: Control) {
    switch (frame.t) {
      case 'ask':
        void serve(frame);
        return;
      case 'answer':
        settle(frame.id, (request) => request.resolve(asJson(frame.body)));
        return;
      case 'sorry':
        settle(frame.id, (request) => request.reject(fromProblem(frame.problem)));
        return;
      case 'event':
        events.emit({ kind: frame.kind, body: asJson(frame.body) });
        return;
      case 'open':
        acceptStream(frame).catch((thrown: unknown) => wire.close('bad-input', (thrown as Error).message));
        return;
      case 'opened': {
        const stream = streams.get(frame.id);
        stream?.answer?.resolve();
        if (stream) stream.answer = null;
        return;
      }
      case 'refused': {
        const stream = streams.get(frame.id);
        if (!stream?.answer) return;
        const error = fromProblem(frame.problem);
        stream.answer.reject(error);
        stream.end.fail(error);
        return;
      }
      case 'note':
        streams.get(frame.id)?.end.onNote(asJson(frame.value), Buffer.byteLength(JSON.stringify(frame.value ?? null)));
        return;
      case 'eof':
        streams.get(frame.id)?.end.onEof();
        return;
      case 'abort':
        streams.get(frame.id)?.end.fail(new AppError('cancelled', tame(frame.reason)));
        return;
      case 'hello':
      case 'welcome':
      case 'bye':
        throw new Error('greeted twice');
    }
  }

  // Liveness

  let sentAt = clock.monotonicMs();
  let heardAt = sentAt;
  let heardCount = wire.heard;
  let tickAt = sentAt;
  let nonce = 0;
  function beat() {
    const now = clock.monotonicMs();
    // After our own sleep or a long stall the silence is ours, not the peer's.
    const overslept = now - tickAt > timing.pingMs * 2;
    tickAt = now;
    if (wire.heard !== heardCount || overslept) {
      heardCount = wire.heard;
      heardAt = now;
    }
    if (now - heardAt >= timing.silenceMs) {
      wire.close('peer-unreachable', `no sign of life for ${Math.round((now - heardAt) / 1000)} s`);
      return;
    }
    nonce = (nonce + 1) >>> 0;
    sentAt = now;
    wire.ping(nonce);
  }

  wire.receiver = {
    control: onControl,
    // Streams that just ended on our side may still have messages under way: those are dropped.
    data: (id, bytes) => streams.get(id)?.end.onData(bytes),
    credit: (id, amount) => streams.get(id)?.end.onCredit(amount),
    pong(answered) {
      if (answered === nonce) rtt = clock.monotonicMs() - sentAt;
    },
  };
  const heart = setInterval(beat, timing.pingMs);
  heart.unref();
  beat();

  void wire.closed.then(({ reason }) => {
    clearInterval(heart);
    const error = gone(reason);
    for (const request of pending.values()) request.reject(error);
    pending.clear();
    for (const { end, answer } of streams.values()) {
      answer?.reject(error);
      end.fail(error);
    }
  });

  const connection: PeerConnection = {
    remote: context.remote,
    purpose,
    carrier: context.carrier,
    get relayed() {
      return context.relayed();
    },
    async request(kind, body, { signal, timeoutMs = timing.requestMs } = {}) {
      ensureOpen();
      signal?.throwIfAborted();
      if (pending.size >= LIMITS.pendingRequests) {
        throw new AppError('busy', 'Too many requests wait for an answer of the other machine.');
      }
      const id = nextRequest;
      nextRequest = (nextRequest + 1) >>> 0;
      const answer = Promise.withResolvers<Json>();
      const give = (error: AppError) => settle(id, (request) => request.reject(error));
      const timer = setTimeout(
        () =>
          give(new AppError('timeout', `The other machine did not answer within ${Math.ceil(timeoutMs / 1000)} s.`)),
        timeoutMs,
      );
      const onAbort = () => give(new AppError('cancelled', 'Cancelled.'));
      signal?.addEventListener('abort', onAbort, { once: true });
      pending.set(id, answer);
      try {
        wire.control({ t: 'ask', id, kind, body });
        return await answer.promise;
      } finally {
        pending.delete(id);
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      }
    },
    event(kind, body) {
      wire.control({ t: 'event', kind, body });
    },
    onEvent: (listener) => events.on(({ kind, body }) => listener(kind, body)),
    async open(kind, params, { signal, bulk = purpose === 'bulk' } = {}) {
      ensureOpen();
      signal?.throwIfAborted();
      if (full(bulk)) throw new AppError('busy', 'Too many streams are open on this connection.');
      const id = nextStream;
      nextStream += 2;
      const entry = addStream(id, kind, params, bulk, () => undefined);
      const { stream } = entry.end;
      const answer = Promise.withResolvers<void>();
      entry.answer = answer;
      const onAbort = () => {
        stream.abort('cancelled');
        answer.reject(new AppError('cancelled', 'Cancelled.'));
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      const timer = setTimeout(() => {
        stream.abort('nobody took the stream in time');
        answer.reject(new AppError('timeout', 'The other machine did not open the stream in time.'));
      }, timing.requestMs);
      try {
        wire.control({ t: 'open', id, kind, params, bulk });
        await answer.promise;
        return stream;
      } catch (thrown) {
        entry.end.fail(toAppError(thrown));
        throw thrown;
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      }
    },
    rttMs: () => rtt,
    close: (reason = 'closed') => wire.close('cancelled', reason),
    closed: wire.closed,
  };
  return connection;
}
