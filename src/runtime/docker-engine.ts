import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import type { Container, ContainerInspectInfo } from 'dockerode';
import { AppError, toAppError } from '../shared/errors.ts';
import type { Bytes32 } from '../shared/ids.ts';
import type { Clock } from '../shared/time.ts';
import {
  dealName,
  GUARD_IMAGE,
  PRACTICE_IMAGE,
  guardName,
  LABELS,
  mainProcess,
  rentalOptions,
  specDigest,
  WAITING_COMMAND,
} from './create-options.ts';
import { dealIdOf, openDealContainer } from './deal-container.ts';
import { statusOf } from './docker-errors.ts';
import type { DealContainer, DealPlan, Engine } from './engine.ts';
import { type EngineFacts, type EngineLink, type Log, openEngineLink } from './engine-link.ts';
import { createGuards, type Guard, type Guards } from './guards.ts';
import { createImages, type Images } from './images.ts';
import { createPublicImages, type PublicImages } from './public-images.ts';
import { engineChecks } from './ready-checks.ts';
import { requireProgram } from './require-program.ts';
import { createSystemImages, type EnsureOptions, type SystemImageSources } from './system-images.ts';

export interface DockerEngineOptions {
  /** This installation, in every container's labels: what another one made is never touched. */
  installId: string;
  dataDir: string;
  clock: Clock;
  log: Log;
  /** Default: DOCKER_HOST, else the usual places. */
  socketPath?: string;
  imagesDir?: string;
  systemImages?: SystemImageSources;
  /** Images made on this computer that strangers may have too, as `name:tag`: everything in them can be copied out. */
  ownImages?: readonly string[];
  /** Whether this computer has an NVIDIA card, asked at each check; default: whether its driver is loaded (Linux). */
  hasNvidia?: () => boolean | null;
  /** Random names; a test may fix them. */
  newId?: () => string;
}

/** What rentals and jobs share of one engine. */
export interface EngineParts {
  link: EngineLink;
  images: Images;
  publicImages: PublicImages;
  guards: Guards;
  newId: () => string;
  /** Guards of deals whose container is not made yet: no sweep may take them. */
  making: Set<Bytes32>;
  /** Resolves when what a former life of this program left has been cleared. */
  ready(): Promise<void>;
  /** Makes guards ahead of need again, after one was taken. */
  refill(): void;
}

/** The Docker engine behind the `Engine` port, with what only the wiring of a host needs. */
export interface DockerEngine extends Engine {
  readonly parts: EngineParts;
  /** Makes the guard and the practice image present. @throws AppError image-missing, disk-full, engine-down, cancelled. */
  ensureSystemImages(options?: EnsureOptions): Promise<void>;
  /** @see Images.resolve. The practice image is the same everywhere already. */
  resolveImage(reference: string, signal?: AbortSignal): Promise<string | null>;
}

const nothingToRun = (): AppError =>
  new AppError('bad-input', 'The image has no shell and runs nothing by itself.', {
    field: 'spec.command',
    next: 'Give the command to run.',
  });

const nvidiaHere = (): boolean | null =>
  process.platform === 'linux' ? existsSync('/proc/driver/nvidia/version') : null;

async function withFreeDisk(facts: EngineFacts): Promise<EngineFacts> {
  const free =
    facts.rootDir === null
      ? null
      : await statfs(facts.rootDir).then(
          (disk) => disk.bavail * disk.bsize,
          () => null,
        );
  return { ...facts, info: { ...facts.info, diskFreeBytes: free } };
}

/** Returns at once; every call waits for the first attempt to reach the engine. `close` it. */
export function openDockerEngine(options: DockerEngineOptions): DockerEngine {
  const { installId, clock, log } = options;
  const newId = options.newId ?? (() => randomBytes(8).toString('hex'));
  const link = openEngineLink({ installId, socketPath: options.socketPath, log, describe: withFreeDisk });
  const images = createImages(link);
  const ensureSystemImages = createSystemImages(link, images, {
    dataDir: options.dataDir,
    imagesDir: options.imagesDir,
    sources: options.systemImages,
    log,
  });
  const publicImages = createPublicImages(images, { own: options.ownImages ?? [], ensureSystemImages });
  let guardImageFailure: AppError | null = null;
  const guards = createGuards(link, {
    installId,
    newId,
    log,
    beforeMaking: async () => {
      if (await images.has(GUARD_IMAGE)) return;
      await ensureSystemImages().catch((thrown: unknown) => {
        guardImageFailure = toAppError(thrown);
        throw thrown;
      });
      guardImageFailure = null;
    },
  });
  const starting = new Map<Bytes32, Promise<DealContainer>>();
  const making = new Set<Bytes32>();
  let warmWanted = 0;
  let swept: Promise<void> = Promise.resolve();
  let storageQuota: boolean | null = null;

  const listRole = async (role: 'rental' | 'job'): Promise<Bytes32[]> => {
    const filters = JSON.stringify({ label: [`${LABELS.install}=${installId}`, `${LABELS.role}=${role}`] });
    const found = await link.call((abortSignal) => link.docker.listContainers({ all: true, filters, abortSignal }));
    return found.flatMap((container) => dealIdOf(container.Labels) ?? []);
  };

  link.onChange((facts) => {
    if (facts === null) {
      guards.forget();
      return;
    }
    swept = (async () => {
      await guards.sweep(new Set([...(await listRole('rental')), ...(await listRole('job')), ...making]));
    })().catch((failure: unknown) => log.warn({ failure }, 'Left-over guards could not be removed'));
    void swept.then(() => guards.keepWarm(warmWanted));
  });

  /** The next guard is made after a deal has started, not beside it. */
  const refill = (): void => {
    if (warmWanted > 0) void guards.keepWarm(warmWanted);
  };
  const inspectDeal = async (dealId: Bytes32): Promise<ContainerInspectInfo | null> => {
    const raw = await link
      .call((abortSignal) => link.docker.getContainer(dealName(dealId)).inspect({ abortSignal }))
      .catch((thrown: unknown) => {
        if (statusOf(thrown instanceof AppError ? thrown.cause : thrown) === 404) return null;
        throw thrown;
      });
    return raw?.Config.Labels[LABELS.install] === installId ? raw : null;
  };
  const parts = { link, guards, newId, onRemoved: (dealId: Bytes32) => void making.delete(dealId) };

  /** The deal's container if it is a whole one; a half-made one is removed. */
  async function adopt(plan: DealPlan): Promise<DealContainer | null> {
    const raw = await inspectDeal(plan.dealId);
    if (raw === null) return null;
    const container = await openDealContainer(parts, plan.dealId, raw);
    if (raw.State.Status === 'created') {
      await container.remove();
      return null;
    }
    if (raw.Config.Labels[LABELS.spec] !== specDigest(plan.spec)) {
      throw new AppError('conflict', 'A container of this deal runs something else.', {
        next: 'End the deal and rent again.',
      });
    }
    log.info({ dealId: plan.dealId }, 'Container adopted');
    return container;
  }

  async function create(plan: DealPlan, signal?: AbortSignal): Promise<DealContainer> {
    const startedMs = clock.monotonicMs();
    const { facts } = link;
    if (facts === null) throw link.failure ?? new AppError('engine-down', 'The Docker engine does not answer.');
    const reference = await publicImages.bring(plan.spec.image, { signal });
    const image = await images.defaults(reference, signal);
    const context = {
      installId,
      guardId: '0'.repeat(64),
      info: facts.info,
      engineCpus: facts.cpus,
      image,
      storageQuota: storageQuota ?? facts.backingFilesystem === 'xfs',
    };
    // Refuses before anything is made.
    rentalOptions(plan, context);
    const [program] = mainProcess(plan.spec, image);
    let guard: Guard | null = null;
    let container: Container | null = null;
    making.add(plan.dealId);
    try {
      // A crash between naming the guard and making the container leaves one behind.
      const stale = await link
        .call((abortSignal) => link.docker.getContainer(guardName(plan.dealId)).inspect({ abortSignal }))
        .catch(() => null);
      if (stale) await guards.remove(stale.Id);
      guard = await guards.take(plan.spec.ports.length, signal);
      const mine = guard;
      await guards.assign(mine, plan.dealId);
      const opening = guards.open(mine, {
        ports: plan.spec.ports,
        internet: plan.spec.internet,
        uploadBitsPerSecond: plan.limits.uploadBitsPerSecond,
      });
      opening.catch(() => undefined);
      const createOptions = rentalOptions(
        { ...plan, spec: { ...plan.spec, image: reference } },
        { ...context, guardId: mine.id },
      );
      createOptions.Labels = { ...createOptions.Labels, [LABELS.spec]: specDigest(plan.spec) };
      const made = await createContainer(createOptions, signal);
      container = made;
      const waiting = program === WAITING_COMMAND[0] && plan.spec.command === undefined;
      await requireProgram(link, made, {
        program: program ?? '',
        path: image.path,
        field: 'spec.command',
        missing: waiting ? nothingToRun() : undefined,
      });
      // Only a closed network may be joined: never start before the rules stand.
      await opening;
      await link.call((abortSignal) => made.start({ abortSignal }), { signal, image: plan.spec.image });
      const raw = await link.call((abortSignal) => made.inspect({ abortSignal }), { signal });
      log.info({ dealId: plan.dealId, ms: Math.round(clock.monotonicMs() - startedMs) }, 'Container started');
      return await openDealContainer(parts, plan.dealId, raw);
    } catch (thrown) {
      await discard(container, guard).catch((failure: unknown) =>
        log.warn({ failure, dealId: plan.dealId }, 'A half-made container could not be removed'),
      );
      throw thrown;
    } finally {
      making.delete(plan.dealId);
    }
  }

  async function createContainer(
    createOptions: ReturnType<typeof rentalOptions>,
    signal?: AbortSignal,
  ): Promise<Container> {
    const attempt = (body: typeof createOptions): Promise<Container> =>
      link.call((abortSignal) => link.docker.createContainer({ ...body, abortSignal }), {
        signal,
        image: body.Image ?? '',
      });
    if (createOptions.HostConfig?.StorageOpt === undefined) return attempt(createOptions);
    try {
      const made = await attempt(createOptions);
      storageQuota = true;
      return made;
    } catch (thrown) {
      if (
        !(thrown instanceof AppError) ||
        !(thrown.cause instanceof Error) ||
        !/storage-opt|pquota/i.test(thrown.cause.message)
      )
        throw thrown;
      storageQuota = false;
      const { StorageOpt: _, ...hostConfig } = createOptions.HostConfig;
      return attempt({ ...createOptions, HostConfig: hostConfig });
    }
  }

  async function discard(container: Container | null, guard: Guard | null): Promise<void> {
    if (container !== null) {
      await link
        .call((abortSignal) => container.remove({ force: true, v: true, abortSignal }))
        .catch((thrown: unknown) => {
          if (statusOf(thrown instanceof AppError ? thrown.cause : thrown) !== 404) throw thrown;
        });
    }
    if (guard !== null) await guards.remove(guard.id);
  }

  return {
    get info() {
      return link.facts?.info ?? null;
    },
    onChange: (listener) => link.onChange((facts) => listener(facts?.info ?? null)),
    async checks() {
      await link.tried;
      const present = await images.has(GUARD_IMAGE).catch(() => false);
      const facts = link.facts === null ? null : await withFreeDisk(link.facts);
      return engineChecks({
        facts,
        failure: link.failure,
        socket: link.socket,
        platform: process.platform,
        nvidia: (options.hasNvidia ?? nvidiaHere)(),
        guardImage: present ? 'present' : (guardImageFailure ?? 'missing'),
      });
    },
    hasImage: (reference) => publicImages.isHere(reference),
    pull: async (reference, pullOptions) => void (await publicImages.bring(reference, pullOptions)),
    resolveImage: async (reference, signal) =>
      reference === PRACTICE_IMAGE ? reference : images.resolve(reference, signal),
    async start(plan, signal) {
      await link.tried;
      await swept;
      const running = starting.get(plan.dealId);
      if (running) return running;
      const run = (async () => (await adopt(plan)) ?? create(plan, signal))().finally(() => {
        starting.delete(plan.dealId);
        refill();
      });
      starting.set(plan.dealId, run);
      return run;
    },
    async find(dealId) {
      const raw = await inspectDeal(dealId);
      return raw === null ? null : openDealContainer(parts, dealId, raw);
    },
    list: () => listRole('rental'),
    async keepWarm(count) {
      warmWanted = count;
      await link.tried;
      await swept;
      await guards.keepWarm(count);
    },
    async close() {
      warmWanted = 0;
      await guards
        .release()
        .catch((failure: unknown) => log.debug({ failure }, 'Warm guards stay until the next start'));
      link.close();
    },
    ensureSystemImages,
    parts: {
      link,
      images,
      publicImages,
      guards,
      newId,
      making,
      async ready() {
        await link.tried;
        await swept;
      },
      refill,
    },
  };
}
