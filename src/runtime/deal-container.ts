import type { ContainerInspectInfo } from 'dockerode';
import { AppError } from '../shared/errors.ts';
import { type Bytes32, isBytes32 } from '../shared/ids.ts';
import { delay } from '../shared/retry.ts';
import { containerLogs } from './container-logs.ts';
import { LABELS } from './create-options.ts';
import { statusOf } from './docker-errors.ts';
import { diskUsed } from './disk-used.ts';
import { abortableContainer } from './dockerode-gaps.ts';
import type { ContainerState, ContainerUsage, DealContainer } from './engine.ts';
import type { EngineLink } from './engine-link.ts';
import { startExec } from './exec-session.ts';
import { type Guards, publishedPorts } from './guards.ts';
import { supervise } from './supervise.ts';
import { cpuPercent, type RawStats, readUsage } from './usage.ts';

const HEALTH_WITHIN_MS = 5_000;

/** Prefers what people expect at a prompt; not a login shell, whose profile would undo the image's own PATH. */
const BEST_SHELL = ['/bin/sh', '-c', 'exec "$(command -v bash || command -v zsh || command -v ash || echo /bin/sh)"'];

const time = (text: string | undefined): number | null => {
  const ms = Date.parse(text ?? '');
  // The engine writes year 1 for "never".
  return Number.isFinite(ms) && ms > 0 ? ms : null;
};

/** The engine's answer in our words. */
export function stateOf(
  raw: Pick<ContainerInspectInfo['State'], 'Status' | 'ExitCode' | 'StartedAt' | 'FinishedAt'>,
): ContainerState {
  const startedAtMs = time(raw.StartedAt);
  const live = raw.Status === 'running' || raw.Status === 'paused' || raw.Status === 'restarting';
  const status =
    raw.Status === 'paused' ? 'paused' : live ? 'running' : raw.Status === 'created' ? 'created' : 'exited';
  return {
    status,
    exitCode: status === 'exited' ? raw.ExitCode : null,
    startedAtMs,
    finishedAtMs: status === 'exited' ? time(raw.FinishedAt) : null,
  };
}

/** Succeeds in a namespace where somebody listens on one of the ports. State 0A is LISTEN in the kernel's table. */
export const listeningScript = (ports: readonly number[]): string => {
  const patterns = ports.map((port) => `*:${port.toString(16).toUpperCase().padStart(4, '0')}`).join('|');
  return `cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | while read -r _ own _ state _; do [ "$state" = 0A ] && case "$own" in ${patterns}) exit 9 ;; esac; done; [ $? = 9 ]`;
};

const MISSING: ContainerState = { status: 'missing', exitCode: null, startedAtMs: null, finishedAtMs: null };

const isMissing = (thrown: unknown): boolean => statusOf(thrown instanceof AppError ? thrown.cause : thrown) === 404;

/** The id of the guard whose network the container shares; null for a container that is not one of ours. */
export const guardIdOf = (raw: ContainerInspectInfo): string | null =>
  /^container:([0-9a-f]{12,64})$/.exec(raw.HostConfig.NetworkMode ?? '')?.[1] ?? null;

export const dealIdOf = (labels: Record<string, string> | undefined): Bytes32 | null => {
  const id = labels?.[LABELS.deal];
  return isBytes32(id) ? id : null;
};

const portsOf = (labels: Record<string, string>): number[] =>
  (labels[LABELS.ports] ?? '')
    .split(',')
    .map(Number)
    .filter((port) => Number.isInteger(port) && port > 0 && port <= 65_535);

export interface DealContainerParts {
  link: EngineLink;
  guards: Guards;
  newId: () => string;
  /** Called when the container is gone for good. */
  onRemoved: (dealId: Bytes32) => void;
}

/** The deal's container as the engine shows it; the guard is looked up once for its published ports. */
export async function openDealContainer(
  parts: DealContainerParts,
  dealId: Bytes32,
  raw: ContainerInspectInfo,
): Promise<DealContainer> {
  const { link, guards, newId } = parts;
  const id = raw.Id;
  const guardId = guardIdOf(raw);
  const inspectGuard = async (): Promise<ContainerInspectInfo | null> =>
    guardId === null
      ? null
      : link
          .call((abortSignal) => link.docker.getContainer(guardId).inspect({ abortSignal }))
          .catch((thrown: unknown) => {
            if (isMissing(thrown)) return null;
            throw thrown;
          });
  const specPorts = portsOf(raw.Config.Labels);
  const guard = await inspectGuard();
  const ports = publishedPorts(guard?.NetworkSettings.Ports, specPorts);
  const limit = Number(raw.Config.Labels[LABELS.disk]);
  const container = () => link.docker.getContainer(id);
  let lastDisk: number | null = null;
  let lastStats: RawStats | null = null;

  const inspect = async (): Promise<ContainerState> => {
    try {
      return stateOf((await link.call((abortSignal) => container().inspect({ abortSignal }))).State);
    } catch (thrown) {
      if (isMissing(thrown)) return MISSING;
      throw thrown;
    }
  };

  /** Runs without a terminal and throws the output away. */
  const quietly = async (containerId: string, command: string[], signal: AbortSignal): Promise<number | null> => {
    const exec = await link.call(
      (abortSignal) =>
        link.docker
          .getContainer(containerId)
          .exec({ Cmd: command, AttachStdout: true, AttachStderr: true, abortSignal }),
      { signal },
    );
    const output = await link.call((abortSignal) => exec.start({ abortSignal }), { signal });
    for await (const bytes of output as AsyncIterable<Uint8Array>) if (bytes.length === 0) break;
    return (await link.call((abortSignal) => exec.inspect({ abortSignal }), { signal })).ExitCode ?? null;
  };

  /** For images without a shell: does the program answer on a port, or at least have a process? */
  const alive = async (signal: AbortSignal): Promise<boolean> => {
    if (specPorts.length > 0) {
      return guardId !== null && (await quietly(guardId, ['/bin/sh', '-c', listeningScript(specPorts)], signal)) === 0;
    }
    const { Processes: processes } = (await link.call((abortSignal) => container().top({ abortSignal }), {
      signal,
    })) as { Processes: unknown[] | null };
    return (processes?.length ?? 0) > 0;
  };

  const stats = async (containerId: string): Promise<RawStats> =>
    (await link.call((abortSignal) =>
      abortableContainer(link.docker.getContainer(containerId)).stats({ stream: false, 'one-shot': true, abortSignal }),
    )) as RawStats;

  const volumes = raw.Mounts.flatMap((mount) => (mount.Type === 'volume' ? (mount.Name ?? []) : []));
  const measure = async (signal?: AbortSignal): Promise<number> => {
    lastDisk = await diskUsed(link, id, volumes, signal);
    return lastDisk;
  };

  const pause = async (): Promise<void> => {
    if ((await inspect()).status === 'paused') return;
    await link.call((abortSignal) => container().pause({ abortSignal }));
  };
  const resume = async (): Promise<void> => {
    if ((await inspect()).status === 'running') return;
    await link.call((abortSignal) => container().unpause({ abortSignal }));
  };

  return {
    dealId,
    ports,
    inspect,
    async healthy(signal) {
      const within = AbortSignal.any([AbortSignal.timeout(HEALTH_WITHIN_MS), ...(signal ? [signal] : [])]);
      try {
        const [state, guardNow] = await Promise.all([inspect(), inspectGuard()]);
        if (state.status !== 'running' || guardNow?.State.Running !== true || guardNow.State.Paused) return false;
        const code = await quietly(id, ['/bin/sh', '-c', ':'], within).catch((thrown: unknown) => {
          if (thrown instanceof AppError && thrown.code === 'bad-input') return 127;
          throw thrown;
        });
        if (code === 0) return true;
        return (code === 126 || code === 127) && (await alive(within));
      } catch {
        return false;
      }
    },
    exec: (request) => startExec(link, id, request, newId),
    shell: () => Promise.resolve(BEST_SHELL),
    logs: ({ follow, tail, signal }) =>
      containerLogs(link, id, { follow, tail: Math.max(0, Math.min(10_000, Math.floor(tail))), signal }),
    async usage(): Promise<ContainerUsage> {
      let before = lastStats;
      if (before === null) {
        before = await stats(id);
        await delay(200);
      }
      const [own, ofGuard] = await Promise.all([stats(id), guardId === null ? null : stats(guardId).catch(() => null)]);
      lastStats = own;
      return { ...readUsage(own, ofGuard), cpuPercent: cpuPercent(before, own), diskBytes: lastDisk };
    },
    pause,
    resume,
    async stop(graceSeconds) {
      const grace = Math.max(0, Math.min(600, Math.ceil(graceSeconds)));
      const state = await inspect();
      if (state.status === 'missing' || state.status === 'exited' || state.status === 'created') return state;
      // A frozen process hears no signal.
      if (state.status === 'paused') await resume();
      await link
        .call((abortSignal) => container().kill({ signal: 'SIGUSR1', abortSignal }))
        .catch((thrown: unknown) => {
          if (!(thrown instanceof AppError && thrown.code === 'conflict') && !isMissing(thrown)) throw thrown;
        });
      await link
        .call((abortSignal) => container().stop({ t: grace, abortSignal }), { timeoutMs: (grace + 30) * 1000 })
        .catch((thrown: unknown) => {
          if (statusOf(thrown instanceof AppError ? thrown.cause : thrown) !== 304 && !isMissing(thrown)) throw thrown;
        });
      return inspect();
    },
    async remove() {
      await link
        .call((abortSignal) => container().remove({ force: true, v: true, abortSignal }))
        .catch(async (thrown: unknown) => {
          if (isMissing(thrown)) return;
          // Another removal of the same container is under way: it is done when the container is gone.
          if (!(thrown instanceof AppError && thrown.code === 'conflict')) throw thrown;
          await link
            .call((abortSignal) => container().wait({ condition: 'removed', abortSignal }))
            .catch((late: unknown) => {
              if (!isMissing(late)) throw late;
            });
        });
      if (guardId !== null) await guards.remove(guardId);
      parts.onRemoved(dealId);
    },
    supervise: (signal) =>
      supervise(
        link,
        {
          containerId: id,
          diskLimitBytes: Number.isFinite(limit) && limit > 0 ? limit : null,
          inspect,
          diskUsed: measure,
          pause,
        },
        signal,
      ),
  };
}
