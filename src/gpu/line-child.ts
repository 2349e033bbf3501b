import { StringDecoder } from 'node:string_decoder';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Log } from '../shared/log.ts';
import { backoffMs } from '../shared/retry.ts';

/** A program and what always stands before its arguments. */
export interface Tool {
  command: string;
  prefix?: readonly string[];
}

const startTool = (tool: Tool, args: readonly string[]): ChildProcess =>
  spawn(tool.command, [...(tool.prefix ?? []), ...args], { stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true });

export interface ToolResult {
  /** null when it could not be started, was killed or ran out of time. */
  exitCode: number | null;
  stdout: string;
}

const MAX_OUTPUT = 4 * 1024 * 1024;

/** Runs a tool to its end. Never throws: a tool that is missing has no exit code. */
export function runTool(tool: Tool, args: readonly string[], timeoutMs: number): Promise<ToolResult> {
  return new Promise((resolve) => {
    const child = startTool(tool, args);
    let stdout = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    const done = (exitCode: number | null) => {
      clearTimeout(timer);
      resolve({ exitCode, stdout });
    };
    const collect = (chunk: string) => {
      stdout += chunk;
      if (stdout.length > MAX_OUTPUT) child.kill('SIGKILL');
    };
    child.stdout?.setEncoding('utf8').on('data', collect);
    // Complaints about fields go to either stream, by version.
    child.stderr?.setEncoding('utf8').on('data', collect);
    child.on('error', () => done(null));
    child.on('close', (code) => done(code));
  });
}

const MAX_LINE = 64 * 1024;
const STOP_GRACE_MS = 2000;

export interface LineChild {
  /** Resolves when the child is gone. */
  stop(): Promise<void>;
}

/**
 * Keeps one long-lived child running and hands over what it prints: all whole lines of a chunk at once. A child that
 * ends is started again, with growing pauses unless it had worked. `args` is asked anew at each start.
 */
export function superviseLines(options: {
  tool: Tool;
  args: () => readonly string[];
  onLines: (lines: string[]) => void;
  random: () => number;
  log: Log;
}): LineChild {
  let stopped = false;
  let attempt = 0;
  let child: ChildProcess | null = null;
  let restart: NodeJS.Timeout | null = null;

  const start = () => {
    restart = null;
    const running = startTool(options.tool, options.args());
    child = running;
    let worked = false;
    const read = (stream: ChildProcess['stdout']) => {
      const decoder = new StringDecoder('utf8');
      let rest = '';
      stream?.on('data', (chunk: Buffer) => {
        if (stopped) return;
        const parts = (rest + decoder.write(chunk)).split('\n');
        rest = parts.pop() ?? '';
        if (rest.length > MAX_LINE) rest = '';
        if (parts.length === 0) return;
        worked = true;
        options.onLines(parts.map((line) => line.replace(/\r$/, '')));
      });
    };
    read(running.stdout);
    read(running.stderr);
    let ended = false;
    const end = (why: object) => {
      if (ended) return;
      ended = true;
      child = null;
      if (stopped) return;
      attempt = worked ? 0 : attempt + 1;
      const pauseMs = 500 + backoffMs(attempt, options.random, 500, 60_000);
      options.log.warn({ ...why, tool: options.tool.command, pauseMs }, 'the watching tool ended; starting it again');
      restart = setTimeout(start, pauseMs);
    };
    running.on('error', (error) => end({ error: error.message }));
    running.on('close', (code, signal) => end({ code, signal }));
  };
  start();

  return {
    stop: () =>
      new Promise((resolve) => {
        stopped = true;
        if (restart) clearTimeout(restart);
        const running = child;
        if (!running || running.exitCode !== null || running.signalCode !== null || running.pid === undefined) {
          resolve();
          return;
        }
        const force = setTimeout(() => running.kill('SIGKILL'), STOP_GRACE_MS);
        running.once('close', () => {
          clearTimeout(force);
          resolve();
        });
        running.kill('SIGTERM');
      }),
  };
}
