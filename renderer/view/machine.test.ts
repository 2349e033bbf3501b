import { expect, test } from 'vitest';
import { isProcessor, machineText } from './machine.ts';

test('a processor is never counted like a card', () => {
  const processor = { gpuType: 'CPU', gpuModel: 'EPYC', gpuCount: 1 };
  expect(machineText(processor)).toBe('Processor EPYC');
  expect(isProcessor(processor)).toBe(true);
  expect(isProcessor({ gpuType: ' cpu ' })).toBe(true);
});

test('cards are counted, and what is not known is said', () => {
  expect(machineText({ gpuType: 'NVIDIA', gpuModel: 'RTX 4090', gpuCount: 2 })).toBe('2 × RTX 4090');
  expect(machineText({ gpuType: '', gpuModel: 'unknown', gpuCount: 0 })).toBe('Unknown machine');
});
