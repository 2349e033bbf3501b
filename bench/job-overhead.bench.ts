/**
 * What the market adds to a container job of twenty seconds: from `jobs.submit` on a renter's host until the result is
 * here, checked and paid, over a real chain, a real line and a real engine with the image present. Against a bare
 * `docker run` of the same command, in turns.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { PRACTICE_IMAGE } from '../src/runtime/create-options.ts';
import { WATT, depositWatt, isOver, submit, untilJob } from '../test/support/job-market.ts';
import { compareInTurns } from './harness.ts';
import { withTwoHosts } from './two-hosts.ts';

/** Sleeps for most of the time, so that what is measured is the market and not this machine's processors. */
const WORK = ['sh', '-c', 'sleep 20; echo done > "${COMMONWATT_OUT:-/tmp}/answer"'];

const run = promisify(execFile);

async function dockerRun(): Promise<number> {
  const started = performance.now();
  await run('docker', ['run', '--rm', '--network', 'none', PRACTICE_IMAGE, ...WORK]);
  return performance.now() - started;
}

await withTwoHosts(async ({ provider, renter }) => {
  await provider.client.work.start({ commandId: crypto.randomUUID(), claimsOpen: false });
  // One for bounties, the other for bonds.
  for (const host of [renter, provider]) await depositWatt(host, 100n * WATT);

  const runJob = async (): Promise<number> => {
    const started = performance.now();
    const [taskId = ''] = await submit(renter, {
      name: 'bench',
      work: { type: 'docker', image: PRACTICE_IMAGE, command: WORK },
      bounty: '5',
    });
    const { status, detail } = await untilJob(renter, taskId, isOver);
    if (status !== 'verified') throw new Error(`The job ended ${status}: ${detail}`);
    return performance.now() - started;
  };

  await compareInTurns({ name: 'job-overhead', rounds: 3, ours: runJob, bare: dockerRun });
});
