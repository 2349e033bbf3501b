/**
 * One scheduling cycle as the host runs it: 10,000 waiting tasks and 10,000 offers, by each strategy, with the providers'
 * standings read from index.db, refusals and everybody's reasons. Against the plain nested loop over the same data, which
 * is timed on a sample of the tasks and scaled. Deterministic data.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { planCycle, type PlannedTask } from '../src/renter/jobs/plan-cycle.ts';
import { openOutlooks } from '../src/renter/jobs/waiting-open.ts';
import type { ScheduleOffer, ScheduleTask } from '../src/renter/schedule/schedule-types.ts';
import { STRATEGIES } from '../src/renter/schedule/strategies.ts';
import type { StrategyName } from '../src/renter/schedule/strategies.ts';
import type { Address, Bytes32 } from '../src/shared/ids.ts';
import { jobSpecSchema } from '../src/shared/job-spec.ts';
import type { IndexedOffer } from '../src/store/market-rows.ts';
import { openIndexWriter } from '../src/store/open-index.ts';
import { median, report, say } from './harness.ts';

const TASKS = 10_000;
const OFFERS = 10_000;
const SAMPLE = 300;
const ROUNDS = 5;
const NOW = 1_800_000_000;
const WATT = '0x1000000000000000000000000000000000000001' as Address;
const DOLLAR = '0x2000000000000000000000000000000000000002' as Address;
const MODELS = [
  ['RTX 3060', 12],
  ['RTX 3090', 24],
  ['RTX 4090', 24],
  ['RTX 5090', 32],
  ['A40', 48],
  ['A100', 80],
  ['H100', 80],
  ['RX 7900 XTX', 24],
] as const;

let seed = 42;
const random = (below: number): number => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((seed / 2 ** 32) * below);
};
const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`;

const offers = Array.from({ length: OFFERS }, (_, index): ScheduleOffer => {
  const [gpuModel, gpuMemoryGb] = MODELS[random(MODELS.length)] ?? MODELS[0];
  const units = random(10) === 0 ? 4 : 1;
  return {
    offerId: hex(index, 64) as Bytes32,
    provider: hex(1 + random(7000), 40) as Address,
    gpuType: gpuModel.startsWith('RX') ? 'AMD' : 'NVIDIA',
    gpuModel,
    gpuCount: [1, 1, 1, 2, 4, 8][random(6)] ?? 1,
    gpuMemoryGb,
    price: BigInt(1000 + random(gpuMemoryGb * 1000)) * 10n ** 15n,
    unit: [60, 3600, 86_400][random(3)] ?? 3600,
    token: random(10) === 0 ? DOLLAR : WATT,
    endsBy: NOW + 3600 + random(90 * 86_400),
    free: random(5) === 0 ? 0 : units,
    status: random(20) === 0 ? 'paused' : 'active',
    createdAt: NOW - random(10_000_000),
    reputation: random(101),
    stake: BigInt(random(20)) * 10n ** 20n,
    active: random(30) > 0,
    reachable: random(30) > 0,
    rttMs: random(300),
    score: random(10_000),
  };
});

/** 40 submissions: arrays whose tasks differ in what they pay, who failed them and how long they may run. */
const tasks = Array.from({ length: TASKS }, (_, index): ScheduleTask => {
  const kind = index % 40;
  const [gpuModel, gpuMemoryGb] = MODELS[kind % MODELS.length] ?? MODELS[0];
  return {
    id: `task-${String(index).padStart(5, '0')}`,
    resources: {
      ...(kind % 3 === 0 ? { gpuModel } : {}),
      ...(kind % 4 === 0 ? { gpuType: 'NVIDIA' } : {}),
      gpuCount: [0, 1, 1, 2, 8][kind % 5] ?? 1,
      gpuMemoryGb: kind % 2 === 0 ? gpuMemoryGb : 8,
    },
    bounty: BigInt(100 + random(30_000)) * 10n ** 15n,
    token: WATT,
    runSeconds: 60 + random(7200),
    minStake: BigInt(kind % 4) * 10n ** 20n,
    priority: random(101),
    createdAt: NOW - random(100_000),
    excluded: random(5) === 0 ? [hex(1 + random(7000), 40) as Address] : [],
    copiesWanted: kind === 7 ? 3 : 1,
  };
});

/** What the scheduler replaces: each task looks at each offer and counts why not. */
function nestedLoop(sample: readonly ScheduleTask[]): number {
  const free = offers.map((offer) => offer.free);
  let done = 0;
  for (const task of sample) {
    const counts = new Map<string, number>();
    let best = -1;
    for (const [index, offer] of offers.entries()) {
      const { gpuType, gpuModel, gpuCount, gpuMemoryGb } = task.resources;
      const reason =
        offer.status !== 'active' || !offer.active || offer.reachable === false
          ? 'away'
          : (gpuType !== undefined && gpuType.toLowerCase() !== offer.gpuType.toLowerCase()) ||
              (gpuModel !== undefined && !offer.gpuModel.toLowerCase().includes(gpuModel.toLowerCase()))
            ? 'kind'
            : gpuCount > offer.gpuCount || gpuMemoryGb > offer.gpuMemoryGb
              ? 'small'
              : offer.endsBy < NOW + task.runSeconds || offer.stake < task.minStake
                ? 'terms'
                : offer.token === task.token && offer.price * BigInt(task.runSeconds) > task.bounty * BigInt(offer.unit)
                  ? 'price'
                  : task.excluded.includes(offer.provider)
                    ? 'excluded'
                    : (free[index] ?? 0) <= 0
                      ? 'taken'
                      : null;
      if (reason !== null) counts.set(reason, (counts.get(reason) ?? 0) + 1);
      else if (
        best === -1 ||
        offer.price * BigInt(offers[best]?.unit ?? 1) < (offers[best]?.price ?? 0n) * BigInt(offer.unit)
      ) {
        best = index;
      }
    }
    if (best !== -1) {
      free[best] = (free[best] ?? 0) - 1;
      done += 1;
    }
  }
  return done;
}

const timed = (act: () => void): number => {
  const started = performance.now();
  act();
  return performance.now() - started;
};

const every = Math.floor(TASKS / SAMPLE);
const sample = tasks.filter((_, index) => index % every === 0).slice(0, SAMPLE);
nestedLoop(sample.slice(0, 20));
const naive = (timed(() => nestedLoop(sample)) * TASKS) / sample.length / 1000;
say(`nested loop: ${naive.toFixed(1)} s for a cycle (timed on ${sample.length} tasks)`);

const folder = mkdtempSync(path.join(tmpdir(), 'commonwatt-bench-'));
const index = openIndexWriter(path.join(folder, 'index.db'), 'bench');
const standings = new Map(offers.map((offer) => [offer.provider, offer]));
for (const { provider, reputation, stake, active } of standings.values()) {
  const { atRisk: _, ...standing } = index.standing(provider);
  index.putStanding({ ...standing, reputation: active ? 2000 + reputation * 80 : 1000, staked: stake });
}

const indexed = offers.map((offer): IndexedOffer => ({
  ...offer,
  version: 1,
  region: 'EU',
  features: [],
  peerKey: offer.offerId,
  providerSigner: offer.provider,
  minSeconds: 60,
  units: 4,
}));
const planned = tasks.map(
  ({ id, resources, bounty, token, runSeconds, priority, createdAt, excluded, copiesWanted }): PlannedTask => ({
    taskId: id,
    account: hex(9_000_000, 40) as Address,
    spec: jobSpecSchema.parse({
      version: 1,
      work: { type: 'docker', image: `image@sha256:${'0'.repeat(64)}` },
      resources,
      timeouts: { runSeconds },
      ...(copiesWanted > 1 ? { verification: { tier: 'redundancy', copies: copiesWanted } } : {}),
    }),
    token,
    bounty: bounty * BigInt(copiesWanted),
    priority,
    createdAt,
    excluded,
  }),
);
const unreachable = new Set(offers.filter(({ reachable }) => reachable === false).map(({ offerId }) => offerId));
const known = new Map(
  offers.map(({ offerId, rttMs = null, score = 5000 }) => [offerId, { rttMs, speed: score / 5000 }]),
);
const input = (strategy: StrategyName) => ({
  offers: indexed,
  strategy,
  lastTurn: null,
  requirements: {
    minProviderStake: 10n ** 20n,
    slashBps: 1000,
    feeBps: 250,
    pausedUntil: 0,
    inactiveBelow: 20,
  },
  standingOf: (provider: Address) => index.standing(provider),
  freeOf: ({ free }: IndexedOffer) => free,
  leftOut: (offerId: Bytes32) => (unreachable.has(offerId) ? 'No line to it.' : null),
  speedOf: ({ offerId }: IndexedOffer) => known.get(offerId)?.speed,
  rttOf: ({ offerId }: IndexedOffer) => known.get(offerId)?.rttMs ?? null,
  now: NOW,
});

const medianOf = (act: () => void): number => median(Array.from({ length: ROUNDS }, () => timed(act)));
let slowest = 0;
for (const strategy of Object.keys(STRATEGIES) as StrategyName[]) {
  const cycle = () => planCycle({ ...input(strategy), tasks: planned });
  let found = cycle();
  const took = medianOf(() => {
    found = cycle();
  });
  slowest = Math.max(slowest, took / 1000);
  say(`${strategy}: ${Math.round(took)} ms, ${found.chosen.size} given away, ${found.waiting.size} waiting`);
  if (strategy === 'cheapest') say(`  for example: ${[...found.waiting.values()].at(-1)?.sentence ?? 'nobody waits'}`);
}
let told = openOutlooks(input('priority'), planned);
const outlook = medianOf(() => {
  told = openOutlooks(input('priority'), planned);
});
slowest = Math.max(slowest, outlook / 1000);
say(`the same tasks, open to all: ${Math.round(outlook)} ms, ${told.size} told why`);
index.close();
rmSync(folder, { recursive: true });
report({ name: 'schedule', value: slowest, unit: 's', baseline: naive, n: TASKS });
