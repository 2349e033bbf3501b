/** What the tests against a real engine share: one engine, throw-away installations, nothing left behind. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Bytes32 } from '../shared/ids.ts';
import type { RentalSpec } from '../shared/rental.ts';
import { systemClock } from '../shared/time.ts';
import { MIB } from '../shared/units.ts';
import { PRACTICE_IMAGE } from './create-options.ts';
import { type DockerEngine, type DockerEngineOptions, openDockerEngine } from './docker-engine.ts';
import type { DealLimits, DealPlan, ExecSession } from './engine.ts';

function answers(program: string, args: string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore', timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}

export const hasEngine = answers('docker', ['info']);
export const isRoot = process.getuid?.() === 0;
export const hasNetns = isRoot && answers('ip', ['netns', 'list']);

export const docker = (...args: string[]): string =>
  execFileSync('docker', args, { encoding: 'utf8', timeout: 60_000, stdio: ['ignore', 'pipe', 'pipe'] });

export const newDealId = (): Bytes32 => `0x${randomBytes(32).toString('hex')}`;

export const LIMITS: DealLimits = {
  cpus: 1,
  memoryBytes: 256 * MIB,
  diskBytes: 1024 * MIB,
  pids: 128,
  uploadBitsPerSecond: null,
  gpuIds: [],
};

export const planOf = (
  spec: Partial<RentalSpec> = {},
  limits: Partial<DealLimits> = {},
  dealId = newDealId(),
): DealPlan => ({
  dealId,
  spec: { image: PRACTICE_IMAGE, env: {}, ports: [], diskBytes: 1024 * MIB, internet: true, ...spec },
  limits: { ...LIMITS, ...limits },
});

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

export interface TestEngine {
  engine: DockerEngine;
  installId: string;
  dataDir: string;
  /** The same installation as after a restart of the program. */
  again(): DockerEngine;
  /** Containers and networks of this installation, as names. */
  leftovers(): string[];
  dispose(): Promise<void>;
}

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined };

export function openTestEngine(options: Partial<DockerEngineOptions> = {}): TestEngine {
  const installId = options.installId ?? `test-${randomBytes(6).toString('hex')}`;
  const dataDir = mkdtempSync(path.join(tmpdir(), 'commonwatt-engine-'));
  const host = options.socketPath === undefined ? [] : ['-H', `unix://${options.socketPath}`];
  const open = (): DockerEngine =>
    openDockerEngine({ installId, dataDir, clock: systemClock, log: silent, ...options });
  const opened = [open()];
  const label = `label=commonwatt.install=${installId}`;
  return {
    engine: opened[0] as DockerEngine,
    installId,
    dataDir,
    again() {
      const next = open();
      opened.push(next);
      return next;
    },
    leftovers: () => [
      ...lines(docker(...host, 'ps', '-a', '--filter', label, '--format', '{{.Names}}')),
      ...lines(docker(...host, 'network', 'ls', '--filter', label, '--format', '{{.Name}}')),
    ],
    async dispose() {
      for (const engine of opened) await engine.close();
      for (const id of lines(docker(...host, 'ps', '-aq', '--filter', label))) docker(...host, 'rm', '-fv', id);
      for (const id of lines(docker(...host, 'network', 'ls', '-q', '--filter', label)))
        docker(...host, 'network', 'rm', id);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** The whole output of a session and its exit code. */
export async function readAll(session: ExecSession): Promise<{ out: string; err: string; exit: number | null }> {
  const parts = { 1: [] as Uint8Array[], 2: [] as Uint8Array[] };
  for await (const { stream, bytes } of session.output) parts[stream].push(bytes);
  return { out: Buffer.concat(parts[1]).toString(), err: Buffer.concat(parts[2]).toString(), exit: await session.exit };
}

/** Reads until the text so far matches. @throws Error with the text when the output ends before. */
export async function readUntil(session: ExecSession, pattern: RegExp): Promise<string> {
  const iterator = session.output[Symbol.asyncIterator]();
  let text = '';
  while (!pattern.test(text)) {
    const next = await iterator.next();
    if (next.done === true) throw new Error(`The output ended: ${text}`);
    text += Buffer.from(next.value.bytes).toString();
  }
  return text;
}

export const sh = (script: string): readonly string[] => ['/bin/sh', '-c', script];
