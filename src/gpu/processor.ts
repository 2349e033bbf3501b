import os from 'node:os';
import type { Device, Sample } from '../shared/gpu.ts';

/** Busy and total time of all cores since start, in milliseconds. */
interface CpuTimes {
  busy: number;
  total: number;
}

export function readCpuTimes(cpus: readonly os.CpuInfo[] = os.cpus()): CpuTimes {
  let busy = 0;
  let total = 0;
  for (const { times } of cpus) {
    const working = times.user + times.nice + times.sys + times.irq;
    busy += working;
    total += working + times.idle;
  }
  return { busy, total };
}

/** Share of the time between two readings that was worked, 0 to 100; null while the counters have not moved. */
export function utilizationBetween(before: CpuTimes, now: CpuTimes): number | null {
  const total = now.total - before.total;
  if (!(total > 0)) return null;
  return Math.min(100, Math.max(0, Math.round(((now.busy - before.busy) / total) * 1000) / 10));
}

/** This computer's processor as something to share; marked `cpu`, never passed off as a card. */
export function processorDevice(): Device {
  const model = (os.cpus()[0]?.model ?? 'Processor').replaceAll(/\s+/g, ' ').trim();
  const vendor = /\b(Intel|AMD|Apple)\b/i.exec(model)?.[1] ?? (/^ARM|Ampere/i.exec(model) ? 'ARM' : 'Unknown');
  return {
    id: 'cpu',
    kind: 'cpu',
    vendor,
    model: model.replace(new RegExp(`^${vendor}(\\(R\\))?\\s+`, 'i'), '') || 'Processor',
    memoryBytes: os.totalmem(),
    index: 0,
    driver: null,
    computeCapability: null,
    pciBusId: null,
    mig: false,
    cores: os.availableParallelism(),
  };
}

/** A reader of the processor's load; each reading covers the time since the one before. */
export function createProcessorSampler(): (atMs: number) => Sample {
  let before = readCpuTimes();
  return (atMs) => {
    const now = readCpuTimes();
    const utilization = utilizationBetween(before, now);
    before = now;
    return {
      deviceId: 'cpu',
      atMs,
      utilization,
      memoryUsedBytes: os.totalmem() - os.freemem(),
      temperatureC: null,
      fanPercent: null,
      powerW: null,
      powerLimitW: null,
      clockSmMhz: null,
      clockMemoryMhz: null,
      pstate: null,
      throttle: [],
    };
  };
}
