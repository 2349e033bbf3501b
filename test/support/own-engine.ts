/**
 * A Docker engine of a test's own, to be killed. It lives in a network namespace of its own: an engine without a bridge
 * deletes docker0, the bridge of the machine's real engine, and flushes its packet filter.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const DOCKERD = ['/usr/sbin/dockerd', '/usr/bin/dockerd'].find((file) => existsSync(file));

/** Why no engine of our own can run here, or null when it can. */
export function ownEngineMissing(): string | null {
  if (DOCKERD === undefined) return 'no dockerd on this computer';
  if (process.getuid?.() !== 0) return 'needs root to run an engine of its own';
  return existsSync('/usr/bin/unshare') ? null : 'needs unshare';
}

export class OwnEngine {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'commonwatt-dockerd-'));
  readonly socket = path.join(this.#folder, 'docker.sock');
  #daemon: ChildProcess | null = null;

  constructor() {
    mkdirSync(path.join(this.#folder, 'exec'));
  }

  /** Returns at once; whoever uses the socket notices when it answers. */
  start(): void {
    // What a crash leaves; the killed process may still count as there until it is reaped.
    for (const file of ['pid', 'exec/containerd/containerd.pid'])
      rmSync(path.join(this.#folder, file), { force: true });
    const flags = {
      host: `unix://${this.socket}`,
      'data-root': path.join(this.#folder, 'data'),
      'exec-root': path.join(this.#folder, 'exec'),
      pidfile: path.join(this.#folder, 'pid'),
      bridge: 'none',
      'log-level': 'error',
      'default-address-pool': 'base=10.199.0.0/16,size=28',
    };
    const inNamespace = ['--net', '/bin/sh', '-c', 'ip link set lo up && exec "$0" "$@"', DOCKERD ?? ''];
    this.#daemon = spawn(
      'unshare',
      [...inNamespace, ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])],
      { stdio: ['ignore', 'ignore', openSync(path.join(this.#folder, 'log'), 'a')] },
    );
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#daemon?.kill(name);
  }

  /** kill -9: no time to stop any container. Resolves when the process is gone. */
  async kill(): Promise<void> {
    if (!this.#daemon) return;
    this.#daemon.kill('SIGKILL');
    await once(this.#daemon, 'exit');
  }

  async close(): Promise<void> {
    if (this.#daemon?.exitCode === null && this.#daemon.signalCode === null) {
      this.#daemon.kill('SIGCONT');
      this.#daemon.kill('SIGTERM');
      await once(this.#daemon, 'exit');
    }
    // The killed engine left its mounts.
    const mounts = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '');
    for (const mount of mounts.filter((at) => at.startsWith(this.#folder)).toReversed())
      execFileSync('umount', ['-l', mount]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
