import { AppError } from './errors.ts';
import type { Address } from './ids.ts';

/** A payment token of a network. `decimals` says how many digits of the smallest unit stand behind the point. */
export interface Token {
  address: Address;
  symbol: string;
  name: string;
  decimals: number;
}

/** Seconds that one price covers: by the minute, by the hour, by the day. */
export const PRICE_UNITS = { minute: 60, hour: 3600, day: 86_400 } as const;
export type PriceUnitSeconds = (typeof PRICE_UNITS)[keyof typeof PRICE_UNITS];

/** `f(s) = floor(price * s / unit)`: what `seconds` signed seconds cost, in the token's smallest unit. */
export const billFor = (price: bigint, unitSeconds: number, seconds: number): bigint =>
  (price * BigInt(seconds)) / BigInt(unitSeconds);

/** `ceil(price * cap / unit)`: what is escrowed for `capSeconds`, cumulative over extensions. */
export function depositFor(price: bigint, unitSeconds: number, capSeconds: number): bigint {
  const unit = BigInt(unitSeconds);
  return (price * BigInt(capSeconds) + unit - 1n) / unit;
}

/** The network's share of a cumulative gross; a payment takes the difference between two of these. */
export const feeFor = (gross: bigint, feeBps: number): bigint => (gross * BigInt(feeBps)) / 10_000n;

/**
 * "1.25" with 6 decimals -> 1250000n.
 * @throws AppError `bad-input` for anything but a plain non-negative decimal with at most `decimals` digits behind the point.
 */
export function parseAmount(text: string, decimals: number, field: string): bigint {
  const match = /^(\d{1,40})(?:\.(\d+))?$/.exec(text.trim());
  if (!match) throw new AppError('bad-input', `${field} must be an amount such as 0.25.`, { field });
  const fraction = match[2] ?? '';
  if (fraction.length > decimals) {
    throw new AppError('bad-input', `${field} has more than ${decimals} digits behind the point.`, { field });
  }
  return BigInt(`${match[1]}${fraction.padEnd(decimals, '0')}`);
}

/**
 * 1250000n with 6 decimals -> "1.25". Exact: nothing is rounded unless `maxFraction` cuts digits (towards zero).
 */
export function formatAmount(
  amount: bigint,
  decimals: number,
  { minFraction = 0, maxFraction = decimals }: { minFraction?: number; maxFraction?: number } = {},
): string {
  const digits = (amount < 0n ? -amount : amount).toString().padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits
    .slice(digits.length - decimals)
    .slice(0, maxFraction)
    .replace(/0+$/, '')
    .padEnd(Math.min(minFraction, decimals), '0');
  return `${amount < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}
