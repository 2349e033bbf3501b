import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { extract } from 'tar-stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { silentLog } from '../shared/log.ts';
import { delay } from '../shared/retry.ts';
import { systemClock } from '../shared/time.ts';
import { GIB, MIB } from '../shared/units.ts';
import { PRACTICE_IMAGE } from './create-options.ts';
import { createDockerJobs } from './docker-jobs.ts';
import { docker, hasEngine, LIMITS, newDealId, openTestEngine, sh, type TestEngine } from './engine-fixture.ts';
import type { JobPlan, JobProcess, JobRuntimes } from './job-runtime.ts';

async function readTar(tar: Readable): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const reader = tar.pipe(extract());
  for await (const entry of reader) {
    const parts: Buffer[] = [];
    for await (const bytes of entry) parts.push(bytes as Buffer);
    found.set(
      entry.header.name,
      entry.header.type === 'file' ? Buffer.concat(parts).toString() : `<${entry.header.type}>`,
    );
  }
  return found;
}

async function readLogs(job: JobProcess, fromByte = 0, follow = false): Promise<string> {
  let text = '';
  let last = 0;
  for await (const { stream, bytes } of job.logs({ fromByte, follow })) {
    text += `${stream === last ? '' : `${stream}:`}${Buffer.from(bytes).toString()}`;
    last = stream;
  }
  return text;
}

describe.skipIf(!hasEngine)('jobs in containers (needs a running Docker engine)', () => {
  let it: TestEngine;
  let jobs: JobRuntimes;
  let inputs: string;
  const opened: JobRuntimes[] = [];
  const again = (): JobRuntimes => {
    const next = createDockerJobs(it.again().parts, { installId: it.installId, clock: systemClock, log: silentLog });
    opened.push(next);
    return next;
  };
  const planOf = (script: string, changes: Partial<JobPlan> = {}): JobPlan => ({
    dealId: newDealId(),
    work: { type: 'docker', image: PRACTICE_IMAGE, command: [...sh(script)], env: {} },
    env: {},
    inputs,
    limits: { ...LIMITS, memoryBytes: 64 * MIB },
    network: 'none',
    runSeconds: 60,
    outputCaps: { maxBytes: GIB, maxFiles: 1000 },
    ...changes,
  });
  /** A program that says "go", starts the job and says "up". */
  const starter = (plan: JobPlan): string => {
    const from = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);
    return `
      import { openDockerEngine } from ${from('./docker-engine.ts')};
      import { createDockerJobs } from ${from('./docker-jobs.ts')};
      import { systemClock } from ${from('../shared/time.ts')};
      import { silentLog as log } from ${from('../shared/log.ts')};
      const options = { installId: ${JSON.stringify(it.installId)}, dataDir: ${JSON.stringify(it.dataDir)}, clock: systemClock, log };
      const engine = openDockerEngine(options);
      const jobs = createDockerJobs(engine.parts, options);
      await engine.list();
      process.stdout.write('go');
      await jobs.start(${JSON.stringify(plan)});
      process.stdout.write('up');
    `;
  };
  const leftovers = (): string[] => [
    ...it.leftovers(),
    ...docker('volume', 'ls', '-q', '--filter', `label=commonwatt.install=${it.installId}`)
      .split('\n')
      .filter((name) => name !== ''),
  ];

  beforeAll(async () => {
    it = openTestEngine();
    await it.engine.ensureSystemImages();
    jobs = again();
    inputs = mkdtempSync(path.join(tmpdir(), 'commonwatt-inputs-'));
    mkdirSync(path.join(inputs, 'deep', 'er'), { recursive: true });
    writeFileSync(path.join(inputs, 'data.txt'), 'hello');
    writeFileSync(path.join(inputs, 'empty'), '');
    writeFileSync(path.join(inputs, 'deep', 'er', 'big'), Buffer.alloc(3 * MIB, 7));
  });
  afterEach(async () => {
    for (const dealId of await jobs.list()) await jobs.remove(dealId);
  });
  afterAll(async () => {
    for (const one of opened) await one.close();
    rmSync(inputs, { recursive: true, force: true });
    await it.dispose();
  });

  test('inputs are there and cannot be written, outputs come back, nothing is left', async () => {
    const progress: number[] = [];
    const plan = planOf(
      `cat $COMMONWATT_IN/data.txt; wc -c < /job/in/deep/er/big; ls /job/in; echo $WORD; pwd
       (echo x > /job/in/data.txt) 2>/dev/null || echo no; (echo x > /x) 2>/dev/null || echo no; (touch /job/y) 2>/dev/null || echo no
       mkdir -p sub; echo result > sub/r.txt; ln -s /etc/passwd link; exit 3`,
      { env: { WORD: 'word' } },
    );
    const job = await jobs.start(plan, { onProgress: ({ done }) => progress.push(done) });
    const end = await job.wait();
    expect(end).toMatchObject({ exitCode: 3, reason: 'exited', detail: '' });
    expect(await readLogs(job)).toBe(`1:hello${3 * MIB}\ndata.txt\ndeep\nempty\nword\n/job/out\nno\nno\nno\n`);
    expect(await readTar(await job.outputs())).toEqual(
      new Map([
        ['link', '<symlink>'],
        ['sub/', '<directory>'],
        ['sub/r.txt', 'result\n'],
      ]),
    );
    // A Node stream, as its readers expect, and one that can be left half-way.
    const left = await job.outputs();
    expect(left).toBeInstanceOf(Readable);
    left.destroy();
    await once(left, 'close');
    expect(progress.at(-1)).toBe(3 * MIB + 5);
    expect(await job.usage()).toMatchObject({ memoryBytes: 0 });
    await job.remove();
    await job.remove();
    expect(leftovers()).toEqual([]);
    expect(await jobs.find(plan.dealId)).toBeNull();
  });

  test('what a job cannot do inside', async () => {
    const plan = planOf(
      `id -u; grep -E 'CapEff|NoNewPrivs' /proc/self/status; ls /sys/class/net; mount -t tmpfs none /tmp 2>/dev/null || echo refused
       echo run > /tmp/a && cat /tmp/a; env | grep NVIDIA; hostname -i 2>/dev/null; wget -T 2 -q -O - http://1.1.1.1 2>/dev/null || echo cut`,
    );
    const job = await jobs.start(plan);
    expect(await job.wait()).toMatchObject({ exitCode: 0 });
    const said = await readLogs(job);
    expect(said).toContain('65534\n');
    expect(said).toMatch(/CapEff:\s+0000000000000000/);
    expect(said).toMatch(/NoNewPrivs:\s+1/);
    expect(said).toContain('\nlo\nrefused\nrun\nNVIDIA_VISIBLE_DEVICES=void\n');
    expect(said).not.toContain('eth0');
    expect(said).toContain('cut');
    const [raw] = JSON.parse(docker('inspect', `commonwatt-job-${plan.dealId.slice(2)}`)) as {
      HostConfig: Record<string, unknown>;
    }[];
    expect(raw?.HostConfig).toMatchObject({
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      Memory: 64 * MIB,
      MemorySwap: 64 * MIB,
      Privileged: false,
      OomScoreAdj: 500,
      IpcMode: 'private',
      CgroupnsMode: 'private',
      PidsLimit: LIMITS.pids,
    });
  });

  test('a job with internet lives behind a guard, which goes with it', async () => {
    const job = await jobs.start(planOf('ls /sys/class/net; ip route', { network: 'internet' }));
    expect(await job.wait()).toMatchObject({ exitCode: 0 });
    expect(await readLogs(job)).toContain('eth0');
    expect(leftovers()).toHaveLength(4);
    await job.remove();
    expect(leftovers()).toEqual([]);
  });

  test('its time over, it is stopped; what it wrote stays', async () => {
    const script = `trap 'echo saved > saved' USR1; trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done`;
    const job = await jobs.start(planOf(script, { runSeconds: 1 }));
    const end = await job.wait();
    expect(end).toMatchObject({ reason: 'run-timeout', exitCode: null });
    expect(await readTar(await job.outputs())).toEqual(new Map([['saved', 'saved\n']]));
  });

  test('more memory than it has', async () => {
    const job = await jobs.start(planOf('exec tail /dev/zero'));
    expect(await job.wait()).toMatchObject({ reason: 'out-of-memory', exitCode: null });
  });

  test('more disk than it has, and too large inputs', async () => {
    const limits = { ...LIMITS, diskBytes: 16 * MIB };
    const job = await jobs.start(planOf('dd if=/dev/zero of=big bs=1M count=40; echo done; sleep 60', { limits }));
    expect(await job.wait()).toMatchObject({ reason: 'disk-limit', exitCode: null });
    await job.remove();
    await expect(jobs.start(planOf('true', { limits: { ...LIMITS, diskBytes: MIB } }))).rejects.toMatchObject({
      code: 'bad-input',
      field: 'resources.diskBytes',
    });
    expect(leftovers()).toEqual([]);
  });

  test('logs from any byte on, live and later', async () => {
    const job = await jobs.start(planOf('echo one; sleep 0.2; echo two >&2; sleep 0.2; echo three'));
    expect(await readLogs(job, 0, true)).toBe('1:one\n2:two\n1:three\n');
    await job.wait();
    expect(await readLogs(job, 4)).toBe('2:two\n1:three\n');
    expect(await readLogs(job, 6, true)).toBe('2:o\n1:three\n');
    expect(await readLogs(job, 100)).toBe('');
  });

  test('checkpoint and stop', async () => {
    const script = `trap 'echo saving' USR1; trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done`;
    const job = await jobs.start(planOf(script));
    for await (const { bytes } of job.logs({ fromByte: 0, follow: true })) if (bytes.length > 0) break;
    await expect(job.outputs()).rejects.toMatchObject({ code: 'conflict' });
    expect((await job.usage()).memoryBytes).toBeGreaterThan(0);
    await job.checkpoint();
    let said = '';
    for await (const { bytes } of job.logs({ fromByte: 3, follow: true })) {
      said += Buffer.from(bytes).toString();
      if (said.includes('saving')) break;
    }
    await job.stop(5);
    expect(await job.wait()).toMatchObject({ exitCode: 7, reason: 'exited' });
    await job.checkpoint();
  });

  test('after a restart: the same job, its end and its outputs; a deadline that passed meanwhile; another job refused', async () => {
    const plan = planOf('echo result > r; exit 5');
    const first = await jobs.start(plan);
    const end = await first.wait();
    const long = planOf('while :; do sleep 0.1; done', { runSeconds: 2 });
    await jobs.start(long);
    const next = again();
    expect((await next.list()).toSorted()).toEqual([plan.dealId, long.dealId].toSorted());
    const found = await next.find(plan.dealId);
    expect(await found?.wait()).toEqual(end);
    expect(await readTar((await found?.outputs()) as Readable)).toEqual(new Map([['r', 'result\n']]));
    expect(await (await next.start(plan)).wait()).toEqual(end);
    await expect(next.start({ ...plan, runSeconds: 61 })).rejects.toMatchObject({ code: 'conflict' });
    expect(await (await next.find(long.dealId))?.wait()).toMatchObject({ reason: 'run-timeout' });
    const stop = new AbortController();
    const cancelled = (await next.start(planOf('sleep 60'))).wait(stop.signal);
    stop.abort();
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
  });

  test('twin starts make one job; a cancelled one leaves nothing', async () => {
    const plan = planOf('sleep 60', { network: 'internet' });
    const [a, b] = await Promise.all([jobs.start(plan), jobs.start(plan)]);
    expect(a).toBe(b);
    await a.remove();
    const stop = new AbortController();
    const cancelled = jobs.start(planOf('sleep 60', { network: 'internet' }), {
      signal: stop.signal,
      onProgress: () => stop.abort(),
    });
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
    expect(leftovers()).toEqual([]);
  });

  test.for([
    ['an image that is not here', { image: 'commonwatt/none:9' }, {}, 'image-missing'],
    ['a program that the image lacks', { command: ['/no/such'] }, {}, 'bad-input'],
    ['a variable that steers the loader', {}, { env: { LD_PRELOAD: '/x.so' } }, 'bad-input'],
    [
      'a card without the toolkit',
      {},
      { limits: { ...LIMITS, gpuIds: ['GPU-12345678-1234-1234-1234-123456789012'] } },
      'toolkit-missing',
    ],
  ] as const)('%s is refused and leaves nothing', async ([, work, changes, code]) => {
    const plan = planOf('true', changes);
    await expect(jobs.start({ ...plan, work: { ...plan.work, ...work } as JobPlan['work'] })).rejects.toMatchObject({
      code,
    });
    expect(leftovers()).toEqual([]);
  });

  test('inputs with a link in them are refused', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'commonwatt-links-'));
    symlinkSync('/etc/passwd', path.join(folder, 'link'));
    await expect(jobs.start(planOf('true', { inputs: folder }))).rejects.toMatchObject({ code: 'bad-input' });
    rmSync(folder, { recursive: true });
    expect(leftovers()).toEqual([]);
  });

  test.for([5, 60, 120, 200, 300, 450])(
    'kill -9 of our program %i ms into a start: started again it runs once, and nothing is left',
    async (afterMs) => {
      const plan = planOf('echo $COMMONWATT_IN > r', { network: 'internet' });
      const child = spawn(process.execPath, ['--input-type=module', '-e', starter(plan)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      await delay(afterMs);
      child.kill('SIGKILL');
      await once(child, 'exit');
      const next = again();
      const found = await next.find(plan.dealId);
      const job = await next.start(plan);
      expect(await job.wait()).toMatchObject({ exitCode: 0, reason: 'exited' });
      expect(await readTar(await job.outputs())).toEqual(new Map([['r', '/job/in\n']]));
      expect(await next.list()).toEqual([plan.dealId]);
      await (found ?? job).remove();
      // What the engine was still making for the dead program goes with the next sweep.
      await it.again().parts.ready();
      expect(leftovers()).toEqual([]);
    },
  );

  test('kill -9 of our program: the job runs to its end, half-made ones are found and removed', async () => {
    const plan = planOf('sleep 1; echo late > r');
    const child = spawn(process.execPath, ['--input-type=module', '-e', starter(plan)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const words of child.stdout) if (String(words).includes('up')) break;
    child.kill('SIGKILL');
    await once(child, 'exit');
    // A crash between the volume and the container.
    const half = newDealId();
    docker(
      'volume',
      'create',
      '--label',
      `commonwatt.install=${it.installId}`,
      '--label',
      'commonwatt.role=job',
      '--label',
      `commonwatt.deal=${half}`,
      `commonwatt-job-${half.slice(2)}`,
    );
    const next = again();
    const job = await next.find(plan.dealId);
    expect(await job?.wait()).toMatchObject({ exitCode: 0, reason: 'exited' });
    expect(await readTar((await job?.outputs()) as Readable)).toEqual(new Map([['r', 'late\n']]));
    expect((await next.list()).toSorted()).toEqual([plan.dealId, half].toSorted());
    expect(await next.find(half)).toBeNull();
    await next.remove(half);
    await next.remove(plan.dealId);
    expect(leftovers()).toEqual([]);
  });
});
