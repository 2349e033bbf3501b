import { execFileSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLog } from '../shared/log.ts';
import { systemClock } from '../shared/time.ts';
import { GIB } from '../shared/units.ts';
import { PRACTICE_IMAGE } from './create-options.ts';
import { createDockerJobs } from './docker-jobs.ts';
import { docker, hasEngine, LIMITS, newDealId, openTestEngine, planOf, sh, type TestEngine } from './engine-fixture.ts';
import type { JobRuntimes } from './job-runtime.ts';
import { registryProgram, startRegistry } from './registry-fixture.ts';

const canRun = hasEngine && registryProgram !== undefined;
const MISSING = { code: 'image-missing', field: 'spec.image' };

describe.skipIf(!canRun)('what strangers may name (needs a running Docker engine, docker-registry)', () => {
  let it: TestEngine;
  let jobs: JobRuntimes;
  let folder: string;
  let registry: { child: ChildProcess; port: number };
  const made = new Set<string>();

  /** An image with the practice image's programs and a file of its own, built here under this name. */
  const build = (name: string, text: string): string => {
    const reference = `127.0.0.1:${registry.port}/${name}`;
    const container = docker('create', PRACTICE_IMAGE, '/bin/sh', '-c', 'sleep 1').trim();
    try {
      const change = ['--change', `ENV SECRET=${text}`, '--change', 'CMD ["/bin/sleep","60"]'];
      const archive = execFileSync('docker', ['export', container], { maxBuffer: GIB });
      execFileSync('docker', ['import', ...change, '-', reference], {
        input: archive,
        stdio: ['pipe', 'ignore', 'pipe'],
      });
    } finally {
      docker('rm', container);
    }
    made.add(reference);
    return reference;
  };
  const idOf = (reference: string): string => docker('inspect', '-f', '{{.Id}}', reference).trim();
  const secretOf = (reference: string): string => docker('inspect', '-f', '{{.Config.Env}}', reference);
  const job = (image: string) => {
    const inputs = path.join(folder, 'in');
    return jobs.start({
      dealId: newDealId(),
      work: { type: 'docker', image, command: [...sh('echo $SECRET')], env: {} },
      env: {},
      inputs,
      limits: LIMITS,
      network: 'none',
      runSeconds: 60,
      outputCaps: { maxBytes: GIB, maxFiles: 10 },
    });
  };
  const output = async (image: string): Promise<string> => {
    const process = await job(image);
    await process.wait();
    let text = '';
    for await (const { bytes } of process.logs({ fromByte: 0, follow: false })) text += Buffer.from(bytes).toString();
    return text.trim();
  };

  beforeAll(async () => {
    it = openTestEngine();
    await it.engine.ensureSystemImages();
    jobs = createDockerJobs(it.engine.parts, { installId: it.installId, clock: systemClock, log: silentLog });
    folder = mkdtempSync(path.join(tmpdir(), 'commonwatt-public-'));
    mkdirSync(path.join(folder, 'in'));
    registry = await startRegistry(folder);
  });
  afterAll(async () => {
    registry.child.kill('SIGKILL');
    for (const dealId of await jobs.list()) await jobs.remove(dealId);
    await jobs.close();
    await it.dispose();
    for (const reference of made) docker('rmi', '-f', reference);
    const byDigest = docker('images', '--digests', '-q', `127.0.0.1:${registry.port}/*`);
    for (const id of new Set(byDigest.split('\n').filter((line) => line !== ''))) docker('rmi', '-f', id);
    rmSync(folder, { recursive: true, force: true });
  });

  test('not what was built here: neither a rental nor a job is made from it', async () => {
    const mine = build('web:latest', 'hidden');
    for (const name of [mine, mine.replace(':latest', '')]) {
      expect(await it.engine.hasImage(name)).toBe(false);
      await expect(it.engine.pull(name, {})).rejects.toMatchObject(MISSING);
      await expect(it.engine.start(planOf({ image: name }))).rejects.toMatchObject(MISSING);
      await expect(job(name)).rejects.toMatchObject(MISSING);
    }
    // Short for the image itself, as the engine reads it.
    const id = idOf(mine);
    await expect(job(id)).rejects.toMatchObject({ code: 'image-missing' });
    await expect(job(id.slice(0, 20))).rejects.toMatchObject({ code: 'image-missing' });
    expect(it.leftovers()).toEqual([]);
    expect(idOf(mine)).toBe(id);
  });

  test('what its registry hands out to anybody, and what the owner has named', async () => {
    const shared = build('tool:1', 'known');
    const digest = /sha256:[0-9a-f]{64}/.exec(docker('push', shared))?.[0] ?? '';
    expect(await it.engine.hasImage(shared)).toBe(true);
    expect(await output(shared)).toBe('known');
    const named = shared.replace(/:1$/, `@${digest}`);
    expect(await output(named)).toBe('known');
    const own = build('own:1', 'mine');
    const other = openTestEngine({ ownImages: [own] });
    try {
      expect(await other.engine.hasImage(own)).toBe(true);
      await other.engine.pull(own, {});
    } finally {
      await other.dispose();
    }
    // Pushed elsewhere: that says nothing about another name of the same image.
    const renamed = shared.replace('tool', 'renamed');
    docker('tag', shared, renamed);
    made.add(renamed);
    const fresh = openTestEngine();
    try {
      await expect(fresh.engine.pull(renamed, {})).rejects.toMatchObject(MISSING);
    } finally {
      await fresh.dispose();
    }
  });

  test('the owner’s tag stays the owner’s, and strangers get what the registry has under that name', async () => {
    const published = build('moved:1', 'published');
    docker('push', published);
    docker('rmi', published);
    const mine = build('moved:1', 'hidden');
    const id = idOf(mine);
    expect(await output(mine)).toBe('published');
    const rental = await it.engine.start(planOf({ image: mine }));
    expect(secretOf(`commonwatt-${rental.dealId.slice(2)}`)).toContain('SECRET=published');
    await rental.remove();
    expect(idOf(mine)).toBe(id);
  });

  test('a registry that cannot be asked is named as what is missing, once its answer is not known yet', async () => {
    const shared = build('late:1', 'known');
    docker('push', shared);
    const gone = once(registry.child, 'exit');
    registry.child.kill('SIGKILL');
    await gone;
    await expect(job(shared)).rejects.toMatchObject({
      code: 'image-missing',
      field: 'registry',
      message: expect.stringContaining('cannot be reached, so whether the image'),
    });
    const known = [...made].find((name) => name.endsWith('/tool:1')) ?? '';
    expect(await output(known)).toBe('known');
  });
});
