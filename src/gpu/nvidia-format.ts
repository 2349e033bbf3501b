/**
 * What `nvidia-smi` prints, read. Pure: text in, values out; whatever makes no sense becomes null or is left out, never
 * an exception. Values come with or without units (`nounits` does not reach every field).
 */
import type { Device, Sample } from '../shared/gpu.ts';
import { MIB } from '../shared/units.ts';

/** Asked once: nothing here changes while the driver is loaded. */
export const STATIC_FIELDS = [
  'index',
  'uuid',
  'name',
  'pci.bus_id',
  'driver_version',
  'compute_cap',
  'memory.total',
  'mig.mode.current',
] as const;

/** Asked every second, in the order of the columns. */
export const SAMPLE_FIELDS = [
  'uuid',
  'memory.used',
  'utilization.gpu',
  'temperature.gpu',
  'fan.speed',
  'power.draw',
  'enforced.power.limit',
  'clocks.current.sm',
  'clocks.current.memory',
  'pstate',
  'clocks_event_reasons.active',
] as const;

/** Older drivers know the last field by this name, and reject the newer one. */
export const OLDER_NAMES: Readonly<Record<string, string>> = {
  'clocks_event_reasons.active': 'clocks_throttle_reasons.active',
};

export interface GpuProcess {
  /** The card's uuid; null where the tool named only an index. */
  deviceId: string | null;
  deviceIndex: number | null;
  pid: number;
  name: string;
  memoryBytes: number | null;
  /** What it does with the card; null where the tool does not say. Desktops draw with it all the time. */
  use: 'compute' | 'graphics' | 'both' | null;
  /** Its share of the card's cores now, 0 to 100. */
  smPercent: number | null;
}

const USES: Readonly<Record<string, GpuProcess['use']>> = { C: 'compute', G: 'graphics', 'C+G': 'both' };

/** `[N/A]`, `[Not Supported]`, `[Unknown Error]`, `[Function Not Found]`...: every marker of ignorance is bracketed, or one of these. */
const UNKNOWN = new Set(['', '-', 'N/A', 'ERR!', 'Unknown Error', 'Not Supported', 'Insufficient Permissions']);

export function knownText(value: string | undefined): string | null {
  const text = value?.trim() ?? '';
  return UNKNOWN.has(text) || (text.startsWith('[') && text.endsWith(']')) ? null : text;
}

/** "111.50 W" -> 111.5; null for anything that is no plain number within the bounds. */
export function knownNumber(value: string | undefined, max: number): number | null {
  const match = /^(\d{1,15}(?:\.\d{1,9})?)(?: ?(?:%|MiB|W|MHz|C))?$/.exec(knownText(value) ?? '');
  if (!match) return null;
  const number = Number(match[1]);
  return number <= max ? number : null;
}

/** A card has at most this much of anything; what claims more is noise. */
const MAX_MIB = 16 * 1024 * 1024;
const bytes = (value: string | undefined): number | null => {
  const mib = knownNumber(value, MAX_MIB);
  return mib === null ? null : mib * MIB;
};

const columns = (line: string): string[] => line.split(',').map((value) => value.trim());
const lines = (text: string): string[] => text.split(/\r?\n/).filter((line) => line.trim() !== '');
const UUID = /^(?:GPU|MIG)-[0-9a-zA-Z/-]{1,80}$/;

/** One field that this driver does not know, out of its complaint. */
export function unknownField(output: string): string | null {
  return /Field "([^"\s]{1,100})" is not a valid field to query/.exec(output)?.[1] ?? null;
}

/** `--query-gpu=FIELDS --format=csv,noheader,nounits`, one line a card. */
export function parseCards(text: string, fields: readonly string[] = STATIC_FIELDS): Device[] {
  return lines(text).flatMap((line) => {
    const values = columns(line);
    if (values.length !== fields.length) return [];
    const of = (field: string) => values[fields.indexOf(field)];
    const id = knownText(of('uuid'));
    const index = knownNumber(of('index'), 1023);
    if (id === null || !UUID.test(id) || index === null) return [];
    return [
      {
        id,
        kind: 'gpu',
        vendor: 'NVIDIA',
        model: (knownText(of('name')) ?? 'GPU').replace(/^NVIDIA\s+/, ''),
        memoryBytes: bytes(of('memory.total')),
        index,
        driver: knownText(of('driver_version')),
        computeCapability: knownText(of('compute_cap')),
        pciBusId: knownText(of('pci.bus_id'))?.toLowerCase() ?? null,
        mig: knownText(of('mig.mode.current')) === 'Enabled',
        cores: null,
      } satisfies Device,
    ];
  });
}

/** Bits of `clocks_event_reasons.active` that mean slower than asked (NVML: nvmlClocksEventReasons). */
const THROTTLE_REASONS: readonly (readonly [bit: bigint, words: string])[] = [
  [0x2n, 'clock setting'],
  [0x4n, 'power cap'],
  [0x8n, 'hardware slowdown'],
  [0x10n, 'sync boost'],
  [0x20n, 'thermal'],
  [0x40n, 'hardware thermal'],
  [0x80n, 'power brake'],
  [0x100n, 'display clocks'],
];

export function throttleReasons(mask: string | undefined): string[] {
  const text = knownText(mask);
  if (text === null || !/^0x[0-9a-fA-F]{1,16}$/.test(text)) return [];
  const bits = BigInt(text);
  return THROTTLE_REASONS.filter(([bit]) => (bits & bit) !== 0n).map(([, words]) => words);
}

/** One line of the running query; null when it is not a sample. */
export function parseSample(line: string, atMs: number, fields: readonly string[] = SAMPLE_FIELDS): Sample | null {
  const values = columns(line);
  if (values.length !== fields.length) return null;
  const of = (field: string) => {
    const at = fields.indexOf(field);
    return at === -1 ? undefined : values[at];
  };
  const deviceId = knownText(of('uuid'));
  if (deviceId === null || !UUID.test(deviceId)) return null;
  const newer = 'clocks_event_reasons.active';
  const pstate = knownText(of('pstate'));
  return {
    deviceId,
    atMs,
    utilization: knownNumber(of('utilization.gpu'), 100),
    memoryUsedBytes: bytes(of('memory.used')),
    temperatureC: knownNumber(of('temperature.gpu'), 300),
    fanPercent: knownNumber(of('fan.speed'), 300),
    powerW: knownNumber(of('power.draw'), 100_000),
    powerLimitW: knownNumber(of('enforced.power.limit'), 100_000),
    clockSmMhz: knownNumber(of('clocks.current.sm'), 100_000),
    clockMemoryMhz: knownNumber(of('clocks.current.memory'), 100_000),
    pstate: pstate !== null && /^P\d{1,2}$/.test(pstate) ? pstate : null,
    throttle: throttleReasons(of(newer) ?? of(OLDER_NAMES[newer] ?? '')),
  };
}

/**
 * MIG instances out of `nvidia-smi -L` (no query knows them), each as a device of its own: a card in MIG mode computes
 * only through them. Memory is what the profile's name promises ("3g.71gb"), in decimal gigabytes: rather less than more.
 */
export function parseMigDevices(list: string, cards: readonly Device[]): Device[] {
  let parent: Device | undefined;
  const found: Device[] = [];
  for (const line of lines(list)) {
    const card = /^GPU (\d{1,4}):/.exec(line);
    if (card) parent = cards.find((candidate) => candidate.index === Number(card[1]));
    const instance =
      /^\s+MIG (\d{1,2}(?:c\.\d{1,2})?g\.(\d{1,4})gb\S{0,20})\s+Device\s+\d{1,3}: \(UUID: ([^\s)]{1,90})\)/.exec(line);
    if (!instance || !parent || !UUID.test(instance[3] ?? '')) continue;
    found.push({
      ...parent,
      id: instance[3] ?? '',
      model: `${parent.model} MIG ${instance[1]}`,
      memoryBytes: Number(instance[2]) * 1e9,
      mig: true,
    });
  }
  return found;
}

/** `--query-compute-apps=gpu_uuid,pid,process_name,used_gpu_memory`: a path may hold commas, so both ends decide. */
export function parseComputeApps(text: string): GpuProcess[] {
  return lines(text).flatMap((line) => {
    const values = line.split(',');
    const deviceId = knownText(values[0]);
    const pid = knownNumber(values[1], 2 ** 32);
    if (values.length < 4 || deviceId === null || !UUID.test(deviceId) || pid === null || pid === 0) return [];
    const name = values.slice(2, -1).join(',').trim();
    return [{ deviceId, deviceIndex: null, pid, name, memoryBytes: bytes(values.at(-1)), use: null, smPercent: null }];
  });
}

/** `pmon -c 1`: compute and, on Linux, the graphics processes that no query lists. Each process once; names are cut by the tool. */
export function parseProcessMonitor(text: string): GpuProcess[] {
  const found = new Map<string, GpuProcess>();
  let nameColumn = -1;
  for (const line of lines(text)) {
    if (line.startsWith('#')) {
      const heads = line.slice(1).trim().split(/\s+/);
      if (heads.includes('pid')) nameColumn = heads.indexOf('command');
      continue;
    }
    const values = line.trim().split(/\s+/);
    const deviceIndex = knownNumber(values[0], 1023);
    const pid = knownNumber(values[1], 2 ** 32);
    if (deviceIndex === null || pid === null || pid === 0 || nameColumn < 3) continue;
    if (found.has(`${deviceIndex}/${pid}`)) continue;
    found.set(`${deviceIndex}/${pid}`, {
      deviceId: null,
      deviceIndex,
      pid,
      name: values.slice(nameColumn).join(' '),
      memoryBytes: null,
      use: USES[values[2] ?? ''] ?? null,
      smPercent: knownNumber(values[3], 100),
    });
  }
  return [...found.values()];
}
