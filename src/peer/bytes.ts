import type { Hex } from '../shared/ids.ts';

export const toHex = (bytes: Uint8Array): Hex => `0x${Buffer.from(bytes).toString('hex')}`;
export const fromHex = (hex: Hex): Uint8Array => new Uint8Array(Buffer.from(hex.slice(2), 'hex'));

const CONTROL_OR_SPACE = /[\p{Cc}\p{Cf}\s]+/gu;

/** Words of a stranger, made fit to be shown and logged: no control or direction characters, bounded length. */
export const tame = (text: string, maxLength = 500): string =>
  text.replaceAll(CONTROL_OR_SPACE, ' ').trim().slice(0, maxLength);
