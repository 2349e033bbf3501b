import type { ContentStore } from '../../content/content-store.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import { RESULT_INFO_FILE, resultInfoSchema, type JobSpec, type ResultInfo } from '../../shared/job-spec.ts';
import { MAX_TABLE_BYTES } from '../../shared/table.ts';
import { MIB } from '../../shared/units.ts';
import { judgeKernel } from './judge-kernel.ts';
import type { Finding } from './task-facts.ts';

/** `result.json` and the logs that come beside the outputs. */
const BESIDE_BYTES = 64 * MIB;
const BESIDE_FILES = 64;
/** Where a kernel writes, in the result folder. */
const KERNEL_RESULT = 'out/result.json';
const MAX_INFO_BYTES = 64 * 1024;
/** Of a kernel's result: labels of 2^25 rows fit. */
const MAX_RESULT_BYTES = 512 * MIB;

/** What a result folder of this spec may hold. */
export const resultCaps = ({ outputs }: JobSpec): { entries: number; bytes: number } => ({
  entries: outputs.maxFiles * 2 + BESIDE_FILES,
  bytes: outputs.maxBytes + BESIDE_BYTES,
});

export interface CheckedRun {
  /** Seconds from the assignment to the submission, by the chain. */
  tookSeconds: number;
}

/**
 * Judges a result folder that is wholly here. What a provider packed into it makes it invalid at most.
 * @throws AppError conflict naming `inputs` where this host cannot check it
 * @param agreed of copies: how many share this result to the byte
 * @param seed unknown to whoever computed
 */
export async function checkResult(
  content: Pick<ContentStore, 'entries' | 'read'>,
  { spec, cid, run, agreed, seed }: { spec: JobSpec; cid: string; run: CheckedRun; agreed: string; seed: number },
): Promise<Finding> {
  const { tier } = spec.verification;
  const verdict = (valid: boolean, reason: string, info: ResultInfo | null): Finding => ({
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

  const size = files.get(KERNEL_RESULT);
  const result = size === undefined || size > MAX_RESULT_BYTES ? null : await readAll(content.read(cid, KERNEL_RESULT));
  const { resources, timeouts, work } = spec;
  const judged = await judgeKernel({
    work,
    memoryBytes: resources.memoryBytes,
    runSeconds: timeouts.runSeconds,
    tookSeconds: run.tookSeconds,
    info,
    table: await ownTable(content, spec, work.table),
    result,
    seed,
  });
  return { tier, ...judged, run: info };
}

/** @throws AppError conflict naming `inputs` where it cannot be read any more: that is no fault of the provider */
async function ownTable(content: Pick<ContentStore, 'read'>, spec: JobSpec, path: string): Promise<Uint8Array> {
  const given = spec.inputs.find((input) => input.path === path);
  try {
    if (!given || given.from === 'url') throw new AppError('not-found', 'It was not this host’s own.');
    return await readAll(content.read(given.cid), MAX_TABLE_BYTES);
  } catch (cause) {
    const { message } = toAppError(cause);
    throw new AppError('conflict', `The result cannot be checked: the table cannot be read any more. ${message}`, {
      field: 'inputs',
      next: 'Put the table back as it was before the time to challenge the result is over.',
      cause,
    });
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
