import type { ApiOutputs } from '../../src/api/contract.ts';
import { GIB } from '../../src/shared/units.ts';

type Device = ApiOutputs['gpu']['list'][number];
type Sample = (ApiOutputs['gpu']['watch'] extends AsyncIterable<infer Item> ? Item : never)[number];

export const CARD: Device = {
  id: 'GPU-6f0c1c7e-fake',
  kind: 'gpu',
  vendor: 'NVIDIA',
  model: 'GeForce RTX 4090',
  memoryBytes: 24 * GIB,
  index: 0,
  driver: '580.95.05',
  computeCapability: '8.9',
  pciBusId: '00000000:01:00.0',
  mig: false,
  cores: null,
};

export const PROCESSOR: Device = {
  id: 'cpu',
  kind: 'cpu',
  vendor: 'AMD',
  model: 'Ryzen 9 7950X',
  memoryBytes: 64 * GIB,
  index: 0,
  driver: null,
  computeCapability: null,
  pciBusId: null,
  mig: false,
  cores: 32,
};

const wave = (seconds: number, period: number) => Math.sin((seconds / period) * 2 * Math.PI);

function reading(device: Device, atMs: number, busy: boolean): Sample {
  const seconds = Math.floor(atMs / 1000);
  const load = busy ? Math.min(99, 90 + 7 * wave(seconds, 23) + 4 * wave(seconds, 7)) : 4 + 3 * wave(seconds, 19);
  const gpu = device.kind === 'gpu';
  return {
    deviceId: device.id,
    atMs,
    utilization: Math.max(0, Math.round(load)),
    memoryUsedBytes: (busy ? 11 + 0.6 * wave(seconds, 41) : 1.1) * GIB,
    temperatureC: gpu ? Math.round((busy ? 62 : 38) + 3 * wave(seconds, 57)) : null,
    fanPercent: gpu ? 41 : null,
    powerW: gpu ? Math.round((busy ? 296 : 24) + 14 * wave(seconds, 17)) : null,
    powerLimitW: gpu ? 450 : null,
    clockSmMhz: gpu ? 2520 : null,
    clockMemoryMhz: gpu ? 10_501 : null,
    pstate: gpu ? 'P2' : null,
    throttle: [],
  };
}

/** Two minutes of the past at once, then one reading a second. */
export async function* fakeReadings(
  devices: Device[],
  busy: () => boolean,
  signal: AbortSignal,
): AsyncGenerator<Sample[], void> {
  const from = Date.now();
  for (let back = 120; back >= 0; back -= 1) yield devices.map((device) => reading(device, from - back * 1000, busy()));
  while (!signal.aborted) {
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, 1000);
      signal.addEventListener('abort', () => resolve(clearTimeout(timer)), { once: true });
    });
    yield devices.map((device) => reading(device, Date.now(), busy()));
  }
}
