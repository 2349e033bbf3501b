/** Resolves after `ms`, or rejects with the signal's reason. For back-off only: wait for events everywhere else. */
export function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    function onAbort() {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    }
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Exponential back-off with full jitter: attempt 0 waits up to `baseMs`, each further one up to twice as long, capped. */
export const backoffMs = (attempt: number, random: () => number, baseMs = 200, capMs = 15_000): number =>
  random() * Math.min(capMs, baseMs * 2 ** attempt);
