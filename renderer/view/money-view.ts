import { formatAmount } from '../../src/shared/money.ts';

interface TokenView {
  symbol: string;
  decimals: number;
}

export interface MoneyView {
  /** Fixed number of digits behind the point, so that a column lines up and a running figure does not jump. */
  number: string;
  symbol: string;
  /** Every digit, for a title and for copying. */
  exact: string;
}

const COARSE_DIGITS = 6;
const FINE_DIGITS = 9;

/**
 * An amount as a screen shows it, cut (never rounded up) to 6 digits behind the point, or 9 for amounts under a
 * ten-thousandth; what is smaller still reads "<0.000000001".
 */
export function moneyView(amount: bigint | string, token: TokenView, digits?: number): MoneyView {
  const value = BigInt(amount);
  const size = value < 0n ? -value : value;
  const small = size > 0n && size * 10_000n < 10n ** BigInt(token.decimals);
  const shown = Math.min(token.decimals, digits ?? (small ? FINE_DIGITS : COARSE_DIGITS));
  const cut = formatAmount(value, token.decimals, { minFraction: shown, maxFraction: shown });
  const lost = size > 0n && size * 10n ** BigInt(shown) < 10n ** BigInt(token.decimals);
  return {
    number: lost ? `${value < 0n ? '-' : ''}<${smallest(shown)}` : cut,
    symbol: token.symbol,
    exact: `${formatAmount(value, token.decimals)} ${token.symbol}`,
  };
}

const smallest = (digits: number) => (digits === 0 ? '1' : `0.${'0'.repeat(digits - 1)}1`);

/** "0.0125 ETH", for sentences. */
export function moneyText(amount: bigint | string, token: TokenView): string {
  const { number, symbol } = moneyView(amount, token);
  return `${number.includes('.') ? number.replace(/\.?0+$/, '') : number} ${symbol}`;
}

/** A price for `unitSeconds` brought to one hour, in the smallest unit, cut. */
export const hourly = (price: bigint | string, unitSeconds: number): bigint =>
  (BigInt(price) * 3600n) / BigInt(unitSeconds);

export const unitName = (unitSeconds: number): 'minute' | 'hour' | 'day' =>
  unitSeconds === 60 ? 'minute' : unitSeconds === 3600 ? 'hour' : 'day';
