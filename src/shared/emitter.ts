/** A typed event source small enough to read: `on` returns its own unsubscribe. A listener that throws is reported, not fatal. */
export class Emitter<T> {
  readonly #listeners = new Set<(value: T) => void>();
  readonly #onError: (thrown: unknown) => void;

  constructor(onError: (thrown: unknown) => void = (thrown) => queueMicrotask(() => reportError(thrown))) {
    this.#onError = onError;
  }

  on(listener: (value: T) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(value: T): void {
    for (const listener of this.#listeners) {
      try {
        listener(value);
      } catch (thrown) {
        this.#onError(thrown);
      }
    }
  }
}

/** The newest value of something, and the wish to hear when it changes. Slow readers skip values, never queue them. */
export class State<T> {
  #value: T;
  readonly #changed = new Emitter<T>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    this.#value = value;
    this.#changed.emit(value);
  }

  on(listener: (value: T) => void): () => void {
    return this.#changed.on(listener);
  }

  /** The current value, then each newest one until the signal aborts. */
  async *watch(signal?: AbortSignal): AsyncGenerator<T, void> {
    let fresh = true;
    let wake: (() => void) | undefined;
    const poke = () => {
      fresh = true;
      wake?.();
    };
    const off = this.on(poke);
    signal?.addEventListener('abort', poke, { once: true });
    try {
      while (!signal?.aborted) {
        if (!fresh) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          wake = undefined;
          continue;
        }
        fresh = false;
        yield this.#value;
      }
    } finally {
      off();
      signal?.removeEventListener('abort', poke);
    }
  }

  /** Resolves with the first value (the current one included) that `test` accepts. */
  until(test: (value: T) => boolean, signal?: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      if (test(this.#value)) {
        resolve(this.#value);
        return;
      }
      const off = this.on((value) => {
        if (!test(value)) return;
        off();
        resolve(value);
      });
      signal?.addEventListener(
        'abort',
        () => {
          off();
          reject(signal.reason as Error);
        },
        { once: true },
      );
    });
  }
}
