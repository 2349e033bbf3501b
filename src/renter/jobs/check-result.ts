import type { ContentStore } from '../../content/content-store.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import { RESULT_INFO_FILE, resultInfoSchema, type JobSpec, type ResultInfo, type Work } from '../../shared/job-spec.ts';
import { readKernelInput, type KernelInput, type Matrix } from '../../shared/kernels.ts';
import { MAX_TABLE_BYTES, parseTable, tableFormatOf } from '../../shared/table.ts';
import { MIB } from '../../shared/units.ts';
import { verifyKernelResult } from '../../verify/certificates/verify-kernel-result.ts';
import type { TaskVerdict } from './task-facts.ts';

type KernelWork = Extract<Work, { type: 'kernel' }>;

/** `result.json` and the logs that come beside the outputs. */
const BESIDE_BYTES = 64 * MIB;
const BESIDE_FILES = 64;
/** Where a kernel writes, in the result folder. */
const KERNEL_RESULT = 'out/result.json';
const MAX_INFO_BYTES = 64 * 1024;
/** Of a kernel's result: labels of 2^25 rows fit. */
const MAX_RESULT_BYTES = 512 * MIB;
/** A kernel with so many times its table in memory cannot have run out of it. */
const MEMORY_OF_TABLE = 16;

/** What a result folder of this spec may hold. */
export const resultCaps = ({ outputs }: JobSpec): { entries: number; bytes: number } => ({
  entries: outputs.maxFiles * 2 + BESIDE_FILES,
  bytes: outputs.maxBytes + BESIDE_BYTES,
});

export interface CheckedRun {
  /** Seconds from the assignment to the submission, by the chain. */
  tookSeconds: number;
}

function hasFewerRowsThan({ rows, columns, data }: Matrix, count: number): boolean {
  const seen = new Set<string>();
  for (let row = 0; row < rows && seen.size < count; row += 1) {
    seen.add(data.subarray(row * columns, (row + 1) * columns).join(' '));
  }
  return seen.size < count;
}

/**
 * Judges a result folder that is wholly here. Never throws for what a provider packed into it: that is an invalid result.
 * @param agreed of copies: how many share this result to the byte
 * @param seed unknown to whoever computed
 */
export async function checkResult(
  content: Pick<ContentStore, 'entries' | 'read'>,
  { spec, cid, run, agreed, seed }: { spec: JobSpec; cid: string; run: CheckedRun; agreed: string; seed: number },
): Promise<TaskVerdict> {
  const { tier } = spec.verification;
  const verdict = (valid: boolean, reason: string, info: ResultInfo | null): TaskVerdict => ({
    tier,
    valid,
    reason,
    checks: [],
    run: info,
  });
  const files = new Map<string, number>();
  for await (const entry of content.entries(cid, { caps: resultCaps(spec) })) {
    if (entry.kind === 'file') files.set(entry.path, entry.size);
  }
  const infoBytes = files.get(RESULT_INFO_FILE);
  const info =
    infoBytes === undefined || infoBytes > MAX_INFO_BYTES
      ? null
      : readInfo(await readAll(content.read(cid, RESULT_INFO_FILE)));
  if (!info) return verdict(false, 'The result folder does not say how the run ended.', null);
  if (tier === 'redundancy') return verdict(true, agreed, info);
  if (tier === 'accept') return verdict(true, 'The result is here, every byte as its address says.', info);
  if (spec.work.type !== 'kernel') return verdict(false, 'Only kernels have a certificate.', info);

  const table = await kernelTable(content, spec, spec.work);
  if (info.reason !== 'exited' || info.exitCode !== 0) return failedKernel(spec, info, table, run, verdict);
  if (table instanceof AppError) {
    return verdict(false, `The table cannot be computed on (${table.message}), and still there is a result.`, info);
  }
  const size = files.get(KERNEL_RESULT);
  if (size === undefined || size > MAX_RESULT_BYTES) {
    return verdict(false, 'The kernel’s result is missing in the result folder.', info);
  }
  const { valid, reason, checks } = verifyKernelResult(table.input, await readAll(content.read(cid, KERNEL_RESULT)), {
    seed,
  });
  return { tier, valid, reason, checks, run: info };
}

/** A kernel that says it could not: only where this host's own table bears it out. */
function failedKernel(
  spec: JobSpec,
  info: ResultInfo,
  table: { input: KernelInput; bytes: number } | AppError,
  run: CheckedRun,
  verdict: (valid: boolean, reason: string, info: ResultInfo) => TaskVerdict,
): TaskVerdict {
  if (table instanceof AppError) return verdict(true, `The table cannot be computed on: ${table.message}`, info);
  if (info.reason === 'run-timeout') {
    return run.tookSeconds >= spec.timeouts.runSeconds
      ? verdict(true, 'It ran for as long as it was allowed to.', info)
      : verdict(false, 'It is said to have run out of time, long before its time was over.', info);
  }
  if (info.reason === 'out-of-memory' && table.bytes * MEMORY_OF_TABLE >= spec.resources.memoryBytes) {
    return verdict(true, 'The table is large for the memory that was asked for.', info);
  }
  const { input } = table;
  if (info.reason === 'exited' && input.model === 'k_means' && hasFewerRowsThan(input.x, input.params.k)) {
    return verdict(true, `The table has fewer different rows than the ${input.params.k} clusters asked for.`, info);
  }
  return verdict(false, 'It is said to have failed on a table that can be computed on.', info);
}

/** The kernel's input from what this host itself gave; the AppError that says why it is none. */
async function kernelTable(
  content: Pick<ContentStore, 'read'>,
  spec: JobSpec,
  work: KernelWork,
): Promise<{ input: KernelInput; bytes: number } | AppError> {
  const given = spec.inputs.find((input) => input.path === work.table);
  if (!given || given.from === 'url') {
    throw new AppError('unsupported', 'A certificate needs the table to be this host’s own.', { field: 'inputs' });
  }
  const bytes = await readAll(content.read(given.cid), MAX_TABLE_BYTES);
  try {
    const target = work.model === 'linear_regression' ? (work.target ?? 'last') : undefined;
    const table = parseTable(bytes, tableFormatOf(work.table), target === undefined ? {} : { target });
    return { input: readKernelInput(work.model, table, work.params), bytes: bytes.length };
  } catch (thrown) {
    return toAppError(thrown);
  }
}

function readInfo(bytes: Uint8Array): ResultInfo | null {
  try {
    return resultInfoSchema.safeParse(JSON.parse(new TextDecoder().decode(bytes))).data ?? null;
  } catch {
    return null;
  }
}

/** @throws AppError over-limit */
export async function readAll(bytes: AsyncIterable<Uint8Array>, limit = MAX_RESULT_BYTES): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of bytes) {
    length += part.length;
    if (length > limit) throw new AppError('over-limit', `More than ${limit} bytes.`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
