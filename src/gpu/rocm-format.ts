/** What `rocm-smi --json` prints, read. Names of its fields differ by release in case and wording. Pure. */
import { z } from 'zod';
import type { Device, Sample } from '../shared/gpu.ts';

const outputSchema = z.record(z.string(), z.record(z.string(), z.unknown()));

interface Card {
  index: number;
  driver: string | null;
  /** The first of these fields that is known, by lower-case name. */
  text(...names: string[]): string | null;
}

const MAX_CARDS = 64;

const fieldsOf = (members: Record<string, unknown>) => {
  const fields = new Map<string, string>();
  for (const [name, value] of Object.entries(members)) {
    if (typeof value === 'string' || typeof value === 'number') fields.set(name.toLowerCase(), String(value).trim());
  }
  return fields;
};

function cardsOf(output: string): Card[] {
  let parsed: z.infer<typeof outputSchema>;
  try {
    // Warnings may stand before the object.
    parsed = outputSchema.parse(JSON.parse(output.slice(Math.max(0, output.indexOf('{')))));
  } catch {
    return [];
  }
  const system = fieldsOf(parsed['system'] ?? {});
  return Object.entries(parsed)
    .flatMap(([name, members]) => {
      const index = /^card(\d{1,3})$/.exec(name)?.[1];
      if (index === undefined) return [];
      const fields = fieldsOf(members);
      const text = (...names: string[]) => {
        for (const wanted of names) {
          const value = fields.get(wanted);
          if (value !== undefined && value !== '' && value.toUpperCase() !== 'N/A') return value;
        }
        return null;
      };
      return [{ index: Number(index), driver: system.get('driver version') ?? null, text }];
    })
    .slice(0, MAX_CARDS);
}

const idOf = (card: Card): string => {
  const unique = card.text('unique id');
  // Consumer cards have no unique id; the slot stays the same as long as nobody opens the case.
  return unique && /^0x[0-9a-f]{1,16}$/i.test(unique)
    ? `AMD-${unique.slice(2).toLowerCase()}`
    : `AMD-${card.text('pci bus')?.toLowerCase() ?? card.index}`;
};

/** "Navi 22 [Radeon RX 6700/6700 XT / 6800M]" -> "Radeon RX 6700/6700 XT / 6800M". */
const modelOf = (card: Card): string => {
  const series = card.text('card series', 'device name') ?? '';
  return /\[([^\]]{1,100})\]/.exec(series)?.[1] ?? (series === '' ? 'AMD GPU' : series.slice(0, 100));
};

const number = (text: string | null, max: number): number | null => {
  const match = /^\(?(\d{1,18}(?:\.\d{1,9})?)(?:\s?mhz)?\)?$/i.exec(text ?? '');
  const value = match ? Number(match[1]) : Number.NaN;
  return value <= max ? value : null;
};

export function parseRocmDevices(output: string): Device[] {
  return cardsOf(output).map((card) => ({
    id: idOf(card),
    kind: 'gpu',
    vendor: 'AMD',
    model: modelOf(card),
    memoryBytes: number(card.text('vram total memory (b)'), 2 ** 50),
    index: card.index,
    driver: card.driver,
    computeCapability: null,
    pciBusId: card.text('pci bus')?.toLowerCase() ?? null,
    mig: false,
    cores: null,
  }));
}

export function parseRocmSamples(output: string, atMs: number): Sample[] {
  return cardsOf(output).map((card) => ({
    deviceId: idOf(card),
    atMs,
    utilization: number(card.text('gpu use (%)'), 100),
    memoryUsedBytes: number(card.text('vram total used memory (b)'), 2 ** 50),
    temperatureC: number(card.text('temperature (sensor edge) (c)', 'temperature (sensor junction) (c)'), 300),
    fanPercent: number(card.text('fan speed (%)'), 300),
    powerW: number(
      card.text(
        'average graphics package power (w)',
        'current socket graphics package power (w)',
        'current graphics package power (w)',
      ),
      100_000,
    ),
    powerLimitW: number(card.text('max graphics package power (w)'), 100_000),
    clockSmMhz: number(card.text('sclk clock speed:'), 100_000),
    clockMemoryMhz: number(card.text('mclk clock speed:'), 100_000),
    pstate: null,
    throttle: [],
  }));
}
