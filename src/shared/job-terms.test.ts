import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { challengeBondOf, lastStartOf, lateFeeOf, revealEndOf, riskOf } from './job-terms.ts';
import type { JobTerms } from './job-terms.ts';
import { copyIdOf, dealIdOf, jobIdOf, offerIdOf, providerOfOffer } from './typed-data.ts';

const zero = `0x${'00'.repeat(20)}` as const;
const terms: JobTerms = {
  renter: `0x${'01'.repeat(20)}`,
  assignee: zero,
  arbiter: zero,
  token: zero,
  bounty: 1_000_009n,
  bond: 1n,
  deadline: 10_000,
  minRun: 600,
  window: 1800,
  minStake: 100n * 10n ** 18n,
  gpuCount: 1,
  gpuMemoryGb: 24,
  tier: 0,
  copies: 1,
  agree: 1,
  feeBps: 250,
  slashBps: 1000,
  specHash: `0x${'02'.repeat(32)}`,
  salt: `0x${'03'.repeat(32)}`,
};

describe('what terms come to', () => {
  test('fees and bonds round down as the contract does, late fees before they are parted among copies', () => {
    expect(lateFeeOf(terms)).toBe(100_000n);
    expect(lateFeeOf({ ...terms, copies: 3 })).toBe(33_333n);
    expect(challengeBondOf(terms)).toBe(100_000n);
    expect(riskOf(terms)).toBe(10n * 10n ** 18n);
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), fc.integer({ min: 1, max: 15 }), (bounty, copies) => {
        expect(lateFeeOf({ bounty, copies }) * BigInt(copies)).toBeLessThanOrEqual(challengeBondOf({ bounty }));
        expect(challengeBondOf({ bounty }) * 10n).toBeLessThanOrEqual(bounty);
      }),
    );
  });

  test('nobody can start later than the least run before the deadline, nor at the deadline itself', () => {
    expect(lastStartOf(terms)).toBe(9400);
    expect(lastStartOf({ deadline: 10_000, minRun: 0 })).toBe(9999);
  });

  test('copies are revealed until the window after the last commitment, or after the deadline', () => {
    expect(revealEndOf(terms, 0)).toBe(11_800);
    expect(revealEndOf(terms, 7000)).toBe(7000);
  });

  test('a deal has the id of its job, or one of its own where several run it', () => {
    const provider = `0x${'0a'.repeat(20)}` as const;
    const offerId = offerIdOf(provider, terms.salt);
    expect(providerOfOffer(offerId)).toBe(provider);
    expect(dealIdOf(terms, offerId)).toBe(jobIdOf(terms));
    const copies = { ...terms, tier: 2, copies: 3, agree: 2 };
    expect(dealIdOf(copies, offerId)).toBe(copyIdOf(jobIdOf(copies), provider));
  });
});
