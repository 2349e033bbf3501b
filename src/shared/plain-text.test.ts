import { expect, test } from 'vitest';
import { plainText, withoutBidi } from './plain-text.ts';

test('a stranger’s words become one short line without tricks', () => {
  expect(plainText('RTX\u202E 0903\u2066\u0007\u200B 24\nGB')).toBe('RTX 0903 24 GB');
  expect(plainText('x'.repeat(10_000), 10)).toBe('xxxxxxxxx…');
  expect(Array.from(plainText(`a${'\u0301'.repeat(500)}b`, 20)).length).toBeLessThan(8);
  expect(plainText('😀😀😀', 2)).toBe('😀…');
});

test('terminal output keeps its escapes but not its overrides', () => {
  expect(withoutBidi('\u001B[31mred\u202Egnp\u202C')).toBe('\u001B[31mredgnp');
});
