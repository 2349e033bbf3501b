import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { access, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { AppError, toAppError } from '../shared/errors.ts';
import type { Progress } from '../shared/ready-check.ts';
import { GUARD_IMAGE, PRACTICE_IMAGE } from './create-options.ts';
import { abortableImage } from './dockerode-gaps.ts';
import type { EngineLink, Log } from './engine-link.ts';
import type { Images } from './images.ts';
import { jsonLines } from './json-lines.ts';

/** Where a system image may be pulled from, by digest, where this computer cannot make it. */
export interface SystemImageSources {
  guard?: string | undefined;
  practice?: string | undefined;
}

export interface SystemImagesOptions {
  dataDir: string;
  /** Folder with build.mjs and, in releases, guard.tar and practice.tar. */
  imagesDir?: string | undefined;
  sources?: SystemImageSources | undefined;
  log: Log;
}

export interface EnsureOptions {
  onProgress?: ((progress: Progress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

const IMAGES = [
  { kind: 'guard', tag: GUARD_IMAGE, changes: ['CMD ["/bin/sh"]'] },
  {
    kind: 'practice',
    tag: PRACTICE_IMAGE,
    changes: ['ENV PATH=/bin:/usr/bin', 'WORKDIR /root', 'EXPOSE 8080', 'CMD ["httpd","-f","-p","8080","-h","/www"]'],
  },
] as const;

const run = promisify(execFile);

/** The same relative path from the source file and from the flat bundle in dist/host. */
const shippedFolder = (): string => fileURLToPath(new URL('../../resources/images/', import.meta.url));

/**
 * Brings the guard and the practice image into the engine where they are missing: from the archive a release ships, else
 * from a registry by digest, else built here from Debian packages. Twin calls share one run.
 * @throws AppError image-missing, disk-full, engine-down, cancelled
 */
export function createSystemImages(
  link: EngineLink,
  images: Images,
  options: SystemImagesOptions,
): (ensure?: EnsureOptions) => Promise<void> {
  const folder = options.imagesDir ?? shippedFolder();
  let running: Promise<void> | null = null;

  async function archive(kind: 'guard' | 'practice', signal?: AbortSignal): Promise<string> {
    const shipped = path.join(folder, `${kind}.tar`);
    const there = await access(shipped).then(
      () => true,
      () => false,
    );
    if (there) return shipped;
    const made = path.join(options.dataDir, 'images', `${kind}.tar`);
    await mkdir(path.dirname(made), { recursive: true });
    await run(process.execPath, [path.join(folder, 'build.mjs'), kind, made], {
      // Inside the desktop app the executable is Electron's; this makes it plain Node.
      env: { ...process.env, ELECTRON_RUN_AS_NODE: '1', NODE_OPTIONS: '' },
      timeout: 5 * 60_000,
      ...(signal ? { signal } : {}),
    });
    return made;
  }

  async function load(tag: string, file: string, changes: readonly string[], signal?: AbortSignal): Promise<void> {
    const [repo, version] = tag.split(':');
    const stream = await link.call(
      (abortSignal) =>
        link.docker.importImage(createReadStream(file), {
          repo: repo ?? tag,
          tag: version ?? 'latest',
          changes: [...changes],
          abortSignal,
        }),
      { signal, timeoutMs: 5 * 60_000, image: tag },
    );
    for await (const line of jsonLines(stream as unknown as AsyncIterable<Uint8Array>)) {
      if (typeof line['error'] === 'string') throw new Error(line['error']);
    }
  }

  async function bring(image: (typeof IMAGES)[number], signal?: AbortSignal): Promise<void> {
    if (await images.has(image.tag)) return;
    options.log.info({ image: image.tag }, 'Making a system image');
    const source = options.sources?.[image.kind];
    try {
      if (source !== undefined) {
        await images.pull(source, { signal });
        const [repo, tag] = image.tag.split(':');
        await link.call(
          (abortSignal) =>
            abortableImage(link.docker.getImage(source)).tag({ repo: repo ?? '', tag: tag ?? 'latest', abortSignal }),
          { signal },
        );
        return;
      }
    } catch (thrown) {
      options.log.warn({ failure: thrown, source }, 'A system image could not be pulled; building it here');
    }
    let file: string | null = null;
    try {
      file = await archive(image.kind, signal);
      await load(image.tag, file, image.changes, signal);
    } catch (thrown) {
      const failure = toAppError(thrown);
      if (failure.code !== 'internal') throw failure;
      throw new AppError('image-missing', `The ${image.kind} image ${image.tag} could not be made on this computer.`, {
        cause: thrown,
        next: 'Install the packages busybox-static, iptables and iproute2, or set a registry for the system images.',
      });
    } finally {
      if (file?.startsWith(options.dataDir) === true) await rm(file, { force: true });
    }
  }

  async function bringAll({ onProgress, signal }: EnsureOptions): Promise<void> {
    const total = IMAGES.length;
    for (const [done, image] of IMAGES.entries()) {
      onProgress?.({ label: 'Preparing system images', done, total, unit: 'steps' });
      await bring(image, signal);
    }
    onProgress?.({ label: 'Preparing system images', done: total, total, unit: 'steps' });
  }

  return (ensure = {}) => {
    if (running) return running;
    const all = bringAll(ensure).finally(() => {
      running = null;
    });
    running = all;
    return all;
  };
}
