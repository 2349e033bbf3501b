import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { extract } from 'tar-stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Bytes32 } from '../../shared/ids.ts';
import type { Work } from '../../shared/job-spec.ts';
import { kernelSample } from '../../shared/kernel-samples.ts';
import { kernelResultSchema } from '../../shared/kernels.ts';
import { silentLog } from '../../shared/log.ts';
import { delay } from '../../shared/retry.ts';
import { systemClock } from '../../shared/time.ts';
import { GIB, MIB } from '../../shared/units.ts';
import type { JobPlan, JobProcess, JobRuntimes } from '../job-runtime.ts';
import { createChildJobs } from './child-jobs.ts';
import { call, command, DROP, ECHO, EXIT_3, FLOOD, GROW, load, LOOP, sleeper, UNREACHABLE } from './tiny-wasm.ts';

async function readTar(tar: Readable): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const reader = tar.pipe(extract());
  for await (const entry of reader) {
    const parts: Buffer[] = [];
    for await (const bytes of entry) parts.push(bytes as Buffer);
    found[entry.header.name] = Buffer.concat(parts).toString();
  }
  return found;
}

async function readLogs(job: JobProcess, fromByte = 0, follow = false): Promise<string> {
  let text = '';
  for await (const { stream, bytes } of job.logs({ fromByte, follow }))
    text += `${stream}:${Buffer.from(bytes).toString()} `;
  return text.trimEnd();
}

async function untilSaid(job: JobProcess, words: string): Promise<void> {
  let said = '';
  for await (const { bytes } of job.logs({ fromByte: 0, follow: true })) {
    said += Buffer.from(bytes).toString();
    if (said.includes(words)) return;
  }
}

let next = 1;
const newDealId = (): Bytes32 => `0x${(next++).toString(16).padStart(64, '0')}`;

describe('jobs in processes of their own', () => {
  let folder: string;
  let dataDir: string;
  let inputs: string;
  let jobs: JobRuntimes;
  const opened: JobRuntimes[] = [];
  const again = (): JobRuntimes => {
    const one = createChildJobs({ dataDir, clock: systemClock, log: silentLog });
    opened.push(one);
    return one;
  };
  const moduleOf = (bytes: Uint8Array): string => {
    const file = path.join(folder, `${next++}.wasm`);
    writeFileSync(file, bytes);
    return file;
  };
  const WASM: Work = { type: 'wasm', module: 'b'.repeat(59), args: [], env: {} };
  const planOf = (bytes: Uint8Array, changes: Partial<JobPlan> = {}): JobPlan => ({
    dealId: newDealId(),
    work: WASM,
    env: {},
    inputs,
    module: moduleOf(bytes),
    limits: { cpus: 1, memoryBytes: 64 * MIB, diskBytes: GIB, pids: 32, uploadBitsPerSecond: null, gpuIds: [] },
    network: 'none',
    runSeconds: 60,
    outputCaps: { maxBytes: 8 * MIB, maxFiles: 10 },
    ...changes,
  });
  /** A program that says "go", starts the job and says "up". */
  const starter = (plan: JobPlan): string => {
    const from = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);
    return `
      import { createChildJobs } from ${from('./child-jobs.ts')};
      import { systemClock } from ${from('../../shared/time.ts')};
      import { silentLog as log } from ${from('../../shared/log.ts')};
      const jobs = createChildJobs({ dataDir: ${JSON.stringify(dataDir)}, clock: systemClock, log });
      process.stdout.write('go');
      await jobs.start(${JSON.stringify(plan)});
      process.stdout.write('up');
    `;
  };
  const leftovers = (): string[] =>
    existsSync(path.join(dataDir, 'runs')) ? readdirSync(path.join(dataDir, 'runs')) : [];
  const pidOf = (dealId: Bytes32): number =>
    (JSON.parse(readFileSync(path.join(dataDir, 'runs', dealId.slice(2), 'process.json'), 'utf8')) as { pid: number })
      .pid;
  const alive = (pid: number): boolean => {
    try {
      process.kill(pid, 0);
      return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    } catch {
      return false;
    }
  };

  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'commonwatt-runs-'));
    dataDir = path.join(folder, 'data');
    inputs = path.join(folder, 'inputs');
    mkdirSync(path.join(inputs, 'deep'), { recursive: true });
    writeFileSync(path.join(inputs, 'data.txt'), 'hello');
    writeFileSync(path.join(inputs, 'deep', 'more.txt'), 'more');
    jobs = again();
  });
  afterEach(async () => {
    for (const dealId of await jobs.list()) await jobs.remove(dealId);
  });
  afterAll(async () => {
    for (const one of opened) await one.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('a module reads its inputs, leaves outputs and says things', async () => {
    const job = await jobs.start(planOf(ECHO));
    const end = await job.wait();
    expect(end).toMatchObject({ exitCode: 0, reason: 'exited', detail: '' });
    expect(await readTar(await job.outputs())).toEqual({ 'copy.txt': 'hello' });
    expect(await readLogs(job)).toBe('1:hello 2:hello');
    expect(await readLogs(job, 3)).toBe('1:lo 2:hello');
    expect(await readLogs(job, 7, true)).toBe('2:llo');
    expect(await readLogs(job, 99)).toBe('');
    expect(await job.usage()).toMatchObject({ memoryBytes: 0 });
    expect(readFileSync(path.join(inputs, 'data.txt'), 'utf8')).toBe('hello');
  });

  test.for([
    ['exits with 3', EXIT_3, { exitCode: 3, reason: 'exited', detail: '' }],
    ['traps', command(UNREACHABLE), { exitCode: 134, reason: 'exited', detail: 'The module trapped: unreachable' }],
    ['grows without end', GROW, { exitCode: null, reason: 'out-of-memory' }],
    ['writes without end', FLOOD, { exitCode: null, reason: 'output-limit', detail: 'It wrote more than 8 MiB.' }],
    ['calls with a pointer to nowhere', command([...call('fd_write', 1, -4, 1, 0), ...DROP]), { exitCode: 134 }],
    [
      'makes this program need memory for it',
      command([...call('fd_read', 3, 0, 8_000_000, 4), ...DROP], { memory: [0, 0xe8, 7] }),
      { exitCode: null, reason: 'out-of-memory' },
    ],
    ['is not valid inside', Uint8Array.from([...EXIT_3.subarray(0, 8), 9, 1, 9]), { exitCode: 126, reason: 'exited' }],
  ] as const)('a module that %s', async ([, bytes, expected]) => {
    const job = await jobs.start(planOf(bytes));
    expect(await job.wait()).toMatchObject(expected);
    const outputs = await readTar(await job.outputs());
    expect(Object.values(outputs).every((text) => text.length <= 8 * MIB)).toBe(true);
  });

  test('a module that loops for ever is ended at its deadline, one that sleeps too', async () => {
    const looping = await jobs.start(planOf(LOOP, { runSeconds: 1 }));
    const sleeping = await jobs.start(planOf(sleeper(Infinity), { runSeconds: 1 }));
    const end = await looping.wait();
    expect(end).toMatchObject({ exitCode: null, reason: 'run-timeout' });
    expect(await sleeping.wait()).toMatchObject({ exitCode: null, reason: 'run-timeout' });
    expect(await readTar(await sleeping.outputs())).toEqual({ part: 'up\n' });
    expect(end !== 'engine-lost' && end.finishedAtMs - end.startedAtMs).toBeLessThan(10_000);
  });

  test('inputs cannot be changed, files are counted, removed ones given back', async () => {
    const inRead = [
      // Create, write, remove and move things in in/.
      ...call('path_open', 3, 0, 100, 1, 1, 64n, 0n, 0, 0),
      ...call('path_unlink_file', 3, 110, 8),
      ...call('path_rename', 3, 110, 8, 4, 110, 8),
      ...call('path_create_directory', 3, 100, 1),
    ];
    // Each answer must be an error: their product is not 0.
    const product = [0x6c, 0x6c, 0x6c, 0x45, 0x04, 0x40, ...UNREACHABLE, 0x0b];
    const churn = Array.from({ length: 30 }, () => [
      ...call('path_open', 4, 0, 100, 1, 1, 64n, 0n, 0, 0),
      ...DROP,
      ...call('fd_close', load(0)),
      ...DROP,
      ...call('path_unlink_file', 4, 100, 1),
      ...DROP,
    ]).flat();
    const bytes = command([...inRead, ...product, ...churn, ...call('proc_exit', 0)], {
      texts: [
        [100, 'x'],
        [110, 'data.txt'],
      ],
    });
    const job = await jobs.start(planOf(bytes));
    expect(await job.wait()).toMatchObject({ exitCode: 0 });
    expect(await readTar(await job.outputs())).toEqual({});
    const many = Array.from({ length: 11 }, (_, i) => [
      ...call('path_create_directory', 4, 100 + i, 1),
      ...DROP,
    ]).flat();
    const full = await jobs.start(planOf(command(many, { texts: [[100, 'abcdefghijk']] })));
    expect(await full.wait()).toMatchObject({
      reason: 'output-limit',
      detail: 'It made more than 10 files and folders.',
    });
    expect(Object.keys(await readTar(await full.outputs()))).toHaveLength(10);
  });

  test('stop: what was written so far stays; a module that never calls is ended all the same', async () => {
    const sleeping = await jobs.start(planOf(sleeper(Infinity)));
    await untilSaid(sleeping, 'up');
    await expect(sleeping.outputs()).rejects.toMatchObject({ code: 'conflict' });
    await sleeping.checkpoint();
    await sleeping.stop(5);
    expect(await sleeping.wait()).toMatchObject({ exitCode: null, reason: 'exited', detail: 'It was stopped.' });
    expect(await readTar(await sleeping.outputs())).toEqual({ part: 'up\n' });
    const looping = await jobs.start(planOf(LOOP));
    await looping.stop(0);
    expect(await looping.wait()).toMatchObject({ exitCode: null, reason: 'exited' });
    await looping.stop(0);
  });

  test.for([
    ['too little memory for it', { limits: { memoryBytes: MIB } }, command([], { memory: [0, 17] }), 'bad-input'],
    ['the internet', { network: 'internet' }, ECHO, 'unsupported'],
    ['a variable that steers the loader', { env: { LD_PRELOAD: 'x' } }, ECHO, 'bad-input'],
    ['no module', {}, new TextEncoder().encode('no'), 'bad-input'],
    ['inputs larger than its disk', { limits: { diskBytes: 4 } }, ECHO, 'bad-input'],
  ] as const)('refused, and nothing left: %s', async ([, changes, bytes, code]) => {
    const plan = planOf(bytes);
    const limits = { ...plan.limits, ...('limits' in changes ? changes.limits : {}) };
    await expect(jobs.start({ ...plan, ...changes, limits })).rejects.toMatchObject({ code });
    expect(leftovers()).toEqual([]);
  });

  test('a kernel: the result, and a table it cannot read', async () => {
    const sample = kernelSample('linear_regression');
    const table = path.join(folder, 'table');
    mkdirSync(table);
    writeFileSync(path.join(table, 'data.csv'), sample.csv);
    const work: Work = { type: 'kernel', model: 'linear_regression', table: 'data.csv', params: { ...sample.params } };
    const { module: _, ...plan } = planOf(ECHO, { work, inputs: table });
    const job = await jobs.start(plan);
    expect(await job.wait()).toMatchObject({ exitCode: 0, reason: 'exited' });
    const { 'result.json': result } = await readTar(await job.outputs());
    expect(kernelResultSchema.parse(JSON.parse(result ?? ''))).toMatchObject({ model: 'linear_regression', rank: 4 });
    const wrong = await jobs.start({ ...plan, dealId: newDealId(), inputs });
    expect(await wrong.wait()).toMatchObject({ exitCode: 1, reason: 'exited', detail: /no table data\.csv/ });
    expect(await readLogs(wrong)).toContain('2:There is no table data.csv');
    expect(await readTar(await wrong.outputs())).toEqual({});
  });

  test('after a restart: the same end, a running one goes on, another job under the same deal is refused', async () => {
    const plan = planOf(ECHO);
    const end = await (await jobs.start(plan)).wait();
    const slow = planOf(sleeper(1));
    await jobs.start(slow);
    const later = again();
    expect(await later.list()).toEqual([plan.dealId, slow.dealId].toSorted());
    expect(await (await later.find(plan.dealId))?.wait()).toEqual(end);
    expect(await (await later.start(plan)).wait()).toEqual(end);
    await expect(later.start({ ...plan, runSeconds: 61 })).rejects.toMatchObject({ code: 'conflict' });
    const running = await later.find(slow.dealId);
    expect(await readLogs(running as JobProcess, 0, true)).toBe('1:up');
    expect(await running?.wait()).toMatchObject({ exitCode: 0 });
    expect(await later.find(newDealId())).toBeNull();
    const stop = new AbortController();
    const cancelled = (await later.start(planOf(LOOP))).wait(stop.signal);
    stop.abort();
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
  });

  test('removed while it runs: the process dies, whoever waits hears of it', async () => {
    const plan = planOf(LOOP);
    const job = await jobs.start(plan);
    const pid = pidOf(plan.dealId);
    expect(alive(pid)).toBe(true);
    const waiting = job.wait().catch((thrown: unknown) => thrown);
    await job.remove();
    expect(await waiting).toMatchObject({ code: 'not-found' });
    expect(alive(pid)).toBe(false);
    await job.remove();
    expect(leftovers()).toEqual([]);
  });

  test('a process that is killed from outside is lost, and so does one whose pid belongs to somebody else now', async () => {
    const plan = planOf(LOOP);
    const job = await jobs.start(plan);
    process.kill(pidOf(plan.dealId), 'SIGKILL');
    const end = await job.wait();
    expect(end).toMatchObject({ exitCode: null, reason: 'lost', detail: 'Its process was ended from outside.' });
    expect(await (await again().find(plan.dealId))?.wait()).toEqual(end);
    const other = planOf(LOOP);
    await jobs.start(other);
    process.kill(pidOf(other.dealId), 'SIGKILL');
    const file = path.join(dataDir, 'runs', other.dealId.slice(2), 'process.json');
    const claim = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...claim, pid: process.pid }));
    expect(await (await again().find(other.dealId))?.wait()).toMatchObject({ exitCode: null, reason: 'lost' });
  });

  test.for([0, 3, 10, 30, 80, 160, 250])(
    'kill -9 of our program %i ms into a start: started again it runs, and nothing is left',
    async (afterMs) => {
      const plan = planOf(ECHO);
      const parent = spawn(process.execPath, ['--input-type=module', '-e', starter(plan)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(parent.stdout, 'data');
      await delay(afterMs);
      parent.kill('SIGKILL');
      await once(parent, 'exit');
      const later = again();
      const job = await later.start(plan);
      expect(await job.wait()).toMatchObject({ exitCode: 0, reason: 'exited' });
      expect(await readTar(await job.outputs())).toEqual({ 'copy.txt': 'hello' });
      await job.remove();
      expect(leftovers()).toEqual([]);
    },
  );

  test('kill -9 of our program: the run goes on, its result is found, a half-made one is only removed', async () => {
    const plan = planOf(sleeper(2));
    const parent = spawn(process.execPath, ['--input-type=module', '-e', starter(plan)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const words of parent.stdout) if (String(words).includes('up')) break;
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    const half = newDealId();
    mkdirSync(path.join(dataDir, 'runs', half.slice(2)));
    const later = again();
    const job = await later.find(plan.dealId);
    expect(alive(pidOf(plan.dealId))).toBe(true);
    expect(await job?.wait()).toMatchObject({ exitCode: 0, reason: 'exited' });
    expect(await readTar((await job?.outputs()) as Readable)).toEqual({ part: 'up\n' });
    expect(await later.list()).toEqual([plan.dealId, half].toSorted());
    expect(await later.find(half)).toBeNull();
    await later.remove(half);
  });

  test.skipIf(process.platform !== 'linux')('the process sees nothing of this one (needs Linux to look)', async () => {
    const plan = planOf(sleeper(Infinity), { env: { TOKEN: 'a secret' } });
    const job = await jobs.start(plan);
    await untilSaid(job, 'up');
    const at = `/proc/${pidOf(plan.dealId)}`;
    const env = readFileSync(`${at}/environ`, 'utf8').split('\0');
    expect(env.filter((line) => line !== '')).toEqual(['ELECTRON_RUN_AS_NODE=1']);
    expect(readFileSync(`${at}/cmdline`, 'utf8')).toContain('--permission');
    const files = readdirSync(path.join(dataDir, 'runs', plan.dealId.slice(2)), {
      recursive: true,
      withFileTypes: true,
    });
    const texts = files
      .filter((file) => file.isFile())
      .map((file) => readFileSync(path.join(file.parentPath, file.name)));
    expect(texts.length).toBeGreaterThan(4);
    expect(texts.filter((text) => text.includes('a secret'))).toEqual([]);
    expect((await job.usage()).memoryBytes).toBeGreaterThan(0);
  });
});
