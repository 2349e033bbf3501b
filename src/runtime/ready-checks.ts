import type { AppError } from '../shared/errors.ts';
import type { ReadyCheck } from '../shared/ready-check.ts';
import { formatBytes, GIB } from '../shared/units.ts';
import type { EngineFacts } from './engine-link.ts';

/** Below these versions, escapes from containers are publicly known. */
const FLOORS = { engine: [28, 0, 0], runc: { '1.2': [1, 2, 8], newer: [1, 3, 3] } } as const;
const DISK_WARN = 20 * GIB;
const DISK_FAIL = 2 * GIB;

/** "20.10.24+dfsg1" -> [20, 10, 24]; null where it is no version. */
export function versionNumbers(text: string): [number, number, number] | null {
  const parts = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  return parts ? [Number(parts[1]), Number(parts[2]), Number(parts[3] ?? 0)] : null;
}

const below = (found: readonly number[], floor: readonly number[]): boolean => {
  for (const [i, part] of floor.entries()) if (found[i] !== part) return (found[i] ?? 0) < part;
  return false;
};

export interface CheckInput {
  facts: EngineFacts | null;
  failure: AppError | null;
  socket: string;
  platform: NodeJS.Platform;
  /** Whether the computer has an NVIDIA card, as far as this room can tell; null for unknown. */
  nvidia: boolean | null;
  guardImage: 'present' | 'missing' | AppError;
}

/** Every check of the engine, in the order in which a person would mend them. Pure. */
export function engineChecks(input: CheckInput): ReadyCheck[] {
  const { facts } = input;
  if (facts === null) {
    const denied = input.failure?.next?.includes('group') === true;
    const linux = input.platform === 'linux';
    return [
      {
        id: 'engine',
        title: 'Docker engine',
        state: 'fail',
        detail: denied ? `This user may not use ${input.socket}.` : `No Docker engine answers at ${input.socket}.`,
        fix: denied
          ? {
              text: 'Add your user to the group "docker", then sign in again.',
              command: 'sudo usermod -aG docker "$USER"',
            }
          : linux
            ? {
                text: 'Install Docker and start it.',
                command: 'sudo apt-get install -y docker.io && sudo systemctl enable --now docker',
              }
            : { text: 'Install Docker Desktop and start it.' },
      },
    ];
  }
  return [
    {
      id: 'engine',
      title: 'Docker engine',
      state: 'ok',
      detail: `Docker ${facts.info.version} answers at ${input.socket}.`,
    },
    ...versions(facts),
    ...limits(facts),
    ...gpu(facts, input),
    ...disk(facts),
    guard(input.guardImage),
  ];
}

function versions(facts: EngineFacts): ReadyCheck[] {
  const engine = versionNumbers(facts.info.version);
  const runc = facts.runcVersion === null ? null : versionNumbers(facts.runcVersion);
  const runcFloor = runc !== null && runc[0] === 1 && runc[1] <= 2 ? FLOORS.runc['1.2'] : FLOORS.runc.newer;
  const old = [
    ...(engine !== null && below(engine, FLOORS.engine)
      ? [`Docker ${facts.info.version} (${FLOORS.engine.join('.')} or newer is advised)`]
      : []),
    ...(runc !== null && below(runc, runcFloor)
      ? [`runc ${facts.runcVersion} (${runcFloor.join('.')} or newer is advised)`]
      : []),
  ];
  if (old.length === 0)
    return [
      {
        id: 'engine-version',
        title: 'Docker version',
        state: 'ok',
        detail: 'No known way out of a container in these versions.',
      },
    ];
  return [
    {
      id: 'engine-version',
      title: 'Docker version',
      state: 'warn',
      detail: `Old: ${old.join(', ')}. Your system's packages may carry the security fixes under the old number.`,
      fix: { text: 'Update Docker; docs.docker.com/engine/install tells how on your system.' },
    },
  ];
}

function limits(facts: EngineFacts): ReadyCheck[] {
  const missing = [
    ...(facts.memoryLimit ? [] : ['memory']),
    ...(facts.pidsLimit ? [] : ['process count']),
    ...(facts.seccomp ? [] : ['system calls']),
  ];
  if (missing.length === 0)
    return [
      {
        id: 'limits',
        title: 'Limits for renters',
        state: 'ok',
        detail: 'Memory, processes and system calls can be limited.',
      },
    ];
  return [
    {
      id: 'limits',
      title: 'Limits for renters',
      state: 'fail',
      detail: `The engine cannot limit: ${missing.join(', ')}.`,
      fix: { text: 'Use a kernel with cgroups and seccomp; rootless Docker needs cgroup v2 with systemd delegation.' },
    },
  ];
}

function gpu(facts: EngineFacts, input: CheckInput): ReadyCheck[] {
  if (input.nvidia === false) return [];
  if (facts.info.cdi || facts.info.nvidiaRuntime) {
    return [
      {
        id: 'gpu-toolkit',
        title: 'GPU for containers',
        state: 'ok',
        detail: facts.info.cdi ? 'Docker hands out cards through CDI.' : 'The NVIDIA runtime is installed.',
      },
    ];
  }
  if (input.nvidia === null) return [];
  return [
    {
      id: 'gpu-toolkit',
      title: 'GPU for containers',
      state: 'fail',
      detail: 'There is an NVIDIA card, but Docker cannot hand it to a container.',
      fix: {
        text: 'Install the NVIDIA Container Toolkit (1.19.1 or newer) and restart Docker.',
        command:
          'sudo apt-get install -y nvidia-container-toolkit && sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker',
      },
    },
  ];
}

function disk(facts: EngineFacts): ReadyCheck[] {
  const free = facts.info.diskFreeBytes;
  if (free === null) return [];
  const state = free < DISK_FAIL ? 'fail' : free < DISK_WARN ? 'warn' : 'ok';
  return [
    {
      id: 'disk',
      title: 'Disk for images',
      state,
      detail: `${formatBytes(free)} free where Docker keeps its images.`,
      ...(state === 'ok'
        ? {}
        : { fix: { text: 'Free space: remove images that nothing uses.', command: 'docker image prune' } }),
    },
  ];
}

function guard(found: CheckInput['guardImage']): ReadyCheck {
  const common = { id: 'guard-image', title: 'Network guard' };
  if (found === 'present')
    return { ...common, state: 'ok', detail: 'The image that closes your network to renters is here.' };
  if (found === 'missing')
    return {
      ...common,
      state: 'warn',
      detail: 'The guard image is made before the first rental.',
      fix: { text: 'Nothing to do; sharing makes it.' },
    };
  return {
    ...common,
    state: 'fail',
    detail: found.message,
    fix: {
      text: found.next ?? 'Make the guard image by hand.',
      command: 'sudo apt-get install -y busybox-static iptables iproute2',
    },
  };
}
