import { readFile, readdir, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { CONTENT_PROFILE, type Cid } from './content-store.ts';
import { isMissing, writeWhole } from './disk.ts';

const sourceSchema = z.object({
  /** What the paths are relative to; absolute. */
  base: z.string(),
  /** The file lies in the store itself and goes with the content. */
  owned: z.boolean(),
  files: z.array(
    z.object({ path: z.string(), cid: z.string(), size: z.number().int().nonnegative(), mtimeNs: z.string() }),
  ),
});

const recordSchema = z.object({
  version: z.literal(1),
  cid: z.string(),
  profile: z.literal(CONTENT_PROFILE).nullable(),
  complete: z.boolean(),
  inPlace: z.boolean(),
  pins: z.array(z.string()),
  /** SHA-256 of the bytes as one file, where somebody named it. */
  sha256: z.string().nullable(),
  /** For whom all of it came or was made; content of unknown origin is for nobody. */
  scopes: z.array(z.string()).default([]),
});

/** The files that content imported in place consists of. */
export type Source = z.infer<typeof sourceSchema>;
/** What the store keeps of one root beside its blocks: all it cannot find out from them. */
export type RootRecord = z.infer<typeof recordSchema>;

export const newRecord = (cid: Cid, part: Partial<RootRecord>): RootRecord => ({
  version: 1,
  cid,
  profile: CONTENT_PROFILE,
  complete: true,
  inPlace: false,
  pins: [],
  sha256: null,
  scopes: [],
  ...part,
});

export interface Records {
  /** Oldest use first. Records that cannot be read are dropped, with the reason told. */
  load(onBroken: (file: string, thrown: unknown) => void): Promise<{ record: RootRecord; source: Source | null }[]>;
  write(record: RootRecord): Promise<void>;
  /** Before `write`, for content in place. */
  writeSource(cid: Cid, source: Source): Promise<void>;
  remove(cid: Cid): Promise<void>;
  used(cid: Cid, unixSeconds: number): Promise<void>;
}

/** One small JSON file a root; the time of its last change is that of the root's last use. */
export function openRecords(dir: string): Records {
  const fileOf = (cid: Cid) => path.join(dir, `${cid}.json`);
  const sourceOf = (cid: Cid) => path.join(dir, `${cid}.files`);
  const readSource = async (cid: Cid): Promise<Source> =>
    sourceSchema.parse(JSON.parse(await readFile(sourceOf(cid), 'utf8')));

  return {
    async load(onBroken) {
      const loaded: { record: RootRecord; source: Source | null; at: number }[] = [];
      const known = new Set<string>();
      for (const name of await readdir(dir)) {
        const file = path.join(dir, name);
        if (!name.endsWith('.json')) continue;
        try {
          const { mtimeMs } = await stat(file);
          const record = recordSchema.parse(JSON.parse(await readFile(file, 'utf8')));
          const source = record.inPlace ? await readSource(record.cid) : null;
          loaded.push({ record, source, at: mtimeMs });
          known.add(file).add(sourceOf(record.cid));
        } catch (thrown) {
          onBroken(file, thrown);
        }
      }
      for (const name of await readdir(dir)) {
        if (!known.has(path.join(dir, name))) await rm(path.join(dir, name), { force: true });
      }
      return loaded.toSorted((a, b) => a.at - b.at);
    },
    write: (record) => writeWhole(fileOf(record.cid), `${JSON.stringify(record)}\n`),
    writeSource: (cid, source) => writeWhole(sourceOf(cid), JSON.stringify(source)),
    async remove(cid) {
      await rm(fileOf(cid), { force: true });
      await rm(sourceOf(cid), { force: true });
    },
    async used(cid, unixSeconds) {
      await utimes(fileOf(cid), unixSeconds, unixSeconds).catch((thrown: unknown) => {
        if (!isMissing(thrown)) throw thrown;
      });
    },
  };
}
