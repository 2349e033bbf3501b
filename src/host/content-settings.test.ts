import { afterEach, expect, test, vi } from 'vitest';
import { GIB } from '../shared/units.ts';
import { contentSettings } from './content-settings.ts';

const book = () => {
  const kept = new Map<string, unknown>();
  return {
    get: (key: string) => kept.get(key) as never,
    set: (key: string, value: unknown) => void kept.set(key, value),
    remove: (key: string) => void kept.delete(key),
  };
};

afterEach(() => {
  vi.unstubAllEnvs();
});

test.each([
  [1000 * GIB, 100 * GIB],
  [50 * GIB, 10 * GIB],
  [0, GIB],
])('of %d bytes free, %d may be taken unasked', (free, limit) => {
  expect(contentSettings(book(), free).limitBytes()).toBe(limit);
});

test('what the owner says holds at once, and in another life', () => {
  const settings = book();
  contentSettings(settings, 0).set({ limitBytes: 7 * GIB, gateways: ['http://127.0.0.1:8080'] });
  const again = contentSettings(settings, 0);
  expect([again.limitBytes(), again.gateways()]).toEqual([7 * GIB, ['http://127.0.0.1:8080']]);
  again.set({ gateways: [] });
  expect([again.limitBytes(), again.gateways()]).toEqual([7 * GIB, []]);
});

test('gateways of the environment stand, and nothing is written beside them', () => {
  vi.stubEnv('COMMONWATT_IPFS_GATEWAYS', 'http://127.0.0.1:8080, https://gateway.example');
  const settings = contentSettings(book(), 0);
  expect(settings.gateways()).toEqual(['http://127.0.0.1:8080', 'https://gateway.example']);
  expect(() => settings.set({ gateways: [], limitBytes: 5 * GIB })).toThrow('COMMONWATT_IPFS_GATEWAYS');
  expect(settings.limitBytes()).toBe(GIB);
  vi.stubEnv('COMMONWATT_IPFS_GATEWAYS', 'ftp://x');
  expect(() => contentSettings(book(), 0)).toThrow('is not the address of an IPFS gateway');
});
