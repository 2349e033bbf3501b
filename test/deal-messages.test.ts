/** What strangers may say about leases: bytes of any kind, at any time, end in an answer or an AppError, never worse. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import fc from 'fast-check';
import { DEAL_REQUESTS } from '../src/shared/deal-protocol.ts';
import { AppError } from '../src/shared/errors.ts';
import type { Bytes32, Hex } from '../src/shared/ids.ts';
import type { Json } from '../src/shared/json.ts';
import type { Deal } from '../src/store/ledger.ts';
import { describeUnless } from './support/describe-unless.ts';
import { LeaseWorld, SPEC } from './support/lease-world.ts';
import { anvilMissing } from './support/market.ts';

const STRANGER: Hex = `0x${'5a'.repeat(20)}`;

describeUnless(anvilMissing(), 'deal messages', () => {
  let world: LeaseWorld;
  let leaseId: Bytes32;
  beforeAll(async () => {
    world = await LeaseWorld.open();
    leaseId = await world.run(3600);
  });
  afterAll(() => world?.close());

  const rejection = (kind: string, body: Json, wallet?: Hex): Promise<unknown> =>
    world
      .line(wallet)
      .request(kind, body)
      .then(
        () => null,
        (thrown: unknown) => thrown,
      );
  const served = (): Deal => world.provider.ledger.deals.get(leaseId, 'provider') as Deal;
  const final = async (secs: number, deadline: number, by = world.renter) =>
    ({ leaseId, secs, deadline, signature: await by.keys.signFinal(leaseId, secs, deadline) }) as Json;
  const voucher = async (secs: number, lease = leaseId, by = world.renter) =>
    ({ leaseId, secs, signature: await by.keys.signVoucher(lease, secs) }) as Json;

  test('a stranger’s wallet learns and moves nothing', async () => {
    const before = served();
    for (const [kind, body] of [
      ['deal.status', { leaseId }],
      ['deal.stop', { leaseId }],
      ['deal.begin', { leaseId, spec: SPEC }],
      ['deal.voucher', await voucher(600)],
      ['deal.close', await final(0, world.clock.now() + 500)],
    ] as [string, Json][])
      expect(await rejection(kind, body, STRANGER)).toMatchObject({ code: 'not-found' });
    expect(served().phase).toBe(before.phase);
    expect(world.engine.containers.get(leaseId)?.status).toBe('running');
  });

  test('vouchers that are not what they seem change nothing', async () => {
    const { capSeconds } = served();
    const other: Bytes32 = `0x${'77'.repeat(32)}`;
    expect(await rejection('deal.voucher', await voucher(600, other))).toMatchObject({ code: 'not-allowed' });
    expect(await rejection('deal.voucher', await voucher(600, leaseId, world.provider))).toMatchObject({
      code: 'not-allowed',
      message: expect.stringMatching(/not signed by the key/) as string,
    });
    expect(await rejection('deal.voucher', await voucher(capSeconds + 1))).toMatchObject({ code: 'bad-input' });
    expect(served().signedSeconds).toBeLessThan(600);
    // An old one is no harm: the newest stands.
    const { signedSeconds } = served();
    expect(await rejection('deal.voucher', await voucher(1))).toBeNull();
    expect(served().signedSeconds).toBeGreaterThanOrEqual(signedSeconds);
  });

  test('finals that are forged, expired, absurd or too low end nothing', async () => {
    const soon = world.clock.now() + 500;
    expect(await rejection('deal.close', await final(5, soon, world.provider))).toMatchObject({ code: 'not-allowed' });
    expect(await rejection('deal.close', await final(5, world.clock.now() - 1))).toMatchObject({ code: 'bad-input' });
    const endless = { leaseId, secs: 5, deadline: 2 ** 50, signature: `0x${'11'.repeat(65)}` };
    expect(await rejection('deal.close', endless)).toMatchObject({ code: 'bad-input' });
    expect(await rejection('deal.close', await final(served().capSeconds + 1, soon))).toMatchObject({
      code: 'bad-input',
    });
    expect(served().phase).toBe('running');
    expect(world.engine.containers.get(leaseId)?.status).toBe('running');
  });

  test('a lease nobody opened is waited for a moment only, and only a few at once', async () => {
    const line = world.line(STRANGER);
    const asked = Array.from({ length: 50 }, (_, index) =>
      line.request('deal.status', { leaseId: `0x${index.toString(16).padStart(64, '0')}` }),
    );
    const answers = Promise.allSettled(asked);
    const quick = await Promise.allSettled(asked.slice(10));
    expect(quick.every(({ status }) => status === 'rejected')).toBe(true);
    line.close();
    expect((await answers).every(({ status }) => status === 'rejected')).toBe(true);
  });

  test('anything at all is answered or refused with a code', async () => {
    const line = world.line();
    const bytes32 = fc.constantFrom<Json>(leaseId, `0x${'00'.repeat(32)}`, '0x', null, 7);
    const field = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
      fc.constantFrom<Json>(0, -1, 1e308, 4_294_967_295, 4_294_967_296, `0x${'ff'.repeat(65)}`, 'x'.repeat(100_000)),
    );
    const body = fc.oneof(
      field,
      fc.record(
        { leaseId: bytes32, offerId: bytes32, secs: field, deadline: field, signature: field, spec: field },
        { requiredKeys: [] },
      ) as unknown as fc.Arbitrary<Json>,
    );
    // Waiting for leases that nobody opened is tested above; stopping a real one too.
    const kind = fc.oneof(
      fc.constantFrom(...Object.keys(DEAL_REQUESTS).filter((name) => name !== 'deal.stop')),
      fc.string(),
      fc.constantFrom('__proto__', 'constructor', 'toString'),
    );
    await fc.assert(
      fc.asyncProperty(kind, body, async (name, sent) => {
        const unknown = sent !== null && typeof sent === 'object' && !Array.isArray(sent) ? sent['leaseId'] : null;
        fc.pre(unknown !== `0x${'00'.repeat(32)}`);
        const thrown = await line.request(name, sent).then(
          () => null,
          (reason: unknown) => reason,
        );
        if (thrown === null) return;
        expect(thrown).toBeInstanceOf(AppError);
        expect((thrown as AppError).code).not.toBe('internal');
      }),
      { numRuns: 1500 },
    );
    expect(served().phase).toBe('running');
  }, 60_000);
});
