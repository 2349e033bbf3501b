import { expect, test } from 'vitest';
import { jobFileSchema } from '../../shared/job-spec.ts';
import { pinImage } from './pin-image.ts';

const fileOf = (image: string) => jobFileSchema.parse({ bounty: '1', work: { type: 'docker', image } });
const never = () => new Promise<never>(() => undefined);

test('a registry that does not answer is waited for as long as it may take', async () => {
  expect(await pinImage(fileOf('tool:1'), never, { longestMs: 20 })).toEqual({
    image: 'tool:1',
    unpinned: 'Its registry did not answer in time.',
  });
});

test('what has a digest already is asked of nobody', async () => {
  const image = `tool@sha256:${'a'.repeat(64)}`;
  expect(await pinImage(fileOf(image), never)).toEqual({ image, unpinned: null });
});

test('a signal that is over already ends it', async () => {
  await expect(pinImage(fileOf('tool:1'), never, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: 'cancelled',
  });
});
