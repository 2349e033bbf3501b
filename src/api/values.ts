/** Schemas that every noun uses. Everything here is plain JSON: money as decimal strings in the token's smallest unit. */
import { z } from 'zod';
import type { Address, Bytes32 } from '../shared/ids.ts';

const lowerHex = <T extends string>(bytes: number, what: string) =>
  z
    .string()
    .regex(new RegExp(`^0x[0-9a-fA-F]{${bytes * 2}}$`), `must be ${what}: 0x and ${bytes * 2} hexadecimal digits`)
    .toLowerCase() as unknown as z.ZodType<T, string>;

export const addressSchema = lowerHex<Address>(20, 'an address');
export const bytes32Schema = lowerHex<Bytes32>(32, '32 bytes');

/** An amount in the token's smallest unit, as a decimal string. */
export const amountSchema = z.string().regex(/^\d{1,60}$/, 'must be a whole number of the smallest unit, as a string');

/** Made by the caller; the same id twice does the thing once and answers the same. */
export const commandIdSchema = z.string().regex(/^[A-Za-z0-9_-]{8,64}$/, 'must be 8 to 64 letters, digits, - or _');

export const unixSecondsSchema = z.int().min(0).max(0xff_ffff_ffff);

export const progressSchema = z.object({
  label: z.string(),
  done: z.number(),
  total: z.number().nullable(),
  unit: z.enum(['bytes', 'blocks', 'steps']),
});

export const readyCheckSchema = z.object({
  id: z.string(),
  title: z.string(),
  state: z.enum(['ok', 'warn', 'fail']),
  detail: z.string(),
  fix: z.object({ text: z.string(), command: z.string().optional() }).optional(),
});

export const tokenSchema = z.object({
  address: addressSchema,
  symbol: z.string(),
  name: z.string(),
  decimals: z.int(),
});

export const priceUnitSchema = z.union([z.literal(60), z.literal(3600), z.literal(86_400)]);

export const okSchema = z.object({ ok: z.literal(true) });
