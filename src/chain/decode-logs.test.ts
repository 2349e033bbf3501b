import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ETH } from '../shared/ids.ts';
import type { Hex } from '../shared/ids.ts';
import { JOB_STATES } from '../shared/job-terms.ts';
import {
  jobsInterface,
  juriesInterface,
  offersInterface,
  recordInterface,
  rentalsInterface,
  stakesInterface,
  vaultInterface,
} from './contract-interfaces.ts';
import { topicOf } from './decode-job-logs.ts';
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

const ID: Hex = `0x${'01'.repeat(32)}`;
const ACCOUNT: Hex = `0x${'02'.repeat(20)}`;
const EXAMPLE_TERMS = {
  renter: ACCOUNT,
  assignee: ETH,
  arbiter: ETH,
  token: ETH,
  bounty: 2n ** 100n,
  bond: 1n,
  deadline: 2_000_000_000,
  minRun: 60,
  window: 1800,
  minStake: 10n ** 20n,
  gpuCount: 1,
  gpuMemoryGb: 24,
  tier: 0,
  copies: 1,
  agree: 1,
  feeBps: 250,
  slashBps: 1000,
  specHash: ID,
  salt: ID,
};

const jobTerms = fc.record({
  renter: account,
  assignee: account,
  arbiter: account,
  token: account,
  bounty: uint(128),
  bond: uint(128),
  deadline: time,
  minRun: number(31),
  window: seconds,
  minStake: uint(96),
  gpuCount: number(8),
  gpuMemoryGb: number(16),
  tier: number(2),
  copies: fc.integer({ min: 1, max: 255 }),
  agree: number(8),
  feeBps: fc.integer({ min: 0, max: 10_000 }),
  slashBps: fc.integer({ min: 0, max: 10_000 }),
  specHash: id,
  salt: id,
});
const spec = fc.oneof(fc.string({ maxLength: 300 }), fc.constant('{"a":\n\t"\u202E"}'), fc.constant('ß'.repeat(4096)));
const role = fc.constantFrom('provider' as const, 'validator' as const);
const roleNumber = { provider: 0, validator: 1 };

const jobPairs: Pair[] = [
  pair(
    jobsInterface,
    'Posted',
    fc.record({ jobId: id, terms: jobTerms, spec }),
    (value) => [value.jobId, value.terms.renter, value.terms, value.spec],
    // A lone surrogate cannot be written as UTF-8 and becomes the replacement character on the way in.
    (value) => ({ kind: 'JobPosted', ...value, spec: Buffer.from(value.spec, 'utf8').toString('utf8') }),
  ),
  pair(
    jobsInterface,
    'Cancelled',
    fc.record({ jobId: id }),
    (value) => [value.jobId],
    (value) => ({ kind: 'JobCancelled', ...value }),
  ),
  pair(
    jobsInterface,
    'Assigned',
    fc.record({ dealId: id, jobId: id, provider: account, offerId: id }),
    (value) => [value.dealId, value.jobId, value.provider, value.offerId],
    (value) => ({ kind: 'JobAssigned', ...value }),
  ),
  pair(
    jobsInterface,
    'Submitted',
    fc.record({ dealId: id, resultId: id, until: time }),
    (value) => [value.dealId, value.resultId, value.until],
    (value) => ({ kind: 'JobSubmitted', ...value }),
  ),
  pair(
    jobsInterface,
    'Challenged',
    fc.record({ dealId: id, challenger: account, challengeBond: uint(256) }),
    (value) => [value.dealId, value.challenger, value.challengeBond],
    (value) => ({ kind: 'JobChallenged', ...value }),
  ),
  pair(
    juriesInterface,
    'Opened',
    fc.record({ dealId: id, epoch: fc.nat(2 ** 32 - 1), drawFrom: time, drawUntil: time }),
    (value) => [value.dealId, value.epoch, value.drawFrom, value.drawUntil],
    (value) => ({ kind: 'JobJuryOpened', ...value }),
  ),
  pair(
    juriesInterface,
    'Drawn',
    fc.record({ dealId: id, members: fc.array(account, { maxLength: 7 }), commitUntil: time, revealUntil: time }),
    (value) => [value.dealId, value.members, value.commitUntil, value.revealUntil],
    (value) => ({ kind: 'JobJuryDrawn', ...value }),
  ),
  pair(
    juriesInterface,
    'Voted',
    fc.record({
      dealId: id,
      seat: fc.nat(6),
      verdict: fc.constantFrom('none' as const, 'valid' as const, 'invalid' as const, 'unavailable' as const),
    }),
    (value) => [value.dealId, value.seat, ['none', 'valid', 'invalid', 'unavailable'].indexOf(value.verdict)],
    (value) => ({ kind: 'JobJuryVoted', ...value }),
  ),
  pair(
    jobsInterface,
    'Revealed',
    fc.record({ dealId: id, resultId: id }),
    (value) => [value.dealId, value.resultId],
    (value) => ({ kind: 'JobRevealed', ...value }),
  ),
  pair(
    jobsInterface,
    'Concluded',
    fc.record({ jobId: id, resultId: id, agreeing: number(8), refund: uint(256) }),
    (value) => [value.jobId, value.resultId, value.agreeing, value.refund],
    (value) => ({ kind: 'JobConcluded', ...value, resultId: value.agreeing === 0 ? null : value.resultId }),
  ),
  pair(
    jobsInterface,
    'Settled',
    fc.record({
      dealId: id,
      state: fc.constantFrom('verified' as const, 'refunded' as const, 'rejected' as const, 'outvoted' as const),
      paid: uint(256),
      fee: uint(256),
      refund: uint(256),
      forfeit: uint(256),
    }),
    (v) => [v.dealId, JOB_STATES.indexOf(v.state), v.paid, v.fee, v.refund, v.forfeit],
    (value) => ({ kind: 'JobSettled', ...value }),
  ),
  pair(
    jobsInterface,
    'OperatorSet',
    fc.record({ provider: account, operator: fc.option(account) }),
    (value) => [value.provider, value.operator ?? ETH],
    (value) => ({ kind: 'JobOperatorSet', ...value }),
  ),
  pair(
    stakesInterface,
    'Staked',
    fc.record({ role, account, amount: uint(96), staked: uint(96) }),
    (value) => [roleNumber[value.role], value.account, value.amount, value.staked],
    (value) => ({ kind: 'StakeAdded', ...value }),
  ),
  pair(
    stakesInterface,
    'Unbonding',
    fc.record({ role, account, amount: uint(96), releaseAt: time }),
    (value) => [roleNumber[value.role], value.account, value.amount, value.releaseAt],
    (value) => ({ kind: 'StakeUnbonding', ...value }),
  ),
  pair(
    stakesInterface,
    'Released',
    fc.record({ role, account, amount: uint(96) }),
    (value) => [roleNumber[value.role], value.account, value.amount],
    (value) => ({ kind: 'StakeReleased', ...value }),
  ),
  pair(
    stakesInterface,
    'Slashed',
    fc.record({
      role,
      account,
      module: account,
      fromUnbonding: uint(96),
      fromStaked: uint(96),
      finder: account,
      reward: uint(96),
    }),
    (v) => [roleNumber[v.role], v.account, v.module, v.fromUnbonding, v.fromStaked, v.finder, v.reward],
    (value) => ({ kind: 'StakeSlashed', ...value }),
  ),
  pair(
    recordInterface,
    'Struck',
    fc.record({ provider: account, dealId: id, strikes: number(31) }),
    (value) => [value.provider, value.dealId, value.strikes],
    (value) => ({ kind: 'ProviderStruck', ...value }),
  ),
  pair(
    recordInterface,
    'Rejected',
    fc.record({ provider: account, dealId: id, reputation: number(16) }),
    (value) => [value.provider, value.dealId, value.reputation],
    (value) => ({ kind: 'ProviderRejected', ...value }),
  ),
  pair(
    recordInterface,
    'Requalified',
    fc.record({ provider: account, reputation: number(16) }),
    (value) => [value.provider, value.reputation],
    (value) => ({ kind: 'ProviderRequalified', ...value }),
  ),
  pair(
    recordInterface,
    'Rated',
    fc.record({
      dealId: id,
      side: role.map((word) => (word === 'provider' ? word : ('renter' as const))),
      rated: account,
      score: fc.integer({ min: 1, max: 5 }),
      feedback: words,
    }),
    (value) => [value.dealId, value.side === 'renter' ? 0 : 1, value.rated, value.score, value.feedback],
    (value) => ({ kind: 'DealRated', ...value }),
  ),
];
pairs.push(...jobPairs);

describe('decodeLog', () => {
  test('a posted text is exact or null, and too long a one is no job', () => {
    const posted = (bytes: Uint8Array) => {
      const data = Buffer.from(
        jobsInterface.encodeEventLog('Posted', [ID, ACCOUNT, EXAMPLE_TERMS, '']).data.slice(2, 2 + 64 * 20),
        'hex',
      );
      const length = Buffer.from(bytes.length.toString(16).padStart(64, '0'), 'hex');
      const whole = Buffer.concat([data, length, bytes, Buffer.alloc((32 - (bytes.length % 32)) % 32)]);
      const topics = [topicOf(jobsInterface, 'Posted'), ID, `0x${ACCOUNT.slice(2).padStart(64, '0')}`] as Hex[];
      return decodeLog({ topics, data: `0x${whole.toString('hex')}` });
    };
    expect(posted(Buffer.from('{"x":"\u202E\n"}'))).toMatchObject({ spec: '{"x":"\u202E\n"}', terms: EXAMPLE_TERMS });
    expect(posted(Buffer.from([0xff, 0xfe]))).toMatchObject({ kind: 'JobPosted', spec: null });
    expect(posted(Buffer.alloc(8192, 0x61))).toMatchObject({ spec: 'a'.repeat(8192) });
    expect(posted(Buffer.alloc(8193, 0x61))).toBeNull();
    expect(posted(Buffer.alloc(1_000_000, 0x61))).toBeNull();
  });

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
