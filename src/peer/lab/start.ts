import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Task } from './peer-process.ts';

const PROGRAM = fileURLToPath(new URL('./peer-process.ts', import.meta.url));

export interface LabProcess {
  readonly process: ChildProcess;
  /** The next line it says. */
  next<T>(): Promise<T>;
  /** Kills it, even when it is stopped. */
  end(): Promise<void>;
}

/** Runs one task in its own process, inside a network namespace when one is named. */
export function startLab(task: Task, namespace?: string): LabProcess {
  const command = [process.execPath, '--no-warnings', PROGRAM, JSON.stringify(task)];
  const [program = '', ...args] = namespace === undefined ? command : ['ip', 'netns', 'exec', namespace, ...command];
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    process: child,
    async next<T>() {
      const { value, done } = await lines.next();
      if (done) throw new Error(`the ${task.run} process ended early`);
      return JSON.parse(value) as T;
    },
    async end() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
