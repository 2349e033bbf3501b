/** Job runtimes in memory that keep their promises: what was started runs, across lives of a host, until it is ended. */
import { Readable } from 'node:stream';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import tar from 'tar-stream';
import { AppError } from '../../src/shared/errors.ts';
import type { ContainerUsage, LogChunk } from '../../src/runtime/engine.ts';
import type { JobEnd, JobPlan, JobProcess, JobRuntimes } from '../../src/runtime/job-runtime.ts';
import type { Bytes32 } from '../../src/shared/ids.ts';

type End = JobEnd | 'engine-lost' | 'removed';

/** Every file below a folder, by its path. */
function filesIn(folder: string, prefix = ''): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of readdirSync(path.join(folder, prefix))) {
    const at = path.posix.join(prefix, name);
    if (statSync(path.join(folder, at)).isDirectory())
      for (const [key, text] of filesIn(folder, at)) found.set(key, text);
    else found.set(at, readFileSync(path.join(folder, at), 'utf8'));
  }
  return found;
}

export class FakeProcess implements JobProcess {
  readonly dealId: Bytes32;
  readonly plan: JobPlan;
  /** What lay in its input folder when it was started. */
  readonly inputs: Map<string, string>;
  readonly files = new Map<string, string>();
  readonly output: LogChunk[] = [];
  readonly #runtimes: FakeRuntimes;
  readonly #waiting = new Set<(end: End) => void>();
  readonly #startedAtMs = Date.now();
  end: JobEnd | null = null;
  checkpoints = 0;

  constructor(runtimes: FakeRuntimes, plan: JobPlan) {
    this.#runtimes = runtimes;
    this.dealId = plan.dealId;
    this.plan = plan;
    this.inputs = filesIn(plan.inputs);
  }

  async *logs({ fromByte }: { fromByte: number }): AsyncGenerator<LogChunk, void> {
    let at = 0;
    for (const { stream, bytes } of this.output) {
      const skip = Math.max(0, Math.min(bytes.length, fromByte - at));
      at += bytes.length;
      if (skip < bytes.length) yield { stream, bytes: bytes.subarray(skip) };
    }
  }

  async usage(): Promise<ContainerUsage> {
    return { cpuPercent: 0, memoryBytes: 0, networkReceivedBytes: 0, networkSentBytes: 0, diskBytes: 0 };
  }

  async checkpoint(): Promise<void> {
    this.checkpoints += 1;
  }

  async stop(): Promise<void> {
    this.exit(137);
  }

  wait(signal?: AbortSignal): Promise<JobEnd | 'engine-lost'> {
    return new Promise((resolve, reject) => {
      const heard = (end: End) => {
        this.#waiting.delete(heard);
        if (end === 'removed') reject(new AppError('not-found', 'It was removed.'));
        else resolve(end);
      };
      const stop = () => {
        this.#waiting.delete(heard);
        reject(new AppError('cancelled', 'Not waited for any more.'));
      };
      if (signal?.aborted) {
        stop();
        return;
      }
      signal?.addEventListener('abort', stop);
      if (this.#runtimes.isDown) resolve('engine-lost');
      else if (this.end) resolve(this.end);
      else this.#waiting.add(heard);
    });
  }

  async outputs(): Promise<Readable> {
    if (!this.end) throw new AppError('conflict', 'It runs.');
    const pack = tar.pack();
    for (const [name, text] of this.files) pack.entry({ name }, text);
    pack.finalize();
    return Readable.from(pack);
  }

  async remove(): Promise<void> {
    await this.#runtimes.remove(this.dealId);
  }

  say(stream: 1 | 2, text: string): void {
    this.output.push({ stream, bytes: Buffer.from(text) });
  }

  exit(exitCode: number, change: Partial<JobEnd> = {}): void {
    if (this.end) return;
    this.end = {
      exitCode,
      reason: 'exited',
      detail: '',
      startedAtMs: this.#startedAtMs,
      finishedAtMs: Date.now(),
      ...change,
    };
    this.tell(this.end);
  }

  tell(end: End): void {
    for (const heard of this.#waiting) heard(end);
  }
}

export class FakeRuntimes implements JobRuntimes {
  readonly processes = new Map<Bytes32, FakeProcess>();
  starts = 0;
  isDown = false;
  /** Thrown by every start while it is set. */
  startFails: AppError | null = null;
  /** Called with each new process. */
  onStart: (process: FakeProcess) => void = () => undefined;
  readonly #listeners = new Set<() => void>();

  async start(plan: JobPlan): Promise<JobProcess> {
    this.#reach();
    if (this.startFails) throw this.startFails;
    const known = this.processes.get(plan.dealId);
    if (known) return known;
    this.starts += 1;
    const made = new FakeProcess(this, plan);
    this.processes.set(plan.dealId, made);
    this.onStart(made);
    return made;
  }

  async find(dealId: Bytes32): Promise<JobProcess | null> {
    this.#reach();
    return this.processes.get(dealId) ?? null;
  }

  async list(): Promise<Bytes32[]> {
    return this.isDown ? [] : [...this.processes.keys()];
  }

  async remove(dealId: Bytes32): Promise<void> {
    this.#reach();
    this.processes.get(dealId)?.tell('removed');
    this.processes.delete(dealId);
  }

  onBack(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {}

  comeBack(): void {
    this.isDown = false;
    for (const listener of this.#listeners) listener();
  }

  lose(): void {
    this.isDown = true;
    for (const process of this.processes.values()) process.tell('engine-lost');
  }

  #reach(): void {
    if (this.isDown) throw new AppError('engine-down', 'The engine does not answer.');
  }
}
