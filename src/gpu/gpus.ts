import { State } from '../shared/emitter.ts';
import type { Device, Sample } from '../shared/gpu.ts';
import type { Log } from '../shared/log.ts';
import { AMD_TOOLS, findAmd } from './amd.ts';
import type { Tool } from './line-child.ts';
import { NVIDIA_TOOLS, findNvidia } from './nvidia.ts';
import type { GpuProcess } from './nvidia-format.ts';
import { findOtherCards, readControllers } from './other-cards.ts';
import type { ReadControllers } from './other-cards.ts';
import { createProcessorSampler, processorDevice } from './processor.ts';
import { poll } from './source.ts';
import type { CardSource } from './source.ts';

/** Somebody else's use of this computer's cards. */
interface ForeignUse {
  /** False when nobody can say: then the cards count as in use. */
  known: boolean;
  processes: GpuProcess[];
}

/** The cards of this computer, or its processor where there are none. */
export interface Gpus {
  /** What can be shared comes first. Without an NVIDIA or AMD card the processor is among them, marked `cpu`. */
  readonly devices: readonly Device[];
  /** The newest reading of each device; empty until somebody watches. */
  readonly samples: State<readonly Sample[]>;
  /** Looks again: a driver was installed, an eGPU plugged in. Readings go on. */
  detect(): Promise<readonly Device[]>;
  /** The newest readings at each change until the signal aborts. Cards are read while at least one watcher is there. */
  watch(signal?: AbortSignal): AsyncGenerator<readonly Sample[], void>;
  /** Milliseconds between readings from now on: 1000 while sharing, more to save power. */
  setInterval(intervalMs: number): void;
  /** Processes on the cards that are not ours. `ownPids` as the engine reports them, in the host's numbering. */
  foreignUse(ownPids: ReadonlySet<number>): Promise<ForeignUse>;
  close(): Promise<void>;
}

export interface GpusOptions {
  log: Log;
  /** Spreads restarts of a failing tool. */
  random?: () => number;
  intervalMs?: number;
  /** Tried in order; for tests and unusual installations. */
  nvidiaTools?: readonly Tool[];
  amdTools?: readonly Tool[];
  readControllers?: ReadControllers;
}

const MIN_INTERVAL_MS = 100;

export async function openGpus(options: GpusOptions): Promise<Gpus> {
  const { log } = options;
  const samples = new State<readonly Sample[]>([]);
  let intervalMs = options.intervalMs ?? 1000;
  let devices: readonly Device[] = [];
  let sources: readonly CardSource[] = [];
  let running: { stop(): Promise<void> }[] = [];
  let stopping: Promise<unknown> = Promise.resolve();
  const watchers = new Set<object>();
  let closed = false;
  const life = new AbortController();

  const accept = (fresh: readonly Sample[]) => {
    if (closed) return;
    const byDevice = new Map(samples.value.map((sample) => [sample.deviceId, sample]));
    for (const sample of fresh) byDevice.set(sample.deviceId, sample);
    samples.set(devices.flatMap((device) => byDevice.get(device.id) ?? []));
  };
  const stop = () => {
    const ending = running;
    running = [];
    stopping = Promise.all([stopping, ...ending.map((one) => one.stop())]);
  };
  const start = () => {
    if (closed || running.length > 0 || watchers.size === 0) return;
    running = sources.map((source) => source.sample(intervalMs, accept));
  };
  const detect = async () => {
    const found = await findSources(options);
    stop();
    ({ devices, sources } = found);
    samples.set(samples.value.filter((sample) => devices.some((device) => device.id === sample.deviceId)));
    start();
    log.info({ devices: devices.map(({ id, vendor, model }) => ({ id, vendor, model })) }, 'devices found');
    return devices;
  };
  await detect();

  return {
    get devices() {
      return devices;
    },
    samples,
    detect,
    async *watch(signal) {
      const watcher = {};
      watchers.add(watcher);
      start();
      const until = signal ? AbortSignal.any([signal, life.signal]) : life.signal;
      try {
        for await (const current of samples.watch(until)) if (current.length > 0) yield current;
      } finally {
        if (watchers.delete(watcher) && watchers.size === 0) stop();
      }
    },
    setInterval(wanted) {
      const next = Math.max(MIN_INTERVAL_MS, Math.round(wanted));
      if (next === intervalMs) return;
      intervalMs = next;
      stop();
      start();
    },
    async foreignUse(ownPids) {
      const answers = await Promise.all(sources.map((source) => source.processes()));
      return {
        known: answers.every((answer) => answer !== null),
        processes: answers.flatMap((answer) => answer ?? []).filter(({ pid }) => !ownPids.has(pid)),
      };
    },
    async close() {
      closed = true;
      life.abort();
      watchers.clear();
      stop();
      await stopping;
    },
  };
}

async function findSources(options: GpusOptions): Promise<{ devices: Device[]; sources: CardSource[] }> {
  const [nvidia, amd] = await Promise.all([
    findNvidia(options.nvidiaTools ?? NVIDIA_TOOLS, options.random ?? Math.random, options.log),
    findAmd(options.amdTools ?? AMD_TOOLS),
  ]);
  const others = await findOtherCards(options.readControllers ?? readControllers, amd !== null);
  const sources = [nvidia, amd].filter((source) => source !== null);
  if (!sources.some((source) => source.devices.length > 0)) sources.push(processorSource());
  return { devices: [...sources.flatMap((source) => source.devices), ...others], sources };
}

/** A processor's other users are the owner's own programs; whether they are in the way is the owner policy's question. */
function processorSource(): CardSource {
  return {
    devices: [processorDevice()],
    sample(intervalMs, onSamples) {
      const read = createProcessorSampler();
      return poll(intervalMs, () => onSamples([read(Date.now())]));
    },
    processes: () => Promise.resolve([]),
  };
}
