import type { ApiOutputs } from '../../../src/api/contract.ts';
import { GIB } from '../../../src/shared/units.ts';

type Samples = ApiOutputs['gpu']['watch'] extends AsyncIterable<infer Item> ? Item : never;

/** The last readings of each device, as graphs want them: one array per line. */
export type Readings = Record<
  string,
  {
    /** Unix seconds. */
    times: number[];
    load: (number | null)[];
    temperature: (number | null)[];
    power: (number | null)[];
    /** GiB. */
    memory: (number | null)[];
    powerLimit: number | null;
    throttle: string[];
  }
>;

const KEPT = 130;

export function remember(old: Readings, samples: Samples): Readings {
  const next = { ...old };
  for (const sample of samples) {
    const before = old[sample.deviceId];
    const add = <T>(list: T[] | undefined, value: T): T[] => [...(list ?? []), value].slice(-KEPT);
    next[sample.deviceId] = {
      times: add(before?.times, sample.atMs / 1000),
      load: add(before?.load, sample.utilization),
      temperature: add(before?.temperature, sample.temperatureC),
      power: add(before?.power, sample.powerW),
      memory: add(before?.memory, sample.memoryUsedBytes === null ? null : sample.memoryUsedBytes / GIB),
      powerLimit: sample.powerLimitW,
      throttle: sample.throttle,
    };
  }
  return next;
}
