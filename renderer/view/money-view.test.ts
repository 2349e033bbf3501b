import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hourly, moneyText, moneyView } from './money-view.ts';

const USD = { symbol: 'CUSD', decimals: 6 };
const ETH = { symbol: 'ETH', decimals: 18 };

describe('money on a screen', () => {
  test('keeps its width, its unit and every digit in the title', () => {
    expect(moneyView('1250000', USD)).toEqual({ number: '1.250000', symbol: 'CUSD', exact: '1.25 CUSD' });
    expect(moneyView(10n ** 18n, ETH).number).toBe('1.000000');
    expect(moneyView(-500_000n, USD).number).toBe('-0.500000');
  });

  test('tiny amounts get more digits, lost ones say so', () => {
    expect(moneyView(12_345_000_000n, ETH).number).toBe('0.000000012');
    expect(moneyView(1n, ETH).number).toBe('<0.000000001');
    expect(moneyView(1n, USD, 4).number).toBe('<0.0001');
  });

  test('in sentences without idle zeros', () => {
    expect(moneyText('340000', USD)).toBe('0.34 CUSD');
    expect(moneyText('0', USD)).toBe('0 CUSD');
    expect(moneyText('100000000', USD)).toBe('100 CUSD');
  });

  test('never shows more than there is', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 30n }), (amount) => {
        const { number } = moneyView(amount, ETH);
        if (number.startsWith('<')) return;
        const shown = BigInt(number.replace('.', '')) * 10n ** BigInt(18 - (number.split('.')[1]?.length ?? 0));
        expect(shown <= amount).toBe(true);
      }),
    );
  });

  test('prices of all units compare by the hour', () => {
    expect(hourly('10', 60)).toBe(600n);
    expect(hourly('2400', 86_400)).toBe(100n);
  });
});
