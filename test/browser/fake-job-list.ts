import type { Job } from '../../src/api/contract.ts';
import type { Address } from '../../src/shared/ids.ts';
import { jobSpecSchema, type JobSpec } from '../../src/shared/job-spec.ts';
import { fakeHash, WATT } from './fake-market.ts';

export const ONE_WATT = 10n ** 18n;
const DIGEST = `sha256:${'9f'.repeat(32)}`;
export const TRAINING = `pytorch/pytorch@${DIGEST}`;

/** Looks like a content id and stays the same from run to run. */
export const fakeCid = (seed: number): string =>
  `bafybei${fakeHash(seed)
    .slice(2, 54)
    .replaceAll(/[0189]/g, 'q')}`;

export const docker = (name: string, command: string[], more: object = {}): JobSpec =>
  jobSpecSchema.parse({ name, work: { type: 'docker', image: TRAINING, command, env: {} }, ...more });

const kernel = (name: string, model: string, params: object): JobSpec =>
  jobSpecSchema.parse({
    name,
    work: { type: 'kernel', model, params },
    inputs: [{ from: 'renter', path: 'data.csv', cid: fakeCid(31), bytes: 48_211 }],
    verification: { tier: 'certificate' },
  });

interface FakeRunOptions {
  seed: number;
  now: number;
  phase: string;
  detail?: string;
  card?: string;
  simulated?: boolean;
  startedAgo?: number | null;
  took?: number | null;
  exitCode?: number | null;
  progress?: Job['runs'][number]['progress'];
}

export function fakeRun({
  seed,
  now,
  phase,
  detail = '',
  card = 'GeForce RTX 4090',
  simulated = false,
  startedAgo = 400,
  took = null,
  exitCode = null,
  progress = null,
}: FakeRunOptions): Job['runs'][number] {
  const startedAt = startedAgo === null ? null : now - startedAgo;
  return {
    dealId: fakeHash(seed),
    provider: fakeHash(seed + 1, 20),
    offerId: fakeHash(seed + 2),
    gpuType: 'NVIDIA',
    gpuModel: card,
    simulatedCard: simulated,
    phase,
    detail,
    progress,
    startedAt,
    finishedAt: startedAt === null || took === null ? null : startedAt + took,
    exitCode,
    resultCid: took === null ? null : fakeCid(seed),
    connected: took === null,
  };
}

interface FakeJobOptions {
  seed: number;
  now: number;
  account: Address;
  spec: JobSpec;
  status?: Job['status'];
  ago?: number;
  more?: Partial<Job>;
}

/** A task that waits for a provider, unless `status` and `more` say otherwise. */
export function fakeJob({ seed, now, account, spec, status = 'pending', ago = 600, more = {} }: FakeJobOptions): Job {
  const over = status === 'verified' || status === 'failed' || status === 'cancelled';
  return {
    taskId: `task-${seed}`,
    batchId: `batch-${seed}`,
    jobId: fakeHash(seed + 5000),
    account,
    name: spec.name,
    index: 0,
    of: 1,
    spec,
    status,
    phase: status === 'pending' ? 'open' : status === 'completed' ? 'verifying' : status,
    detail: '',
    waiting: [],
    token: WATT,
    bounty: (5n * ONE_WATT).toString(),
    paid: over ? (status === 'verified' ? (5n * ONE_WATT).toString() : '0') : null,
    refund: over ? (status === 'verified' ? '0' : (5n * ONE_WATT).toString()) : null,
    priority: 50,
    attempts: 1,
    retries: 2,
    runs: [],
    resultCid: null,
    resultHere: false,
    verdict: null,
    review: null,
    postedAt: now - ago + 2,
    deadline: over ? null : now + 7200,
    endedAt: over ? now - ago + 300 : null,
    createdAt: now - ago,
    ...more,
  };
}

export const WAITING: Job['waiting'] = [
  { reason: 'over your price', offers: 12 },
  { reason: 'too little memory', offers: 3 },
  { reason: 'taken', offers: 1 },
];
export const WAITS = 'Waiting: 12 offers over your price, 3 too little memory, 1 taken.';

/** A run that failed waits for its owner's word. */
const reviewed = (now: number): Partial<Job> => ({
  phase: 'review',
  detail:
    'The program ended with exit code 1. Look at its log. Accept it, or reject it; if you say nothing it is paid when the time for that is over.',
  review: { until: now + 83_550, bond: (ONE_WATT / 2n).toString() },
  verdict: { tier: 'accept', valid: true, reason: 'The result is whole.', checks: [] },
});

/** One job in every state that the screens know. */
export function fakeJobs(now: number, account: Address): Job[] {
  const make = (options: Omit<FakeJobOptions, 'now' | 'account'>) => fakeJob({ now, account, ...options });
  const result = (seed: number) => ({ resultCid: fakeCid(seed), resultHere: true });
  return [
    make({
      seed: 1,
      ago: 120,
      spec: docker('Fine-tune the small model', ['python', 'train.py', '--epochs', '3'], {
        resources: { gpuCount: 1, gpuMemoryGb: 24, gpuModel: 'RTX 4090' },
      }),
      more: { detail: WAITS, waiting: WAITING },
    }),
    make({
      seed: 2,
      ago: 460,
      spec: docker('Embed the archive', ['python', 'embed.py'], { resources: { gpuCount: 1 } }),
      status: 'assigned',
      more: {
        runs: [
          fakeRun({
            seed: 210,
            now,
            phase: 'running',
            progress: { label: 'Sending the result', done: 31_000_000, total: 240_000_000, unit: 'bytes' },
          }),
        ],
      },
    }),
    make({
      seed: 3,
      ago: 900,
      spec: docker('Render the intro', ['blender', '-b', 'intro.blend', '-a']),
      status: 'completed',
      more: {
        detail: 'The result is on its way here.',
        runs: [
          fakeRun({
            seed: 310,
            now,
            phase: 'submitted',
            took: 320,
            exitCode: 0,
            progress: { label: 'Fetching the result', done: 88_000_000, total: 120_000_000, unit: 'bytes' },
          }),
        ],
      },
    }),
    make({
      seed: 9,
      ago: 700,
      spec: docker('Segment the scans', ['python', 'segment.py']),
      status: 'completed',
      more: {
        ...reviewed(now),
        ...result(9),
        runs: [fakeRun({ seed: 910, now, phase: 'submitted', startedAgo: 690, took: 41, exitCode: 1 })],
      },
    }),
    make({
      seed: 4,
      ago: 5400,
      spec: docker('Train the classifier', ['python', 'train.py']),
      status: 'verified',
      more: {
        detail: 'The result is whole.',
        ...result(4),
        runs: [fakeRun({ seed: 410, now, phase: 'verified', startedAgo: 5000, took: 1287, exitCode: 0 })],
        verdict: { tier: 'accept', valid: true, reason: 'The result is whole.', checks: [] },
      },
    }),
    make({
      seed: 5,
      ago: 9000,
      spec: kernel('Cluster the customers', 'k_means', { k: 4 }),
      status: 'verified',
      more: {
        detail: 'Every check of the certificate holds.',
        ...result(5),
        runs: [
          fakeRun({
            seed: 510,
            now,
            phase: 'verified',
            card: 'NVIDIA RTX 4090',
            simulated: true,
            startedAgo: 8900,
            took: 3,
            exitCode: 0,
          }),
        ],
        verdict: {
          tier: 'certificate',
          valid: true,
          reason: 'Every check of the certificate holds.',
          checks: [
            { name: 'every point is at its nearest centre', ok: true, measured: 0, limit: 1e-9 },
            { name: 'every centre is the mean of its points', ok: true, measured: 3.1e-15, limit: 1e-9 },
          ],
        },
      },
    }),
    make({
      seed: 6,
      ago: 12_000,
      spec: docker('Count the primes', ['primes', '1000000'], {
        verification: { tier: 'redundancy', copies: 3, agree: 2 },
      }),
      status: 'verified',
      more: {
        detail: '2 of 3 providers agree to the byte.',
        ...result(6),
        paid: (10n * ONE_WATT).toString(),
        refund: (5n * ONE_WATT).toString(),
        runs: [
          fakeRun({ seed: 610, now, phase: 'verified', startedAgo: 11_900, took: 61, exitCode: 0 }),
          fakeRun({
            seed: 620,
            now,
            phase: 'verified',
            card: 'RTX A6000',
            startedAgo: 11_880,
            took: 74,
            exitCode: 0,
          }),
          fakeRun({
            seed: 630,
            now,
            phase: 'outvoted',
            detail: 'Its result differs from the two that agree.',
            card: 'GeForce RTX 3060',
            startedAgo: 11_870,
            took: 118,
            exitCode: 0,
          }),
        ],
        verdict: { tier: 'redundancy', valid: true, reason: '2 of 3 providers agree to the byte.', checks: [] },
      },
    }),
    make({
      seed: 7,
      ago: 20_000,
      spec: docker('Plot the survey', ['python', 'plot.py']),
      status: 'failed',
      more: {
        detail: 'The program ended with exit code 1.',
        ...result(7),
        paid: (5n * ONE_WATT).toString(),
        refund: '0',
        runs: [fakeRun({ seed: 710, now, phase: 'verified', startedAgo: 19_900, took: 4, exitCode: 1 })],
        verdict: { tier: 'accept', valid: true, reason: 'The result is whole.', checks: [] },
      },
    }),
    make({
      seed: 8,
      ago: 30_000,
      spec: jobSpecSchema.parse({ name: '', work: { type: 'wasm', module: fakeCid(88) } }),
      status: 'cancelled',
      more: { detail: 'You took it back.' },
    }),
  ];
}

const MIX: Job['status'][] = ['verified', 'verified', 'verified', 'assigned', 'pending'];

/** `of` tasks of one submission, most of them done; `review` of those that run wait for their owner instead. */
export function fakeArray(of: number, now: number, account: Address, review = 0): Job[] {
  const firstRunning = Math.ceil((of * MIX.indexOf('assigned')) / MIX.length);
  return Array.from({ length: of }, (_, index) => {
    const asks = index >= firstRunning && index < firstRunning + review;
    const status = asks ? 'completed' : (MIX[Math.floor((index * MIX.length) / of)] ?? 'pending');
    const took = 20 + ((index * 7) % 30);
    return fakeJob({
      seed: 10_000 + index,
      now,
      account,
      ago: 3000,
      spec: docker('Sweep', ['python', 'sweep.py'], { task: { index, of, values: { SEED: `${index}` } } }),
      status,
      more: {
        batchId: 'batch-sweep',
        index,
        of,
        ...(status === 'pending' ? { detail: WAITS, waiting: WAITING } : {}),
        ...(asks ? reviewed(now) : {}),
        ...(status === 'verified' || asks ? { resultCid: fakeCid(9000 + index), resultHere: true } : {}),
        runs:
          status === 'pending'
            ? []
            : [
                fakeRun({
                  seed: 20_000 + index * 10,
                  now,
                  phase: status === 'verified' ? 'verified' : asks ? 'submitted' : 'running',
                  startedAgo: 200 + index,
                  ...(status === 'verified' ? { took, exitCode: 0 } : asks ? { took, exitCode: 1 } : {}),
                }),
              ],
      },
    });
  });
}
