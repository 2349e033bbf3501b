import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { extract } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OwnEngine, ownEngineMissing } from '../../test/support/own-engine.ts';
import { silentLog } from '../shared/log.ts';
import { systemClock } from '../shared/time.ts';
import { PRACTICE_IMAGE } from './create-options.ts';
import { createDockerJobs } from './docker-jobs.ts';
import type { Engine } from './engine.ts';
import { hasEngine, LIMITS, newDealId, openTestEngine, planOf, sh, type TestEngine } from './engine-fixture.ts';

const canRun = hasEngine && ownEngineMissing() === null;

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
  let daemon: OwnEngine;
  let it: TestEngine;

  beforeAll(() => {
    daemon = new OwnEngine();
    it = openTestEngine({ socketPath: daemon.socket });
  });
  afterAll(async () => {
    try {
      await it.dispose();
    } finally {
      await daemon.close();
    }
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
    daemon.start();
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
    await daemon.kill();
    expect(await watching).toEqual({ kind: 'engine-lost' });
    await until(it.engine, false);
    await reading;
    expect((await output.next()).done).toBe(true);
    expect(await session.exit).toBeNull();
    expect(await deal.healthy()).toBe(false);
    await expect(deal.inspect()).rejects.toMatchObject({ code: 'engine-down' });
    expect(await deal.supervise(new AbortController().signal)).toEqual({ kind: 'engine-lost' });

    daemon.start();
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

  test('kill -9 of dockerd under a job: the wait says so, and the next life of the engine says that it was lost', async () => {
    await until(it.engine, true);
    const jobs = createDockerJobs(it.engine.parts, { installId: it.installId, clock: systemClock, log: silentLog });
    const inputs = mkdtempSync(path.join(tmpdir(), 'commonwatt-inputs-'));
    const work = {
      type: 'docker' as const,
      image: PRACTICE_IMAGE,
      command: [...sh('echo early > r; sleep 1000')],
      env: {},
    };
    const outputCaps = { maxBytes: 1000, maxFiles: 10 };
    const dealId = newDealId();
    const job = await jobs.start({
      dealId,
      work,
      env: {},
      inputs,
      limits: LIMITS,
      network: 'none',
      runSeconds: 600,
      outputCaps,
    });
    const waiting = job.wait();
    await daemon.kill();
    expect(await waiting).toBe('engine-lost');
    await until(it.engine, false);
    await expect(jobs.find(dealId)).rejects.toMatchObject({ code: 'engine-down' });
    daemon.start();
    await until(it.engine, true);
    const found = await jobs.find(dealId);
    expect(await found?.wait()).toMatchObject({ reason: 'lost' });
    // Not the end it would have had, and it is not taken for one; what it had written is still here.
    const tar = await found?.outputs();
    const names: string[] = [];
    for await (const entry of tar?.pipe(extract()) ?? []) {
      names.push(entry.header.name);
      entry.resume();
    }
    expect(names).toEqual(['r']);
    await found?.remove();
    expect(it.leftovers()).toEqual([]);
    expect(await jobs.list()).toEqual([]);
    await jobs.close();
    rmSync(inputs, { recursive: true });
  });

  test('an engine that stops answering without closing its socket is noticed', async () => {
    // The first attempt of a fresh engine may still be under way.
    await until(it.engine, true);
    daemon.signal('SIGSTOP');
    await until(it.engine, false);
    daemon.signal('SIGCONT');
    await until(it.engine, true);
    expect(await it.engine.list()).toEqual([]);
  });
});
