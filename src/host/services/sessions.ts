import type { ApiOutputs } from '../../api/contract.ts';
import type { PeerStream } from '../../peer/peer-link.ts';
import { AppError } from '../../shared/errors.ts';
import { CreditGate } from './credit-gate.ts';

type OutputFrame = ApiOutputs['rentals']['terminal'] extends AsyncIterable<infer Frame> ? Frame : never;

/** Data frames a door may leave unacknowledged; beyond that the machine's process waits, not our memory. */
const WINDOW = 256;
const MAX_SESSIONS = 128;

interface Session {
  stream: PeerStream;
  gate: CreditGate;
}

/** Interactive streams of the doors: terminals, commands and logs, each with a name that input and acks refer to. */
export class Sessions {
  readonly #sessions = new Map<string, Session>();
  readonly #newId: () => string;

  constructor(newId: () => string) {
    this.#newId = newId;
  }

  /**
   * The frames of one stream, until it ends or the reader goes away (which hangs up).
   * @param tagged each chunk's first byte says which output it came from; without it everything is output 1
   */
  async *frames(stream: PeerStream, tagged: boolean, signal: AbortSignal): AsyncGenerator<OutputFrame, void> {
    if (this.#sessions.size >= MAX_SESSIONS) {
      stream.abort('Too many terminals.');
      throw new AppError('busy', `More than ${MAX_SESSIONS} terminals are open.`, { next: 'Close some of them.' });
    }
    const sessionId = this.#newId();
    const gate = new CreditGate(WINDOW);
    this.#sessions.set(sessionId, { stream, gate });
    let exitCode: number | null = null;
    stream.onNote((note) => {
      if (note !== null && typeof note === 'object' && !Array.isArray(note) && Number.isInteger(note['exitCode'])) {
        exitCode = note['exitCode'] as number;
      }
    });
    const hangUp = () => stream.abort('The reader went away.');
    signal.addEventListener('abort', hangUp, { once: true });
    let ended = false;
    try {
      yield { type: 'opened', sessionId };
      for await (const chunk of stream.bytes) {
        const seq = await gate.take(signal);
        const bytes = tagged ? chunk.subarray(1) : chunk;
        yield {
          type: 'data',
          seq,
          stream: tagged && chunk[0] === 2 ? 2 : 1,
          base64: Buffer.from(bytes).toString('base64'),
        };
      }
      ended = true;
      yield { type: 'exit', exitCode, reason: '' };
    } catch (thrown) {
      if (signal.aborted) return;
      const { reason } = await stream.closed;
      ended = true;
      yield {
        type: 'exit',
        exitCode,
        reason: reason ?? (thrown instanceof Error ? thrown.message : 'The line was lost.'),
      };
    } finally {
      signal.removeEventListener('abort', hangUp);
      this.#sessions.delete(sessionId);
      if (!ended) stream.abort('The reader went away.');
    }
  }

  /** The last acks of a stream that has just ended come too late, and that is all right. */
  ack(sessionId: string, seq: number): void {
    this.#sessions.get(sessionId)?.gate.ack(seq);
  }

  async input(sessionId: string, base64: string, end: boolean): Promise<void> {
    const { stream } = this.#get(sessionId);
    const bytes = Buffer.from(base64, 'base64');
    if (bytes.length > 0) await stream.write(bytes);
    if (end) await stream.end();
  }

  async resize(sessionId: string, cols: number, rows: number): Promise<void> {
    await this.#get(sessionId).stream.note({ cols, rows });
  }

  close(sessionId: string): void {
    this.#get(sessionId).stream.abort('Closed.');
  }

  #get(sessionId: string): Session {
    const session = this.#sessions.get(sessionId);
    if (session) return session;
    throw new AppError('not-found', 'This terminal has ended.', { field: 'sessionId', next: 'Open a new one.' });
  }
}
