import { AppError } from './errors.ts';

/** Lower-case hexadecimal with its prefix, any length. */
export type Hex = `0x${string}`;
/** 20 bytes, lower case. Compare with `===`: every address is normalised where it enters. */
export type Address = Hex;
/** 32 bytes, lower case: lease ids, offer ids, hashes, peer keys. */
export type Bytes32 = Hex;

/** ETH has no contract; the Vault books it under this token address. */
export const ETH: Address = '0x0000000000000000000000000000000000000000';

const hex = (bytes: number) => new RegExp(`^0x[0-9a-fA-F]{${bytes * 2}}$`);
const ADDRESS = hex(20);
const BYTES32 = hex(32);

export const isAddress = (value: unknown): value is Address => typeof value === 'string' && ADDRESS.test(value);
export const isBytes32 = (value: unknown): value is Bytes32 => typeof value === 'string' && BYTES32.test(value);

/** @throws AppError `bad-input` naming the field. */
export function toAddress(value: unknown, field: string): Address {
  if (isAddress(value)) return value.toLowerCase() as Address;
  throw new AppError('bad-input', `${field} must be an address: 0x and 40 hexadecimal digits.`, { field });
}

/** "0x12ab…89ef": for lists and sentences, never for copying. */
export const shortId = (id: Hex): string => (id.length <= 12 ? id : `${id.slice(0, 6)}…${id.slice(-4)}`);
