/** A host killed with -9 at any step of a job: another life finishes it, verified and paid once. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job, WorkStatus } from '../src/api/contract.ts';
import type { SpawnedHost } from '../src/host/spawned-host.ts';
import { PRACTICE_IMAGE } from '../src/runtime/create-options.ts';
import type { Bytes32 } from '../src/shared/ids.ts';
import { describeUnless } from './support/describe-unless.ts';
import {
  RawParty,
  WATT,
  depositWatt,
  dockerLeftovers,
  isOver,
  ledgerIsChain,
  resultText,
  submit,
  untilJob,
  worksFor,
} from './support/job-market.ts';
import { TestMarket, anvilMissing, engineMissing } from './support/market.ts';

const WORK = 'sleep 2; cp /job/in/text.txt /job/out/copy';
const TEXT = 'abcdefghij\n'.repeat(40_000);

type Run = WorkStatus['running'][number];

describeUnless(engineMissing() ?? anvilMissing(), 'killed in a job', () => {
  let market: TestMarket;
  let provider: SpawnedHost;
  let renter: SpawnedHost;
  let raw: RawParty;
  /** Runs of earlier tests. */
  const known = new Set<Bytes32>();

  beforeAll(async () => {
    market = await TestMarket.open();
    [provider, renter, raw] = await Promise.all([
      market.host('provider'),
      market.host('renter'),
      RawParty.open(market.joinUrl),
    ]);
    await worksFor(market, provider, renter);
    await depositWatt(renter, 100n * WATT);
  });
  afterAll(async () => {
    await raw?.close();
    await market?.close();
  });

  const begin = async (): Promise<string> => {
    const [taskId = ''] = await submit(renter, {
      name: 'crash',
      work: { type: 'docker', image: PRACTICE_IMAGE, command: ['sh', '-c', WORK] },
      inputs: [{ path: 'text.txt', text: TEXT }],
      bounty: '1',
      timeouts: { runSeconds: 60 },
    });
    return taskId;
  };

  /** Kills the renter's host once it says that the job is there, or beyond. */
  const killRenterAt = async (taskId: string, phases: readonly Job['phase'][]): Promise<void> => {
    for await (const job of await renter.client.jobs.watch({ taskId })) {
      if (phases.includes(job.phase) || isOver(job)) break;
    }
    renter.kill('SIGKILL');
    await renter.exited;
    renter = await market.host('renter');
  };

  /** Kills the provider's host once it says that its run is there, or beyond. */
  const killProviderAt = async (phases: readonly Run['phase'][]): Promise<void> => {
    for await (const { running, recent } of await provider.client.work.watch()) {
      const run = [...running, ...recent].find(({ dealId }) => !known.has(dealId));
      if (run && (phases.includes(run.phase) || run.phase === 'settled')) break;
    }
    provider.kill('SIGKILL');
    await provider.exited;
    provider = await market.host('provider');
  };

  /** Waits until it is over and compares everything; what the chain has paid for it, all runs together. */
  const paidInTheEnd = async (taskId: string): Promise<bigint> => {
    const job: Job = await untilJob(renter, taskId, isOver, 120_000);
    expect(job).toMatchObject({ status: 'verified', paid: job.bounty, refund: '0', resultHere: true });
    expect((await resultText(renter, taskId, 'out/copy')) === TEXT).toBe(true);
    // Whatever was posted on the way, one deal of this task was paid.
    const dealIds = job.runs.map(({ dealId }) => dealId);
    const last = dealIds.at(-1) as Bytes32;
    await raw.until(() => raw.chain.jobDeal(last)?.state === 'verified');
    const deals = dealIds.map((dealId) => raw.chain.jobDeal(dealId));
    expect(deals.map((deal) => deal?.state)).toEqual(['verified']);
    await expect
      .poll(async () => (await provider.client.work.status()).recent.find(({ dealId }) => dealId === last)?.phase)
      .toBe('settled');
    for (const dealId of dealIds) known.add(dealId);
    expect(await ledgerIsChain(renter.client)).toBe(true);
    expect(await ledgerIsChain(provider.client)).toBe(true);
    await expect.poll(() => dockerLeftovers(last), { timeout: 20_000, interval: 200 }).toEqual([]);
    return deals.reduce((sum, deal) => sum + (deal?.paid ?? 0n), 0n);
  };

  test.each([
    ['in the book', ['waiting', 'posting']],
    ['posted', ['open', 'assigning']],
    ['assigned', ['assigned']],
    ['submitted', ['submitted', 'verifying', 'accepting']],
  ])('the renter, once the job is %s', async (_name, phases) => {
    const taskId = await begin();
    await killRenterAt(taskId, phases);
    expect(await paidInTheEnd(taskId)).toBe(WATT);
  });

  test.each([
    ['assigned', ['assigned', 'fetching', 'preparing']],
    ['running', ['running']],
    ['packed', ['packing', 'submitting']],
    ['submitted', ['submitted']],
  ])('the provider, once the job is %s', async (_name, phases) => {
    const taskId = await begin();
    await killProviderAt(phases);
    expect(await paidInTheEnd(taskId)).toBe(WATT);
  });
});
