import { assertNever } from '../src/shared/errors.ts';
import type { Notice } from '../src/api/announcements.ts';
import { HEARTBEAT_LOST_MS, hostToShellSchema } from '../src/api/shell-messages.ts';
import type { HostProcess, Port, ShellPorts } from './shell-ports.ts';

/** How the host's process stands. `failed` stays until `retry`. */
export type HostState =
  | { state: 'starting' | 'running' | 'stopped' }
  | { state: 'restarting'; attempt: number }
  | { state: 'failed'; message: string; next: string };

export interface HostSupervisor {
  readonly state: HostState;
  onState(listener: (state: HostState) => void): void;
  /** What the host says has happened. */
  onNotice(listener: (notice: Notice) => void): void;
  /** Gives a port to the host, now or as soon as it is ready; a newer port replaces one that still waits. */
  connect(port: Port): void;
  /** Starts anew after `failed`. */
  retry(): void;
  /** Resolves when the process is gone; asks first, and insists when that takes too long. */
  stop(): Promise<void>;
}

export const MAX_RESTARTS = 5;
/** Only restarts within this time count: a crash a day is not a crash loop. */
const RESTART_WINDOW_MS = 10 * 60_000;
/** The host itself takes at most 15 seconds to close. */
const STOP_GRACE_MS = 17_000;
/** Starting includes setting up the practice network on a slow disk. */
const START_GRACE_MS = 120_000;

type Ports = Pick<ShellPorts, 'forkHost' | 'after' | 'nowMs' | 'log' | 'seal' | 'unseal'>;

/** Keeps the host's process alive: a heartbeat, at most five restarts in ten minutes, then an honest failure. */
export function superviseHost(ports: Ports): HostSupervisor {
  let current: HostState = { state: 'starting' };
  let child: HostProcess | null = null;
  let waiting: Port | null = null;
  let callOffTimer: (() => void) | null = null;
  let restarts: number[] = [];
  let retryAsked = false;
  let stopping: { promise: Promise<void>; done: () => void } | null = null;
  const listeners = new Set<(state: HostState) => void>();
  const noticed = new Set<(notice: Notice) => void>();

  const set = (next: HostState) => {
    current = next;
    for (const listener of listeners) listener(next);
  };
  const callOff = () => {
    callOffTimer?.();
    callOffTimer = null;
  };
  const watchSilence = (process: HostProcess, ms: number) => {
    callOff();
    callOffTimer = ports.after(ms, () => {
      ports.log('the host has gone silent; ending it', { ms });
      process.kill();
    });
  };
  const deliver = (process: HostProcess) => {
    if (!waiting) return;
    process.send({ type: 'connect' }, [waiting]);
    waiting = null;
  };
  const fail = (message: string, next: string) => {
    callOff();
    set({ state: 'failed', message, next });
  };

  const start = () => {
    const process = ports.forkHost();
    child = process;
    watchSilence(process, START_GRACE_MS);
    process.onMessage((raw) => {
      const parsed = hostToShellSchema.safeParse(raw);
      if (child !== process || !parsed.success || current.state === 'failed') return;
      const message = parsed.data;
      switch (message.type) {
        case 'ready':
          watchSilence(process, HEARTBEAT_LOST_MS);
          set({ state: 'running' });
          deliver(process);
          break;
        case 'heartbeat':
          // A host that is still starting has its own, longer time.
          if (current.state === 'running') watchSilence(process, HEARTBEAT_LOST_MS);
          break;
        case 'fatal':
          fail(message.message, message.next ?? 'Look at the log in the data directory, then try again.');
          process.kill();
          break;
        case 'seal':
          process.send({ type: 'secret', id: message.id, text: ports.seal(message.text) });
          break;
        case 'open':
          process.send({ type: 'secret', id: message.id, text: ports.unseal(message.text) });
          break;
        case 'notice':
          for (const listener of noticed) listener(message);
          break;
        default:
          assertNever(message);
      }
    });
    process.onExit((code) => {
      if (child !== process) return;
      child = null;
      callOff();
      ports.log('the host ended', { code });
      if (stopping) {
        set({ state: 'stopped' });
        stopping.done();
      } else if (current.state !== 'failed') {
        restart(code);
      } else if (retryAsked) {
        begin();
      }
    });
  };

  const restart = (code: number | null) => {
    const now = ports.nowMs();
    restarts = restarts.filter((at) => now - at < RESTART_WINDOW_MS);
    if (restarts.length >= MAX_RESTARTS) {
      fail(
        `Commonwatt's engine stopped ${MAX_RESTARTS + 1} times in a row${code === null ? '' : ` (code ${code})`}.`,
        'Running containers and money are safe where they are. Restart the computer or look at the log, then try again.',
      );
      return;
    }
    restarts.push(now);
    const attempt = restarts.length;
    set({ state: 'restarting', attempt });
    callOffTimer = ports.after(Math.min(10_000, 250 * 2 ** attempt), start);
  };

  const begin = () => {
    retryAsked = false;
    restarts = [];
    set({ state: 'starting' });
    start();
  };

  start();
  return {
    get state() {
      return current;
    },
    onState(listener) {
      listeners.add(listener);
    },
    onNotice(listener) {
      noticed.add(listener);
    },
    connect(port) {
      waiting?.close();
      waiting = port;
      if (child && current.state === 'running') deliver(child);
    },
    retry() {
      if (current.state !== 'failed' || stopping) return;
      // The one that failed may still be on its way out, and it holds the data directory's lock.
      if (child) retryAsked = true;
      else begin();
    },
    stop() {
      if (stopping) return stopping.promise;
      const { promise, resolve } = Promise.withResolvers<void>();
      stopping = { promise, done: resolve };
      waiting?.close();
      waiting = null;
      callOff();
      const process = child;
      if (!process) {
        set({ state: 'stopped' });
        resolve();
        return promise;
      }
      process.send({ type: 'stop' });
      callOffTimer = ports.after(STOP_GRACE_MS, () => process.kill());
      return promise;
    },
  };
}
