/** What waiting tasks are held against, and what is known about it: offers of all kinds, earlier runs, tasks open to all. */
import { describe, expect, test } from 'vitest';
import type { Chain } from '../../chain/chain.ts';
import type { Address, Bytes32 } from '../../shared/ids.ts';
import { jobSpecSchema, type JobSpec } from '../../shared/job-spec.ts';
import type { IndexedJobDeal, Standing } from '../../store/indexed-jobs.ts';
import type { JobTask } from '../../store/ledger.ts';
import type { IndexedOffer } from '../../store/market-rows.ts';
import { earlierRuns } from './earlier-runs.ts';
import { planCycle, type CycleInput, type PlannedTask } from './plan-cycle.ts';
import { openOutlooks } from './waiting-open.ts';
import { waitingOffers } from './waiting-offers.ts';

const WATT: Address = `0x${'11'.repeat(20)}`;
const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`;
const offer = (index: number, change: Partial<IndexedOffer> = {}): IndexedOffer => ({
  offerId: hex(index, 64) as Bytes32,
  version: 1,
  provider: hex(index, 40) as Address,
  gpuType: 'NVIDIA',
  gpuModel: 'RTX 3060',
  gpuCount: 1,
  gpuMemoryGb: 12,
  price: BigInt(index),
  unit: 3600,
  token: WATT,
  region: 'EU',
  features: [],
  peerKey: hex(index, 64) as Bytes32,
  providerSigner: hex(index, 40) as Address,
  endsBy: 1_000_000,
  minSeconds: 60,
  units: 1,
  free: 1,
  status: 'active',
  createdAt: index,
  ...change,
});
const specOf = (resources: object): JobSpec =>
  jobSpecSchema.parse({
    version: 1,
    work: { type: 'docker', image: `img@sha256:${'0'.repeat(64)}` },
    resources: { gpuCount: 1, ...resources },
    timeouts: { runSeconds: 60 },
  });
const task = (taskId: string, resources: object = {}): PlannedTask => ({
  taskId,
  account: hex(9999, 40) as Address,
  spec: specOf(resources),
  token: WATT,
  bounty: 1000n,
  priority: 50,
  createdAt: 1,
  excluded: [],
});
const input = (offers: readonly IndexedOffer[]): Omit<CycleInput, 'tasks'> => ({
  offers,
  strategy: 'fastest',
  lastTurn: null,
  requirements: { minProviderStake: 0n, slashBps: 1000, inactiveBelow: 20 } as CycleInput['requirements'],
  standingOf: () => ({ reputation: 10_000, staked: 0n, atRisk: 0n }) as Standing,
  freeOf: ({ free }) => free,
  leftOut: () => null,
  now: 100,
});

describe('a market larger than what every task sees', () => {
  const cheap = Array.from({ length: 20 }, (_, index) => offer(index + 1));
  const dear = offer(500, { gpuModel: 'H100 SXM', gpuMemoryGb: 80 });
  const asked: string[] = [];
  const chain = {
    sync: { value: { revision: 1 } },
    search: ({ text, cursor, limit }: { text: string; cursor?: string; limit: number }) => {
      asked.push(text);
      const from = Number(cursor ?? 0);
      const all = text.includes('gpu:"H100"') ? [dear] : [...cheap, dear];
      const offers = all.slice(from, from + limit);
      return Promise.resolve({ offers, cursor: from + limit < all.length ? String(from + limit) : null });
    },
  } as unknown as Pick<Chain, 'search' | 'sync'>;

  test('a task that wants a rare card gets it, however many are cheaper', async () => {
    const offers = waitingOffers(chain, { most: 10, page: 5 });
    const wanted = task('rare', { gpuModel: 'H100', gpuMemoryGb: 80 });
    expect((await offers([])).length).toBe(10);
    const seen = await offers([wanted.spec.resources, wanted.spec.resources]);
    expect(seen).toContain(dear);
    expect(asked.filter((text) => text !== '')).toEqual(['gpu:"H100" vram>=80 free', 'gpu:"H100" vram>=80']);
    expect(planCycle({ ...input(seen), tasks: [wanted] }).chosen.get('rare')).toEqual([dear]);
    // Nothing changed: nothing is asked again.
    await offers([wanted.spec.resources]);
    expect(asked.filter((text) => text !== '')).toHaveLength(2);
  });
});

test('a task open to all is told how many could take it and what is against the others', () => {
  const offers = [
    offer(1),
    offer(2),
    offer(3, { free: 0 }),
    offer(4, { gpuMemoryGb: 4 }),
    offer(5, { free: 0, gpuMemoryGb: 4 }),
  ];
  const outlook = openOutlooks(input(offers), [task('open', { gpuMemoryGb: 8 })]).get('open');
  expect(outlook?.reasons).toEqual([
    { reason: 'could take it', offers: 2 },
    { reason: 'too little memory', offers: 2 },
    { reason: 'taken', offers: 1 },
  ]);
  expect(outlook?.sentence).toBe(
    'Any provider may take it. Of the offers, 2 could take it, 2 too little memory, 1 taken.',
  );
});

test('the fastest strategy goes by what earlier runs took on chain, then by the line', () => {
  const slow = offer(1);
  const fast = offer(2, { gpuModel: 'RTX 4090', price: 900n });
  const far = offer(3, { gpuModel: 'A40' });
  const near = offer(4, { gpuModel: 'A40', price: 800n });
  const offers = [slow, fast, far, near];
  const runs = [
    { batchId: 'a', offerId: slow.offerId, took: 300 },
    { batchId: 'a', offerId: fast.offerId, took: 100 },
    // A longer kind of work says nothing against the card that did it.
    { batchId: 'b', offerId: fast.offerId, took: 3000 },
    { batchId: 'b', offerId: slow.offerId, took: 9000 },
  ];
  const speedOf = earlierRuns({
    clock: { now: () => 1000 },
    tasks: {
      list: () => ({
        rows: runs.map(({ batchId }, index) => ({ batchId, jobId: hex(index, 64) }) as unknown as JobTask),
        cursor: null,
      }),
    },
    chain: {
      offer: (offerId) => offers.find((one) => one.offerId === offerId) ?? null,
      jobDeals: (jobId) => {
        const run = runs[Number(jobId)];
        return [
          {
            ...run,
            state: 'verified',
            assignedAt: 50,
            submittedAt: 50 + (run?.took ?? 0),
          } as unknown as IndexedJobDeal,
        ];
      },
    },
  })();
  expect(speedOf(fast)).toBe(2);
  expect(speedOf(slow)).toBeCloseTo(2 / 3);
  // The same card at somebody who was never tried.
  expect(speedOf(offer(7, { gpuModel: 'RTX 4090' }))).toBe(2);
  expect(speedOf(far)).toBeUndefined();
  const rttOf = ({ offerId }: IndexedOffer) => (offerId === near.offerId ? 5 : null);
  const tasks = ['1', '2', '3', '4'].map((taskId) => task(taskId));
  const { chosen } = planCycle({ ...input(offers), speedOf, rttOf, tasks });
  expect(tasks.map(({ taskId }) => chosen.get(taskId)?.[0])).toEqual([fast, near, far, slow]);
});
