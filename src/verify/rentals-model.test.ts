import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ETH, type Address } from '../shared/ids.ts';
import type { RentalTerms } from '../shared/rental.ts';
import { offerIdOf } from '../shared/typed-data.ts';
import { pauseNewDeals, register, setFee, setStatus } from './offers-model.ts';
import {
  EXPIRY_SECONDS,
  close,
  divide,
  draw,
  expire,
  extend,
  finalize,
  leaseOf,
  open,
  payableSeconds,
  raise,
  release,
  settle,
  terminate,
} from './rentals-model.ts';
import { balanceOf, deposit, lockedOf, reserveOf, withdraw } from './vault-model.ts';
import { LEASE_STATE, OFFER_STATUS, Revert, type ModelLease, type World } from './world.ts';

const who = (digit: string): Address => `0x${digit.repeat(40)}`;
const [renter, provider, session, host, treasury, rentals] = ['1', '2', '3', '4', '5', '6'].map(who) as [
  Address,
  Address,
  Address,
  Address,
  Address,
  Address,
];
const START = 1_800_000_000;
const salt = `0x${'a'.repeat(64)}` as const;
const offerId = offerIdOf(provider, salt);
const offered = {
  gpuType: 'rtx-4090',
  gpuModel: '',
  region: '',
  features: '',
  peerKey: salt,
  token: ETH,
  price: 3_500_000n,
  unit: 3600,
  minSeconds: 60,
  endsBy: START + 30 * 86_400,
  gpuCount: 2,
  gpuMemoryGb: 24,
  units: 1,
  providerSigner: host,
};
const terms: RentalTerms = {
  offerId,
  offerVersion: 1,
  renter,
  provider,
  signer: session,
  providerSigner: host,
  witness: ETH,
  token: ETH,
  price: offered.price,
  unit: offered.unit,
  minSeconds: offered.minSeconds,
  endsBy: offered.endsBy,
  feeBps: 250,
  specHash: salt,
  salt,
};
const byRenter = { caller: renter, value: 0n };
const byHost = { caller: host, value: 0n };

function opened(cap = 14_400): World {
  const empty: World = {
    now: START,
    rentals,
    treasury,
    feeBps: 250,
    newDealsPausedUntil: 0,
    pauseAllowedAt: 0,
    tokens: new Set([ETH]),
    balances: new Map(),
    locks: new Map(),
    reserves: new Map(),
    authorized: new Set([`${renter} ${rentals}`]),
    offers: new Map(),
    leases: new Map(),
  };
  const funded = deposit(register(empty, provider, offered, salt), ETH, renter, 100_000_000n);
  return open(funded, byRenter, terms, cap);
}
const later = (world: World, seconds: number): World => ({ ...world, now: world.now + seconds });
const leaseIn = (world: World): ModelLease => [...world.leases.values()][0] as ModelLease;
const refusal = (act: () => unknown): string => {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof Revert) return `${thrown.contract}.${thrown.error}`;
    throw thrown;
  }
  return 'accepted';
};

/** Money is nowhere but with the three and in escrow. */
function checkMoney(world: World): void {
  const free = [renter, provider, treasury].map((account) => balanceOf(world, account, ETH));
  const sum = free.reduce((total, amount) => total + amount, 0n) + lockedOf(world, rentals, renter, ETH);
  expect(sum).toBe(reserveOf(world, ETH));
}

describe('the ways out', () => {
  test('close pays the seconds both signed and refunds the rest', () => {
    const world = close(later(opened(), 3600), terms, 3600, START + 3600, { renter: session, provider: host });
    expect(leaseIn(world)).toMatchObject({ state: LEASE_STATE.CLOSED, paidSeconds: 3600 });
    expect(balanceOf(world, provider, ETH)).toBe(3_412_500n);
    expect(balanceOf(world, treasury, ETH)).toBe(87_500n);
    expect(balanceOf(world, renter, ETH)).toBe(96_500_000n);
    checkMoney(world);
  });

  test('settle, release and expire', () => {
    const settled = settle(later(opened(), 1000), byHost, terms, 2000, session);
    expect(leaseIn(settled).paidSeconds).toBe(1000);
    const released = release(later(opened(), 1000), byHost, terms);
    expect(balanceOf(released, renter, ETH)).toBe(100_000_000n);
    const drawn = draw(later(opened(600), 500), terms, 400, session);
    expect(refusal(() => expire(later(drawn, 100 + EXPIRY_SECONDS - 1), terms))).toBe('Rentals.NotExpired');
    const expired = expire(later(drawn, 100 + EXPIRY_SECONDS), terms);
    expect(leaseIn(expired).paidSeconds).toBe(400);
    for (const world of [settled, released, expired]) checkMoney(world);
  });

  test('an honest claim costs nothing on top, a lie does', () => {
    const claim = (seconds: number) => {
      const closing = terminate(later(opened(), 1000), byRenter, terms, seconds);
      return finalize(later(raise(closing, byHost, terms, 1060, session), 86_400), terms);
    };
    const honest = claim(1060);
    expect(leaseIn(honest).paidSeconds).toBe(1000);
    const lied = claim(300);
    expect(leaseIn(lied).paidSeconds).toBe(1000);
    expect(balanceOf(honest, renter, ETH) - balanceOf(lied, renter, ETH)).toBe(
      divide(terms, 14_400, 1000, true).penalty,
    );
    checkMoney(lied);
  });

  test('what may not be is refused by the contract’s own name for it', () => {
    const world = opened();
    const closing = terminate(world, byRenter, terms, 0);
    expect({
      'a second time': refusal(() => open(world, byRenter, terms, 60)),
      'no free unit': refusal(() => open(world, byRenter, { ...terms, salt: offerId }, 60)),
      'by somebody else': refusal(() => terminate(world, byHost, terms, 0)),
      'a voucher of the provider': refusal(() => draw(later(world, 60), terms, 60, host)),
      nonsense: refusal(() => draw(later(world, 60), terms, 60, ETH)),
      'nothing new': refusal(() => draw(world, terms, 60, session)),
      'too early': refusal(() => finalize(closing, terms)),
      'too late': refusal(() => raise(later(closing, 86_400), byHost, terms, 60, session)),
      'old signatures': refusal(() => close(world, terms, 0, START - 1, { renter: session, provider: host })),
      'past the offer': refusal(() => extend(world, byRenter, terms, 30 * 86_400)),
      'other fee': refusal(() => open(setFee(world, 300), byRenter, terms, 60)),
      paused: refusal(() => open(pauseNewDeals(world), byRenter, terms, 60)),
      delisted: refusal(() =>
        open(setStatus(world, provider, offerId, OFFER_STATUS.DELISTED), byRenter, { ...terms, salt: offerId }, 60),
      ),
      'too much': refusal(() => withdraw(world, renter, ETH, host, 100_000_001n)),
    }).toEqual({
      'a second time': 'Rentals.LeaseExists',
      'no free unit': 'Offers.NoFreeUnit',
      'by somebody else': 'Rentals.NotRenter',
      'a voucher of the provider': 'Rentals.BadSignature',
      nonsense: 'Rentals.BadSignature',
      'nothing new': 'Rentals.NothingToDraw',
      'too early': 'Rentals.StillClosing',
      'too late': 'Rentals.ClosingOver',
      'old signatures': 'Rentals.FinalExpired',
      'past the offer': 'Rentals.PastOfferEnd',
      'other fee': 'Rentals.FeeChanged',
      paused: 'Rentals.DealsPaused',
      delisted: 'Offers.WrongStatus',
      'too much': 'Vault.InsufficientBalance',
    });
  });

  test('the given world stays as it was', () => {
    const before = opened();
    const copy = structuredClone(before);
    settle(later(before, 100), byHost, terms, 60, session);
    expect(before).toEqual(copy);
    expect(leaseOf(before, salt).state).toBe(LEASE_STATE.NONE);
  });
});

describe('the money rule', () => {
  test('paid + penalty + refund is the deposit, and none of them is negative', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 2n ** 128n - 1n }),
        fc.constantFrom(60, 3600, 86_400),
        fc.nat(0xffff_ffff),
        fc.nat(0xffff_ffff),
        fc.nat(1000),
        fc.boolean(),
        (price, unit, cap, secs, feeBps, penalised) => {
          const parts = divide({ ...terms, price, unit, feeBps }, cap, Math.min(secs, cap), penalised);
          expect(parts.paid + parts.penalty + parts.refund).toBe(parts.deposit);
          expect([parts.paid, parts.fee, parts.penalty, parts.refund].every((amount) => amount >= 0n)).toBe(true);
          expect(parts.fee * 10n).toBeLessThanOrEqual(parts.paid);
        },
      ),
    );
  });

  test('drawing in any steps pays what one step pays', () => {
    // Twelve of the longest are the whole lease: past its end there is nothing to draw.
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1200 }), { maxLength: 12 }), (steps) => {
        let world = opened();
        let signed = 0;
        for (const step of steps) {
          signed += step;
          world = draw(later(world, step), terms, signed, session);
        }
        const once = settle(later(opened(), signed), byHost, terms, signed, session);
        const many = settle(world, byHost, terms, signed, session);
        for (const account of [renter, provider, treasury]) {
          expect(balanceOf(many, account, ETH)).toBe(balanceOf(once, account, ETH));
        }
      }),
    );
  });

  test('payable seconds stay between what is paid and min(cap, elapsed)', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.nat(100_000), fc.nat(100_000), (cap, elapsed, secs) => {
        const paidSeconds = Math.min(cap, elapsed, 500);
        const lease = { ...leaseIn(opened()), openedAt: START, cap, paidSeconds };
        const payable = payableSeconds(lease, secs, START + elapsed);
        expect(payable).toBeGreaterThanOrEqual(paidSeconds);
        expect(payable).toBeLessThanOrEqual(Math.min(cap, elapsed));
      }),
    );
  });
});
