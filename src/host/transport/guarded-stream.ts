/** Lets a producer run at most `window` events ahead of its reader's acknowledgements. */
export class StreamGate {
  readonly #window: number;
  #sent = 0;
  #read = 0;
  #wake: (() => void) | undefined;

  constructor(window: number) {
    this.#window = window;
  }

  /** `read` events were read in all. Numbers that go back, or run ahead of what was sent, are ignored. */
  acknowledge(read: number): void {
    if (read <= this.#read || read > this.#sent) return;
    this.#read = read;
    this.#wake?.();
  }

  /** Resolves when one more event may be sent, or when the signal aborts. */
  async pass(signal: AbortSignal): Promise<void> {
    while (this.#sent - this.#read >= this.#window && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = () => {
          signal.removeEventListener('abort', done);
          this.#wake = undefined;
          resolve();
        };
        this.#wake = done;
        signal.addEventListener('abort', done, { once: true });
      });
    }
    this.#sent++;
  }
}

interface StreamGuards {
  signal: AbortSignal;
  gate: StreamGate | undefined;
  /** The error to send instead of what the service threw. */
  onError: (thrown: unknown) => Error;
}

const END = { done: true as const, value: undefined };

/**
 * A service's stream as a transport may send it: the next event is asked for only when the reader has room, so state
 * streams skip to their newest value; it ends at once when the caller goes away, even if the service is slow to notice.
 */
export function guardedStream(
  events: AsyncIterator<unknown>,
  { signal, gate, onError }: StreamGuards,
): AsyncIterableIterator<unknown> {
  let ended = false;
  const stop = () => {
    if (ended) return;
    ended = true;
    // Not awaited: a generator that waits for something else answers only when that happens.
    void Promise.resolve(events.return?.()).catch(() => undefined);
  };
  const gone = new Promise<typeof END>((resolve) => {
    const leave = () => {
      stop();
      resolve(END);
    };
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
  });
  const stream = {
    async next(): Promise<IteratorResult<unknown>> {
      await gate?.pass(signal);
      if (ended) return END;
      try {
        const result = await Promise.race([events.next(), gone]);
        if (result.done) ended = true;
        return result;
      } catch (thrown) {
        ended = true;
        throw onError(thrown);
      }
    },
    return(): Promise<IteratorResult<unknown>> {
      stop();
      return Promise.resolve(END);
    },
    [Symbol.asyncIterator]: () => stream,
  };
  return stream;
}
