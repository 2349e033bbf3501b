import { expect, test } from 'vitest';
import { fromBase64, inputChunks, toBase64 } from './bytes.ts';

test('typed text survives the way there and back, however long', () => {
  const text = `${'ü€😀'.repeat(30_000)}end`;
  const chunks = inputChunks(text);
  expect(chunks.length).toBeGreaterThan(1);
  for (const chunk of chunks) expect(toBase64(chunk).length).toBeLessThanOrEqual(90_000);
  const bytes = chunks.flatMap((chunk) => [...fromBase64(toBase64(chunk))]);
  expect(new TextDecoder().decode(Uint8Array.from(bytes))).toBe(text);
});
