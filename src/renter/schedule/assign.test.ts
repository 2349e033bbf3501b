import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Address, Bytes32 } from '../../shared/ids.ts';
import { assign } from './assign.ts';
import type { Schedule, ScheduleInput } from './assign.ts';
import { REASONS } from './reasons.ts';
import type { Reason } from './reasons.ts';
import type { ScheduleOffer, ScheduleTask } from './schedule-types.ts';
import { STRATEGIES } from './strategies.ts';
import type { Strategy, StrategyName } from './strategies.ts';

const NOW = 1_800_000_000;
const WATT: Address = `0x${'1'.repeat(40)}`;
const DOLLAR: Address = `0x${'2'.repeat(40)}`;
const provider = (number: number): Address => `0x${String(number).padStart(40, 'a')}`;
const offerId = (number: number): Bytes32 => `0x${String(number).padStart(64, '0')}`;
const NAMES = Object.keys(STRATEGIES) as StrategyName[];

let counter = 0;
const offer = (more: Partial<ScheduleOffer> = {}): ScheduleOffer => {
  counter += 1;
  return {
    offerId: offerId(counter),
    provider: provider(counter),
    gpuType: 'NVIDIA',
    gpuModel: 'RTX 4090',
    gpuCount: 1,
    gpuMemoryGb: 24,
    price: 3600n,
    unit: 3600,
    token: WATT,
    endsBy: NOW + 1_000_000,
    free: 1,
    status: 'active',
    createdAt: NOW - 1000,
    reputation: 50,
    stake: 100n,
    active: true,
    ...more,
  };
};
const task = (more: Partial<ScheduleTask> = {}): ScheduleTask => ({
  id: 'task',
  resources: { gpuCount: 1, gpuMemoryGb: 0 },
  bounty: 1000n,
  token: WATT,
  runSeconds: 1000,
  minStake: 0n,
  priority: 50,
  createdAt: NOW - 100,
  excluded: [],
  copiesWanted: 1,
  ...more,
});

const only = (offers: ScheduleOffer[], one: ScheduleTask, strategy: StrategyName = 'cheapest') =>
  assign({ tasks: [one], offers, strategy, now: NOW });

describe('which offer', () => {
  test.each<[StrategyName, Partial<ScheduleOffer>, Partial<ScheduleOffer>]>([
    ['first-come-first-served', { createdAt: NOW - 9000, price: 3000n }, { price: 10n }],
    ['resource-matching', { gpuMemoryGb: 12, price: 3000n }, { price: 10n }],
    ['resource-matching', { price: 10n }, { gpuCount: 4, gpuMemoryGb: 8, price: 1n }],
    ['reputation', { reputation: 99, price: 3000n }, { price: 10n }],
    ['priority', { price: 10n }, { reputation: 99 }],
    ['cheapest', { price: 10n }, { reputation: 99 }],
    ['cheapest', { price: 61n, unit: 3600 }, { price: 2n, unit: 60 }],
    ['cheapest', { price: 3600n }, { price: 1n, token: DOLLAR }],
    ['fastest', { score: 200, price: 3000n }, { score: 100, rttMs: 1 }],
    ['fastest', { score: 100, rttMs: 5 }, { score: 100, rttMs: 50 }],
    ['fastest', { score: 1.1, price: 3000n }, {}],
    ['fastest', {}, { score: 0.9, rttMs: 1 }],
    ['fastest', { rttMs: 50 }, { price: 1n }],
  ])('%s takes %o before %o', (strategy, better, other) => {
    const [first, second] = [offer(better), offer(other)];
    expect(only([second, first], task(), strategy).assignments).toEqual([{ taskId: 'task', offerId: first.offerId }]);
  });

  test('round-robin goes on where it stopped', () => {
    const offers = [1, 2, 3].map((number) => offer({ provider: provider(number), free: 9 }));
    const tasks = [1, 2, 3, 4].map((number) => task({ id: `t${number}` }));
    const first = assign({ tasks, offers, strategy: 'round-robin', now: NOW });
    expect(first.assignments.map((made) => offers.findIndex((one) => one.offerId === made.offerId))).toEqual([
      0, 1, 2, 0,
    ]);
    const next = assign({ tasks: [task()], offers, strategy: 'round-robin', now: NOW, lastTurn: first.lastTurn });
    expect(next.assignments[0]?.offerId).toBe(offers[1]?.offerId);
    const gone = assign({
      tasks: [task()],
      offers: offers.slice(1),
      strategy: 'round-robin',
      now: NOW,
      lastTurn: provider(1),
    });
    expect(gone.assignments[0]?.offerId).toBe(offers[1]?.offerId);
  });

  test('a card of 80 GiB is not spent on a small task while a smaller one is free', () => {
    const [small, large] = [offer({ gpuMemoryGb: 8 }), offer({ gpuMemoryGb: 80 })];
    const { assignments } = assign({
      tasks: [task({ id: 'a' }), task({ id: 'b', resources: { gpuCount: 1, gpuMemoryGb: 40 } })],
      offers: [large, small],
      strategy: 'resource-matching',
      now: NOW,
    });
    expect(assignments).toEqual([
      { taskId: 'a', offerId: small.offerId },
      { taskId: 'b', offerId: large.offerId },
    ]);
  });
});

describe('which task first', () => {
  const tasks = [
    task({ id: 'late', createdAt: NOW - 1, priority: 90 }),
    task({ id: 'early', createdAt: NOW - 1000, priority: 10 }),
  ];
  test.each(NAMES)('%s', (strategy) => {
    const { assignments, waiting } = assign({ tasks, offers: [offer()], strategy, now: NOW });
    expect(assignments.map(({ taskId }) => taskId)).toEqual([strategy === 'priority' ? 'late' : 'early']);
    expect(waiting[0]?.sentence).toBe('Waiting: 1 offer taken.');
  });
});

describe('why a task waits', () => {
  const needs = task({
    resources: { gpuCount: 2, gpuMemoryGb: 24, gpuType: 'nvidia', gpuModel: 'rtx' },
    minStake: 50n,
  });
  const fits = { gpuCount: 2 };
  test.each<[Reason, Partial<ScheduleOffer>, Partial<ScheduleTask>?]>([
    ['not on the market', { ...fits, status: 'paused' }],
    ['provider suspended', { ...fits, active: false }],
    ['not reachable', { ...fits, reachable: false }],
    ['no graphics card', { ...fits, gpuType: 'CPU' }],
    ['another kind of card', { ...fits, gpuType: 'AMD' }],
    ['another kind of card', { ...fits, gpuModel: 'A100' }],
    ['too few cards', { gpuCount: 1 }],
    ['too little memory', { ...fits, gpuMemoryGb: 23 }],
    ['ends too soon', { ...fits, endsBy: NOW + 999 }],
    ['stake too low', { ...fits, stake: 49n }],
    ['over your price', { ...fits, price: 3601n }],
    ['failed before or runs a copy', { ...fits, provider: provider(7) }, { excluded: [provider(7)] }],
    ['taken', { ...fits, free: 0 }],
  ])('%s', (reason, more, taskMore = {}) => {
    const { assignments, waiting } = only([offer(more)], { ...needs, ...taskMore });
    expect(assignments).toEqual([]);
    expect(waiting).toEqual([
      { taskId: 'task', missing: 1, reasons: [{ reason, offers: 1 }], sentence: `Waiting: 1 offer ${reason}.` },
    ]);
    expect(only([offer(fits)], needs).assignments).toHaveLength(1);
  });

  test('the biggest class comes first', () => {
    const offers = [
      ...Array.from({ length: 12 }, () => offer({ price: 9999n })),
      ...Array.from({ length: 3 }, () => offer({ gpuMemoryGb: 8 })),
      ...Array.from({ length: 2 }, () => offer({ free: 0 })),
    ];
    const { waiting } = only(offers, task({ resources: { gpuCount: 1, gpuMemoryGb: 24 } }));
    expect(waiting[0]?.sentence).toBe('Waiting: 12 offers over your price, 3 too little memory, 2 taken.');
  });

  test('prices are compared to the last unit', () => {
    const huge = 10n ** 30n;
    const at = (price: bigint) => only([offer({ price, unit: 86_400 })], task({ bounty: huge, runSeconds: 86_400 }));
    expect(at(huge).assignments).toHaveLength(1);
    expect(at(huge + 1n).waiting[0]?.reasons).toEqual([{ reason: 'over your price', offers: 1 }]);
  });

  test('no offers at all', () => {
    expect(only([], task()).waiting[0]?.sentence).toBe('Waiting: there are no offers yet.');
  });
});

test('copies go to different providers, and what is missing is said', () => {
  const farm = provider(99);
  const offers = [offer({ provider: farm, price: 1n }), offer({ provider: farm, price: 2n }), offer({ price: 3n })];
  const { assignments, waiting } = only(offers, task({ copiesWanted: 3 }));
  expect(assignments.map((made) => made.offerId)).toEqual([offers[0]?.offerId, offers[2]?.offerId]);
  expect(waiting).toEqual([
    {
      taskId: 'task',
      missing: 1,
      reasons: [{ reason: 'failed before or runs a copy', offers: 3 }],
      sentence: 'Waiting for 1 of 3 copies: 3 offers failed before or runs a copy.',
    },
  ]);
});

/** Written without any index: each task looks at each offer. */
function reference({ tasks, offers, strategy: name, now, lastTurn = null }: ScheduleInput): Schedule {
  const strategy: Strategy = STRATEGIES[name];
  const free = new Map(offers.map((one) => [one.offerId, one.free]));
  let turn = lastTurn;
  const result: Schedule = { assignments: [], waiting: [], lastTurn };
  const text = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  for (const one of tasks.toSorted((a, b) => strategy.tasks(a, b) || text(a.id, b.id))) {
    const { gpuType, gpuModel, gpuCount, gpuMemoryGb } = one.resources;
    const shut = new Set(one.excluded);
    const against = (it: ScheduleOffer): Reason | null => {
      if (it.status !== 'active') return 'not on the market';
      if (!it.active) return 'provider suspended';
      if (it.reachable === false) return 'not reachable';
      if (gpuCount > 0 && it.gpuType === 'CPU') return 'no graphics card';
      if (gpuType !== undefined && gpuType.toLowerCase() !== it.gpuType.toLowerCase()) return 'another kind of card';
      if (gpuModel !== undefined && !it.gpuModel.toLowerCase().includes(gpuModel.toLowerCase()))
        return 'another kind of card';
      if (it.gpuCount < gpuCount) return 'too few cards';
      if (it.gpuMemoryGb < gpuMemoryGb) return 'too little memory';
      if (it.stake < one.minStake) return 'stake too low';
      if (it.endsBy < now + one.runSeconds) return 'ends too soon';
      const asked = (it.price * BigInt(one.runSeconds) + BigInt(it.unit) - 1n) / BigInt(it.unit);
      if (it.token === one.token && asked > one.bounty) return 'over your price';
      if (shut.has(it.provider)) return 'failed before or runs a copy';
      return (free.get(it.offerId) ?? 0) > 0 ? null : 'taken';
    };
    const rate = (it: ScheduleOffer): number => Number(it.price) / it.unit;
    const rank = (it: ScheduleOffer): number =>
      it.token === one.token
        ? new Set(offers.filter((x) => x.token === one.token && rate(x) < rate(it)).map(rate)).size
        : -1;
    const seen = offers.map((it) => ({ offer: it, priceRank: rank(it) }));
    seen.sort(
      (a, b) =>
        (strategy.ring ? 0 : strategy.offers(a, b)) ||
        text(a.offer.provider, b.offer.provider) ||
        text(a.offer.offerId, b.offer.offerId),
    );
    let missing = one.copiesWanted;
    while (missing > 0) {
      const possible = seen.filter((it) => against(it.offer) === null);
      const next =
        possible.find((it) => strategy.ring !== true || turn === null || it.offer.provider > turn) ?? possible[0];
      if (!next) break;
      free.set(next.offer.offerId, (free.get(next.offer.offerId) ?? 0) - 1);
      shut.add(next.offer.provider);
      turn = next.offer.provider;
      result.assignments.push({ taskId: one.id, offerId: next.offer.offerId });
      missing -= 1;
    }
    if (missing === 0) continue;
    const reasons = REASONS.map((reason) => ({ reason, offers: offers.filter((it) => against(it) === reason).length }))
      .filter((it) => it.offers > 0)
      .toSorted((a, b) => b.offers - a.offers);
    result.waiting.push({ taskId: one.id, missing, reasons, sentence: '' });
  }
  return { ...result, lastTurn: turn };
}

const anyOffer = fc.record({
  provider: fc.integer({ min: 1, max: 6 }).map(provider),
  gpuType: fc.constantFrom('NVIDIA', 'AMD', 'CPU'),
  gpuModel: fc.constantFrom('RTX 4090', 'RTX 3060', 'A100'),
  gpuCount: fc.integer({ min: 1, max: 3 }),
  gpuMemoryGb: fc.constantFrom(8, 24, 80),
  price: fc.integer({ min: 0, max: 20 }).map(BigInt),
  unit: fc.constantFrom(60, 3600),
  token: fc.constantFrom(WATT, WATT, DOLLAR),
  endsBy: fc.integer({ min: NOW, max: NOW + 300 }),
  free: fc.integer({ min: 0, max: 3 }),
  status: fc.constantFrom('active' as const, 'active' as const, 'active' as const, 'paused' as const),
  createdAt: fc.integer({ min: 0, max: 3 }),
  reputation: fc.integer({ min: 0, max: 3 }),
  stake: fc.integer({ min: 0, max: 4 }).map(BigInt),
  active: fc.constantFrom(true, true, true, false),
  reachable: fc.constantFrom(true, true, true, false),
  rttMs: fc.integer({ min: 0, max: 2 }),
  score: fc.integer({ min: 0, max: 2 }),
});
const anyTask = fc.record({
  resources: fc.record(
    {
      gpuType: fc.constantFrom('nvidia', 'AMD'),
      gpuModel: fc.constantFrom('rtx', '4090'),
      gpuCount: fc.integer({ min: 0, max: 3 }),
      gpuMemoryGb: fc.constantFrom(0, 8, 24, 80),
    },
    { requiredKeys: ['gpuCount', 'gpuMemoryGb'] },
  ),
  bounty: fc.integer({ min: 0, max: 60 }).map(BigInt),
  token: fc.constantFrom(WATT, DOLLAR),
  runSeconds: fc.integer({ min: 1, max: 200 }),
  minStake: fc.integer({ min: 0, max: 4 }).map(BigInt),
  priority: fc.integer({ min: 0, max: 2 }),
  createdAt: fc.integer({ min: 0, max: 3 }),
  excluded: fc.array(fc.integer({ min: 1, max: 7 }).map(provider), { maxLength: 2 }),
  copiesWanted: fc.constantFrom(1, 1, 2, 4),
});
const market = fc.record({
  tasks: fc.array(anyTask, { maxLength: 15 }),
  offers: fc.array(anyOffer, { maxLength: 25 }),
  lastTurn: fc.option(fc.integer({ min: 0, max: 7 }).map(provider)),
});

test.each(NAMES)('%s decides and explains as the nested loop does', (strategy) => {
  fc.assert(
    fc.property(market, ({ tasks, offers, lastTurn }) => {
      const input: ScheduleInput = {
        tasks: tasks.map((one, index) => ({ ...one, id: `t${index}` })),
        offers: offers.map((one, index) => ({ ...one, offerId: offerId(index) })),
        strategy,
        now: NOW,
        lastTurn,
      };
      const found = assign(input);
      const expected = reference(input);
      expect(found.assignments).toEqual(expected.assignments);
      expect(found.lastTurn).toEqual(expected.lastTurn);
      expect(found.waiting.map((waits) => ({ ...waits, sentence: '' }))).toEqual(expected.waiting);
      for (const { reasons } of found.waiting) {
        expect(reasons.reduce((sum, reason) => sum + reason.offers, 0)).toBe(offers.length);
      }
    }),
    { numRuns: 300 },
  );
});
