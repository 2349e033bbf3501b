import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseRocmDevices, parseRocmSamples } from './rocm-format.ts';

const recording = (name: string) => readFileSync(new URL(`recordings/${name}.json`, import.meta.url), 'utf8');

test('a Radeon without a unique id is known by its slot', () => {
  const text = recording('rx6700xt-rocm612');
  expect(parseRocmDevices(text)).toEqual([
    {
      id: 'AMD-0000:07:00.0',
      kind: 'gpu',
      vendor: 'AMD',
      model: 'Radeon RX 6700/6700 XT / 6800M',
      memoryBytes: 12_868_124_672,
      index: 0,
      driver: '6.3.6',
      computeCapability: null,
      pciBusId: '0000:07:00.0',
      mig: false,
      cores: null,
    },
  ]);
  expect(parseRocmSamples(text, 9)).toMatchObject([
    {
      deviceId: 'AMD-0000:07:00.0',
      atMs: 9,
      utilization: 0,
      memoryUsedBytes: 1_572_745_216,
      temperatureC: 45,
      fanPercent: null,
      powerW: 6,
      powerLimitW: 211,
      clockSmMhz: 0,
      clockMemoryMhz: 96,
    },
  ]);
});

test('several Instincts, field names in another case', () => {
  const text = recording('mi100-rocm602');
  expect(parseRocmDevices(text).map(({ id, model, index }) => ({ id, model, index }))).toEqual([
    { id: 'AMD-79ccd55167a2124a', model: 'Instinct MI100', index: 0 },
    { id: 'AMD-4edfb117a17a07d', model: 'Instinct MI100', index: 1 },
  ]);
  expect(parseRocmSamples(text, 9).map(({ powerW }) => powerW)).toEqual([36, 44]);
});

test('an early release', () => {
  const text = recording('vega10-rocm33');
  expect(parseRocmDevices(text)).toMatchObject([{ id: 'AMD-2150e7d042a1124', model: 'AMD GPU' }]);
  expect(parseRocmSamples(text, 9)).toMatchObject([{ fanPercent: 13, clockSmMhz: 1269, memoryUsedBytes: 17_776_640 }]);
});

test('a warning before the object does not hide the cards', () => {
  expect(
    parseRocmDevices(`WARNING: AMD GPU device(s) is/are in a low-power state\n${recording('vega10-rocm33')}`),
  ).toHaveLength(1);
});

test('whatever is printed, nothing is thrown and no number leaves its bounds', () => {
  const values = fc.constantFrom<unknown>('N/A', '', '1e99', '-1', '(300Mhz)', 5, null, [], {}, '100.1', '0x12');
  const names = fc.constantFrom('GPU use (%)', 'Unique ID', 'PCI Bus', 'Card series', '__proto__', 'sclk clock speed:');
  const output = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .dictionary(fc.constantFrom('card0', 'card9', 'system', 'x'), fc.dictionary(names, values))
      .map((value) => JSON.stringify(value)),
  );
  fc.assert(
    fc.property(output, (text) => {
      parseRocmDevices(text);
      for (const sample of parseRocmSamples(text, 0)) {
        expect(sample.utilization === null || (sample.utilization >= 0 && sample.utilization <= 100)).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});
