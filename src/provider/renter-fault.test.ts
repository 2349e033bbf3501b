import { expect, test } from 'vitest';
import { AppError, type ErrorCode } from '../shared/errors.ts';
import { inputFault, patienceEnd, RenterFault, startFault } from './renter-fault.ts';

const error = (code: ErrorCode, field?: string) => new AppError(code, 'Words.', field === undefined ? {} : { field });
const isFault = (found: AppError) => found instanceof RenterFault;

test('an input: what is wrong with it is the renter’s, what may pass or is ours is not', () => {
  for (const code of ['bad-input', 'not-found', 'not-allowed', 'over-limit'] as const) {
    expect(isFault(inputFault('x', 'url', error(code)))).toBe(true);
  }
  for (const code of ['disk-full', 'network-down', 'cancelled', 'internal'] as const) {
    expect(inputFault('x', 'url', error(code))).toMatchObject({ code, message: 'Words.' });
  }
  expect(inputFault('x', 'renter', error('not-found'))).toMatchObject({ code: 'busy' });
  expect(inputFault('x', 'ipfs', error('not-found'))).toMatchObject({ code: 'busy' });
});

test('a start: only what names a part of the spec is the renter’s', () => {
  for (const [code, field] of [
    ['image-missing', 'spec.image'],
    ['bad-input', 'work.command'],
    ['unsupported', 'work.module'],
    ['bad-input', 'resources.diskBytes'],
    ['bad-input', 'env.LD_PRELOAD'],
  ] as const) {
    expect(isFault(startFault(error(code, field)))).toBe(true);
  }
  for (const [code, field] of [
    ['image-missing', 'registry'],
    ['bad-input', undefined],
    ['toolkit-missing', 'resources.gpuCount'],
    ['disk-full', 'work.module'],
    ['bad-input', 'networking'],
  ] as const) {
    expect(isFault(startFault(error(code, field)))).toBe(false);
  }
});

test('patience: four fifths of the time, and no longer than the job explains', () => {
  expect(patienceEnd(1000, 2000, 5000)).toBe(1800);
  expect(patienceEnd(1000, 900, 5000)).toBe(1000);
  expect(patienceEnd(1000, 90 * 86_400, 5000)).toBe(6000);
});
