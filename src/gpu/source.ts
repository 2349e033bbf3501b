import type { Device, Sample } from '../shared/gpu.ts';
import type { GpuProcess } from './nvidia-format.ts';

/** One maker's way of asking for devices, readings and processes. */
export interface CardSource {
  readonly devices: readonly Device[];
  /** Readings about every `intervalMs` until stopped. */
  sample(intervalMs: number, onSamples: (samples: Sample[]) => void): { stop(): Promise<void> };
  /** Who uses the cards now, ours included; null when that cannot be known. */
  processes(): Promise<GpuProcess[] | null>;
}

/** Calls `read` at once and then `intervalMs` after each answer: a slow tool is never asked twice at a time. */
export function poll(intervalMs: number, read: () => Promise<void> | void): { stop(): Promise<void> } {
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  let running: Promise<void> = Promise.resolve();
  const step = () => {
    running = (async () => {
      await read();
      if (!stopped) timer = setTimeout(step, intervalMs);
    })();
  };
  step();
  return {
    stop() {
      stopped = true;
      if (timer) clearTimeout(timer);
      return running;
    },
  };
}
