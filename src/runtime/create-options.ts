import { createHash } from 'node:crypto';
import type { ContainerCreateOptions, HostConfig } from 'dockerode';
import { AppError } from '../shared/errors.ts';
import type { Bytes32 } from '../shared/ids.ts';
import { canonicalJson } from '../shared/json.ts';
import type { RentalSpec } from '../shared/rental.ts';
import type { DealPlan, EngineInfo } from './engine.ts';
import { FIRST_PUBLISHED_PORT, RESOLVERS } from './guard-rules.ts';

export const LABELS = {
  install: 'commonwatt.install',
  role: 'commonwatt.role',
  deal: 'commonwatt.deal',
  spec: 'commonwatt.spec',
  ports: 'commonwatt.ports',
  disk: 'commonwatt.disk-bytes',
  network: 'commonwatt.network',
  /** Seconds a job may run from its start: the engine keeps the start, so the deadline outlives this program. */
  run: 'commonwatt.run-seconds',
} as const;

export const GUARD_IMAGE = 'commonwatt/guard:1';
export const PRACTICE_IMAGE = 'commonwatt/practice:1';

export const dealName = (dealId: Bytes32): string => `commonwatt-${dealId.slice(2)}`;
export const guardName = (dealId: Bytes32): string => `commonwatt-guard-${dealId.slice(2)}`;
export const WARM_PREFIX = 'commonwatt-warm-';

/** SHA-256 of the spec's canonical JSON: tells on adoption whether the container is the one agreed. */
export const specDigest = (spec: object): string => createHash('sha256').update(canonicalJson(spec)).digest('hex');

/**
 * What a rental may do inside its own container, and no more: people install packages and start servers there as root.
 * Without SETFCAP, MKNOD, SYS_CHROOT, AUDIT_WRITE and above all NET_RAW and NET_ADMIN: raw frames would pass under the
 * guard's rules.
 */
const RENTAL_CAPABILITIES = [
  'CHOWN', // unpacking archives and packages sets owners
  'DAC_OVERRIDE', // root works in folders that belong to other users of the image
  'FOWNER', // package managers set modes and times of such files
  'SETUID', // servers and package managers step down to their own user
  'SETGID', // … and group
  'KILL', // root ends processes that stepped down
  'NET_BIND_SERVICE', // servers on ports below 1024
];

/** Variables that steer the GPU runtime or the loader: a renter could ask for cards that were not handed over. */
const REFUSED_ENV = /^(NVIDIA_|LD_)/i;

/** @throws AppError bad-input naming the first variable that may not be set. */
export function refuseVariables(env: Readonly<Record<string, string>>, field: string): void {
  const refused = Object.keys(env).find((name) => REFUSED_ENV.test(name));
  if (refused === undefined) return;
  throw new AppError('bad-input', `The variable ${refused} may not be set.`, {
    field: `${field}.${refused}`,
    next: 'Remove it.',
  });
}

const SHELLS = new Set([
  'sh',
  'bash',
  'ash',
  'dash',
  'zsh',
  'fish',
  'python',
  'python3',
  'node',
  'irb',
  'R',
  'julia',
  'ghci',
  'iex',
  'php',
  'psysh',
]);

/**
 * Waits for ever without using the processor, with nothing but a shell; ends on SIGTERM at once and does not mind
 * SIGUSR1, the request to save one's work.
 */
export const WAITING_COMMAND = [
  '/bin/sh',
  '-c',
  "trap 'exit 0' TERM INT; trap : USR1; while :; do sleep 3600 & wait $!; done",
] as const;

export interface ImageDefaults {
  entrypoint: readonly string[];
  command: readonly string[];
  /** Folders of the image's PATH. */
  path: readonly string[];
  /** Empty where the image sets none. */
  workingFolder: string;
}

/**
 * The main process: the spec's command, else what the image runs by itself, else one that waits - an image that only
 * opens a shell or an interpreter would end at once without a terminal.
 */
export function mainProcess(spec: RentalSpec, image: ImageDefaults): readonly string[] {
  if (spec.command !== undefined && spec.command.length > 0) return spec.command;
  const own = [...image.entrypoint, ...image.command];
  const last = own.at(-1);
  if (last === undefined || (image.command.length <= 1 && SHELLS.has(last.slice(last.lastIndexOf('/') + 1))))
    return WAITING_COMMAND;
  return own;
}

const clamp = (asked: number | undefined, allowed: number): number => Math.min(asked ?? allowed, allowed);

export function gpuRequests(gpuIds: readonly string[], info: EngineInfo): Pick<HostConfig, 'DeviceRequests'> {
  if (gpuIds.length === 0) return {};
  for (const id of gpuIds) {
    if (!/^(GPU|MIG)-[0-9a-fA-F-]{8,80}$/.test(id)) {
      throw new AppError('unsupported', `Cards such as ${id.slice(0, 40)} cannot be handed to a container yet.`, {
        next: 'Share an NVIDIA card, or the processor.',
      });
    }
  }
  const request = info.cdi
    ? { Driver: 'cdi', DeviceIDs: gpuIds.map((id) => `nvidia.com/gpu=${id}`) }
    : { Driver: 'nvidia', DeviceIDs: [...gpuIds], Capabilities: [['gpu', 'compute', 'utility']] };
  return { DeviceRequests: [request] };
}

/** The engine knows it, dockerode's types do not. */
export const withCgroupns = (config: HostConfig): HostConfig => Object.assign(config, { CgroupnsMode: 'private' });

export interface RentalContext {
  installId: string;
  guardId: string;
  info: EngineInfo;
  /** Processors the engine has; a larger request would be refused. */
  engineCpus: number;
  image: ImageDefaults;
  /** Whether the engine's storage can cap one container (xfs with project quotas). */
  storageQuota: boolean;
}

/** What holds for every container of a stranger, rental or job: no privileges to gain, every resource capped. Bytes, cores. */
export function strangersLimits({ memory, cpus, pids }: { memory: number; cpus: number; pids: number }): HostConfig {
  return {
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges:true'],
    Privileged: false,
    Memory: memory,
    // Equal to Memory: no swap, so that one container cannot make the whole computer crawl.
    MemorySwap: memory,
    NanoCpus: Math.max(10_000_000, Math.floor(cpus * 1e9)),
    PidsLimit: pids,
    // Training loaders pass batches through it; it counts against Memory.
    ShmSize: Math.floor(memory / 2),
    // No nproc: it counts the processes of a user id on the whole computer, the owner's own included. PidsLimit caps.
    Ulimits: [
      { Name: 'nofile', Soft: 16_384, Hard: 16_384 },
      { Name: 'core', Soft: 0, Hard: 0 },
    ],
    // Where memory runs out, the kernel takes a stranger's work before the owner's.
    OomScoreAdj: 500,
    IpcMode: 'private',
    Init: true,
    LogConfig: { Type: 'local', Config: { 'max-size': '10m', 'max-file': '3' } },
    RestartPolicy: { Name: 'no' },
    AutoRemove: false,
  };
}

/**
 * A rental's container: no privileges to gain, a short list of capabilities, every resource capped, the guard's network.
 * @throws AppError bad-input for refused variables, unsupported for cards no engine hands over.
 */
export function rentalOptions(plan: DealPlan, context: RentalContext): ContainerCreateOptions & { name: string } {
  const { spec, limits } = plan;
  refuseVariables(spec.env, 'spec.env');
  const memory = Math.floor(clamp(spec.memoryBytes, limits.memoryBytes));
  const disk = Math.floor(clamp(spec.diskBytes, limits.diskBytes));
  const cpus = Math.min(clamp(spec.cpus, limits.cpus), context.engineCpus);
  const [program, ...rest] = mainProcess(spec, context.image);
  return {
    name: dealName(plan.dealId),
    Image: spec.image,
    Entrypoint: [program ?? '/bin/sh'],
    Cmd: rest,
    Env: [
      ...Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
      // Images built for CUDA ask for every card by a variable of their own; the runtime obeys it even unasked.
      ...(limits.gpuIds.length === 0 ? ['NVIDIA_VISIBLE_DEVICES=void'] : []),
    ],
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    OpenStdin: false,
    Tty: false,
    Labels: {
      [LABELS.install]: context.installId,
      [LABELS.role]: 'rental',
      [LABELS.deal]: plan.dealId,
      [LABELS.spec]: specDigest(spec),
      [LABELS.ports]: spec.ports.join(','),
      [LABELS.disk]: String(disk),
    },
    HostConfig: withCgroupns({
      NetworkMode: `container:${context.guardId}`,
      ...strangersLimits({ memory, cpus, pids: limits.pids }),
      CapAdd: RENTAL_CAPABILITIES,
      ReadonlyRootfs: false,
      ...(context.storageQuota ? { StorageOpt: { size: String(disk) } } : {}),
      ...gpuRequests(limits.gpuIds, context.info),
    }),
  };
}

/** A guard: the one container with a say over its network namespace, and nothing else to its name. */
export function guardOptions(input: {
  installId: string;
  name: string;
  network: string;
  ports: number;
  script: string;
}): ContainerCreateOptions & { name: string } {
  const ports = Array.from({ length: input.ports }, (_, i) => `${FIRST_PUBLISHED_PORT + i}/tcp`);
  return {
    name: input.name,
    Image: GUARD_IMAGE,
    Hostname: 'rental',
    Entrypoint: ['/bin/sh'],
    Cmd: ['-c', `${input.script}while :; do sleep 86400; done`],
    ExposedPorts: Object.fromEntries(ports.map((port) => [port, {}])),
    Labels: { [LABELS.install]: input.installId, [LABELS.role]: 'guard', [LABELS.network]: input.network },
    HostConfig: {
      NetworkMode: input.network,
      PortBindings: Object.fromEntries(ports.map((port) => [port, [{ HostIp: '127.0.0.1', HostPort: '' }]])),
      CapDrop: ['ALL'],
      CapAdd: ['NET_ADMIN'],
      SecurityOpt: ['no-new-privileges:true'],
      ReadonlyRootfs: true,
      // iptables keeps its lock there.
      Tmpfs: { '/run': 'size=64k,nosuid,nodev,noexec' },
      // The rules know IPv4 only, so there is no IPv6.
      Sysctls: { 'net.ipv6.conf.all.disable_ipv6': '1', 'net.ipv6.conf.default.disable_ipv6': '1' },
      Dns: [...RESOLVERS],
      // Keeps the search domains of the owner's network out.
      DnsSearch: ['.'],
      Memory: 64 * 1024 * 1024,
      MemorySwap: 64 * 1024 * 1024,
      PidsLimit: 32,
      Init: true,
      LogConfig: { Type: 'none', Config: {} },
      RestartPolicy: { Name: 'no' },
    },
  };
}
