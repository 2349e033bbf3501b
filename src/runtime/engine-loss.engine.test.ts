import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, openSync, readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from './engine.ts';
import { hasEngine, isRoot, openTestEngine, planOf, sh, type TestEngine } from './engine-fixture.ts';

const dockerd = ['/usr/sbin/dockerd', '/usr/bin/dockerd'].find((file) => existsSync(file));
const canRun = hasEngine && isRoot && dockerd !== undefined;

const until = (engine: Engine, reachable: boolean): Promise<void> =>
  new Promise((resolve) => {
    if ((engine.info !== null) === reachable) {
      resolve();
      return;
    }
    const off = engine.onChange((info) => {
      if ((info !== null) !== reachable) return;
      off();
      resolve();
    });
  });

describe.skipIf(!canRun)('losing the engine (needs root and dockerd: it runs and kills one of its own)', () => {
  let folder: string;
  let socket: string;
  let daemon: ChildProcess;
  let it: TestEngine;

  const startDaemon = (): void => {
    // What a crash leaves; the killed process may still count as there until it is reaped.
    for (const file of ['pid', 'exec/containerd/containerd.pid']) rmSync(path.join(folder, file), { force: true });
    // In a network namespace of its own: with `--bridge none` an engine deletes docker0, the bridge of the machine's real one.
    daemon = spawn(
      'unshare',
      [
        '--net',
        '/bin/sh',
        '-c',
        'ip link set lo up && exec "$0" "$@"',
        dockerd ?? '',
        '-H',
        `unix://${socket}`,
        '--data-root',
        path.join(folder, 'data'),
        '--exec-root',
        path.join(folder, 'exec'),
        '--pidfile',
        path.join(folder, 'pid'),
        '--bridge',
        'none',
        '--log-level',
        'error',
        '--default-address-pool',
        'base=10.199.0.0/16,size=28',
      ],
      { stdio: ['ignore', 'ignore', openSync(path.join(folder, 'log'), 'a')] },
    );
  };
  const killDaemon = async (): Promise<void> => {
    daemon.kill('SIGKILL');
    await once(daemon, 'exit');
  };

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'commonwatt-dockerd-'));
    mkdirSync(path.join(folder, 'exec'));
    socket = path.join(folder, 'docker.sock');
    it = openTestEngine({ socketPath: socket });
  });
  afterAll(async () => {
    try {
      await it.dispose();
    } finally {
      daemon.kill('SIGCONT');
      daemon.kill('SIGTERM');
      if (daemon.exitCode === null && daemon.signalCode === null) await once(daemon, 'exit');
    }
    // The killed engine left its mounts.
    const mounts = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '');
    for (const mount of mounts.filter((at) => at.startsWith(folder)).toReversed())
      execFileSync('umount', ['-l', mount]);
    rmSync(folder, { recursive: true, force: true });
  });

  test('down at first: a designed state, and every call says so', async () => {
    const [check] = await it.engine.checks();
    expect(check).toMatchObject({ id: 'engine', state: 'fail' });
    expect(check?.fix?.command).toContain('docker');
    expect(it.engine.info).toBeNull();
    await expect(it.engine.list()).rejects.toMatchObject({ code: 'engine-down' });
    await expect(it.engine.start(planOf())).rejects.toMatchObject({ code: 'engine-down' });
    await expect(it.engine.pull('busybox', {})).rejects.toMatchObject({ code: 'engine-down' });
  });

  test('kill -9 of dockerd: supervision and streams end, and what comes back is honest', async () => {
    startDaemon();
    await until(it.engine, true);
    await it.engine.ensureSystemImages();
    await it.engine.keepWarm(1);
    const plan = planOf({ ports: [8080] });
    const deal = await it.engine.start(plan);
    expect(await deal.healthy()).toBe(true);
    const session = await deal.exec({ command: sh('echo up; exec sleep 1000'), tty: { cols: 80, rows: 24 } });
    const output = session.output[Symbol.asyncIterator]();
    await output.next();
    const watching = deal.supervise(new AbortController().signal);
    const reading = (async () => {
      for await (const chunk of deal.logs({ follow: true, tail: 0 })) if (chunk.bytes.length === 0) break;
    })();
    const beforeMs = Date.now();
    await killDaemon();
    expect(await watching).toEqual({ kind: 'engine-lost' });
    await until(it.engine, false);
    await reading;
    expect((await output.next()).done).toBe(true);
    expect(await session.exit).toBeNull();
    expect(await deal.healthy()).toBe(false);
    await expect(deal.inspect()).rejects.toMatchObject({ code: 'engine-down' });
    expect(await deal.supervise(new AbortController().signal)).toEqual({ kind: 'engine-lost' });

    startDaemon();
    await until(it.engine, true);
    expect(await it.engine.list()).toEqual([plan.dealId]);
    const again = await it.engine.find(plan.dealId);
    const state = await again?.inspect();
    // Without live-restore the engine ends what it finds: the deal is over, and says when.
    expect(state?.status).toBe('exited');
    expect(state?.finishedAtMs).toBeGreaterThanOrEqual(beforeMs);
    expect(state?.finishedAtMs).toBeLessThanOrEqual(Date.now());
    expect(await again?.healthy()).toBe(false);
    expect(await again?.supervise(new AbortController().signal)).toMatchObject({ kind: 'exited' });
    await it.engine.keepWarm(1);
    const next = await it.engine.start(planOf());
    expect(await next.healthy()).toBe(true);
    await next.remove();
    await again?.remove();
    await it.engine.keepWarm(0);
    expect(it.leftovers()).toEqual([]);
  });

  test('an engine that stops answering without closing its socket is noticed', async () => {
    // The first attempt of a fresh engine may still be under way.
    await until(it.engine, true);
    daemon.kill('SIGSTOP');
    await until(it.engine, false);
    daemon.kill('SIGCONT');
    await until(it.engine, true);
    expect(await it.engine.list()).toEqual([]);
  });
});
