import type { Emitter } from '../../shared/emitter.ts';

/**
 * Yields once at the start and then once after any number of emissions, as fast as the reader asks and at most every
 * `leastMs`: a slow reader skips, never queues.
 */
export async function* newest(
  source: Emitter<unknown> | Emitter<void>,
  signal: AbortSignal,
  leastMs = 50,
): AsyncGenerator<void, void> {
  let fresh = true;
  let wake: (() => void) | null = null;
  const poke = () => {
    fresh = true;
    wake?.();
  };
  const off = source.on(poke);
  signal.addEventListener('abort', poke, { once: true });
  try {
    for (;;) {
      while (!fresh) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = null;
      }
      if (signal.aborted) return;
      fresh = false;
      yield;
      if (leastMs > 0) await new Promise((resolve) => setTimeout(resolve, leastMs));
    }
  } finally {
    off();
    signal.removeEventListener('abort', poke);
  }
}
