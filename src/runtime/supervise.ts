import { AppError } from '../shared/errors.ts';
import { delay } from '../shared/retry.ts';
import type { ContainerState, EndOfSupervision } from './engine.ts';
import type { EngineLink } from './engine-link.ts';

export interface Supervised {
  containerId: string;
  diskLimitBytes: number | null;
  inspect(): Promise<ContainerState>;
  /** Bytes the container has written, by the engine's count. */
  diskUsed(signal: AbortSignal): Promise<number>;
  pause(): Promise<void>;
}

/** Events may be missed (a full buffer, a busy engine): look by ourselves too. */
const INSPECT_EVERY_MS = 10_000;
const MEASURE_EVERY_MS = 5_000;
/** Counting walks the container's files: it may take this share of the time at most. */
const MEASURE_SHARE = 20;

const endOf = (state: ContainerState): EndOfSupervision | null => {
  if (state.status === 'missing') return { kind: 'removed' };
  if (state.status !== 'exited') return null;
  return { kind: 'exited', exitCode: state.exitCode ?? -1, finishedAtMs: state.finishedAtMs ?? 0 };
};

/**
 * Watches until the container ends, is removed, passes its disk limit (it is paused then) or the engine is lost. The
 * engine's own `wait` is not used: it hangs for ever when the engine dies.
 * @throws AppError cancelled when `signal` aborts.
 */
export async function supervise(link: EngineLink, target: Supervised, signal: AbortSignal): Promise<EndOfSupervision> {
  await link.tried;
  const lost = link.lost;
  const stopping = new AbortController();
  const stop = AbortSignal.any([stopping.signal, signal]);
  const { promise: end, resolve, reject } = Promise.withResolvers<EndOfSupervision>();

  const look = async (): Promise<void> => {
    try {
      const found = endOf(await target.inspect());
      if (found) resolve(found);
    } catch (thrown) {
      if (lost.aborted || (thrown instanceof AppError && thrown.code === 'engine-down'))
        resolve({ kind: 'engine-lost' });
      // Anything else may pass: the next look tells.
    }
  };
  const onLost = (): void => resolve({ kind: 'engine-lost' });
  const onAbort = (): void => reject(new AppError('cancelled', 'The supervision was stopped.'));
  const inspecting = async (): Promise<void> => {
    for (;;) {
      await look();
      await delay(INSPECT_EVERY_MS, stop);
    }
  };
  const measuring = async (limit: number): Promise<void> => {
    for (;;) {
      const startedMs = performance.now();
      const usedBytes = await target.diskUsed(stop).catch(() => 0);
      if (usedBytes > limit) {
        await target.pause().catch(() => undefined);
        resolve({ kind: 'disk-limit', usedBytes });
        return;
      }
      await delay(Math.max(MEASURE_EVERY_MS, (performance.now() - startedMs) * MEASURE_SHARE), stop);
    }
  };

  const off = link.onEvent((event) => {
    if (event.containerId === target.containerId && (event.action === 'die' || event.action === 'destroy')) void look();
  });
  lost.addEventListener('abort', onLost, { once: true });
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal.aborted) onAbort();
    else if (lost.aborted) onLost();
    else {
      inspecting().catch(() => undefined);
      if (target.diskLimitBytes !== null) measuring(target.diskLimitBytes).catch(() => undefined);
    }
    return await end;
  } finally {
    stopping.abort();
    off();
    lost.removeEventListener('abort', onLost);
    signal.removeEventListener('abort', onAbort);
  }
}
