import { pipeToTcp } from '../peer/tunnel.ts';
import type { PeerStream } from '../peer/peer-link.ts';
import type { DealContainer, ExecSession, LogChunk } from '../runtime/engine.ts';
import type { DEAL_STREAMS } from '../shared/deal-protocol.ts';
import { AppError, toAppError } from '../shared/errors.ts';
import type { z } from 'zod';

type Params<Kind extends keyof typeof DEAL_STREAMS> = z.infer<(typeof DEAL_STREAMS)[Kind]>;

/** A TTY in the container: bytes both ways, window sizes as notes, the exit code as the last note. */
export async function serveTerminal(
  container: DealContainer,
  params: Params<'deal.terminal'>,
  stream: PeerStream,
): Promise<void> {
  const { cols, rows } = params;
  const command = params.command?.length ? params.command : await container.shell();
  const session = await container.exec({ command, tty: { cols, rows } });
  stream.onNote((note) => {
    if (note === null || typeof note !== 'object' || Array.isArray(note)) return;
    const { cols: width, rows: height } = note;
    if (isSize(width) && isSize(height)) void session.resize(width, height).catch(() => undefined);
  });
  void serveSession(session, stream, (chunk) => chunk.bytes);
}

/** One command without a TTY: each chunk says by its first byte which of the two outputs it came from. */
export async function serveExec(
  container: DealContainer,
  params: Params<'deal.exec'>,
  stream: PeerStream,
): Promise<void> {
  const session = await container.exec({ command: params.command, tty: null });
  void serveSession(session, stream, tagged);
}

/** The main process's output; reading slower than it is written only delays the reader. */
export function serveLogs(container: DealContainer, params: Params<'deal.logs'>, stream: PeerStream): void {
  const stop = new AbortController();
  void stream.closed.then(() => stop.abort());
  void (async () => {
    try {
      for await (const chunk of container.logs({ follow: params.follow, tail: params.tail, signal: stop.signal })) {
        await stream.write(tagged(chunk));
      }
      await stream.end();
    } catch (thrown) {
      stream.abort(toAppError(thrown).message);
    }
  })();
}

/** One TCP connection to a port of the spec; anything else the container listens on stays closed. */
export async function serveTunnel(
  container: DealContainer,
  params: Params<'deal.tunnel'>,
  stream: PeerStream,
): Promise<void> {
  const port = container.ports.get(params.port);
  if (port === undefined) {
    throw new AppError('not-allowed', `Port ${params.port} is not among the ports of this rental.`, {
      field: 'port',
      next: `Use one of: ${[...container.ports.keys()].join(', ') || 'none (name ports when you rent)'}.`,
    });
  }
  await pipeToTcp(stream, { host: '127.0.0.1', port });
}

const isSize = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 1000;

function tagged({ stream, bytes }: LogChunk): Uint8Array {
  const out = new Uint8Array(bytes.length + 1);
  out[0] = stream;
  out.set(bytes, 1);
  return out;
}

/** Output to the stream, the stream to the input, hang-up in both directions, exit code at the end. */
async function serveSession(
  session: ExecSession,
  stream: PeerStream,
  frame: (chunk: LogChunk) => Uint8Array,
): Promise<void> {
  void stream.closed.then(() => session.close());
  const input = (async () => {
    for await (const bytes of stream.bytes) await session.write(bytes);
    session.end();
  })();
  input.catch(() => session.close());
  try {
    for await (const chunk of session.output) await stream.write(frame(chunk));
    await stream.note({ exitCode: await session.exit });
    await stream.end();
  } catch (thrown) {
    session.close();
    stream.abort(toAppError(thrown).message);
  }
}
