import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { Bytes32 } from '../shared/ids.ts';
import { silentLog } from '../shared/log.ts';
import { systemClock } from '../shared/time.ts';
import { MIB } from '../shared/units.ts';
import { EXIT_3 } from './child/tiny-wasm.ts';
import { openDockerEngine } from './docker-engine.ts';
import type { JobPlan } from './job-runtime.ts';
import { openJobRuntimes } from './job-runtimes.ts';

const id = (digit: string): Bytes32 => `0x${digit.repeat(64)}`;

test('without an engine modules run all the same, and containers say why they do not', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'commonwatt-no-engine-'));
  const common = { installId: 'test', dataDir: folder, clock: systemClock, log: silentLog };
  const engine = openDockerEngine({ ...common, socketPath: path.join(folder, 'no.sock') });
  const jobs = openJobRuntimes({ ...common, engine });
  const module = path.join(folder, 'module.wasm');
  const inputs = path.join(folder, 'inputs');
  mkdirSync(inputs);
  writeFileSync(module, EXIT_3);
  const plan: JobPlan = {
    dealId: id('a'),
    work: { type: 'wasm', module: 'b'.repeat(59), args: [], env: {} },
    env: {},
    inputs,
    module,
    limits: { cpus: 1, memoryBytes: 64 * MIB, diskBytes: 64 * MIB, pids: 8, uploadBitsPerSecond: null, gpuIds: [] },
    network: 'none',
    runSeconds: 60,
    outputCaps: { maxBytes: MIB, maxFiles: 10 },
  };
  try {
    const job = await jobs.start(plan);
    expect(await job.wait()).toMatchObject({ exitCode: 3 });
    expect(await (await jobs.find(plan.dealId))?.wait()).toMatchObject({ exitCode: 3 });
    expect(await jobs.list()).toEqual([plan.dealId]);
    await jobs.remove(plan.dealId);
    expect(await jobs.list()).toEqual([]);
    const work = { type: 'docker' as const, image: 'commonwatt/practice:1', env: {} };
    await expect(jobs.start({ ...plan, dealId: id('c'), work })).rejects.toMatchObject({ code: 'engine-down' });
    await expect(jobs.find(id('c'))).rejects.toMatchObject({ code: 'engine-down' });
    await expect(jobs.remove(id('c'))).rejects.toMatchObject({ code: 'engine-down' });
  } finally {
    await jobs.close();
    await engine.close();
    rmSync(folder, { recursive: true });
  }
});
