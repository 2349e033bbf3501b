/** What the tests of content share. Not part of the product. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { silentLog } from '../shared/log.ts';
import { systemClock } from '../shared/time.ts';
import { GIB } from '../shared/units.ts';
import type { ContentStore } from './content-store.ts';
import { openContentStore } from './open-content-store.ts';

/** A folder that goes away with the test. */
export function testFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'commonwatt-content-'));
  // Some tests write thousands of files.
  onTestFinished(() => rm(folder, { recursive: true }), 60_000);
  return folder;
}

/** A store that closes with the test; one that was closed before may be opened again. */
export async function testStore(dir: string, limitBytes = () => 4 * GIB): Promise<ContentStore> {
  const store = await openContentStore({ dir, limitBytes, log: silentLog, clock: systemClock });
  onTestFinished(() => store.close());
  return store;
}
