/** A built-in kernel as a job: really run in a process of its own that outlives the host which started it. */
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fetchContent } from '../src/content/fetch-content.ts';
import { createChildJobs } from '../src/runtime/child/child-jobs.ts';
import { silentLog } from '../src/shared/log.ts';
import { systemClock } from '../src/shared/time.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { JobRuntimes } from '../src/runtime/job-runtime.ts';
import { describeUnless } from './support/describe-unless.ts';
import { anvilMissing } from './support/market.ts';
import { WorkWorld } from './support/work-world.ts';

describeUnless(anvilMissing(), 'a kernel as a job', () => {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'commonwatt-kernel-job-'));
  let runtimes: JobRuntimes;
  let world: WorkWorld;

  beforeAll(async () => {
    runtimes = createChildJobs({ dataDir, clock: systemClock, log: silentLog });
    world = await WorkWorld.open(runtimes);
  }, 60_000);
  afterAll(async () => {
    await world?.close();
    rmSync(dataDir, { recursive: true, force: true });
  });

  test.each(['nothing happens', 'the host dies while it runs'] as const)('%s: y = 2x + 1 is found', async (fate) => {
    const rows = Array.from({ length: 50 }, (_, x) => `${x},${2 * x + 1}`);
    const table = await world.renter.content.importBytes(Buffer.from(`x,y\n${rows.join('\n')}\n`));
    world.shared.add(table.cid);
    const killed = fate === 'nothing happens' ? Promise.resolve() : world.killedAt('running');
    const { terms, dealId } = await world.assign(
      world.spec({
        work: { type: 'kernel', model: 'linear_regression', table: 'data.csv' },
        inputs: [{ from: 'renter', path: 'data.csv', cid: table.cid, bytes: 300 }],
      }),
    );
    await killed;
    if (fate !== 'nothing happens') await world.restart();
    const run = await world.phase(dealId, 'submitted', 'failed');
    expect(run).toMatchObject({ phase: 'submitted', exitCode: 0 });
    const { content: store, chain } = world.renter;
    const cid = run.resultCid ?? '';
    await fetchContent(cid, [{ peer: await world.line() }], { store });
    const text = Buffer.concat(await Readable.from(store.read(cid, 'out/result.json')).toArray()).toString();
    expect(text).toMatch(/2/);
    const { coefficients, intercept } = JSON.parse(text) as { coefficients: number[]; intercept: number };
    expect(coefficients[0]).toBeCloseTo(2, 10);
    expect(intercept).toBeCloseTo(1, 10);
    await world.renter.send(chain.calls.acceptJob(terms, world.offerId));
    expect((await world.phase(dealId, 'settled')).paid).toBe(terms.bounty);
    await expect.poll(() => runtimes.list()).toEqual([]);
  });
});
