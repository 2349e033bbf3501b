import type { Terminal } from '@xterm/xterm';
import type { ApiClient, ApiOutputs } from '../../../src/api/contract.ts';
import type { Bytes32 } from '../../../src/shared/ids.ts';
import { withoutBidi } from '../../../src/shared/plain-text.ts';
import { fromBase64, inputChunks, toBase64 } from '../../view/bytes.ts';

type Frame = ApiOutputs['rentals']['terminal'] extends AsyncIterable<infer Item> ? Item : never;

export type SessionEnd = { kind: 'exited'; exitCode: number | null; reason: string } | { kind: 'lost'; error: unknown };

const ACK_EVERY = 32;

/**
 * Runs one interactive stream on a terminal until it exits or the line is lost. Frames are acknowledged only when the
 * terminal has drawn them, so a flood waits on the other side and the window stays quick.
 */
export async function runSession(
  client: ApiClient,
  terminal: Terminal,
  kind: 'terminal' | 'logs',
  rentalId: Bytes32,
  signal: AbortSignal,
  onOpened: () => void,
): Promise<SessionEnd> {
  const decoders = { 1: new TextDecoder(), 2: new TextDecoder() };
  let sessionId: string | null = null;
  let acked = -1;
  let drawn = -1;
  const ack = () => {
    if (sessionId === null || drawn <= acked) return;
    acked = drawn;
    void client.rentals.ack({ sessionId, seq: drawn }).catch(() => undefined);
  };
  let queue = Promise.resolve();
  const listeners = [
    terminal.onData((data) => {
      const id = sessionId;
      if (id === null || kind === 'logs') return;
      for (const chunk of inputChunks(data)) {
        queue = queue
          .then(() => client.rentals.input({ sessionId: id, base64: toBase64(chunk) }))
          .then(() => undefined)
          .catch(() => undefined);
      }
    }),
    terminal.onResize(({ cols, rows }) => {
      if (sessionId !== null && kind === 'terminal') {
        void client.rentals.resize({ sessionId, cols, rows }).catch(() => undefined);
      }
    }),
  ];
  const take = (frame: Frame): SessionEnd | null => {
    switch (frame.type) {
      case 'opened':
        sessionId = frame.sessionId;
        onOpened();
        return null;
      case 'data': {
        const text = withoutBidi(decoders[frame.stream].decode(fromBase64(frame.base64), { stream: true }));
        terminal.write(text, () => {
          drawn = Math.max(drawn, frame.seq);
          if (drawn - acked >= ACK_EVERY) ack();
        });
        return null;
      }
      case 'exit':
        return { kind: 'exited', exitCode: frame.exitCode, reason: frame.reason };
    }
  };
  try {
    const frames =
      kind === 'terminal'
        ? await client.rentals.terminal({ rentalId, cols: terminal.cols, rows: terminal.rows }, { signal })
        : await client.rentals.logs({ rentalId, follow: true, tail: 1000 }, { signal });
    for await (const frame of frames) {
      const end = take(frame);
      if (end) return end;
    }
    return { kind: 'lost', error: null };
  } catch (error) {
    return { kind: 'lost', error };
  } finally {
    ack();
    for (const listener of listeners) listener.dispose();
    if (signal.aborted && sessionId !== null) {
      void client.rentals.closeSession({ sessionId }).catch(() => undefined);
    }
  }
}
