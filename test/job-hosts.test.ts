/** Jobs between hosts of their own processes, with containers, while both sides are killed. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SpawnedHost } from '../src/host/spawned-host.ts';
import { PRACTICE_IMAGE } from '../src/runtime/create-options.ts';
import { describeUnless } from './support/describe-unless.ts';
import { balanceOf, deposit, isOver, untilJob } from './support/job-market.ts';
import { anvilMissing, containersOf, engineMissing, TestMarket } from './support/market.ts';

const ENV = { COMMONWATT_JOBS: '{"marginSeconds": 5}' };
const TASKS = 6;
const command = () => ({ commandId: crypto.randomUUID() });

describeUnless(anvilMissing() ?? engineMissing(), 'jobs between hosts', () => {
  let folder: string;
  let market: TestMarket;
  let renter: SpawnedHost;
  const providers: SpawnedHost[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'commonwatt-job-hosts-'));
    market = await TestMarket.open();
    renter = await market.host('renter', ENV);
    for (const name of ['provider-1', 'provider-2']) {
      const provider = await market.host(name);
      await market.share(provider, renter);
      await deposit(provider, 'PUSD', 100_000_000n);
      await provider.client.work.start({ ...command(), claimsOpen: false });
      providers.push(provider);
    }
    await deposit(renter, 'PUSD', 100_000_000n);
  }, 180_000);
  afterAll(async () => {
    await market?.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('an array with an uploaded folder is done and paid once, though the renter and a provider are killed', async () => {
    const upload = path.join(folder, 'words');
    await mkdir(upload);
    await writeFile(path.join(upload, 'greeting.txt'), 'good morning');
    const { available: before } = await balanceOf(renter, 'PUSD');
    const { taskIds } = await renter.client.jobs.submit({
      ...command(),
      file: {
        name: 'greetings',
        work: {
          type: 'docker',
          image: PRACTICE_IMAGE,
          command: [
            'sh',
            '-c',
            'sleep 3; echo working; echo "$(cat $COMMONWATT_IN/words/greeting.txt) $COMMONWATT_TASK_INDEX" > $COMMONWATT_OUT/said.txt',
          ],
        },
        inputs: [{ path: 'words', upload }],
        timeouts: { queueSeconds: 600, runSeconds: 20 },
        resources: { diskBytes: 2 ** 28, memoryBytes: 2 ** 27 },
        array: TASKS,
        bounty: '1',
        token: 'PUSD',
      },
    });
    await Promise.any(
      taskIds.map((taskId) => untilJob(renter, taskId, ({ runs }) => runs.some(({ phase }) => phase === 'running'))),
    );
    renter.kill('SIGKILL');
    await renter.exited;
    renter = await market.host('renter', ENV);
    const [dead] = providers as [SpawnedHost];
    const { address } = await dead.client.wallet.status();
    await Promise.any(
      taskIds.map((taskId) =>
        untilJob(
          renter,
          taskId,
          ({ runs, status }) => status === 'assigned' && runs.some((run) => run.provider === address),
        ),
      ),
    );
    dead.kill('SIGKILL');
    await dead.exited;

    const jobs = await Promise.all(taskIds.map((taskId) => untilJob(renter, taskId, isOver, 240_000)));
    expect(jobs.map(({ status, detail }) => `${status} ${status === 'failed' ? detail : ''}`)).toEqual(
      jobs.map(() => 'verified '),
    );
    for (const job of jobs) {
      const target = path.join(folder, job.taskId);
      await renter.client.jobs.saveResults({ taskId: job.taskId, folder: target });
      expect(await readFile(path.join(target, 'out/said.txt'), 'utf8')).toBe(`good morning ${job.index}\n`);
      expect(await readFile(path.join(target, 'logs/stdout'), 'utf8')).toBe('working\n');
    }
    const late = jobs.flatMap(({ runs }) => runs).filter(({ phase }) => phase === 'refunded').length;
    expect(late).toBeGreaterThan(0);
    // Another life of the killed provider clears away what its last one left.
    await market.host('provider-1');
    const ran = jobs.flatMap(({ runs }) => runs.map(({ dealId }) => dealId));
    await expect
      .poll(() => ran.flatMap((dealId) => containersOf(dealId)), { timeout: 60_000, interval: 500 })
      .toEqual([]);
    // A tenth of the bounty of each run that never came is the renter's.
    const { available: after } = await balanceOf(renter, 'PUSD');
    expect(before - after).toBe(BigInt(TASKS) * 1_000_000n - BigInt(late) * 100_000n);
  }, 240_000);
});
