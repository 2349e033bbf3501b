import type { ImageInspectInfo } from 'dockerode';
import { AppError } from '../shared/errors.ts';
import type { Progress } from '../shared/ready-check.ts';
import type { ImageDefaults } from './create-options.ts';
import { fromEngine } from './docker-errors.ts';
import { registryDigest } from './dockerode-gaps.ts';
import type { EngineLink } from './engine-link.ts';
import { jsonLines } from './json-lines.ts';
import { createPullProgress } from './pull-progress.ts';

export interface PullOptions {
  onProgress?: ((progress: Progress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** Images of the engine: present or not, and fetched once however many ask. */
export interface Images {
  has(reference: string): Promise<boolean>;
  /** Its id, and the digests under which it came or was pushed; null where it is not here. */
  find(reference: string, signal?: AbortSignal): Promise<{ id: string; digests: string[] } | null>;
  /** `sha256:…` as the image's registry tells anybody. @throws AppError image-missing, timeout, engine-down, cancelled */
  askRegistry(reference: string, options: { signal?: AbortSignal | undefined; timeoutMs: number }): Promise<string>;
  /** @throws AppError image-missing */
  defaults(reference: string, signal?: AbortSignal): Promise<ImageDefaults>;
  pull(reference: string, options: PullOptions): Promise<void>;
  /**
   * `name@sha256:…` as the image's registry says, or as it was when it came here; null for one that was built here.
   * @throws AppError image-missing, engine-down, cancelled
   */
  resolve(reference: string, signal?: AbortSignal): Promise<string | null>;
}

/** Neither empty nor dots alone: the engine would answer with a redirection to another of its addresses. */
const NAME_PART = /^[a-zA-Z0-9][a-zA-Z0-9._:@-]*$/;

/** A name without tag would make the engine fetch every tag there is. @throws AppError bad-input where it is no name */
export function withTag(reference: string): string {
  if (!reference.split('/').every((part) => NAME_PART.test(part))) {
    throw new AppError('bad-input', `The image ${reference} is not a valid image reference.`, {
      field: 'spec.image',
      next: 'Write it as name:tag or name@sha256:….',
    });
  }
  if (reference.includes('@')) return reference;
  return reference.slice(reference.lastIndexOf('/') + 1).includes(':') ? reference : `${reference}:latest`;
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;
/** Less than a submission waits, so that there is time for the digest that is known here. */
const REGISTRY_MS = 8000;
/** The short form, in which the engine lists digests: `docker.io/library/busybox` is `busybox`. */
const shortName = (repository: string): string => repository.replace(/^docker\.io\//, '').replace(/^library\//, '');

const list = (value: unknown): string[] =>
  typeof value === 'string' ? [value] : Array.isArray(value) ? (value as string[]) : [];

interface Flight {
  listeners: Set<(progress: Progress) => void>;
  waiting: number;
  last: Progress | null;
  stop: AbortController;
  done: Promise<void>;
}

/** No layer may stand still longer than this: the engine retries by itself, then hangs on some broken registries. */
const SILENCE_MS = 5 * 60_000;

export function createImages(link: EngineLink): Images {
  const flights = new Map<string, Flight>();

  const inspect = (reference: string, signal?: AbortSignal): Promise<ImageInspectInfo> =>
    link.call(() => link.docker.getImage(reference).inspect(), { signal, image: reference });

  async function fetch(reference: string, flight: Flight): Promise<void> {
    await link.tried;
    const silent = new AbortController();
    const lost = link.lost;
    const abortSignal = AbortSignal.any([flight.stop.signal, lost, silent.signal]);
    const asError = (thrown: unknown): AppError => {
      if (flight.stop.signal.aborted)
        return new AppError('cancelled', 'The download was cancelled.', { cause: thrown });
      if (silent.signal.aborted)
        return new AppError('timeout', `Nothing of ${reference} arrived for five minutes.`, {
          cause: thrown,
          next: 'Try again later.',
        });
      if (lost.aborted) return fromEngine(Object.assign(new Error('socket hang up'), { cause: thrown }));
      return fromEngine(thrown, reference);
    };
    let timer = setTimeout(() => silent.abort(), SILENCE_MS);
    try {
      const stream = await link
        .call(() => link.docker.createImage({ fromImage: reference, abortSignal }), {
          signal: abortSignal,
          timeoutMs: SILENCE_MS,
          image: reference,
        })
        .catch((thrown: unknown) => {
          throw asError(thrown);
        });
      const progress = createPullProgress(`Downloading ${reference}`);
      for await (const line of jsonLines(stream as AsyncIterable<Uint8Array>)) {
        clearTimeout(timer);
        timer = setTimeout(() => silent.abort(), SILENCE_MS);
        if (typeof line['error'] === 'string') throw new Error(line['error']);
        flight.last = progress(line);
        for (const listener of flight.listeners) listener(flight.last);
      }
      if (abortSignal.aborted) throw new Error('The stream ended early.');
    } catch (thrown) {
      throw asError(thrown);
    } finally {
      clearTimeout(timer);
    }
  }

  const ifPresent = (reference: string, signal?: AbortSignal): Promise<ImageInspectInfo | null> =>
    inspect(reference, signal).catch((thrown: unknown) => {
      if (thrown instanceof AppError && (thrown.code === 'image-missing' || thrown.code === 'not-found')) return null;
      throw thrown;
    });

  const has = async (reference: string): Promise<boolean> => (await ifPresent(withTag(reference))) !== null;

  /** Without the owner's passwords: none is sent along. */
  const askRegistry: Images['askRegistry'] = async (reference, { signal, timeoutMs }) => {
    const digest = await link.call((abortSignal) => registryDigest(link.docker, reference, { abortSignal }), {
      signal,
      timeoutMs,
      image: reference,
    });
    if (typeof digest === 'string' && DIGEST.test(digest)) return digest;
    throw new AppError('image-missing', `The registry names no digest of ${reference}.`, { field: 'spec.image' });
  };

  return {
    has,
    askRegistry,
    async find(reference, signal) {
      const here = await ifPresent(withTag(reference), signal);
      if (here === null) return null;
      return { id: here.Id, digests: list(here.RepoDigests).map((text) => text.slice(text.indexOf('@') + 1)) };
    },
    async resolve(asked, signal) {
      if (asked.includes('@')) return asked;
      const reference = withTag(asked);
      const repository = reference.slice(0, reference.lastIndexOf(':'));
      const here = await ifPresent(reference, signal);
      // Built here and never pushed: a registry could only know another one of that name.
      if (here && list(here.RepoDigests).length === 0) return null;
      try {
        return `${repository}@${await askRegistry(reference, { signal, timeoutMs: REGISTRY_MS })}`;
      } catch (thrown) {
        if (signal?.aborted || !here) throw thrown;
        const kept = list(here.RepoDigests).map((text) => text.split('@'));
        const digest = kept.find(([name]) => name === shortName(repository))?.[1];
        return digest === undefined ? null : `${repository}@${digest}`;
      }
    },
    async defaults(reference, signal) {
      const { Config: config } = await inspect(withTag(reference), signal);
      const path = list(config.Env)
        .find((line) => line.startsWith('PATH='))
        ?.slice('PATH='.length);
      const folders = (path ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin')
        .split(':')
        .filter((folder) => folder.startsWith('/'));
      return {
        entrypoint: list(config.Entrypoint),
        command: list(config.Cmd),
        path: folders,
        workingFolder: config.WorkingDir ?? '',
      };
    },
    async pull(asked, { onProgress, signal }) {
      if (signal?.aborted) throw new AppError('cancelled', 'The download was cancelled.');
      const reference = withTag(asked);
      let flight = flights.get(reference);
      if (!flight) {
        const mine: Flight = {
          listeners: new Set(),
          waiting: 0,
          last: null,
          stop: new AbortController(),
          done: Promise.resolve(),
        };
        mine.done = fetch(reference, mine).finally(() => {
          if (flights.get(reference) === mine) flights.delete(reference);
        });
        mine.done.catch(() => undefined);
        flights.set(reference, mine);
        flight = mine;
      }
      const joined = flight;
      joined.waiting += 1;
      if (onProgress) {
        joined.listeners.add(onProgress);
        if (joined.last) onProgress(joined.last);
      }
      const { promise: left, reject } = Promise.withResolvers<never>();
      const leave = (): void => reject(new AppError('cancelled', 'The download was cancelled.'));
      signal?.addEventListener('abort', leave, { once: true });
      try {
        await Promise.race([joined.done, left]);
      } finally {
        signal?.removeEventListener('abort', leave);
        if (onProgress) joined.listeners.delete(onProgress);
        joined.waiting -= 1;
        // The last one to leave switches the light off; a new asker starts afresh.
        if (joined.waiting === 0) {
          if (flights.get(reference) === joined) flights.delete(reference);
          joined.stop.abort();
        }
      }
    },
  };
}
