import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { testFolder, testStore } from '../../content/testing.ts';
import { jobFileSchema } from '../../shared/job-spec.ts';
import { resolveInputs } from './resolve-inputs.ts';

const fileWith = (uploads: readonly string[]) =>
  jobFileSchema.parse({
    work: { type: 'docker', image: 'busybox:1.36' },
    inputs: uploads.map((upload, index) => ({ path: `part-${index}`, upload })),
    bounty: '1',
  });

test('an upload is a whole path: a relative one would be read from wherever this process happens to stand', async () => {
  const root = testFolder();
  await mkdir(path.join(root, 'data'));
  await writeFile(path.join(root, 'data', 'a.txt'), 'a');
  const content = await testStore(path.join(root, 'store'));
  const whole = path.join(root, 'data');
  expect(await resolveInputs(content, fileWith([whole]), { pin: 'a' })).toMatchObject([
    { from: 'renter', path: 'part-0', bytes: 1 },
  ]);
  // Each of these exists, seen from the working folder.
  for (const relative of ['./src', 'package.json', '.', path.relative(process.cwd(), whole)]) {
    await expect(resolveInputs(content, fileWith([whole, relative]), { pin: 'b' })).rejects.toMatchObject({
      code: 'bad-input',
      field: 'inputs[1].upload',
      message: expect.stringContaining('part-1') as string,
      next: 'Choose the file or folder here, or write its whole path.',
    });
  }
});
