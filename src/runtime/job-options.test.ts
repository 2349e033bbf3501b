import { describe, expect, test } from 'vitest';
import { GIB, MIB } from '../shared/units.ts';
import { judgeEnd } from './job-container.ts';
import { jobDigest, jobOptions, jobProcess } from './job-options.ts';
import type { JobPlan } from './job-runtime.ts';

const image = { entrypoint: ['/entry'], command: ['serve'], path: ['/bin'], workingFolder: '' };
const work = { type: 'docker' as const, image: 'name:1', env: {} };
const plan: JobPlan = {
  dealId: `0x${'a'.repeat(64)}`,
  work,
  env: { WORD: 'word' },
  inputs: '/nowhere',
  limits: { cpus: 8, memoryBytes: GIB, diskBytes: GIB, pids: 64, uploadBitsPerSecond: null, gpuIds: [] },
  network: 'none',
  runSeconds: 60,
  outputCaps: { maxBytes: GIB, maxFiles: 10 },
};
const info = { version: '28', apiVersion: '1.48', cdi: false, nvidiaRuntime: true, runtimes: [], diskFreeBytes: null };
const context = { installId: 'me', guardId: null, info, engineCpus: 4, image };
const CARD = 'GPU-12345678-1234-1234-1234-123456789012';

describe('what a job runs', () => {
  test('its command and nothing before it, else what the image runs, else a refusal', () => {
    expect(jobProcess({ ...work, command: ['mine', 'a'] }, image)).toEqual(['mine', 'a']);
    expect(jobProcess(work, image)).toEqual(['/entry', 'serve']);
    expect(jobProcess({ ...work, command: [] }, image)).toEqual(['/entry', 'serve']);
    const nothing = { ...image, entrypoint: [], command: [] };
    expect(() => jobProcess(work, nothing)).toThrow(
      expect.objectContaining({ code: 'bad-input', field: 'work.command' }),
    );
  });

  test.for([
    ['', '/job/out'],
    ['/', '/job/out'],
    ['/root', '/job/out'],
    ['/root/app', '/job/out'],
    ['/app', '/app'],
    ['/rooted', '/rooted'],
  ] as const)('in the folder of an image that starts in "%s": %s', ([workingFolder, expected]) => {
    expect(jobOptions(plan, work, { ...context, image: { ...image, workingFolder } }).WorkingDir).toBe(expected);
  });

  test('its own variables never hide where its files are, and no card is seen that was not handed over', () => {
    const env = { COMMONWATT_IN: '/etc', HOME: '/job/out' };
    expect(jobOptions({ ...plan, env }, work, context).Env).toEqual([
      'HOME=/job/out',
      'COMMONWATT_IN=/job/in',
      'COMMONWATT_OUT=/job/out',
      'NVIDIA_VISIBLE_DEVICES=void',
    ]);
    const options = jobOptions({ ...plan, limits: { ...plan.limits, gpuIds: [CARD] } }, work, context);
    expect(options.Env).not.toContain('NVIDIA_VISIBLE_DEVICES=void');
    expect(options.HostConfig?.DeviceRequests).toMatchObject([{ Driver: 'nvidia', DeviceIDs: [CARD] }]);
    expect(options.HostConfig?.NanoCpus).toBe(4e9);
  });

  test('the digest tells jobs apart, without the values of variables', () => {
    expect(jobDigest({ ...plan, env: { WORD: 'other' } })).toBe(jobDigest(plan));
    expect(jobDigest({ ...plan, env: { OTHER: 'word' } })).not.toBe(jobDigest(plan));
    expect(jobDigest({ ...plan, runSeconds: 61 })).not.toBe(jobDigest(plan));
    expect(jobDigest({ ...plan, network: 'internet' })).not.toBe(jobDigest(plan));
  });
});

describe('why a container ended', () => {
  const state = { exitCode: 0, oomKilled: false, startedAtMs: 1000, finishedAtMs: 2000, error: '' };
  const limits = { runSeconds: 60, diskBytes: MIB, diskUsed: 0, bootedAtMs: 0 };
  test.for([
    ['by itself', {}, {}, { exitCode: 0, reason: 'exited' }],
    ['by itself, over its disk', {}, { diskUsed: 2 * MIB }, { exitCode: 0, reason: 'exited' }],
    ['by itself, although a child needed too much memory', { oomKilled: true }, {}, { exitCode: 0, reason: 'exited' }],
    ['killed by somebody', { exitCode: 137 }, {}, { exitCode: 137, reason: 'lost' }],
    ['with its engine', { exitCode: 255 }, {}, { exitCode: 255, reason: 'lost' }],
    [
      'with its computer',
      { exitCode: 255, finishedAtMs: 99_000 },
      { bootedAtMs: 90_000 },
      { exitCode: null, reason: 'lost' },
    ],
    ['before its computer did', { exitCode: 1 }, { bootedAtMs: 90_000 }, { exitCode: 1, reason: 'exited' }],
    ['after its computer was started', { exitCode: 1 }, { bootedAtMs: 1000 }, { exitCode: 1, reason: 'exited' }],
    ['out of memory', { exitCode: 137, oomKilled: true }, {}, { exitCode: null, reason: 'out-of-memory' }],
    ['out of disk', { exitCode: 137 }, { diskUsed: 2 * MIB }, { exitCode: null, reason: 'disk-limit' }],
    ['at its deadline', { finishedAtMs: 61_000 }, {}, { exitCode: null, reason: 'run-timeout' }],
    ['a moment before', { finishedAtMs: 60_999, exitCode: 3 }, {}, { exitCode: 3, reason: 'exited' }],
  ] as const)('%s', ([, changes, more, expected]) => {
    expect(judgeEnd({ ...state, ...changes }, { ...limits, ...more })).toMatchObject(expected);
  });
});
