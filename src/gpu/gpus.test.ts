import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { silentLog } from '../shared/log.ts';
import { MIB } from '../shared/units.ts';
import { openGpus } from './gpus.ts';
import type { Gpus, GpusOptions } from './gpus.ts';

// Starting a process is slow where many tests share two cores.
vi.setConfig({ testTimeout: 30_000 });

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const missing = [{ command: '/nonexistent/tool' }];
const CARD = 'GPU-00000000-0000-0000-0000-000000000000';

/** Cards out of a recording, through the simulated tool. */
async function open(options: { recording?: string; mode?: string } & Partial<GpusOptions> = {}) {
  const { recording, mode = 'plain', ...rest } = options;
  const folder = await mkdtemp(path.join(tmpdir(), 'commonwatt-gpu-'));
  const journal = path.join(folder, 'journal');
  const script = here('simulated-nvidia-smi.ts');
  const tool = {
    command: process.execPath,
    prefix: [script, here(`recordings/${recording}.txt`), journal, mode, '--'],
  };
  const gpus = await openGpus({
    log: silentLog,
    random: () => 0,
    nvidiaTools: recording ? [...missing, tool] : missing,
    amdTools: missing,
    readControllers: () => Promise.resolve([]),
    ...rest,
  });
  onTestFinished(async () => {
    await gpus.close();
    await rm(folder, { recursive: true });
  });
  const starts = async () =>
    (await readFile(journal, 'utf8'))
      .trim()
      .split('\n')
      .filter((line) => line.includes('-lms'));
  return { gpus, starts };
}
/** Watches until called again; resolves when the watching has ended. */
function watching(gpus: Gpus): () => Promise<void> {
  const life = new AbortController();
  const ended = (async () => {
    for await (const samples of gpus.watch(life.signal)) expect(samples.length).toBeGreaterThan(0);
  })();
  return () => {
    life.abort();
    return ended;
  };
}
const alive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('without a card', () => {
  test('the processor is the device, marked as such, with live load', async () => {
    const { gpus } = await open({ intervalMs: 100 });
    expect(gpus.devices).toMatchObject([{ id: 'cpu', kind: 'cpu', mig: false }]);
    expect(gpus.devices[0]?.cores).toBeGreaterThan(0);
    expect(gpus.devices[0]?.memoryBytes).toBeGreaterThan(64 * MIB);
    const end = watching(gpus);
    const [sample] = await gpus.samples.until(([first]) => typeof first?.utilization === 'number');
    await end();
    expect(sample).toMatchObject({ deviceId: 'cpu', temperatureC: null });
    expect(sample?.memoryUsedBytes).toBeGreaterThan(0);
    expect(await gpus.foreignUse(new Set())).toEqual({ known: true, processes: [] });
  });

  test("other makers' cards are shown after the processor, NVIDIA's own and empty ones are not", async () => {
    const { gpus } = await open({
      readControllers: () =>
        Promise.resolve([
          { vendor: 'Intel Corporation', model: 'Intel(R) Arc A770', vram: 16_384 },
          { vendor: 'NVIDIA', model: 'GeForce', vram: 8192 },
          { vendor: 'Red Hat', model: 'QXL', vram: 16 },
          { vendor: 'Apple', model: 'Apple M4', vram: null },
        ]),
    });
    expect(gpus.devices).toMatchObject([
      { id: 'cpu' },
      { id: 'intel-0', vendor: 'Intel', model: 'Arc A770', memoryBytes: 16_384 * MIB },
      { id: 'apple-3', vendor: 'Apple', model: 'M4', memoryBytes: null },
    ]);
  });

  test('a driver that fails, or controllers that cannot be read, leave the processor', async () => {
    const { gpus } = await open({
      recording: 'rtx-2080-super-linux-load',
      mode: 'broken',
      readControllers: () => Promise.reject(new Error('no')),
    });
    expect(gpus.devices).toMatchObject([{ id: 'cpu' }]);
  });
});

describe('with the simulated tool over real recordings', () => {
  test('one child reads while somebody watches, and none after', async () => {
    const { gpus, starts } = await open({ recording: 'rtx-2080-super-linux-load', intervalMs: 100 });
    expect(gpus.devices).toMatchObject([{ id: CARD, model: 'GeForce RTX 2080 SUPER' }]);
    const first = watching(gpus);
    const second = watching(gpus);
    const [sample] = await gpus.samples.until((samples) => samples.length > 0);
    expect(sample).toMatchObject({ deviceId: CARD, utilization: 8, memoryUsedBytes: 819 * MIB, powerW: 111.5 });
    const later = await gpus.samples.until(([next]) => (next?.atMs ?? 0) > (sample?.atMs ?? 0));
    expect(later).toHaveLength(1);
    expect(await starts()).toHaveLength(1);
    await first();
    const [line = ''] = await starts();
    const pid = Number(line.split(' ')[0]);
    expect(alive(pid)).toBe(true);
    await second();
    await gpus.close();
    expect(alive(pid)).toBe(false);
  });

  test('another interval starts the child anew', async () => {
    const { gpus, starts } = await open({ recording: 'rtx-2080-super-linux-load', intervalMs: 30_000 });
    watching(gpus);
    const [sample] = await gpus.samples.until((samples) => samples.length > 0);
    gpus.setInterval(150);
    await gpus.samples.until(([next]) => (next?.atMs ?? 0) > (sample?.atMs ?? 0));
    expect((await starts()).map((line) => line.split('-lms ')[1])).toEqual(['30000', '150']);
  });

  test('a child that dies is started again', async () => {
    const { gpus, starts } = await open({ recording: 'rtx-2080-super-linux-load', mode: 'dies', intervalMs: 100 });
    watching(gpus);
    const [sample] = await gpus.samples.until((samples) => samples.length > 0);
    await gpus.samples.until(([next]) => (next?.atMs ?? 0) > (sample?.atMs ?? 0));
    expect((await starts()).length).toBeGreaterThan(1);
  });

  test('an older driver is asked by the older name', async () => {
    const { gpus, starts } = await open({ recording: 'rtx-2080-super-linux-load', mode: 'old', intervalMs: 100 });
    watching(gpus);
    const [sample] = await gpus.samples.until((samples) => samples.length > 0);
    expect(sample).toMatchObject({ utilization: 8, throttle: [] });
    expect((await starts()).at(-1)).toContain('clocks_throttle_reasons.active');
  });

  test('a card in MIG mode is its instances: heat is shared, load is not', async () => {
    const { gpus } = await open({ recording: 'h200-mig-linux-idle', intervalMs: 100 });
    const id = 'MIG-f165f0ad-bde2-5b72-acdf-73bbf48eeb2c';
    expect(gpus.devices).toMatchObject([{ id, model: 'H200 MIG 3g.71gb' }]);
    watching(gpus);
    const samples = await gpus.samples.until((list) => list.length > 0);
    expect(samples).toMatchObject([{ deviceId: id, temperatureC: 37, utilization: null, memoryUsedBytes: null }]);
  });

  test('foreign use is every process that is not ours', async () => {
    const { gpus } = await open({ recording: 'rtx-2080-super-linux-load' });
    const { known, processes } = await gpus.foreignUse(new Set([5267]));
    expect(known).toBe(true);
    expect(processes).toEqual([
      expect.objectContaining({ pid: 1696, deviceId: CARD, use: 'graphics', memoryBytes: null }),
      expect.objectContaining({ pid: 4584, deviceId: CARD, use: 'graphics' }),
      expect.objectContaining({ pid: 5268, deviceId: CARD, use: 'compute', memoryBytes: 370 * MIB }),
    ]);
  });
});
