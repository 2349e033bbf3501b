/** A container engine in memory that keeps its promises: what is started runs until it is stopped, killed or lost. */
import { AppError } from '../../src/shared/errors.ts';
import type {
  ContainerState,
  DealContainer,
  DealPlan,
  EndOfSupervision,
  Engine,
  EngineInfo,
} from '../../src/runtime/engine.ts';
import type { Bytes32 } from '../../src/shared/ids.ts';

const INFO: EngineInfo = {
  version: '29.0.0',
  apiVersion: '1.51',
  cdi: false,
  nvidiaRuntime: false,
  runtimes: ['runc'],
  diskFreeBytes: null,
};

const down = () => new AppError('engine-down', 'The engine does not answer.');

export class FakeContainer implements DealContainer {
  readonly dealId: Bytes32;
  readonly ports: ReadonlyMap<number, number>;
  readonly #engine: FakeEngine;
  readonly #ends = new Set<(end: EndOfSupervision) => void>();
  status: ContainerState['status'] = 'running';
  sick = false;

  constructor(engine: FakeEngine, { dealId, spec }: DealPlan) {
    this.#engine = engine;
    this.dealId = dealId;
    this.ports = new Map(spec.ports.map((port) => [port, port]));
  }

  async inspect(): Promise<ContainerState> {
    this.#engine.reach();
    return { status: this.status, exitCode: this.status === 'exited' ? 0 : null, startedAtMs: 0, finishedAtMs: null };
  }

  async healthy(): Promise<boolean> {
    return this.#engine.info !== null && this.status === 'running' && !this.sick;
  }

  exec(): Promise<never> {
    return Promise.reject(new AppError('unsupported', 'Nothing runs in here.'));
  }

  async shell(): Promise<readonly string[]> {
    return ['/bin/sh'];
  }

  // oxlint-disable-next-line require-yield -- it says nothing
  async *logs(): AsyncGenerator<never, void> {
    this.#engine.reach();
  }

  usage(): Promise<never> {
    return Promise.reject(new AppError('unsupported', 'Nothing is measured in here.'));
  }

  async pause(): Promise<void> {
    this.#engine.reach();
    if (this.status === 'running') this.status = 'paused';
  }

  async resume(): Promise<void> {
    this.#engine.reach();
    if (this.status === 'paused') this.status = 'running';
  }

  async stop(): Promise<ContainerState> {
    this.#engine.reach();
    this.exit(137);
    return this.inspect();
  }

  async remove(): Promise<void> {
    this.#engine.reach();
    this.status = 'missing';
    this.#engine.containers.delete(this.dealId);
    this.#tell({ kind: 'removed' });
  }

  supervise(signal: AbortSignal): Promise<EndOfSupervision> {
    return new Promise((resolve, reject) => {
      this.#ends.add(resolve);
      signal.addEventListener('abort', () => {
        this.#ends.delete(resolve);
        reject(new AppError('cancelled', 'Not watched any more.'));
      });
    });
  }

  /** The main process ends by itself. */
  exit(exitCode: number): void {
    if (this.status !== 'running' && this.status !== 'paused') return;
    this.status = 'exited';
    this.#tell({ kind: 'exited', exitCode, finishedAtMs: Date.now() });
  }

  lose(): void {
    this.#tell({ kind: 'engine-lost' });
  }

  #tell(end: EndOfSupervision): void {
    for (const resolve of this.#ends) resolve(end);
    this.#ends.clear();
  }
}

export class FakeEngine implements Engine {
  readonly containers = new Map<Bytes32, FakeContainer>();
  readonly images = new Set(['commonwatt/practice:1']);
  info: EngineInfo | null = INFO;
  /** Thrown by the next start. */
  startFails: AppError | null = null;
  starts = 0;
  readonly #listeners = new Set<(info: EngineInfo | null) => void>();

  onChange(listener: (info: EngineInfo | null) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async checks(): Promise<never[]> {
    return [];
  }

  async hasImage(reference: string): Promise<boolean> {
    this.reach();
    return this.images.has(reference);
  }

  async pull(reference: string): Promise<void> {
    this.reach();
    throw new AppError('image-missing', `There is no image ${reference}.`);
  }

  async start(plan: DealPlan): Promise<DealContainer> {
    this.reach();
    if (this.startFails) throw this.startFails;
    const known = this.containers.get(plan.dealId);
    if (known) return known;
    this.starts += 1;
    const made = new FakeContainer(this, plan);
    this.containers.set(plan.dealId, made);
    return made;
  }

  async find(dealId: Bytes32): Promise<DealContainer | null> {
    this.reach();
    return this.containers.get(dealId) ?? null;
  }

  async list(): Promise<Bytes32[]> {
    this.reach();
    return [...this.containers.keys()];
  }

  async keepWarm(): Promise<void> {}

  async close(): Promise<void> {}

  /** The engine dies: what ran is not reachable any more. */
  lose(): void {
    this.info = null;
    for (const container of this.containers.values()) container.lose();
    for (const listener of this.#listeners) listener(null);
  }

  comeBack(): void {
    this.info = INFO;
    for (const listener of this.#listeners) listener(INFO);
  }

  reach(): void {
    if (this.info === null) throw down();
  }
}
