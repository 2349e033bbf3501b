/**
 * What the market adds to a container job of twenty seconds: from `jobs.submit` on a renter's host until the result is
 * here, checked and paid, over a real chain, a real line and a real engine with the image present. Against a bare
 * `docker run` of the same command, in turns.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Job } from '../src/api/contract.ts';
import { untilListed } from '../src/host/cli/demo.ts';
import { isReady, spawnHost, untilStatus } from '../src/host/spawned-host.ts';
import { PRACTICE_IMAGE } from '../src/runtime/create-options.ts';
import { COMMAND, median, report, say } from './harness.ts';

const ROUNDS = 3;
/** Sleeps for most of the time, so that what is measured is the market and not this machine's processors. */
const WORK = ['sh', '-c', 'sleep 20; echo done > "${COMMONWATT_OUT:-/tmp}/answer"'];

const run = promisify(execFile);

async function dockerRun(): Promise<number> {
  const started = performance.now();
  await run('docker', ['run', '--rm', '--network', 'none', PRACTICE_IMAGE, ...WORK]);
  return performance.now() - started;
}

const root = await mkdtemp(path.join(tmpdir(), 'commonwatt-bench-'));
const provider = await spawnHost({ command: COMMAND, dataDir: path.join(root, 'provider'), network: 'practice' });
const { network } = await untilStatus(provider.client, isReady);
const renter = await spawnHost({
  command: COMMAND,
  dataDir: path.join(root, 'renter'),
  network: 'practice',
  rpcUrl: network.joinUrl ?? '',
});
try {
  await untilStatus(renter.client, isReady);
  const { offer } = await provider.client.share.suggest();
  const { offerId } = await provider.client.share.start({ commandId: crypto.randomUUID(), offer });
  await untilListed(renter.client, offerId);
  await provider.client.work.start({ commandId: crypto.randomUUID(), claimsOpen: false });
  const { tokens } = (await renter.client.system.status()).network;
  const watt = tokens.find(({ symbol }) => symbol === 'WATT');
  if (!watt) throw new Error('The practice network has no WATT.');
  // One for bounties, the other for bonds.
  for (const { client } of [renter, provider]) {
    await client.wallet.deposit({
      commandId: crypto.randomUUID(),
      token: watt.address,
      amount: `${100n * 10n ** BigInt(watt.decimals)}`,
    });
  }

  const submit = async (): Promise<number> => {
    const started = performance.now();
    const { taskIds } = await renter.client.jobs.submit({
      commandId: crypto.randomUUID(),
      file: { name: 'bench', work: { type: 'docker', image: PRACTICE_IMAGE, command: WORK }, bounty: '5' },
    });
    const job = await untilOver(taskIds[0] ?? '');
    if (job.status !== 'verified') throw new Error(`The job ended ${job.status}: ${job.detail}`);
    return performance.now() - started;
  };

  async function untilOver(taskId: string): Promise<Job> {
    for await (const job of await renter.client.jobs.watch({ taskId })) {
      if (['verified', 'failed', 'cancelled'].includes(job.status)) return job;
    }
    throw new Error('The job was lost sight of.');
  }

  say(`warm-up ${(await submit()).toFixed(0)} ms`);
  const ours: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    bare.push(await dockerRun());
    ours.push(await submit());
    say(`round ${round + 1}/${ROUNDS}: ours ${ours.at(-1)?.toFixed(0)} ms, docker run ${bare.at(-1)?.toFixed(0)} ms`);
  }
  report({ name: 'job-overhead', value: median(ours), unit: 'ms', baseline: median(bare), n: ROUNDS });
} finally {
  await renter.stop();
  await provider.stop();
  await rm(root, { recursive: true, force: true });
}
