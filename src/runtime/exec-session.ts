import type { Duplex } from 'node:stream';
import { AppError } from '../shared/errors.ts';
import { delay } from '../shared/retry.ts';
import { Serial } from '../shared/serial.ts';
import type { ExecSession } from './engine.ts';
import type { EngineLink } from './engine-link.ts';
import { demultiplex, type OutputChunk } from './multiplex.ts';

/** Carries the session's mark to its processes, so that a hang-up finds the leader. */
const MARK = 'COMMONWATT_SESSION';

/**
 * The engine has no way to end an exec, and closing its stream leaves the process alone. From inside the container: the
 * session leader with our mark gets what a terminal's end sends, then no choice; its death hangs up the foreground job.
 */
const HANG_UP = `for d in /proc/[0-9]*; do
p=\${d#/proc/}
case "$(cat "$d/environ" 2>/dev/null | tr '\\000' ' ')" in *"${MARK}=$1"*) ;; *) continue ;; esac
s="$(cat "$d/stat" 2>/dev/null)"
set -- "$1" \${s##*) }
[ "$5" = "$p" ] || continue
kill -HUP "$p"; kill -CONT "$p"
sleep 1
kill -KILL "$p" 2>/dev/null
done; true`;

const cells = (n: number): number => Math.max(1, Math.min(1000, Math.floor(n)));

export interface ExecRequest {
  command: readonly string[];
  tty: { cols: number; rows: number } | null;
  signal?: AbortSignal;
}

async function* ttyOutput(stream: Duplex): AsyncGenerator<OutputChunk, void> {
  for await (const bytes of stream as AsyncIterable<Uint8Array>) yield { stream: 1, bytes };
}

/** Ends quietly where the connection breaks: the exit code tells what became of the process. */
async function* untilBroken(source: AsyncIterable<OutputChunk>, stream: Duplex): AsyncGenerator<OutputChunk, void> {
  try {
    yield* source;
  } catch (thrown) {
    if (!stream.destroyed) throw thrown;
  }
}

/** Starts a process in a running container. @throws AppError bad-input for an unstartable command, conflict when not running. */
export async function startExec(
  link: EngineLink,
  containerId: string,
  request: ExecRequest,
  newId: () => string,
): Promise<ExecSession> {
  if (request.command.length === 0)
    throw new AppError('bad-input', 'There is no command to run.', { field: 'command' });
  const { tty } = request;
  const mark = newId();
  const container = link.docker.getContainer(containerId);
  const exec = await link.call(
    (abortSignal) =>
      container.exec({
        Cmd: [...request.command],
        AttachStdin: true,
        AttachStdout: true,
        AttachStderr: true,
        Tty: tty !== null,
        Env: [`${MARK}=${mark}`, ...(tty === null ? [] : ['TERM=xterm-256color'])],
        abortSignal,
      }),
    { signal: request.signal },
  );
  const lost = link.lost;
  // No abort signal on the start itself: it would outlive the request and cut the stream with an error nobody awaits.
  const stream: Duplex = await link.call(() => exec.start({ hijack: true, stdin: true, Tty: tty !== null }), {
    signal: request.signal,
  });
  stream.on('error', () => undefined);

  let closed = false;
  const close = (): void => {
    if (closed) return;
    closed = true;
    stream.destroy();
    hangUp().catch(() => undefined);
  };
  const hangUp = async (): Promise<void> => {
    const { Running: running } = await link.call((abortSignal) => exec.inspect({ abortSignal }));
    if (!running) return;
    const killer = await link.call((abortSignal) =>
      container.exec({ Cmd: ['/bin/sh', '-c', HANG_UP, 'sh', mark], User: '0', abortSignal }),
    );
    await link.call((abortSignal) => killer.start({ Detach: true, abortSignal }));
  };
  const cut = (): void => void stream.destroy();
  lost.addEventListener('abort', cut, { once: true });
  request.signal?.addEventListener('abort', close, { once: true });
  const ended = new Promise<void>((resolve) => {
    stream.once('end', resolve);
    stream.once('close', resolve);
  });

  const exitCode = async (): Promise<number | null> => {
    await ended;
    lost.removeEventListener('abort', cut);
    request.signal?.removeEventListener('abort', close);
    // The stream may end a moment before the engine has noted the exit.
    for (let waitMs = 5; waitMs < 3000; waitMs *= 2) {
      const state = await link.call((abortSignal) => exec.inspect({ abortSignal })).catch(() => null);
      if (state === null) return null;
      if (!state.Running) return typeof state.ExitCode === 'number' ? state.ExitCode : null;
      if (closed) return null;
      await delay(waitMs);
    }
    return null;
  };

  const setSize = (cols: number, rows: number): Promise<void> =>
    link.call(async (abortSignal) => void (await exec.resize({ w: cells(cols), h: cells(rows), abortSignal })));
  // One after the other: the size that was asked for last is the one that stays.
  const sizes = new Serial();
  const resize = (cols: number, rows: number): Promise<void> => sizes.run(() => setSize(cols, rows));
  if (tty !== null) {
    // A process that is gone already has no terminal to size; one that is just starting may not have it yet.
    void sizes
      .run(() =>
        setSize(tty.cols, tty.rows).catch(async () => {
          await delay(50);
          await setSize(tty.cols, tty.rows);
        }),
      )
      .catch(() => undefined);
  }

  return {
    output: untilBroken(tty === null ? demultiplex(stream as AsyncIterable<Uint8Array>) : ttyOutput(stream), stream),
    async write(bytes) {
      if (stream.destroyed || stream.writableEnded) return;
      if (stream.write(bytes)) return;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          stream.off('drain', done);
          stream.off('close', done);
          resolve();
        };
        stream.on('drain', done);
        stream.on('close', done);
      });
    },
    end() {
      if (!stream.destroyed) stream.end();
    },
    resize,
    exit: exitCode(),
    close,
  };
}
