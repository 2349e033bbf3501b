import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { MIB } from '../shared/units.ts';
import { PRACTICE_IMAGE } from './create-options.ts';
import {
  docker,
  hasEngine,
  newDealId,
  openTestEngine,
  planOf,
  readAll,
  readUntil,
  sh,
  type TestEngine,
} from './engine-fixture.ts';

describe.skipIf(!hasEngine)('the Docker engine (needs a running Docker engine)', () => {
  let it: TestEngine;
  beforeAll(async () => {
    it = openTestEngine();
    await it.engine.ensureSystemImages();
  });
  afterEach(async () => {
    // A test that failed half-way must not fail the next ones.
    for (const dealId of await it.engine.list()) await (await it.engine.find(dealId))?.remove();
  });
  afterAll(() => it.dispose());

  test('checks say what is there', async () => {
    const checks = await it.engine.checks();
    expect(checks.find((check) => check.id === 'engine')?.state).toBe('ok');
    expect(checks.find((check) => check.id === 'guard-image')?.state).toBe('ok');
    expect(checks.filter((check) => check.state !== 'ok' && check.fix === undefined)).toEqual([]);
  });

  test('a terminal: prompt, size, keys, exit code', async () => {
    const deal = await it.engine.start(planOf());
    const session = await deal.exec({ command: await deal.shell(), tty: { cols: 91, rows: 27 } });
    await readUntil(session, /# /);
    await session.resize(101, 33);
    await session.write(Buffer.from('stty size; echo $TERM; id -u; exit 7\n'));
    const rest = await readAll(session);
    expect(rest.out).toContain('33 101');
    expect(rest.out).toContain('xterm-256color');
    expect(rest.exit).toBe(7);
    await deal.remove();
    await deal.remove();
    expect(await deal.inspect()).toMatchObject({ status: 'missing' });
    expect(it.leftovers()).toEqual([]);
  });

  test('an exec without terminal keeps the two outputs apart, takes input and its end', async () => {
    const deal = await it.engine.start(planOf());
    const session = await deal.exec({ command: sh('cat; echo wrong >&2; exit 3'), tty: null });
    await session.write(Buffer.from('hello'));
    session.end();
    expect(await readAll(session)).toEqual({ out: 'hello', err: 'wrong\n', exit: 3 });
    const { exit } = await readAll(await deal.exec({ command: ['/no/such'], tty: null }));
    expect([126, 127]).toContain(exit);
    await deal.remove();
  });

  test('hanging up ends the process and its foreground job', async () => {
    const deal = await it.engine.start(planOf());
    const session = await deal.exec({
      command: sh('sleep 987 & echo up; sleep 988; echo late'),
      tty: { cols: 80, rows: 24 },
    });
    await readUntil(session, /up/);
    session.close();
    const gone = await deal.exec({
      command: sh('while ps | grep -v grep | grep -q "sleep 988"; do sleep 0.1; done; echo gone'),
      tty: null,
    });
    expect((await readAll(gone)).out).toBe('gone\n');
    expect(await deal.healthy()).toBe(true);
    await deal.remove();
  });

  test('output that nobody reads stalls the process instead of filling memory', async () => {
    const deal = await it.engine.start(planOf());
    const session = await deal.exec({
      command: sh('dd if=/dev/zero bs=1M count=64 2>/dev/null; touch /tmp/done'),
      tty: null,
    });
    const look = async (): Promise<string> =>
      (await readAll(await deal.exec({ command: sh('sleep 1; ls /tmp'), tty: null }))).out;
    expect(await look()).toBe('');
    let bytes = 0;
    for await (const chunk of session.output) bytes += chunk.bytes.length;
    expect(bytes).toBe(64 * MIB);
    expect(await look()).toBe('done\n');
    await deal.remove();
  });

  test('logs, usage, pause, health', async () => {
    const deal = await it.engine.start(planOf({ command: [...sh('echo one; echo two >&2; exec sleep 1000')] }));
    let logs = '';
    for await (const chunk of deal.logs({ follow: true, tail: 10 })) {
      logs += `${chunk.stream}${Buffer.from(chunk.bytes).toString()}`;
      if (logs.includes('one') && logs.includes('two')) break;
    }
    expect(logs).toContain('1one');
    expect(logs).toContain('2two');
    let past = '';
    for await (const chunk of deal.logs({ follow: false, tail: 1 })) past += Buffer.from(chunk.bytes).toString();
    expect(past.trim().split('\n')).toHaveLength(1);
    const usage = await deal.usage();
    expect(usage.memoryBytes).toBeGreaterThan(0);
    expect(usage.cpuPercent).toBeGreaterThanOrEqual(0);
    expect(await deal.healthy()).toBe(true);
    await deal.pause();
    await deal.pause();
    expect(await deal.inspect()).toMatchObject({ status: 'paused' });
    expect(await deal.healthy()).toBe(false);
    await deal.resume();
    await deal.resume();
    expect(await deal.healthy()).toBe(true);
    await deal.remove();
  });

  test('stop: the request to save, then the request to end; the exit stays readable', async () => {
    const script = `trap 'echo save' USR1; trap 'echo end; exit 5' TERM; echo up; while :; do sleep 0.05; done`;
    const deal = await it.engine.start(planOf({ command: [...sh(script)] }));
    for await (const chunk of deal.logs({ follow: true, tail: 10 }))
      if (Buffer.from(chunk.bytes).toString().includes('up')) break;
    const watching = deal.supervise(new AbortController().signal);
    const state = await deal.stop(5);
    expect(state).toMatchObject({ status: 'exited', exitCode: 5 });
    expect(await watching).toEqual({ kind: 'exited', exitCode: 5, finishedAtMs: state.finishedAtMs });
    let logs = '';
    for await (const chunk of deal.logs({ follow: false, tail: 10 })) logs += Buffer.from(chunk.bytes).toString();
    expect(logs).toBe('up\nsave\nend\n');
    expect(await deal.stop(5)).toEqual(state);
    await deal.remove();
    expect(it.leftovers()).toEqual([]);
  });

  test('one who does not listen is killed after the grace; a paused one too', async () => {
    const deal = await it.engine.start(planOf({ command: [...sh(`trap '' TERM USR1; while :; do sleep 1; done`)] }));
    await deal.pause();
    expect(await deal.stop(1)).toMatchObject({ status: 'exited', exitCode: 137 });
    await deal.remove();
  });

  test('a fresh program finds, lists and adopts; another installation sees nothing', async () => {
    const plan = planOf({ ports: [8080], command: ['httpd', '-f', '-p', '8080', '-h', '/www'] });
    const first = await it.engine.start(plan);
    const next = it.again();
    expect(await next.list()).toEqual([plan.dealId]);
    const found = await next.find(plan.dealId);
    expect([...(found?.ports ?? [])]).toEqual([...first.ports]);
    const adopted = await next.start(plan);
    expect(await adopted.inspect()).toEqual(await first.inspect());
    expect(await (await fetch(`http://127.0.0.1:${adopted.ports.get(8080)}/`)).text()).toContain('It works');
    await expect(next.start({ ...plan, spec: { ...plan.spec, internet: false } })).rejects.toMatchObject({
      code: 'conflict',
    });
    const other = openTestEngine();
    expect(await other.engine.find(plan.dealId)).toBeNull();
    expect(await other.engine.list()).toEqual([]);
    await other.dispose();
    expect(await adopted.healthy()).toBe(true);
    await adopted.remove();
    expect(await next.find(plan.dealId)).toBeNull();
  });

  test('twin starts make one container; six ports fit', async () => {
    const plan = planOf({ ports: [1, 2, 3, 4, 5, 8080] });
    const [a, b] = await Promise.all([it.engine.start(plan), it.engine.start(plan)]);
    expect(a.ports.size).toBe(6);
    expect(await (await fetch(`http://127.0.0.1:${b.ports.get(8080)}/`)).text()).toContain('It works');
    expect(it.leftovers()).toHaveLength(3);
    await a.remove();
  });

  test.for([
    ['an image that is not here', planOf({ image: 'commonwatt/none:9' }), 'image-missing'],
    ['a program that the image lacks', planOf({ command: ['/no/such/program'] }), 'bad-input'],
    ['a program that PATH lacks', planOf({ command: ['nosuchprogram'] }), 'bad-input'],
    ['a variable that steers the GPU runtime', planOf({ env: { NVIDIA_VISIBLE_DEVICES: 'all' } }), 'bad-input'],
    ['a variable that steers the loader', planOf({ env: { LD_PRELOAD: '/x.so' } }), 'bad-input'],
    [
      'a card without the toolkit',
      planOf({}, { gpuIds: ['GPU-12345678-1234-1234-1234-123456789012'] }),
      'toolkit-missing',
    ],
  ] as const)('%s is refused and leaves nothing', async ([, plan, code]) => {
    await expect(it.engine.start(plan)).rejects.toMatchObject({ code });
    expect(it.leftovers()).toEqual([]);
  });

  test('what a renter cannot do inside', async () => {
    const deal = await it.engine.start(planOf({}, { pids: 64 }));
    const run = async (script: string): Promise<string> => {
      const { out, err } = await readAll(await deal.exec({ command: sh(script), tty: null }));
      return out + err;
    };
    expect(await run('mount -t tmpfs none /mnt 2>&1 || echo refused')).toContain('refused');
    expect(await run('ip link set eth0 down 2>&1 || echo refused')).toContain('refused');
    expect(await run('mknod /tmp/d b 8 0 2>&1 || echo refused')).toContain('refused');
    expect(await run('grep NoNewPrivs /proc/self/status')).toContain('1');
    expect(await run('for i in $(seq 200); do sleep 60 & done; echo all')).toMatch(/fork|Resource/);
    const [raw] = JSON.parse(docker('inspect', `commonwatt-${deal.dealId.slice(2)}`)) as {
      HostConfig: { Memory: number; Privileged: boolean };
    }[];
    expect(raw?.HostConfig).toMatchObject({
      Memory: 256 * MIB,
      MemorySwap: 256 * MIB,
      Privileged: false,
      OomScoreAdj: 500,
    });
    await deal.remove();
  });

  test('supervision ends when the container is removed behind our back, and when it is stopped', async () => {
    const deal = await it.engine.start(planOf());
    const stop = new AbortController();
    const cancelled = deal.supervise(stop.signal);
    stop.abort();
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
    const watching = deal.supervise(new AbortController().signal);
    docker('rm', '-f', `commonwatt-${deal.dealId.slice(2)}`);
    expect((await watching).kind).toMatch(/removed|exited/);
    await deal.remove();
    expect(it.leftovers()).toEqual([]);
  });

  test('a full disk share pauses the container and ends the supervision', async () => {
    const deal = await it.engine.start(planOf({ diskBytes: 64 * MIB }));
    await readAll(await deal.exec({ command: sh('dd if=/dev/zero of=/big bs=1M count=80 2>/dev/null'), tty: null }));
    const end = await deal.supervise(new AbortController().signal);
    expect(end).toMatchObject({ kind: 'disk-limit' });
    expect(end.kind === 'disk-limit' && end.usedBytes).toBeGreaterThan(64 * MIB);
    expect(await deal.inspect()).toMatchObject({ status: 'paused' });
    await deal.remove();
  });

  test('without its guard a container is cut off and not healthy', async () => {
    const deal = await it.engine.start(planOf());
    docker('kill', `commonwatt-guard-${deal.dealId.slice(2)}`);
    expect(await deal.healthy()).toBe(false);
    const { out } = await readAll(await deal.exec({ command: sh('ip -4 addr | grep -c eth0; true'), tty: null }));
    expect(out.trim()).toBe('0');
    await deal.remove();
    expect(it.leftovers()).toEqual([]);
  });

  test('kill -9 of our program: the deal runs on, warm guards of the dead are cleared', async () => {
    const killed = openTestEngine();
    const dealId = newDealId();
    const program = `
      import { openDockerEngine } from ${JSON.stringify(new URL('./docker-engine.ts', import.meta.url).href)};
      import { systemClock } from ${JSON.stringify(new URL('../shared/time.ts', import.meta.url).href)};
      const log = { debug() {}, info() {}, warn() {} };
      const engine = openDockerEngine({ installId: ${JSON.stringify(killed.installId)}, dataDir: ${JSON.stringify(killed.dataDir)}, clock: systemClock, log });
      await engine.keepWarm(2);
      await engine.start(${JSON.stringify(planOf({ ports: [8080] }, {}, dealId))});
      await engine.keepWarm(2);
      process.stdout.write('up');
    `;
    await killed.engine.close();
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(killed.leftovers().filter((name) => name.startsWith('commonwatt-warm-'))).toHaveLength(2);
    const after = killed.again();
    const deal = await after.find(dealId);
    expect(await deal?.healthy()).toBe(true);
    expect(await (await fetch(`http://127.0.0.1:${deal?.ports.get(8080)}/`)).text()).toContain('It works');
    await after.keepWarm(0);
    expect(killed.leftovers()).toHaveLength(3);
    await deal?.remove();
    expect(killed.leftovers()).toEqual([]);
    await killed.dispose();
  });

  test('an image without a shell says so, and one with its own program runs it', async () => {
    expect(await it.engine.hasImage(PRACTICE_IMAGE)).toBe(true);
    expect(await it.engine.hasImage('commonwatt/never-made')).toBe(false);
    const deal = await it.engine.start(planOf({ ports: [8080] }));
    expect((await readAll(await deal.exec({ command: sh('ps'), tty: null }))).out).toContain('httpd -f');
    await deal.remove();
  });
});
