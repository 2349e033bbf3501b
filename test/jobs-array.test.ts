/** A hundred tasks over four providers of which one is killed midway: everything is done, everything is paid once. */
import { readdirSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Job } from '../src/api/contract.ts';
import type { SpawnedHost } from '../src/host/spawned-host.ts';
import { DROP, call, command, load, store, i32 } from '../src/runtime/child/tiny-wasm.ts';
import type { Address, Bytes32 } from '../src/shared/ids.ts';
import { describeUnless } from './support/describe-unless.ts';
import {
  RawParty,
  WATT,
  depositWatt,
  ledgerIsChain,
  resultText,
  submit,
  upload,
  worksFor,
} from './support/job-market.ts';
import { TestMarket, anvilMissing, engineMissing } from './support/market.ts';

const TASKS = 100;
const PROVIDERS = 4;
/** Seconds of a run; with the margin and time for the transaction the deadline is a little over a minute away. */
const RUN_SECONDS = 15;
const QUICK_JOBS = { COMMONWATT_JOBS: JSON.stringify({ marginSeconds: 40 }) };

/** Sleeps two seconds, then writes every variable that it sees to a file. */
const MODULE = command(
  [
    // A subscription to the monotonic clock, in nanoseconds.
    ...store(216, i32(1)),
    ...store(224, i32(1_000_000_000)),
    ...call('poll_oneoff', 200, 300, 1, 12),
    ...DROP,
    ...call('poll_oneoff', 200, 300, 1, 12),
    ...DROP,
    ...call('environ_get', 4096, 8192),
    ...DROP,
    ...call('path_open', 4, 0, 120, 3, 1, 64n, 0n, 0, 0),
    ...DROP,
    ...store(16, i32(8192)),
    ...store(20, i32(2048)),
    ...call('fd_write', load(0), 16, 1, 12),
    ...DROP,
  ],
  { texts: [[120, 'env']] },
);

/** Processes, other than the host itself, that work in its data directory. */
const leftRunning = (dataDir: string): string[] =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`).startsWith(dataDir);
    } catch {
      return false;
    }
  });

describeUnless(engineMissing() ?? anvilMissing(), 'an array of jobs', () => {
  let market: TestMarket;
  let renter: SpawnedHost;
  let raw: RawParty;
  const providers: SpawnedHost[] = [];

  beforeAll(async () => {
    market = await TestMarket.open();
    [renter, raw] = await Promise.all([market.host('renter', QUICK_JOBS), RawParty.open(market.joinUrl)]);
    for (let index = 0; index < PROVIDERS; index += 1) {
      const provider = await market.host(`provider-${index}`);
      await worksFor(market, provider, renter);
      providers.push(provider);
    }
    await depositWatt(renter, 200n * WATT);
  });
  afterAll(async () => {
    await raw?.close();
    await market?.close();
  });

  const tasks = async (batchId: string): Promise<Job[]> =>
    (await renter.client.jobs.list({ batchId, limit: 500 })).jobs.toSorted((a, b) => a.index - b.index);
  const accountOf = async ({ client }: SpawnedHost): Promise<Address> =>
    (await client.system.status()).wallet.address as Address;

  test('every output is right, every task is paid once, what the dead one had is run elsewhere', async () => {
    const module = await upload(renter, 'module.wasm', MODULE);
    const taskIds = await submit(renter, {
      name: 'frames',
      work: { type: 'wasm', module },
      array: { FRAME: Array.from({ length: TASKS }, (_, index) => `frame-${index}`) },
      resources: { memoryBytes: 64 * 2 ** 20 },
      timeouts: { runSeconds: RUN_SECONDS },
      bounty: '1.25',
      retries: 3,
    });
    expect(taskIds).toHaveLength(TASKS);
    const batchId = taskIds[0]?.replace(/-0$/, '') ?? '';

    const dead = providers[1] as SpawnedHost;
    const deadAccount = await accountOf(dead);
    const seen = new Set<Bytes32>();
    let lost: Bytes32 | undefined;
    await expect
      .poll(
        async () => {
          const { counts } = await renter.client.jobs.list({ batchId, limit: 1 });
          const { running } = await dead.client.work.status();
          // One that has only just begun.
          lost = running.find(({ phase, dealId }) => phase === 'running' && !seen.has(dealId))?.dealId;
          for (const { phase, dealId } of running) if (phase === 'running') seen.add(dealId);
          return counts.verified >= TASKS / 4 && lost !== undefined;
        },
        { timeout: 120_000, interval: 50 },
      )
      .toBe(true);
    dead.kill('SIGKILL');
    await dead.exited;
    expect(leftRunning(dead.dataDir)).not.toEqual([]);

    await expect
      .poll(async () => (await renter.client.jobs.list({ batchId, limit: 1 })).counts, {
        timeout: 240_000,
        interval: 500,
      })
      .toMatchObject({ verified: TASKS });

    const jobs = await tasks(batchId);
    for (const [index, job] of jobs.entries()) {
      const variables = (await resultText(renter, job.taskId, 'out/env')).split('\0');
      expect(variables).toContain(`FRAME=frame-${index}`);
      expect(variables).toContain(`COMMONWATT_TASK_INDEX=${index}`);
      expect(job).toMatchObject({ status: 'verified', paid: job.bounty, resultHere: true });
    }
    expect(new Set(jobs.map(({ jobId }) => jobId)).size).toBe(TASKS);
    // More than one provider worked, and the dead one's task was done by another.
    const workers = new Set(jobs.map(({ runs }) => runs.at(-1)?.provider));
    expect(workers.size).toBe(PROVIDERS);
    const moved = jobs.find(({ runs }) => runs.some(({ dealId }) => dealId === lost));
    expect(moved?.attempts).toBe(2);
    expect(moved?.runs.at(-1)?.provider).not.toBe(deadAccount);

    // The chain's own word: a hundred payments of the bounty, one for each task, and one strike.
    const account = await accountOf(renter);
    const bounty = BigInt(jobs[0]?.bounty ?? 0);
    const onChain = () => raw.chain.jobsOf(account, { role: 'renter', limit: 1000 });
    await raw.until(() => onChain().filter(({ state }) => state === 'verified').length === TASKS);
    const deals = onChain().flatMap(({ jobId }) => raw.chain.jobDeals(jobId));
    expect(deals.reduce((sum, { paid }) => sum + paid, 0n)).toBe(bounty * BigInt(TASKS));
    expect(deals.filter(({ state }) => state === 'verified')).toHaveLength(TASKS);
    const late = deals.filter(({ state }) => state !== 'verified');
    expect(late.map(({ dealId, state, provider, paid }) => ({ dealId, state, provider, paid }))).toEqual([
      { dealId: lost, state: 'refunded', provider: deadAccount, paid: 0n },
    ]);
    expect(late[0]?.forfeit).toBe(bounty / 10n);
    expect(late[0]?.refund).toBe(bounty);
    expect(raw.chain.standing(deadAccount).strikes).toBe(1);
    expect(await ledgerIsChain(renter.client)).toBe(true);
    for (const provider of providers.filter((one) => one !== dead)) {
      expect(await ledgerIsChain(provider.client)).toBe(true);
    }

    const risen = await market.host('provider-1');
    await expect.poll(() => leftRunning(risen.dataDir), { timeout: 20_000, interval: 200 }).toEqual([]);
    const work = await risen.client.work.status();
    expect(work.running).toEqual([]);
    expect(work.recent.find(({ dealId }) => dealId === lost)).toMatchObject({ phase: 'failed', paid: '0' });
    expect(await ledgerIsChain(risen.client)).toBe(true);
  }, 400_000);
});
