import { describe, expect, test } from 'vitest';
import { runKernel } from '../../runtime/kernels/run-kernel.ts';
import { kernelResultBytes, readKernelInput } from '../../shared/kernels.ts';
import { MIB } from '../../shared/units.ts';
import { judgeKernel } from './judge-kernel.ts';
import type { KernelCase } from './kernel-verdict.ts';

const csv = (rows: number) =>
  Buffer.from(`a,b\n${Array.from({ length: rows }, (_, row) => `${row % 7},${(row * row) % 11}`).join('\n')}\n`);

function caseOf(change: Partial<KernelCase> & { rows?: number } = {}): KernelCase {
  const table = csv(change.rows ?? 20);
  const data = Float64Array.from(
    table
      .toString()
      .trim()
      .split('\n')
      .slice(1)
      .flatMap((line) => line.split(',').map(Number)),
  );
  const x = { rows: data.length / 2, columns: 2, data };
  return {
    work: { type: 'kernel', model: 'pca', table: 'data.csv', params: {} },
    memoryBytes: 1024 * MIB,
    runSeconds: 60,
    tookSeconds: 10,
    info: { version: 1, exitCode: 0, reason: 'exited', detail: '' },
    table,
    result: kernelResultBytes(runKernel(readKernelInput('pca', { x }, {}))),
    seed: 3,
    ...change,
  };
}

describe('judging a kernel', () => {
  test('an honest result passes, here and in a thread', async () => {
    expect(await judgeKernel(caseOf())).toMatchObject({ valid: true });
    const large = caseOf({ rows: 100_000 });
    expect(large.table.length).toBeGreaterThan(256 * 1024);
    expect(await judgeKernel(large)).toMatchObject({ valid: true });
  });

  test('a missing or altered result does not', async () => {
    expect(await judgeKernel(caseOf({ result: null }))).toMatchObject({ valid: false });
    const { result } = caseOf();
    const altered = Buffer.from(Buffer.from(result!).toString().replace('"mean":[', '"mean":[1'));
    expect(await judgeKernel(caseOf({ result: altered }))).toMatchObject({ valid: false });
  });

  test('a failure is believed only where the table bears it out', async () => {
    const failed = { version: 1, exitCode: 1, reason: 'exited', detail: '' } as const;
    expect(await judgeKernel(caseOf({ info: failed, result: null }))).toMatchObject({ valid: false });
    const words = caseOf({ info: failed, result: null, table: Buffer.from('a,b\nnot,numbers\n') });
    expect(await judgeKernel(words)).toMatchObject({ valid: true });
    const clusters = { type: 'kernel', model: 'k_means', table: 'data.csv', params: { k: 15 } } as const;
    const few = Buffer.from(`a,b\n${'1,2\n'.repeat(20)}`);
    expect(await judgeKernel(caseOf({ work: clusters, info: failed, table: few }))).toMatchObject({ valid: true });
    expect(await judgeKernel(caseOf({ work: clusters, info: failed }))).toMatchObject({ valid: false });
    const timeout = { ...failed, exitCode: null, reason: 'run-timeout' } as const;
    expect(await judgeKernel(caseOf({ info: timeout }))).toMatchObject({ valid: false });
    expect(await judgeKernel(caseOf({ info: timeout, tookSeconds: 61 }))).toMatchObject({ valid: true });
    const nothing = { ...failed, exitCode: null, reason: 'input-failed' } as const;
    expect(await judgeKernel(caseOf({ info: nothing, result: null }))).toMatchObject({ valid: true });
    const memory = { ...failed, exitCode: null, reason: 'out-of-memory' } as const;
    expect(await judgeKernel(caseOf({ info: memory }))).toMatchObject({ valid: false });
    expect(await judgeKernel(caseOf({ info: memory, memoryBytes: 1000 }))).toMatchObject({ valid: true });
  });

  test('a result of a table that cannot be computed on is none', async () => {
    expect(await judgeKernel(caseOf({ table: Buffer.from('a,b\nx,y\n') }))).toMatchObject({ valid: false });
  });
});
