import { uptime } from 'node:os';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ContainerInspectInfo } from 'dockerode';
import { extract, pack as tarPack } from 'tar-stream';
import { AppError } from '../shared/errors.ts';
import type { Bytes32 } from '../shared/ids.ts';
import { delay } from '../shared/retry.ts';
import type { Clock } from '../shared/time.ts';
import { formatBytes } from '../shared/units.ts';
import { containerLogs } from './container-logs.ts';
import { LABELS } from './create-options.ts';
import { type DealContainerParts, openDealContainer, stateOf } from './deal-container.ts';
import { diskUsed } from './disk-used.ts';
import { statusOf } from './docker-errors.ts';
import type { DealContainer, LogChunk } from './engine.ts';
import type { EngineLink, Log } from './engine-link.ts';
import { JOB_ENV, jobName } from './job-options.ts';
import type { JobEnd, JobProcess } from './job-runtime.ts';

/** What a job gets to save its work in when its time is over. */
const GRACE_SECONDS = 10;
/** An engine that fails for a moment is asked again. */
const RETRY_MS = 2_000;
/** The engine notes a kill a moment after it was sent. */
const KILLED_WITHIN_MS = 100;
/** The longest timer there is. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const KILLED = 137;
/** What the engine notes of work that was ended from outside: SIGKILL, SIGTERM, and what it found dead when it came back. */
const FROM_OUTSIDE: ReadonlySet<number> = new Set([KILLED, 143, 255]);

const positive = (label: string | undefined): number => {
  const value = Number(label);
  return Number.isFinite(value) && value > 0 ? value : 0;
};

/**
 * Why a container ended, from nothing but what the engine keeps of it: another life of this program comes to the same
 * answer. The engine says "out of memory" also where only a child died: the exit code decides.
 */
export function judgeEnd(
  state: { exitCode: number; oomKilled: boolean; startedAtMs: number; finishedAtMs: number; error: string },
  limits: { runSeconds: number; diskBytes: number; diskUsed: number; bootedAtMs: number },
): JobEnd {
  const { startedAtMs, finishedAtMs } = state;
  const end = { exitCode: state.exitCode, detail: '', startedAtMs, finishedAtMs };
  // Nothing lives through a reboot: its end was noted when the engine came back.
  if (startedAtMs < limits.bootedAtMs && finishedAtMs >= limits.bootedAtMs) {
    return { ...end, exitCode: null, reason: 'lost', detail: 'The computer was started again meanwhile.' };
  }
  if (limits.runSeconds > 0 && finishedAtMs - startedAtMs >= limits.runSeconds * 1000) {
    return { ...end, exitCode: null, reason: 'run-timeout', detail: `Stopped after ${limits.runSeconds} seconds.` };
  }
  if (state.exitCode === KILLED && state.oomKilled) {
    return { ...end, exitCode: null, reason: 'out-of-memory', detail: 'It needed more memory than it has.' };
  }
  if (state.exitCode === KILLED && limits.diskBytes > 0 && limits.diskUsed > limits.diskBytes) {
    const detail = `It wrote more than ${formatBytes(limits.diskBytes)}.`;
    return { ...end, exitCode: null, reason: 'disk-limit', detail };
  }
  if (FROM_OUTSIDE.has(state.exitCode)) return { ...end, reason: 'lost', detail: 'It was ended from outside.' };
  return { ...end, reason: 'exited', detail: state.error.slice(0, 500) };
}

/** Takes the engine's tar apart and puts it together with names relative to `out/`: the engine begins each with `./`. */
async function withoutFolder(source: Readable, into: ReturnType<typeof tarPack>): Promise<void> {
  const reader = extract();
  const feeding = pipeline(source, reader);
  feeding.catch(() => undefined);
  for await (const entry of reader) {
    const name = entry.header.name.replace(/^(\.\/)+/, '');
    if (name === '' || name === '.') {
      entry.resume();
      continue;
    }
    const header = { ...entry.header, name, pax: null };
    if (entry.header.type === 'file') await pipeline(entry, into.entry(header));
    else {
      entry.resume();
      into.entry(header);
    }
  }
  await feeding;
  into.finalize();
}

export interface JobContainerParts extends DealContainerParts {
  clock: Clock;
  log: Log;
  /** Aborts when this program stops watching. */
  closing: AbortSignal;
}

/** One job's container, and the watch that ends it at its deadline and at its disk limit. */
export interface JobContainer {
  deal: DealContainer;
  /** Watches to the end. @throws AppError not-found when it is removed meanwhile, cancelled when the program closes. */
  watch(): Promise<JobEnd | 'engine-lost'>;
  process(watching: () => Promise<JobEnd | 'engine-lost'>, remove: () => Promise<void>): JobProcess;
}

const engineLost = (thrown: unknown): boolean => thrown instanceof AppError && thrown.code === 'engine-down';

async function inspectJob(link: EngineLink, dealId: Bytes32, id: string): Promise<ContainerInspectInfo> {
  try {
    return await link.call((abortSignal) => link.docker.getContainer(id).inspect({ abortSignal }));
  } catch (thrown) {
    if (statusOf(thrown instanceof AppError ? thrown.cause : thrown) !== 404) throw thrown;
    throw new AppError('not-found', 'The job was removed from this computer.', { field: dealId, cause: thrown });
  }
}

export async function openJobContainer(
  parts: JobContainerParts,
  dealId: Bytes32,
  raw: ContainerInspectInfo,
): Promise<JobContainer> {
  const { link, clock, log, closing } = parts;
  const id = raw.Id;
  const runSeconds = positive(raw.Config.Labels[LABELS.run]);
  const diskBytes = positive(raw.Config.Labels[LABELS.disk]);
  const deal = await openDealContainer(parts, dealId, raw);
  /** Told by the watch itself: what was written may be gone again when the end is judged. */
  let diskUsedAtStop = 0;

  const judge = async (found: ContainerInspectInfo): Promise<JobEnd> => {
    const state = stateOf(found.State);
    const startedAtMs = state.startedAtMs ?? state.finishedAtMs ?? 0;
    const killed = found.State.ExitCode === KILLED && !found.State.OOMKilled;
    const measured = killed ? await diskUsed(link, id, [jobName(dealId)]) : 0;
    return judgeEnd(
      {
        exitCode: found.State.ExitCode,
        oomKilled: found.State.OOMKilled && diskUsedAtStop === 0,
        startedAtMs,
        // The engine's two clocks may differ by a moment.
        finishedAtMs: Math.max(startedAtMs, state.finishedAtMs ?? startedAtMs),
        error: found.State.Error,
      },
      {
        runSeconds,
        diskBytes,
        diskUsed: Math.max(measured, diskUsedAtStop),
        bootedAtMs: (clock.now() - uptime()) * 1000,
      },
    );
  };

  const signalJob = async (signal: string): Promise<void> => {
    await link
      .call((abortSignal) => link.docker.getContainer(id).kill({ signal, abortSignal }))
      .catch((thrown: unknown) => {
        // It is not running, or gone: there is nobody to tell.
        if (!(thrown instanceof AppError && (thrown.code === 'conflict' || thrown.code === 'not-found'))) throw thrown;
      });
  };

  /** One look and, while it runs, one wait; null to look again. */
  async function step(): Promise<JobEnd | 'engine-lost' | null> {
    const found = await inspectJob(link, dealId, id);
    const state = stateOf(found.State);
    if (state.status === 'exited') return judge(found);
    const leftMs = (state.startedAtMs ?? 0) + runSeconds * 1000 - clock.now() * 1000;
    if (runSeconds > 0 && leftMs <= 0) {
      log.info({ dealId, runSeconds }, 'Job stopped: its time is over');
      await deal.stop(GRACE_SECONDS);
      return null;
    }
    const due = new AbortController();
    const timer = runSeconds > 0 ? setTimeout(() => due.abort(), Math.min(leftMs, MAX_TIMER_MS)) : undefined;
    try {
      const end = await deal.supervise(AbortSignal.any([closing, due.signal]));
      if (end.kind === 'engine-lost') return end.kind;
      if (end.kind === 'disk-limit') {
        log.info({ dealId, usedBytes: end.usedBytes }, 'Job stopped: it wrote more than it may');
        diskUsedAtStop = end.usedBytes;
        // Frozen until here; some engines kill nobody who is.
        await deal.resume();
        await signalJob('SIGKILL');
        await delay(KILLED_WITHIN_MS, closing);
      }
    } catch (thrown) {
      if (!due.signal.aborted || closing.aborted) throw thrown;
    } finally {
      clearTimeout(timer);
    }
    return null;
  }

  async function watch(): Promise<JobEnd | 'engine-lost'> {
    for (;;) {
      try {
        const end = await step();
        if (end !== null) return end;
      } catch (thrown) {
        if (engineLost(thrown)) return 'engine-lost';
        if (closing.aborted || (thrown instanceof AppError && thrown.code === 'not-found')) throw thrown;
        log.warn({ dealId, failure: thrown }, 'A job could not be watched for a moment');
        await delay(RETRY_MS, closing);
      }
    }
  }

  async function* logs(options: {
    fromByte: number;
    follow: boolean;
    signal?: AbortSignal;
  }): AsyncGenerator<LogChunk, void> {
    let skip = Math.max(0, Math.floor(options.fromByte));
    for await (const { stream, bytes } of containerLogs(link, id, { ...options, tail: 'all' })) {
      const skipped = Math.min(skip, bytes.length);
      skip -= skipped;
      if (skipped < bytes.length) yield { stream, bytes: bytes.subarray(skipped) };
    }
    if (options.follow && link.facts === null && options.signal?.aborted !== true)
      throw link.failure ?? new AppError('engine-down', 'The Docker engine of this computer does not answer.');
  }

  return {
    deal,
    watch,
    process: (watching, remove) => ({
      dealId,
      logs,
      async usage() {
        const { status } = await deal.inspect();
        if (status === 'running' || status === 'paused') return deal.usage();
        return { cpuPercent: 0, memoryBytes: 0, networkReceivedBytes: 0, networkSentBytes: 0, diskBytes: null };
      },
      checkpoint: () => signalJob('SIGUSR1'),
      async stop(graceSeconds) {
        await deal.stop(graceSeconds);
      },
      async wait(signal) {
        if (signal === undefined) return watching();
        const { promise: left, reject } = Promise.withResolvers<never>();
        const leave = (): void => reject(new AppError('cancelled', 'The wait was cancelled.'));
        if (signal.aborted) leave();
        signal.addEventListener('abort', leave, { once: true });
        try {
          return await Promise.race([left, watching()]);
        } finally {
          signal.removeEventListener('abort', leave);
        }
      },
      async outputs() {
        const { status } = await deal.inspect();
        if (status === 'running' || status === 'paused') {
          throw new AppError('conflict', 'The job still runs.', { next: 'Wait for its end, or stop it.' });
        }
        const stop = new AbortController();
        // No time limit: however long somebody reads, the engine's loss breaks the stream by itself.
        const source = (await link.call(() =>
          link.docker.getContainer(id).getArchive({ path: `${JOB_ENV.COMMONWATT_OUT}/.`, abortSignal: stop.signal }),
        )) as Readable;
        const pack = tarPack();
        withoutFolder(source, pack).catch((thrown: unknown) => pack.destroy(thrown as Error));
        // The archiver's streams are not Node's own; its readers may rely on those.
        const outputs = new PassThrough();
        pipeline(pack, outputs)
          .catch(() => undefined)
          .finally(() => stop.abort());
        return outputs;
      },
      remove,
    }),
  };
}
