import os from 'node:os';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { processorDevice, readCpuTimes, utilizationBetween } from './processor.ts';

const cpu = (user: number, idle: number) => ({ model: '', speed: 0, times: { user, nice: 1, sys: 2, irq: 3, idle } });

test('load is the worked share of the time that passed', () => {
  expect(utilizationBetween({ busy: 100, total: 1000 }, { busy: 350, total: 2000 })).toBe(25);
  expect(utilizationBetween({ busy: 100, total: 1000 }, { busy: 100, total: 1000 })).toBeNull();
  expect(readCpuTimes([cpu(4, 10), cpu(0, 10)])).toEqual({ busy: 16, total: 36 });
});

test('whatever the counters do, load stays between 0 and 100 or unknown', () => {
  const times = fc.record({ busy: fc.integer(), total: fc.integer() });
  fc.assert(
    fc.property(times, times, (before, now) => {
      const load = utilizationBetween(before, now);
      expect(load === null || (load >= 0 && load <= 100)).toBe(true);
    }),
  );
});

test('this computer is described without inventing a card', () => {
  const device = processorDevice();
  expect(device).toMatchObject({ id: 'cpu', kind: 'cpu', computeCapability: null, memoryBytes: os.totalmem() });
  expect(device.model).not.toBe('');
});
