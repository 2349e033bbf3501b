import { constants } from 'node:fs';
import { copyFile, link, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '../../shared/errors.ts';
import { listInputs } from '../job-inputs.ts';

/** Makes the inputs part of the run's folder: by a second name for the same file where the disk allows, else by a copy. */
export async function takeInputs(from: string, to: string, maxBytes: number, signal?: AbortSignal): Promise<void> {
  const entries = await listInputs(from);
  const total = entries.reduce((sum, entry) => sum + (entry.bytes ?? 0), 0);
  if (total > maxBytes) {
    throw new AppError('bad-input', 'The inputs alone are larger than the disk the job may use.', {
      field: 'resources.diskBytes',
      next: 'Ask for more disk.',
    });
  }
  await mkdir(to, { mode: 0o700 });
  for (const { name, file, bytes } of entries) {
    if (signal?.aborted) throw new AppError('cancelled', 'Cancelled.');
    const target = path.join(to, name);
    if (bytes === null) await mkdir(target, { mode: 0o700 });
    else await link(file, target).catch(() => copyFile(file, target, constants.COPYFILE_FICLONE));
  }
}
