import { Readable } from 'node:stream';
import type { Cid } from '../content/content-store.ts';
import { packOutputs } from '../content/pack-outputs.ts';
import type { JobEnd, JobProcess } from '../runtime/job-runtime.ts';
import { toAppError, type ErrorCode } from '../shared/errors.ts';
import { RESULT_INFO_FILE, type JobSpec, type ResultInfo } from '../shared/job-spec.ts';
import type { Progress } from '../shared/ready-check.ts';
import type { JobRoom } from './job-room.ts';

/** Of each output stream, its newest bytes. */
const LOG_BYTES = 4 * 1024 ** 2;
const MAX_DETAIL = 500;
/** What is wrong with outputs, and so part of the result, rather than with this computer. */
const OF_OUTPUTS: ReadonlySet<ErrorCode> = new Set(['bad-input', 'over-limit']);

interface PackParts {
  spec: JobSpec;
  process: JobProcess;
  /** Not one that was lost: that is no result. */
  end: JobEnd & { reason: ResultInfo['reason'] };
  pin: string;
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
}

/**
 * What goes back to the renter, as one folder in the store: how it ended, its logs, and what it left in `out/`. Of a copy,
 * whose folder has to be the same to the byte as that of others, nothing in which honest runs differ: no logs, no details. Outputs
 * that cannot be taken (a link among them, or more than was agreed) are left out, and the result says so: it is still
 * the result of this work. @throws AppError disk-full, engine-down, cancelled
 */
export async function packResult(room: JobRoom, parts: PackParts): Promise<Cid> {
  const { spec, process, end, signal } = parts;
  const logs = isCopy(spec) ? null : await newestLogs(process, signal);
  const info: ResultInfo = { version: 1, exitCode: end.exitCode, reason: end.reason, detail: end.detail };
  try {
    return await packed(room, parts, { info, logs, tar: await process.outputs() });
  } catch (thrown) {
    const { code, message } = toAppError(thrown);
    if (!OF_OUTPUTS.has(code)) throw thrown;
    const without: ResultInfo = { ...info, reason: 'output-limit', detail: message.slice(0, MAX_DETAIL) };
    return packed(room, parts, { info: without, logs, tar: emptyTar() });
  }
}

/** The result of a run that never began, because of what the renter named or did not deliver. @throws AppError as above */
export function packFault(room: JobRoom, detail: string, parts: Omit<PackParts, 'process' | 'end'>): Promise<Cid> {
  const info: ResultInfo = { version: 1, exitCode: null, reason: 'input-failed', detail: detail.slice(0, MAX_DETAIL) };
  const empty = new Uint8Array();
  return packed(room, parts, { info, logs: isCopy(parts.spec) ? null : { 1: empty, 2: empty }, tar: emptyTar() });
}

const isCopy = ({ verification }: JobSpec): boolean => verification.tier === 'redundancy';

async function packed(
  { content: store }: JobRoom,
  { spec, pin, signal, onProgress }: Omit<PackParts, 'process' | 'end'>,
  { info, logs, tar }: { info: ResultInfo; logs: Record<1 | 2, Uint8Array> | null; tar: Readable },
): Promise<Cid> {
  const said = isCopy(spec) ? { ...info, detail: '' } : info;
  const { cid } = await packOutputs(
    { tar },
    {
      store,
      pin,
      signal,
      below: 'out',
      beside: [
        { path: RESULT_INFO_FILE, bytes: Buffer.from(`${JSON.stringify(said, null, 2)}\n`) },
        ...(logs === null
          ? []
          : [
              { path: 'logs/stdout', bytes: logs[1] },
              { path: 'logs/stderr', bytes: logs[2] },
            ]),
      ],
      caps: { bytes: spec.outputs.maxBytes, entries: spec.outputs.maxFiles },
      onProgress: ({ bytes, totalBytes }) =>
        onProgress({ label: 'Packing the result', done: bytes, total: totalBytes, unit: 'bytes' }),
    },
  );
  return cid;
}

/** Two zero blocks end an archive. */
const emptyTar = () => Readable.from([Buffer.alloc(1024)]);

async function newestLogs(process: JobProcess, signal: AbortSignal): Promise<Record<1 | 2, Uint8Array>> {
  const kept: Record<1 | 2, Uint8Array[]> = { 1: [], 2: [] };
  const bytesOf: Record<1 | 2, number> = { 1: 0, 2: 0 };
  for await (const { stream, bytes } of process.logs({ fromByte: 0, follow: false, signal })) {
    kept[stream].push(bytes);
    bytesOf[stream] += bytes.length;
    for (let first = kept[stream][0]; first && bytesOf[stream] - first.length >= LOG_BYTES; [first] = kept[stream]) {
      kept[stream].shift();
      bytesOf[stream] -= first.length;
    }
  }
  return { 1: Buffer.concat(kept[1]).subarray(-LOG_BYTES), 2: Buffer.concat(kept[2]).subarray(-LOG_BYTES) };
}
