/** What is installed is the bundle, not these sources: the jobs demo through it, kernels in processes of their own. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { JobsDemo } from '../src/host/cli/demo-jobs.ts';
import { describeUnless } from './support/describe-unless.ts';
import { anvilMissing } from './support/market.ts';

const cli = path.join(import.meta.dirname, '../dist/host/cli.js');
const notBuilt = existsSync(cli) ? null : 'nothing is built: npm run build';

describeUnless(notBuilt ?? anvilMissing(), 'the bundle', () => {
  test('three jobs of three clients are run by three workers, verified and paid', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [cli, 'demo', '--json'], { timeout: 90_000 });
    const { workers, jobs } = JSON.parse(stdout) as JobsDemo;
    expect(jobs.map(({ model, status }) => [model, status])).toEqual([
      ['linear_regression', 'verified'],
      ['k_means', 'verified'],
      ['pca', 'verified'],
    ]);
    expect(
      workers.every(({ simulatedCard, balanceAfter, balanceBefore }) => simulatedCard && balanceAfter > balanceBefore),
    ).toBe(true);
  }, 100_000);
});
