import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pack } from 'tar-stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Progress } from '../shared/ready-check.ts';
import { MIB } from '../shared/units.ts';
import { PRACTICE_IMAGE } from './create-options.ts';
import { docker, hasEngine, openTestEngine, planOf, type TestEngine } from './engine-fixture.ts';
import { registryProgram, startRegistry } from './registry-fixture.ts';

const LAYER = 24 * MIB;

describe.skipIf(!hasEngine)('images (needs a running Docker engine)', () => {
  let it: TestEngine;
  beforeAll(() => {
    it = openTestEngine();
  });
  afterAll(() => it.dispose());

  test('an unreachable registry and a wrong name are told apart from a broken engine', async () => {
    await expect(it.engine.pull('127.0.0.1:1/nothing:1', {})).rejects.toMatchObject({
      code: 'image-missing',
      field: 'registry',
    });
    // Each is a path of the engine's own address.
    for (const name of ['Not//Valid', 'Not/Valid', 'a/../../info', 'a/./b', '/a', 'a/']) {
      await expect(it.engine.pull(name, {})).rejects.toMatchObject({ code: 'bad-input', field: 'spec.image' });
      await expect(it.engine.start(planOf({ image: name }))).rejects.toMatchObject({ code: 'bad-input' });
    }
    await expect(it.engine.hasImage('a/../../info')).rejects.toMatchObject({ code: 'bad-input' });
  });

  test('an image that was built here has no digest, and no registry is asked for its name', async () => {
    const archive = pack();
    archive.entry({ name: 'file' }, 'anything');
    archive.finalize();
    const built = `127.0.0.1:1/built-${randomBytes(4).toString('hex')}:1`;
    const importing = spawn('docker', ['import', '-', built], { stdio: ['pipe', 'ignore', 'inherit'] });
    archive.pipe(importing.stdin);
    await once(importing, 'close');
    try {
      expect(await it.engine.resolveImage(built)).toBeNull();
    } finally {
      docker('rmi', built);
    }
    await expect(it.engine.resolveImage('127.0.0.1:1/nothing:1')).rejects.toMatchObject({ field: 'registry' });
    expect(await it.engine.resolveImage(PRACTICE_IMAGE)).toBe(PRACTICE_IMAGE);
  });

  describe.skipIf(registryProgram === undefined)('from a registry (needs the Debian package docker-registry)', () => {
    let folder: string;
    let registry: { child: ChildProcess; port: number };
    let slow: Server;
    /** Passed through the gate: how many layer requests there were, and how fast they are answered. */
    let layerRequests = 0;
    let bytesPerTick = Number.POSITIVE_INFINITY;
    let reference = '';
    let digest = '';

    beforeAll(async () => {
      folder = mkdtempSync(path.join(tmpdir(), 'commonwatt-registry-'));
      registry = await startRegistry(folder);
      // A gate before the registry: counts and slows down, so that cancelling and sharing can be seen.
      slow = createServer((request, response) => {
        const target = `http://127.0.0.1:${registry.port}${request.url ?? ''}`;
        const isLayer = request.method === 'GET' && /\/blobs\//.test(request.url ?? '');
        void (async () => {
          const answer = await fetch(target, {
            method: request.method ?? 'GET',
            headers: { accept: request.headers.accept ?? '*/*' },
          });
          const body = Buffer.from(await answer.arrayBuffer());
          const headers = Object.fromEntries(
            [...answer.headers].filter(([name]) => !/^(transfer-encoding|connection)$/.test(name)),
          );
          response.writeHead(answer.status, headers);
          if (!isLayer || body.length < MIB) return response.end(request.method === 'HEAD' ? undefined : body);
          layerRequests += 1;
          let at = 0;
          const timer = setInterval(() => {
            const next = Math.min(body.length, at + Math.min(bytesPerTick, body.length));
            response.write(body.subarray(at, next));
            at = next;
            if (at < body.length) return;
            clearInterval(timer);
            response.end();
          }, 20);
          response.on('close', () => clearInterval(timer));
          return undefined;
        })();
      });
      await new Promise<void>((resolve) => {
        slow.listen(0, '127.0.0.1', resolve);
      });
      const direct = `127.0.0.1:${registry.port}/big:1`;
      const archive = pack();
      archive.entry({ name: 'random' }, randomBytes(LAYER));
      archive.finalize();
      const importing = spawn('docker', ['import', '-', direct], { stdio: ['pipe', 'ignore', 'inherit'] });
      archive.pipe(importing.stdin);
      await new Promise((resolve) => {
        importing.once('close', resolve);
      });
      docker('push', direct);
      digest = docker('inspect', '-f', '{{index .RepoDigests 0}}', direct).trim().split('@')[1] ?? '';
      docker('rmi', direct);
      reference = `127.0.0.1:${(slow.address() as { port: number }).port}/big:1`;
    });
    afterEach(async () => {
      layerRequests = 0;
      bytesPerTick = Number.POSITIVE_INFINITY;
      if (await it.engine.hasImage(reference)) docker('rmi', reference);
    });
    afterAll(() => {
      registry.child.kill('SIGKILL');
      slow.close();
      slow.closeAllConnections();
      rmSync(folder, { recursive: true, force: true });
    });

    test('a pull shows bytes of all layers, and the image is here', async () => {
      bytesPerTick = 2 * MIB;
      const seen: Progress[] = [];
      expect(await it.engine.hasImage(reference)).toBe(false);
      await it.engine.pull(reference, { onProgress: (progress) => seen.push(progress) });
      expect(await it.engine.hasImage(reference)).toBe(true);
      const last = seen.at(-1);
      expect(last?.unit).toBe('bytes');
      expect(last?.total).toBeGreaterThanOrEqual(LAYER);
      expect(last?.done).toBe(last?.total);
      expect(seen.some(({ done, total }) => total !== null && done > 0 && done < total)).toBe(true);
      expect(seen.every((progress, i) => progress.done >= (seen[i - 1]?.done ?? 0))).toBe(true);
    });

    test('by digest', async () => {
      const byDigest = `${reference.split(':1').slice(0, -1).join(':1')}@${digest}`;
      await it.engine.pull(byDigest, {});
      expect(await it.engine.hasImage(byDigest)).toBe(true);
      docker('rmi', byDigest);
    });

    test('a tag stands for the digest that its registry says now, also where the image is not here', async () => {
      const repository = reference.slice(0, -':1'.length);
      expect(await it.engine.hasImage(reference)).toBe(false);
      expect(await it.engine.resolveImage(reference)).toBe(`${repository}@${digest}`);
      const byDigest = `${repository}@${'sha256:'.padEnd(71, '0')}`;
      expect(await it.engine.resolveImage(byDigest)).toBe(byDigest);
      await expect(it.engine.resolveImage(`${repository}:none`)).rejects.toMatchObject({ code: 'image-missing' });
      expect(await it.engine.hasImage(reference)).toBe(false);
    });

    test('where the registry is gone, the digest is the one under which the image came', async () => {
      const direct = `127.0.0.1:${registry.port}/big:1`;
      const repository = direct.slice(0, -':1'.length);
      await it.engine.pull(direct, {});
      registry.child.kill('SIGSTOP');
      try {
        const impatient = AbortSignal.timeout(500);
        await expect(it.engine.resolveImage(direct, impatient)).rejects.toMatchObject({ code: 'cancelled' });
        expect(await it.engine.resolveImage(direct)).toBe(`${repository}@${digest}`);
      } finally {
        registry.child.kill('SIGCONT');
        docker('rmi', direct);
      }
    }, 30_000);

    test('twin pulls share one flight; one who leaves does not end the other', async () => {
      bytesPerTick = 2 * MIB;
      const leaving = new AbortController();
      const { promise: moving, resolve } = Promise.withResolvers<void>();
      const first = it.engine.pull(reference, {
        signal: leaving.signal,
        onProgress: ({ done }) => done > 0 && resolve(),
      });
      const second = it.engine.pull(reference, {});
      await moving;
      leaving.abort();
      await expect(first).rejects.toMatchObject({ code: 'cancelled' });
      await second;
      expect(layerRequests).toBe(1);
    });

    test('the last one to cancel ends the download', async () => {
      bytesPerTick = 64 * 1024;
      const cancel = new AbortController();
      const { promise: moving, resolve } = Promise.withResolvers<void>();
      const pulling = it.engine.pull(reference, {
        signal: cancel.signal,
        onProgress: ({ done }) => done > 0 && resolve(),
      });
      await moving;
      const { promise: cut, resolve: onCut } = Promise.withResolvers<void>();
      slow.on('connection', () => undefined);
      const watch = setInterval(() => {
        slow.getConnections((_, count) => count === 0 && onCut());
      }, 50);
      cancel.abort();
      await expect(pulling).rejects.toMatchObject({ code: 'cancelled' });
      await cut;
      clearInterval(watch);
      expect(await it.engine.hasImage(reference)).toBe(false);
    });

    test('an image that the registry does not have', async () => {
      await expect(it.engine.pull(reference.replace('big', 'none'), {})).rejects.toMatchObject({
        code: 'image-missing',
      });
      await expect(it.engine.pull(reference.replace(':1', ':none'), {})).rejects.toMatchObject({
        code: 'image-missing',
      });
    });
  });
});
