import type { ApiOutputs } from '../../src/api/contract.ts';
import { AppError } from '../../src/shared/errors.ts';
import { State } from '../../src/shared/emitter.ts';

type Frame = ApiOutputs['rentals']['terminal'] extends AsyncIterable<infer Item> ? Item : never;

const PROMPT = '\u001B[33mroot@commonwatt\u001B[0m:\u001B[34m/workspace\u001B[0m# ';
const SMI = [
  '+-----------------------------------------------------------------------------------------+',
  '| NVIDIA-SMI 580.95.05              Driver Version: 580.95.05      CUDA Version: 13.0     |',
  '|-----------------------------------------+------------------------+----------------------+',
  '| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |',
  '|   0  NVIDIA GeForce RTX 4090        Off |   00000000:01:00.0 Off |                  Off |',
  '|  31%   58C    P2            287W / 450W |   11264MiB /  24564MiB |     97%      Default |',
  '+-----------------------------------------------------------------------------------------+',
].join('\r\n');
const TRAINING = [
  'step  2180  loss 1.8412  3.1 it/s  lr 2.8e-04',
  'step  2190  loss 1.8377  3.1 it/s  lr 2.8e-04',
  'step  2200  loss 1.8291  3.2 it/s  lr 2.7e-04  \u001B[32mcheckpoint saved\u001B[0m',
].join('\r\n');
/** Titles, clipboard writes, links, window commands, questions whose answers would be typed, overrides of direction, a bell and a line without end. */
const HOSTILE = [
  '\u001B]0;stolen title\u0007',
  '\u001B]52;c;c3RvbGVuIGNsaXBib2FyZA==\u0007',
  '\u001B]8;;https://evil.example/\u0007safe link\u001B]8;;\u0007 ',
  '\u001B[3;10;10t\u001B[21t\u0007',
  '\u001B[c\u001B[>c\u001B[=c\u001B[>q\u001B[?1$p\u001BP$qm\u001B\\\u001B]11;?\u0007',
  '\u202Egnp.exe\u202C ',
  'x'.repeat(20_000),
  '\r\nhostile done\r\n',
].join('');

const LOG = 'Downloading weights: done\r\nJupyter Lab is listening on port 8888\r\n';

const ANSWERS: Record<string, string> = {
  '': '',
  'nvidia-smi': `${SMI}\r\n`,
  'tail -3 train.log': `${TRAINING}\r\n`,
  hostile: HOSTILE,
  flood: `${Array.from({ length: 4000 }, (_, line) => `line ${line}`).join('\r\n')}\r\nflood done\r\n`,
};

/** Characters of one frame: small, so that a flood is thousands of frames and sequences are cut anywhere. */
const PIECE = 32;
/** Frames that may be on their way without an acknowledgement, as the interface promises. */
const WINDOW = 256;

interface Session {
  typed: State<string>;
  acked: State<number>;
  cols: number;
}

/** A shell that knows a handful of commands, behind the same frames as the real one. */
export function createFakeTerminals(warm: string[]) {
  const sessions = new Map<string, Session>();
  let count = 0;
  let furthest = 0;
  let deaf = false;
  let everTyped = '';
  const sessionOf = (id: string) => {
    const session = sessions.get(id);
    if (!session) throw new AppError('not-found', 'This session has ended.', { field: 'sessionId' });
    return session;
  };
  const frame = (seq: number, text: string): Frame => ({
    type: 'data',
    seq,
    stream: 1,
    base64: Buffer.from(text).toString('base64'),
  });

  async function* open(signal: AbortSignal, cols: number): AsyncGenerator<Frame, void> {
    const sessionId = `fake-${++count}`;
    const session: Session = { typed: new State(''), acked: new State(0), cols };
    sessions.set(sessionId, session);
    let seq = 0;
    try {
      yield { type: 'opened', sessionId };
      for (const command of warm) yield frame(++seq, `${PROMPT}${command}\r\n${ANSWERS[command] ?? ''}`);
      yield frame(++seq, PROMPT);
      let line = '';
      let read = 0;
      for await (const all of session.typed.watch(signal)) {
        for (const key of all.slice(read)) {
          if (key === '\r') {
            const said = ANSWERS[line] ?? `${line}: not found\r\n`;
            yield frame(++seq, '\r\n');
            if (line === 'exit') {
              yield { type: 'exit', exitCode: 0, reason: 'You left the shell.' };
              return;
            }
            for (let at = 0; at < said.length; at += PIECE) {
              const next = ++seq;
              await session.acked.until((acked) => next - acked <= WINDOW, signal);
              furthest = Math.max(furthest, next - session.acked.value);
              yield frame(next, said.slice(at, at + PIECE));
            }
            yield frame(++seq, PROMPT);
            line = '';
          } else {
            line += key;
            yield frame(++seq, key);
          }
        }
        read = all.length;
      }
    } finally {
      sessions.delete(sessionId);
    }
  }

  async function* log(signal: AbortSignal): AsyncGenerator<Frame, void> {
    const sessionId = `fake-${++count}`;
    sessions.set(sessionId, { typed: new State(''), acked: new State(0), cols: 80 });
    yield { type: 'opened', sessionId };
    yield frame(1, LOG);
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  }

  return {
    open,
    log,
    type: (id: string, text: string) => {
      const { typed } = sessionOf(id);
      everTyped += text;
      typed.set(typed.value + text);
    },
    ack: (id: string, seq: number) => {
      if (!deaf) sessionOf(id).acked.set(seq);
    },
    resize: (id: string, cols: number) => {
      sessionOf(id).cols = cols;
    },
    close: (id: string) => sessions.delete(id),
    /** Everything that the window has ever sent as typed. */
    typed: () => everTyped,
    /** From now on acknowledgements do not arrive. */
    loseAcks: () => {
      deaf = true;
    },
    /** Most frames that were ever on their way without an acknowledgement. */
    furthest: () => furthest,
    /** What the window has acknowledged so far, over all sessions. */
    acked: () => [...sessions.values()].map((session) => session.acked.value),
  };
}
