/**
 * The folder of one run outside a container: everything its process is told and everything it leaves. Files appear whole
 * (written beside, then renamed), so that whoever looks, this life of the host or a later one, reads all or nothing.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';

export const RUN_FILES = {
  /** What to run; written last, so a folder without it is half-made. */
  setup: 'run.json',
  /** Which process runs it; made once, by itself. */
  process: 'process.json',
  /** Signs of life with what it uses. */
  beat: 'beat.json',
  /** The wish that it ends. */
  stop: 'stop.json',
  /** How it ended; written last. */
  end: 'end.json',
  log: 'log',
  /** What the process itself says when it fails. */
  trouble: 'trouble',
  module: 'module.wasm',
  outputs: 'out.tar',
  inputs: 'in',
  /** What it writes, under numbers instead of names. */
  blobs: 'blobs',
} as const;

const memorySchema = z.object({
  imported: z.object({ module: z.string(), name: z.string() }).nullable(),
  minPages: z.int(),
  maxPages: z.int(),
  shortened: z.boolean(),
});

export const setupSchema = z.object({
  dealId: z.string(),
  digest: z.string(),
  runSeconds: z.number(),
  memoryBytes: z.number(),
  /** What it may write: the smaller one of its disk and of what may come back. */
  maxBytes: z.number(),
  maxFiles: z.number(),
  work: z.discriminatedUnion('type', [
    z.object({
      type: z.literal('wasm'),
      args: z.array(z.string()),
      env: z.record(z.string(), z.string()),
      memory: memorySchema.nullable(),
    }),
    z.object({
      type: z.literal('kernel'),
      model: z.enum(['linear_regression', 'k_means', 'pca']),
      table: z.string(),
      target: z.union([z.string(), z.number()]).optional(),
      params: z.record(z.string(), z.union([z.number(), z.boolean(), z.string()])),
    }),
  ]),
});
export type RunSetup = z.infer<typeof setupSchema>;

export const processSchema = z.object({
  pid: z.int().positive(),
  /** Start of the process in clock ticks since boot, where the system tells: a pid alone may belong to somebody else later. */
  startTicks: z.string().nullable(),
  startedAtMs: z.number(),
});

export const beatSchema = z.object({ cpuPercent: z.number(), memoryBytes: z.number(), diskBytes: z.number() });

export const stopSchema = z.object({ graceSeconds: z.number() });

export const endSchema = z.object({
  exitCode: z.int().nullable(),
  reason: z.enum(['exited', 'run-timeout', 'out-of-memory', 'disk-limit', 'output-limit', 'lost']),
  detail: z.string().max(500),
  startedAtMs: z.number(),
  finishedAtMs: z.number(),
});

/** null where the file is missing or is not what it should be. */
export function readRunFile<T>(folder: string, name: string, schema: z.ZodType<T>): T | null {
  try {
    return schema.parse(JSON.parse(readFileSync(path.join(folder, name), 'utf8')));
  } catch {
    return null;
  }
}

/** Node's permissions forbid to flush a file afterwards, so it is opened to be flushed; Windows has no such flag. */
const FLUSHED =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | ((constants.O_DSYNC as number | undefined) ?? 0);

/** Whole, and on the disk before this returns where it is to last. */
export function writeRunFile(folder: string, name: string, value: object, lasting = true): void {
  const file = path.join(folder, name);
  const beside = `${file}.${randomBytes(4).toString('hex')}`;
  const handle = openSync(beside, lasting ? FLUSHED : 'wx', 0o600);
  try {
    writeFileSync(handle, JSON.stringify(value));
  } finally {
    closeSync(handle);
  }
  renameSync(beside, file);
}

/** The start of a process in clock ticks and whether it is dead but not yet buried; null where the system does not tell. */
export function processTicks(pid: number | 'self'): { startTicks: string; dead: boolean } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name comes second, in brackets, and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const startTicks = fields[19];
    return startTicks === undefined ? null : { startTicks, dead: fields[0] === 'Z' || fields[0] === 'X' };
  } catch {
    return null;
  }
}
