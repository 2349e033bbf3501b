import type { Container, ContainerInspectInfo } from 'dockerode';
import { AppError } from '../shared/errors.ts';
import type { Bytes32 } from '../shared/ids.ts';
import type { Clock } from '../shared/time.ts';
import { guardName, LABELS } from './create-options.ts';
import { dealIdOf } from './deal-container.ts';
import { statusOf } from './docker-errors.ts';
import type { EngineParts } from './docker-engine.ts';
import type { Log } from './engine-link.ts';
import type { Guard } from './guards.ts';
import { type JobContainer, openJobContainer } from './job-container.ts';
import { listInputs, packInputs } from './job-inputs.ts';
import { JOB_FOLDER, JOB_USER, jobDigest, jobName, jobOptions, jobProcess } from './job-options.ts';
import type { JobEnd, JobPlan, JobProcess, JobRuntimes } from './job-runtime.ts';
import { requireProgram } from './require-program.ts';

/** Copying the inputs may take as long as a slow disk needs. */
const COPY_WITHIN_MS = 6 * 3_600_000;

const isStatus = (thrown: unknown, ...statuses: number[]): boolean =>
  statuses.includes(statusOf(thrown instanceof AppError ? thrown.cause : thrown) ?? -1);

type StartOptions = Parameters<JobRuntimes['start']>[1];

/** Jobs in containers: one container, one volume, and a guard where the job may reach the internet. */
export function createDockerJobs(
  parts: EngineParts,
  options: { installId: string; clock: Clock; log: Log },
): JobRuntimes {
  const { link, images, publicImages, guards } = parts;
  const { installId, clock, log } = options;
  const closing = new AbortController();
  const starting = new Map<Bytes32, Promise<JobProcess>>();
  const watches = new Map<Bytes32, Promise<JobEnd | 'engine-lost'>>();
  const containerParts = {
    link,
    guards,
    newId: parts.newId,
    onRemoved: (dealId: Bytes32) => void parts.making.delete(dealId),
    clock,
    log,
    closing: closing.signal,
  };

  const inspectJob = async (dealId: Bytes32): Promise<ContainerInspectInfo | null> => {
    const raw = await link
      .call((abortSignal) => link.docker.getContainer(jobName(dealId)).inspect({ abortSignal }))
      .catch((thrown: unknown) => {
        if (isStatus(thrown, 404)) return null;
        throw thrown;
      });
    return raw?.Config.Labels[LABELS.install] === installId ? raw : null;
  };

  function watchOf(container: JobContainer): Promise<JobEnd | 'engine-lost'> {
    const { dealId } = container.deal;
    const running = watches.get(dealId);
    if (running) return running;
    const watching = container.watch();
    watches.set(dealId, watching);
    watching.then(
      (end) => {
        // The next one looks anew, once the engine is back.
        if (end === 'engine-lost' && watches.get(dealId) === watching) watches.delete(dealId);
      },
      () => void (watches.get(dealId) === watching && watches.delete(dealId)),
    );
    return watching;
  }

  async function open(dealId: Bytes32, raw: ContainerInspectInfo): Promise<JobProcess> {
    const container = await openJobContainer(containerParts, dealId, raw);
    // Whoever asks or not: the deadline and the disk limit hold.
    void watchOf(container).catch(() => undefined);
    return container.process(
      () => watchOf(container),
      () => remove(dealId),
    );
  }

  /** Deals of containers and of volumes, so that a half-made job is found too. */
  async function list(): Promise<Bytes32[]> {
    const filters = JSON.stringify({ label: [`${LABELS.install}=${installId}`, `${LABELS.role}=job`] });
    const containers = await link.call((abortSignal) =>
      link.docker.listContainers({ all: true, filters, abortSignal }),
    );
    const { Volumes: volumes } = await link.call((abortSignal) => link.docker.listVolumes({ filters, abortSignal }));
    const found = [...containers, ...(volumes ?? [])].flatMap((one) => dealIdOf(one.Labels) ?? []);
    return [...new Set(found)];
  }

  async function removeContainer(dealId: Bytes32): Promise<void> {
    const raw = await inspectJob(dealId);
    if (raw === null) return;
    const container = link.docker.getContainer(raw.Id);
    try {
      await link.call((abortSignal) => container.remove({ force: true, v: true, abortSignal }));
    } catch (thrown) {
      if (isStatus(thrown, 404)) return;
      // Another removal is under way: it is done when the container is gone.
      if (!(thrown instanceof AppError && thrown.code === 'conflict')) throw thrown;
      await link
        .call((abortSignal) => container.wait({ condition: 'removed', abortSignal }))
        .catch((late: unknown) => {
          if (!isStatus(late, 404)) throw late;
        });
    }
  }

  async function removeVolume(dealId: Bytes32): Promise<void> {
    const volume = link.docker.getVolume(jobName(dealId));
    const found = await link
      .call((abortSignal) => volume.inspect({ abortSignal }))
      .catch((thrown: unknown) => {
        if (isStatus(thrown, 404)) return null;
        throw thrown;
      });
    if (found?.Labels?.[LABELS.install] !== installId) return;
    await link
      .call((abortSignal) => volume.remove({ abortSignal }))
      .catch((thrown: unknown) => {
        if (!isStatus(thrown, 404)) throw thrown;
      });
  }

  async function remove(dealId: Bytes32): Promise<void> {
    await removeContainer(dealId);
    // By its name: a crash may have come between the guard and the container.
    const guard = await link
      .call((abortSignal) => link.docker.getContainer(guardName(dealId)).inspect({ abortSignal }))
      .catch((thrown: unknown) => {
        if (isStatus(thrown, 404)) return null;
        throw thrown;
      });
    if (guard !== null) await guards.remove(guard.Id);
    await removeVolume(dealId);
    watches.delete(dealId);
    parts.making.delete(dealId);
  }

  async function adopt(plan: JobPlan): Promise<JobProcess | null> {
    const raw = await inspectJob(plan.dealId);
    if (raw === null || raw.State.Status === 'created') {
      await remove(plan.dealId);
      return null;
    }
    if (raw.Config.Labels[LABELS.spec] !== jobDigest(plan)) {
      throw new AppError('conflict', 'A container of this deal runs something else.', { next: 'Remove it first.' });
    }
    log.info({ dealId: plan.dealId }, 'Job adopted');
    return open(plan.dealId, raw);
  }

  async function copyInputs(
    container: Container,
    plan: JobPlan,
    { signal, onProgress }: NonNullable<StartOptions>,
  ): Promise<void> {
    const entries = await listInputs(plan.inputs);
    const total = entries.reduce((sum, entry) => sum + (entry.bytes ?? 0), 0);
    if (total > plan.limits.diskBytes) {
      throw new AppError('bad-input', 'The inputs alone are larger than the disk the job may use.', {
        field: 'resources.diskBytes',
        next: 'Ask for more disk.',
      });
    }
    let done = 0;
    const tar = packInputs(entries, {
      user: JOB_USER,
      onBytes(bytes) {
        done += bytes;
        onProgress?.({ label: 'Copying inputs', done, total, unit: 'bytes' });
      },
    });
    const broken = new Promise<never>((_, reject) => tar.once('error', reject));
    broken.catch(() => undefined);
    const stop = new AbortController();
    try {
      const copying = link.call(
        (abortSignal) =>
          container.putArchive(tar as unknown as NodeJS.ReadableStream, {
            path: JOB_FOLDER,
            abortSignal: AbortSignal.any([abortSignal, stop.signal]),
          }),
        { signal, timeoutMs: COPY_WITHIN_MS },
      );
      copying.catch(() => undefined);
      await Promise.race([copying, broken]);
    } finally {
      stop.abort();
      tar.destroy();
    }
  }

  async function create(plan: JobPlan, startOptions: NonNullable<StartOptions>): Promise<JobProcess> {
    const { work, dealId } = plan;
    const { signal } = startOptions;
    if (work.type !== 'docker') throw new AppError('internal', 'Only containers run here.');
    const reference = await publicImages.bring(work.image, startOptions);
    const { facts } = link;
    if (facts === null) throw link.failure ?? new AppError('engine-down', 'The Docker engine does not answer.');
    const image = await images.defaults(reference, signal);
    const context = { installId, guardId: null, info: facts.info, engineCpus: facts.cpus, image };
    const tagged = { ...work, image: reference };
    // Refuses before anything is made.
    jobOptions(plan, tagged, context);
    const [program] = jobProcess(work, image);
    parts.making.add(dealId);
    try {
      let guard: Guard | null = null;
      let opening: Promise<void> = Promise.resolve();
      if (plan.network === 'internet') {
        guard = await guards.take(0, signal);
        const mine = guard;
        await guards.assign(mine, dealId);
        const { uploadBitsPerSecond } = plan.limits;
        opening = guards.open(mine, { ports: [], internet: true, uploadBitsPerSecond });
        opening.catch(() => undefined);
      }
      const labels = { [LABELS.install]: installId, [LABELS.role]: 'job', [LABELS.deal]: dealId };
      await link.call((abortSignal) =>
        link.docker.createVolume({ Name: jobName(dealId), Driver: 'local', Labels: labels, abortSignal }),
      );
      const made = await link.call(
        (abortSignal) =>
          link.docker.createContainer({
            ...jobOptions(plan, tagged, { ...context, guardId: guard?.id ?? null }),
            abortSignal,
          }),
        { signal, image: work.image },
      );
      await requireProgram(link, made, { program: program ?? '', path: image.path, field: 'work.command' });
      await copyInputs(made, plan, startOptions);
      // Only a closed network may be joined: never start before the rules stand.
      await opening;
      await link.call((abortSignal) => made.start({ abortSignal }), { signal, image: work.image });
      const raw = await link.call((abortSignal) => made.inspect({ abortSignal }), { signal });
      log.info({ dealId }, 'Job started');
      return await open(dealId, raw);
    } catch (thrown) {
      await remove(dealId).catch((failure: unknown) =>
        log.warn({ failure, dealId }, 'A half-made job could not be removed'),
      );
      throw thrown;
    } finally {
      parts.making.delete(dealId);
      parts.refill();
    }
  }

  const off = link.onChange((facts) => {
    if (facts === null) return;
    void (async () => {
      for (const dealId of await list()) {
        const raw = await inspectJob(dealId);
        if (raw !== null && raw.State.Status !== 'created') await open(dealId, raw);
      }
    })().catch((failure: unknown) => log.warn({ failure }, 'The jobs of this computer could not be watched'));
  });

  return {
    async start(plan, startOptions = {}) {
      await parts.ready();
      const running = starting.get(plan.dealId);
      if (running) return running;
      const run = (async () => (await adopt(plan)) ?? create(plan, startOptions))().finally(() =>
        starting.delete(plan.dealId),
      );
      starting.set(plan.dealId, run);
      return run;
    },
    async find(dealId) {
      const running = starting.get(dealId);
      if (running) return running;
      const raw = await inspectJob(dealId);
      return raw === null || raw.State.Status === 'created' ? null : open(dealId, raw);
    },
    list,
    remove,
    onBack: (listener) => link.onChange((facts) => facts !== null && listener()),
    close() {
      off();
      closing.abort();
      return Promise.resolve();
    },
  };
}
