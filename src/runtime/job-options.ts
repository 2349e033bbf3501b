import type { ContainerCreateOptions } from 'dockerode';
import { AppError } from '../shared/errors.ts';
import type { Bytes32 } from '../shared/ids.ts';
import type { Work } from '../shared/job-spec.ts';
import {
  gpuRequests,
  type ImageDefaults,
  LABELS,
  refuseVariables,
  specDigest,
  strangersLimits,
  withCgroupns,
} from './create-options.ts';
import type { EngineInfo } from './engine.ts';
import type { JobPlan } from './job-runtime.ts';

export const JOB_FOLDER = '/job';
/** Where a job finds its inputs and leaves its results, in a container and in a module alike. */
export const JOB_ENV = { COMMONWATT_IN: `${JOB_FOLDER}/in`, COMMONWATT_OUT: `${JOB_FOLDER}/out` } as const;
/** nobody, in nearly every image. */
export const JOB_USER = 65_534;

/** Name of the job's container and of its volume. */
export const jobName = (dealId: Bytes32): string => `commonwatt-job-${dealId.slice(2)}`;

/** What has to be the same for two plans to be the same run. Values of variables may be secrets: only names are told. */
export const jobDigest = (plan: JobPlan): string =>
  specDigest({
    work: plan.work,
    variables: Object.keys(plan.env).toSorted(),
    network: plan.network,
    runSeconds: plan.runSeconds,
  });

export interface JobContext {
  installId: string;
  /** The guard whose network the job joins; null for no network at all. */
  guardId: string | null;
  info: EngineInfo;
  engineCpus: number;
  image: ImageDefaults;
}

/** The program and its arguments: the job's command, which is the whole of it as with rentals, else what the image runs. */
export function jobProcess(work: Extract<Work, { type: 'docker' }>, image: ImageDefaults): readonly string[] {
  const own = work.command ?? [];
  const command = own.length > 0 ? own : [...image.entrypoint, ...image.command];
  if (command.length > 0) return command;
  throw new AppError('bad-input', 'The image runs nothing by itself.', {
    field: 'work.command',
    next: 'Give the command to run.',
  });
}

/** Folders that only root may enter in many images, or that say nothing. */
const NO_WORKING_FOLDER = /^(\/|\/root(\/.*)?)?$/;

/**
 * A job's container: nobody's rights, no capabilities, a root that cannot be written, every resource capped; what it may
 * keep lies in one volume. @throws AppError bad-input for refused variables or nothing to run; unsupported.
 */
export function jobOptions(
  plan: JobPlan,
  work: Extract<Work, { type: 'docker' }>,
  context: JobContext,
): ContainerCreateOptions & { name: string } {
  const { limits } = plan;
  refuseVariables(plan.env, 'env');
  const memory = Math.floor(limits.memoryBytes);
  const cpus = Math.min(limits.cpus, context.engineCpus);
  const [program, ...rest] = jobProcess(work, context.image);
  const own = context.image.workingFolder;
  // Nobody has no home of its own; many programs want one.
  const env = { HOME: '/tmp', ...plan.env, ...JOB_ENV };
  return {
    name: jobName(plan.dealId),
    Image: work.image,
    Entrypoint: [program ?? ''],
    Cmd: rest,
    Env: [
      ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
      // Images built for CUDA ask for every card by a variable of their own; the runtime obeys it even unasked.
      ...(limits.gpuIds.length === 0 ? ['NVIDIA_VISIBLE_DEVICES=void'] : []),
    ],
    User: `${JOB_USER}:${JOB_USER}`,
    WorkingDir: NO_WORKING_FOLDER.test(own) ? JOB_ENV.COMMONWATT_OUT : own,
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    OpenStdin: false,
    Tty: false,
    Labels: {
      [LABELS.install]: context.installId,
      [LABELS.role]: 'job',
      [LABELS.deal]: plan.dealId,
      [LABELS.spec]: jobDigest(plan),
      [LABELS.disk]: String(Math.floor(limits.diskBytes)),
      [LABELS.run]: String(plan.runSeconds),
    },
    HostConfig: withCgroupns({
      NetworkMode: context.guardId === null ? 'none' : `container:${context.guardId}`,
      ...strangersLimits({ memory, cpus, pids: limits.pids }),
      ReadonlyRootfs: true,
      Mounts: [
        {
          Type: 'volume',
          Source: jobName(plan.dealId),
          Target: JOB_FOLDER,
          // What the image has there would come before the inputs.
          VolumeOptions: { NoCopy: true, Labels: {}, DriverConfig: { Name: 'local', Options: {} } },
        },
      ],
      // It counts against Memory. Programs that compile for themselves run what they put there.
      Tmpfs: { '/tmp': `size=${Math.floor(memory / 2)},mode=1777,nosuid,nodev,exec` },
      ...gpuRequests(limits.gpuIds, context.info),
    }),
  };
}
