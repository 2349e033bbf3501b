import { AppError, toAppError } from '../../shared/errors.ts';
import type { JobFile } from '../../shared/job-spec.ts';

/**
 * The image under a name that is the same work for everybody: `name@sha256:…`; null where none is known, as of an image
 * that was built on this computer and never pushed.
 * @throws AppError with the reason where nobody could be asked
 */
export type ResolveImage = (image: string, signal: AbortSignal) => Promise<string | null>;

export interface PinnedImage {
  /** What is posted. */
  image: string;
  /** Why it is posted by its tag; null where it is not. */
  unpinned: string | null;
}

const LONGEST_MS = 10_000;

/**
 * What a submission posts as its image: a tag may mean another image tomorrow, or at another provider. Null where it runs
 * no image. Waits ten seconds at most.
 * @throws AppError cancelled
 */
export async function pinImage(
  { work }: JobFile,
  resolve: ResolveImage,
  { signal, longestMs = LONGEST_MS }: { signal?: AbortSignal | undefined; longestMs?: number } = {},
): Promise<PinnedImage | null> {
  if (work.type !== 'docker') return null;
  if (signal?.aborted) throw new AppError('cancelled', 'The submission was cancelled.');
  const { image } = work;
  if (image.includes('@')) return { image, unpinned: null };
  const late = AbortSignal.timeout(longestMs);
  const ends = AbortSignal.any(signal ? [signal, late] : [late]);
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = () => reject(new AppError('timeout', 'Its registry did not answer in time.'));
  ends.addEventListener('abort', end, { once: true });
  try {
    const found = await Promise.race([resolve(image, ends), ended]);
    if (found !== null) return { image: found, unpinned: null };
    return { image, unpinned: 'No registry has a digest of it.' };
  } catch (thrown) {
    if (signal?.aborted) throw new AppError('cancelled', 'The submission was cancelled.', { cause: thrown });
    return { image, unpinned: late.aborted ? 'Its registry did not answer in time.' : toAppError(thrown).message };
  } finally {
    ends.removeEventListener('abort', end);
  }
}

/** What its owner should know of a submission that names its image by a tag. */
export function unpinnedNotice(
  { name, verification, work }: JobFile,
  reason: string,
): { level: 'info' | 'warning'; title: string; body: string } {
  const image = work.type === 'docker' ? work.image : '';
  const title = name === '' ? 'An image is posted by its tag' : `The image of “${name}” is posted by its tag`;
  const first = `${image} could not be resolved to a digest: ${reason}`;
  if (verification.tier !== 'redundancy') {
    return { level: 'info', title, body: `${first} A provider runs what the tag means there.` };
  }
  const copies = 'Copies at different owners may run different images, and would not agree then.';
  return { level: 'warning', title, body: `${first} ${copies}` };
}
