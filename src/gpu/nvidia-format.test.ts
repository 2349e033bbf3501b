import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MIB } from '../shared/units.ts';
import {
  SAMPLE_FIELDS,
  STATIC_FIELDS,
  knownNumber,
  knownText,
  parseCards,
  parseComputeApps,
  parseMigDevices,
  parseProcessMonitor,
  parseSample,
  throttleReasons,
  unknownField,
} from './nvidia-format.ts';

const recording = (name: string) => readFileSync(new URL(`recordings/${name}.txt`, import.meta.url), 'utf8');

/** One command's output. */
const section = (name: string, title: string): string => {
  const [, body = ''] = recording(name).split(`# $ nvidia-smi ${title}`);
  return body.slice(body.indexOf('\n') + 1).split('# $ nvidia-smi')[0] ?? '';
};
/** The recorded row with only the columns asked for, as the tool prints them, units left in. */
const row = (name: string, fields: readonly string[]): string => {
  const [head = '', values = ''] = section(name, '--query-gpu').trim().split('\n');
  const names = head.split(', ').map((column) => column.replace(/ \[.*\]$/, ''));
  return fields.map((field) => values.split(', ')[names.indexOf(field)]).join(', ');
};

describe('real recordings', () => {
  test('a GeForce under load', () => {
    const name = 'rtx-2080-super-linux-load';
    expect(parseCards(row(name, STATIC_FIELDS))).toEqual([
      {
        id: 'GPU-00000000-0000-0000-0000-000000000000',
        kind: 'gpu',
        vendor: 'NVIDIA',
        model: 'GeForce RTX 2080 SUPER',
        memoryBytes: 8192 * MIB,
        index: 0,
        driver: '595.71.05',
        computeCapability: '7.5',
        pciBusId: '00000000:0c:00.0',
        mig: false,
        cores: null,
      },
    ]);
    expect(parseSample(row(name, SAMPLE_FIELDS), 5)).toEqual({
      deviceId: 'GPU-00000000-0000-0000-0000-000000000000',
      atMs: 5,
      utilization: 8,
      memoryUsedBytes: 819 * MIB,
      temperatureC: 45,
      fanPercent: 38,
      powerW: 111.5,
      powerLimitW: 250,
      clockSmMhz: 2055,
      clockMemoryMhz: 7500,
      pstate: 'P2',
      throttle: [],
    });
    expect(
      parseSample(row(name, ['uuid', 'clocks.applications.graphics']), 5, ['uuid', 'clocks.current.sm']),
    ).toMatchObject({
      clockSmMhz: null,
    });
    expect(parseComputeApps(section(name, '--query-compute-apps'))).toMatchObject([
      { pid: 5268, name: 'ffmpeg', memoryBytes: 370 * MIB },
      { pid: 5267, name: 'ffmpeg', memoryBytes: 230 * MIB },
    ]);
    expect(parseProcessMonitor(section(name, 'pmon'))).toMatchObject([
      { pid: 1696, name: 'gnome-shell', use: 'graphics', smPercent: null, deviceIndex: 0 },
      { pid: 4584, name: 'Xwayland', use: 'graphics' },
      { pid: 5267, name: 'ffmpeg', use: 'compute', smPercent: 7 },
      { pid: 5268, name: 'ffmpeg', use: 'compute', smPercent: null },
    ]);
  });

  test('Windows: paths with spaces and brackets, memory unknown, the head repeated', () => {
    const name = 'rtx-2080-super-windows-load';
    expect(parseComputeApps(section(name, '--query-compute-apps'))).toMatchObject([
      { pid: 2140, name: 'C:\\Windows\\System32\\dwm.exe', memoryBytes: null },
      { pid: 17648, name: 'C:\\Program Files\\NVIDIA Corporation\\NVIDIA App\\CEF\\NVIDIA Overlay.exe' },
      { pid: 17840, name: expect.stringContaining('(x86)') },
    ]);
    expect(parseProcessMonitor(section(name, 'pmon'))).toMatchObject([
      { pid: 2140, name: 'dwm.exe', use: 'both' },
      { pid: 12940, name: 'ffmpeg.exe', use: 'compute', smPercent: null },
      { pid: 13820, name: 'ffmpeg.exe', smPercent: 7 },
      { pid: 15964, name: 'NVIDIA Overlay.' },
    ]);
  });

  test('an H200 in MIG mode: the instance is the device', () => {
    const name = 'h200-mig-linux-idle';
    const cards = parseCards(row(name, STATIC_FIELDS));
    expect(cards).toMatchObject([{ model: 'H200', mig: true, memoryBytes: 143_771 * MIB }]);
    expect(parseMigDevices(section(name, '-L'), cards)).toMatchObject([
      {
        id: 'MIG-f165f0ad-bde2-5b72-acdf-73bbf48eeb2c',
        model: 'H200 MIG 3g.71gb',
        memoryBytes: 71e9,
        index: 0,
        mig: true,
        driver: '580.173.02',
      },
    ]);
    expect(parseSample(row(name, SAMPLE_FIELDS), 5)).toMatchObject({
      utilization: null,
      fanPercent: null,
      temperatureC: 37,
      powerW: 89.93,
      pstate: 'P0',
      throttle: [],
    });
    expect(parseComputeApps(section(name, '--query-compute-apps'))).toEqual([]);
  });
});

test.each([
  'N/A',
  '[N/A]',
  '[Not Supported]',
  '[Insufficient Permissions]',
  '[Unknown Error]',
  '[Function Not Found]',
  '',
])('%j means unknown', (marker) => {
  expect(knownText(marker)).toBeNull();
  expect(knownNumber(marker, 100)).toBeNull();
  const sample = parseSample(['GPU-1', ...Array(SAMPLE_FIELDS.length - 1).fill(marker)].join(', '), 1);
  expect(sample).toEqual({
    deviceId: 'GPU-1',
    atMs: 1,
    utilization: null,
    memoryUsedBytes: null,
    temperatureC: null,
    fanPercent: null,
    powerW: null,
    powerLimitW: null,
    clockSmMhz: null,
    clockMemoryMhz: null,
    pstate: null,
    throttle: [],
  });
});

test('reasons for lower clocks are named; being idle is none', () => {
  expect(throttleReasons('0x0000000000000001')).toEqual([]);
  expect(throttleReasons('0x0000000000000064')).toEqual(['power cap', 'thermal', 'hardware thermal']);
  expect(throttleReasons('[N/A]')).toEqual([]);
  expect(throttleReasons('0xzz')).toEqual([]);
});

test('a complaint about a field is recognised', () => {
  expect(unknownField('Field "clocks_event_reasons.active" is not a valid field to query.\n')).toBe(
    'clocks_event_reasons.active',
  );
  expect(unknownField('GPU-1, 5')).toBeNull();
});

const sane = (value: number | null, max: number) => value === null || (value >= 0 && value <= max);

describe('whatever is printed', () => {
  const noise = fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc
      .array(
        fc.constantFrom(
          'GPU-00000000-0000-0000-0000-000000000000',
          'MIG-1',
          ', ',
          ',',
          '\n',
          '0',
          '99999999999999999999',
          '-5',
          '1e9',
          'NaN',
          '[N/A]',
          '# gpu pid command',
          '    0   7  C  - ',
          'GPU 0: NVIDIA',
          '  MIG 1g.5gb     Device  0: (UUID: MIG-2)',
          '0xffffffffffffffff',
          ' MiB',
        ),
        { maxLength: 60 },
      )
      .map((parts) => parts.join('')),
  );

  test('parsers never throw and never invent numbers out of bounds', () => {
    fc.assert(
      fc.property(noise, (text) => {
        for (const card of parseCards(text)) expect(sane(card.memoryBytes, 2 ** 45)).toBe(true);
        const sample = parseSample(text, 0);
        expect(sane(sample?.utilization ?? null, 100)).toBe(true);
        expect(sane(sample?.powerW ?? null, 100_000)).toBe(true);
        for (const process of [...parseComputeApps(text), ...parseProcessMonitor(text)]) {
          expect(Number.isSafeInteger(process.pid) && process.pid > 0).toBe(true);
        }
        throttleReasons(text);
        unknownField(text);
        parseMigDevices(text, parseCards(text));
      }),
      { numRuns: 500 },
    );
  });

  test('one flipped character of a real line is a sample of the same card or none', () => {
    const line = row('rtx-2080-super-linux-load', SAMPLE_FIELDS);
    fc.assert(
      fc.property(fc.nat(line.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, character) => {
        const sample = parseSample(line.slice(0, at) + character + line.slice(at + 1), 0);
        expect(sample === null || sane(sample.utilization, 100)).toBe(true);
      }),
    );
  });
});
