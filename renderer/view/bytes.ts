const encoder = new TextEncoder();
const INPUT_BYTES = 60_000;

/** Typed or pasted text as UTF-8 pieces small enough for one call. */
export function inputChunks(text: string): Uint8Array[] {
  const bytes = encoder.encode(text);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += INPUT_BYTES) chunks.push(bytes.subarray(at, at + INPUT_BYTES));
  return chunks;
}

export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let at = 0; at < bytes.length; at += 0x80_00) binary += String.fromCharCode(...bytes.subarray(at, at + 0x80_00));
  return btoa(binary);
}

export const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
