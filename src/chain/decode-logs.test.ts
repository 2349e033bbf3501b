import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Hex } from '../shared/ids.ts';
import { offersInterface, rentalsInterface, vaultInterface } from './contract-interfaces.ts';
import { decodeLog, EVENT_TOPICS } from './decode-logs.ts';
import type { DecodedLog } from './decode-logs.ts';
import type { LogBytes } from './log-bytes.ts';

const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((value): Hex => `0x${Buffer.from(value).toString('hex')}`);
const account = hex(20);
const id = hex(32);
const uint = (bits: number) => fc.bigInt({ min: 0n, max: 2n ** BigInt(bits) - 1n });
const number = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 });
const seconds = number(31);
const time = fc.integer({ min: 0, max: 2 ** 40 - 1 });
const unit = fc.constantFrom(60, 3600, 86_400);
const words = fc.string({ unit: fc.constantFrom('a', 'b', 'Z', '0', '-', 'ä', 'ß', '漢'), maxLength: 20 });

const offer = fc.record({
  gpuType: words,
  gpuModel: words,
  region: words,
  features: fc.uniqueArray(words.filter(Boolean), { maxLength: 8 }),
  token: account,
  price: uint(128),
  unit,
  minSeconds: number(31),
  endsBy: time,
  gpuCount: number(16),
  gpuMemoryGb: number(31),
  units: number(16),
  peerKey: id,
  providerSigner: account,
});

const terms = fc.record({
  offerId: id,
  offerVersion: number(31),
  renter: account,
  provider: account,
  signer: account,
  providerSigner: account,
  witness: account,
  token: account,
  price: uint(128),
  unit,
  minSeconds: seconds,
  endsBy: time,
  feeBps: number(16),
  specHash: id,
  salt: id,
});

/** A log as the contract writes it, and what we should read from it. */
type Pair = fc.Arbitrary<{ log: LogBytes; expected: DecodedLog }>;

function pair<T>(
  of: typeof rentalsInterface,
  event: string,
  values: fc.Arbitrary<T>,
  args: (value: T) => unknown[],
  expected: (value: T) => DecodedLog,
): Pair {
  return values.map((value) => {
    const { topics, data } = of.encodeEventLog(event, args(value));
    const log = { topics: topics as Hex[], data: data as Hex };
    // The general decoder agrees that this is the event.
    expect(of.parseLog({ topics: [...topics], data })?.name).toBe(event);
    return { log, expected: expected(value) };
  });
}

const offerEvent = (event: 'Registered' | 'Updated', kind: 'OfferRegistered' | 'OfferChanged') =>
  pair(
    offersInterface,
    event,
    fc.record({ offerId: id, provider: account, version: number(31), offer }),
    ({ offerId, provider, version, offer: { features, ...rest } }) => [
      offerId,
      provider,
      version,
      { ...rest, features: features.join(',') },
    ],
    ({ offerId, provider, version, offer: fields }) => ({
      kind,
      offerId,
      version,
      offer: { ...fields, provider },
    }),
  );

const pairs: Pair[] = [
  offerEvent('Registered', 'OfferRegistered'),
  offerEvent('Updated', 'OfferChanged'),
  pair(
    offersInterface,
    'StatusChanged',
    fc.record({ offerId: id, version: number(31), status: fc.constantFrom(1, 2, 3, 4) }),
    (value) => [value.offerId, value.version, value.status],
    ({ offerId, version, status }) => ({
      kind: 'OfferStatusChanged',
      offerId,
      version,
      status: (['active', 'paused', 'delisted', 'suspended'] as const)[status - 1] ?? 'active',
    }),
  ),
  pair(
    rentalsInterface,
    'Opened',
    fc.record({ leaseId: id, terms, capSeconds: seconds, deposit: uint(200) }),
    (value) => [value.leaseId, value.terms.renter, value.terms.provider, value.terms, value.capSeconds, value.deposit],
    (value) => ({ kind: 'LeaseOpened', ...value }),
  ),
  pair(
    rentalsInterface,
    'Extended',
    fc.record({ leaseId: id, capSeconds: seconds, added: uint(200) }),
    (value) => [value.leaseId, value.capSeconds, value.added],
    (value) => ({ kind: 'LeaseExtended', ...value }),
  ),
  pair(
    rentalsInterface,
    'Drawn',
    fc.record({ leaseId: id, paidSeconds: seconds, paidNow: uint(200), feeNow: uint(200) }),
    (value) => [value.leaseId, value.paidSeconds, value.paidNow, value.feeNow],
    (value) => ({ kind: 'LeaseDrawn', ...value }),
  ),
  pair(
    rentalsInterface,
    'Closing',
    fc.record({ leaseId: id, claimSeconds: seconds, closeAt: time }),
    (value) => [value.leaseId, value.claimSeconds, value.closeAt],
    (value) => ({ kind: 'LeaseTerminated', ...value }),
  ),
  pair(
    rentalsInterface,
    'Raised',
    fc.record({ leaseId: id, claimSeconds: seconds, penalised: fc.boolean() }),
    (value) => [value.leaseId, value.claimSeconds, value.penalised],
    (value) => ({ kind: 'LeaseRaised', ...value }),
  ),
  pair(
    rentalsInterface,
    'Closed',
    fc.record({
      leaseId: id,
      exit: fc.integer({ min: 0, max: 4 }),
      paidSeconds: seconds,
      paid: uint(200),
      fee: uint(200),
      penalty: uint(200),
      refund: uint(200),
    }),
    (v) => [v.leaseId, v.exit, v.paidSeconds, v.paid, v.fee, v.penalty, v.refund],
    (value) => ({
      kind: 'LeaseClosed',
      ...value,
      exit: (['close', 'settle', 'release', 'finalize', 'expire'] as const)[value.exit] ?? 'close',
    }),
  ),
  pair(
    vaultInterface,
    'Deposited',
    fc.record({ account, token: account, amount: uint(256), from: account }),
    (value) => [value.account, value.token, value.amount, value.from],
    ({ from: _from, ...value }) => ({ kind: 'VaultDeposited', ...value }),
  ),
  pair(
    vaultInterface,
    'Withdrawn',
    fc.record({ account, token: account, amount: uint(256), to: account }),
    (value) => [value.account, value.token, value.amount, value.to],
    (value) => ({ kind: 'VaultWithdrawn', ...value }),
  ),
  pair(
    vaultInterface,
    'Authorized',
    fc.record({ account, module: account, allowed: fc.boolean() }),
    (value) => [value.account, value.module, value.allowed],
    (value) => ({ kind: 'VaultAuthorized', ...value }),
  ),
];

describe('decodeLog', () => {
  test('reads every event exactly as it was written', () => {
    expect(pairs).toHaveLength(EVENT_TOPICS.length);
    fc.assert(
      fc.property(fc.oneof(...pairs), ({ log, expected }) => {
        expect(decodeLog(log)).toEqual(expected);
      }),
      { numRuns: 600 },
    );
  });

  test('a cut, swapped or invented log is null or an event, never a crash', () => {
    fc.assert(
      fc.property(
        fc.oneof(...pairs),
        fc.nat(2000),
        fc.nat(3),
        hex(32),
        fc.nat(40),
        ({ log }, cut, dropTopics, noise, at) => {
          const data = log.data;
          const start = 2 + at * 64;
          const swapped = `${data.slice(0, start)}${noise.slice(2)}${data.slice(start + 64)}` as Hex;
          for (const bytes of [data.slice(0, Math.max(2, data.length - cut)) as Hex, swapped]) {
            decodeLog({ topics: log.topics.slice(0, log.topics.length - dropTopics), data: bytes });
          }
        },
      ),
      { numRuns: 600 },
    );
    expect(decodeLog({ topics: [], data: '0x' })).toBeNull();
    for (const topic of EVENT_TOPICS) expect(decodeLog({ topics: [topic], data: '0x' })).toBeNull();
  });

  test('texts cannot turn a screen around', () => {
    const { topics, data } = offersInterface.encodeEventLog('Registered', [
      `0x${'01'.repeat(32)}`,
      `0x${'02'.repeat(20)}`,
      1,
      {
        gpuType: 'a\u202Eb',
        gpuModel: 'c\u0000\u001B[31md',
        region: 'eu',
        features: 'x,x,, y z ',
        token: `0x${'00'.repeat(20)}`,
        price: 1,
        unit: 60,
        minSeconds: 60,
        endsBy: 1,
        gpuCount: 1,
        gpuMemoryGb: 1,
        units: 1,
        peerKey: `0x${'03'.repeat(32)}`,
        providerSigner: `0x${'04'.repeat(20)}`,
      },
    ]);
    const decoded = decodeLog({ topics: topics as Hex[], data: data as Hex });
    expect(decoded).toMatchObject({
      offer: { gpuType: 'a b', gpuModel: 'c  [31md', features: ['x', 'y z'] },
    });
  });
});
