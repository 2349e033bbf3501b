import { AppError, toAppError } from '../shared/errors.ts';
import { PRACTICE_IMAGE } from './create-options.ts';
import { type Images, type PullOptions, withTag } from './images.ts';
import type { EnsureOptions } from './system-images.ts';

/** A renter waits meanwhile; a busy registry answers within seconds. */
const REGISTRY_MS = 30_000;

/**
 * Images that strangers may name. The engine is the owner's: what was built here, or came with a password, has a name that
 * can be guessed, and whoever runs a container of it can copy its files out.
 */
export interface PublicImages {
  /** As far as this computer can tell by itself. @throws AppError engine-down */
  isHere(reference: string): Promise<boolean>;
  /**
   * Makes the image present where anybody could have it: one that is named by its digest, one that its registry hands out
   * without a password, one of the product's own.
   * @returns the name to make a container from: never one by which the owner has something else
   * @throws AppError image-missing (its field is `registry` where that cannot be reached), disk-full, engine-down, cancelled
   */
  bring(reference: string, options: PullOptions): Promise<string>;
}

export function createPublicImages(
  images: Images,
  options: { own: readonly string[]; ensureSystemImages(options: EnsureOptions): Promise<void> },
): PublicImages {
  const own = new Set([PRACTICE_IMAGE, ...options.own].map(withTag));
  /** Ids of images that a registry has handed out, or named, to anybody: that cannot be undone. */
  const known = new Set<string>();

  async function digestOf(reference: string, signal?: AbortSignal): Promise<string> {
    try {
      return await images.askRegistry(reference, { signal, timeoutMs: REGISTRY_MS });
    } catch (thrown) {
      const error = toAppError(thrown);
      const isAnswer = error.code === 'image-missing' && error.field !== 'registry';
      if (isAnswer || ['bad-input', 'cancelled', 'engine-down'].includes(error.code)) throw error;
      throw new AppError(
        'image-missing',
        `The registry of ${reference} cannot be reached, so whether the image of that name on this computer is public is not known.`,
        { field: 'registry', next: 'Name the image by its digest, or try again later.', cause: thrown },
      );
    }
  }

  return {
    async isHere(asked) {
      const reference = withTag(asked);
      const here = await images.find(reference);
      return here !== null && (reference.includes('@') || own.has(reference) || here.digests.length > 0);
    },
    async bring(asked, pullOptions) {
      const { signal } = pullOptions;
      const reference = withTag(asked);
      const here = await images.find(reference, signal);
      if (reference.includes('@') || own.has(reference)) {
        // The practice image stands in no registry: it is made here.
        if (here === null && reference === PRACTICE_IMAGE) await options.ensureSystemImages(pullOptions);
        else if (here === null) await images.pull(reference, pullOptions);
        return reference;
      }
      if (here === null) {
        await images.pull(reference, pullOptions);
        const pulled = await images.find(reference, signal);
        if (pulled) known.add(pulled.id);
        return reference;
      }
      if (known.has(here.id)) return reference;
      const digest = await digestOf(reference, signal);
      if (here.digests.includes(digest)) {
        known.add(here.id);
        return reference;
      }
      // By its digest, so that the owner's tag goes on meaning what the owner made it mean.
      const named = `${reference.slice(0, reference.lastIndexOf(':'))}@${digest}`;
      if (!(await images.has(named))) await images.pull(named, pullOptions);
      return named;
    },
  };
}
