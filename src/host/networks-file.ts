import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { NetworkProfile } from '../chain/profile.ts';

/** Where profiles stand: those that came with Commonwatt, then the user’s own, which win. */
export const networksFiles = (dataDir: string): [shipped: string, own: string] => [
  path.join(import.meta.dirname, '../../resources/networks.json'),
  path.join(dataDir, 'networks.json'),
];

/** Puts a profile into networks.json of the data directory, beside what stands there. @returns the file */
export function writeProfile(dataDir: string, { name, ...members }: NetworkProfile): string {
  const [, file] = networksFiles(dataDir);
  let before: { networks?: object } = {};
  try {
    before = JSON.parse(readFileSync(file, 'utf8')) as { networks?: object };
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
  }
  const text = JSON.stringify({ ...before, networks: { ...before.networks, [name]: members } }, null, 2);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.tmp`, `${text}\n`, { mode: 0o600 });
  renameSync(`${file}.tmp`, file);
  return file;
}
