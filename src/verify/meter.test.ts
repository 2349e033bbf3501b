import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  METER_RULES,
  NOTHING_SERVED,
  agreedSeconds,
  billOf,
  isNewerVoucher,
  nextVoucher,
  pauseServing,
  providerVerdict,
  resumeServing,
  servedSeconds,
  type Tariff,
} from './meter.ts';

const tariff: Tariff = { price: 350_000n, unit: 3600, capSeconds: 14_400, minSeconds: 60 };
const anyTariff = fc.record({
  price: fc.bigInt({ min: 1n, max: 2n ** 100n }),
  unit: fc.constantFrom(60, 3600, 86_400),
  capSeconds: fc.integer({ min: 60, max: 1_000_000 }),
  minSeconds: fc.integer({ min: 60, max: 600 }),
});

describe('served time', () => {
  test('counts stretches, not pauses, and rounds down', () => {
    let served = resumeServing(NOTHING_SERVED, 1000);
    expect(servedSeconds(served, 2999)).toBe(1);
    served = pauseServing(served, 11_500);
    expect(servedSeconds(served, 99_000)).toBe(10);
    served = resumeServing(served, 20_000);
    expect(servedSeconds(served, 20_500)).toBe(11);
  });

  test('never shrinks, whatever order pauses and resumes come in', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 5000 }))), (steps) => {
        let served = NOTHING_SERVED;
        let now = 0;
        let last = 0;
        for (const [run, wait] of steps) {
          now += wait;
          served = run ? resumeServing(served, now) : pauseServing(served, now);
          const seconds = servedSeconds(served, now);
          expect(seconds).toBeGreaterThanOrEqual(last);
          expect(seconds).toBeLessThanOrEqual(now / 1000);
          last = seconds;
        }
      }),
    );
  });
});

describe('vouchers', () => {
  test('the first covers minSeconds, before access', () => {
    expect(nextVoucher(tariff, METER_RULES, { served: 0, signed: 0, accessGiven: false })).toBe(60);
    expect(nextVoucher(tariff, METER_RULES, { served: 0, signed: 60, accessGiven: false })).toBeNull();
  });

  test('exposure: a renter is never more than max(minSeconds, interval) ahead, a provider never more than the grace behind', () => {
    const steps = fc.array(fc.record({ wait: fc.integer({ min: 1, max: 20 }), answered: fc.boolean() }), {
      maxLength: 300,
    });
    fc.assert(
      fc.property(anyTariff, steps, (any, history) => {
        let served = 0;
        let paused = 0;
        let signed = nextVoucher(any, METER_RULES, { served: 0, signed: 0, accessGiven: false }) ?? 0;
        for (const { wait, answered } of history) {
          for (let second = 0; second < wait; second += 1) {
            const verdict = providerVerdict(any, METER_RULES, { served, signed, pausedSeconds: paused });
            if (verdict === 'end') return;
            if (verdict === 'serve') {
              served += 1;
              paused = 0;
            } else paused += 1;
            expect(served - signed).toBeLessThanOrEqual(METER_RULES.graceSeconds);
            expect(served).toBeLessThanOrEqual(any.capSeconds);
          }
          if (!answered) continue;
          const next = nextVoucher(any, METER_RULES, { served, signed, accessGiven: true });
          if (next === null) continue;
          expect(isNewerVoucher(any, signed, next)).toBe(true);
          signed = next;
          expect(signed - served).toBeLessThanOrEqual(Math.max(any.minSeconds, METER_RULES.intervalSeconds));
        }
      }),
    );
  });

  test('a renter that keeps answering is never paused', () => {
    let signed = 60;
    for (let served = 0; served < tariff.capSeconds; served += METER_RULES.healthSeconds) {
      expect(providerVerdict(tariff, METER_RULES, { served, signed, pausedSeconds: 0 })).toBe('serve');
      signed = nextVoucher(tariff, METER_RULES, { served, signed, accessGiven: true }) ?? signed;
    }
    expect(signed).toBe(tariff.capSeconds);
  });

  test('silence: grace, then held, then ended', () => {
    expect(providerVerdict(tariff, METER_RULES, { served: 119, signed: 60, pausedSeconds: 0 })).toBe('serve');
    expect(providerVerdict(tariff, METER_RULES, { served: 120, signed: 60, pausedSeconds: 0 })).toBe('pause');
    expect(providerVerdict(tariff, METER_RULES, { served: 120, signed: 60, pausedSeconds: 599 })).toBe('pause');
    expect(providerVerdict(tariff, METER_RULES, { served: 120, signed: 60, pausedSeconds: 600 })).toBe('end');
    expect(providerVerdict(tariff, METER_RULES, { served: 120, signed: 180, pausedSeconds: 30 })).toBe('serve');
  });
});

describe('closing', () => {
  test('bills nothing past what the renter saw, nothing below what is paid', () => {
    expect(agreedSeconds(tariff, { provider: 100, renter: 98, paid: 0, slack: 2 })).toBe(100);
    expect(agreedSeconds(tariff, { provider: 500, renter: 98, paid: 0, slack: 2 })).toBe(100);
    expect(agreedSeconds(tariff, { provider: 40, renter: 98, paid: 60, slack: 2 })).toBe(60);
  });

  test('spent + left is the deposit, to the smallest unit', () => {
    fc.assert(
      fc.property(anyTariff, fc.integer({ min: 0, max: 2_000_000 }), (any, seconds) => {
        const bill = billOf(any, seconds);
        expect(bill.spent + bill.left).toBe(bill.deposit);
        expect(bill.left).toBeGreaterThanOrEqual(0n);
      }),
    );
  });

  test('the founding example: 2 cards at 3.5 an hour for 4 hours cost 14', () => {
    expect(billOf({ price: 3_500_000n, unit: 3600, capSeconds: 14_400, minSeconds: 60 }, 14_400).spent).toBe(
      14_000_000n,
    );
  });
});
