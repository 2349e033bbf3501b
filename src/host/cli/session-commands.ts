import type { ApiClient, ApiOutputs } from '../../api/contract.ts';
import { AppError } from '../../shared/errors.ts';
import type { Command, CommandContext } from './command.ts';
import { findRental, parseWhole } from './values.ts';

type Frames = ApiOutputs['rentals']['exec'];

/** Frames between acknowledgements; the host holds back after 256 without one. */
const ACK_EVERY = 64;
/** Under the interface's limit on one input, before base64. */
const INPUT_BYTES = 48 * 1024;

/** Passes output on as it comes. Resolves with the program's exit code. */
export async function follow(
  client: ApiClient,
  frames: Frames,
  context: CommandContext,
  onOpened: (sessionId: string) => void = () => undefined,
): Promise<number> {
  let sessionId = '';
  for await (const frame of frames) {
    if (frame.type === 'opened') {
      ({ sessionId } = frame);
      onOpened(sessionId);
    } else if (frame.type === 'data') {
      context.write(Buffer.from(frame.base64, 'base64'), frame.stream);
      if (frame.seq % ACK_EVERY === 0) await client.rentals.ack({ sessionId, seq: frame.seq });
    } else {
      if (frame.exitCode === null) context.say(frame.reason);
      return frame.exitCode ?? 1;
    }
  }
  if (context.signal.aborted) throw new AppError('cancelled', 'Cancelled.');
  throw new AppError('peer-unreachable', 'The connection to the rental was lost.', { next: 'Try again.' });
}

/** A full terminal: every key goes to the rental, the window's size follows, and this terminal is put back afterwards. */
async function terminal(context: CommandContext): Promise<number> {
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY) {
    throw new AppError('bad-input', 'ssh needs a terminal.', {
      next: 'Without one use: commonwatt exec RENTAL -- COMMAND.',
    });
  }
  const client = await context.api();
  const rentalId = await findRental(client, context.args[0] ?? '');
  const frames = await client.rentals.terminal(
    {
      rentalId,
      cols: Math.max(1, stdout.columns),
      rows: Math.max(1, stdout.rows),
      ...(context.rest.length === 0 ? {} : { command: [...context.rest] }),
    },
    { signal: context.signal },
  );
  let sessionId = '';
  // One input at a time: keys must arrive in the order they were typed.
  let sending: Promise<unknown> = Promise.resolve();
  const onKeys = (keys: Buffer) => {
    for (let at = 0; at < keys.length; at += INPUT_BYTES) {
      const base64 = keys.subarray(at, at + INPUT_BYTES).toString('base64');
      sending = sending.then(() => client.rentals.input({ sessionId, base64 })).catch(() => undefined);
    }
  };
  const onResize = () => {
    client.rentals.resize({ sessionId, cols: stdout.columns, rows: stdout.rows }).catch(() => undefined);
  };
  stdin.setRawMode(true);
  try {
    return await follow(client, frames, context, (opened) => {
      sessionId = opened;
      stdin.on('data', onKeys);
      stdout.on('resize', onResize);
      stdin.resume();
    });
  } finally {
    stdin.off('data', onKeys);
    stdout.off('resize', onResize);
    stdin.setRawMode(false);
    stdin.pause();
  }
}

export const sessionCommands: readonly Command[] = [
  {
    name: 'ssh',
    about: 'a terminal in the rental (also: terminal). A command may follow --',
    args: ['<rental>'],
    run: terminal,
  },
  {
    name: 'exec',
    about: 'run one command in the rental: exec RENTAL -- COMMAND; its exit code is this one’s',
    args: ['<rental>'],
    async run(context) {
      if (context.rest.length === 0) {
        throw new AppError('bad-input', 'exec needs a command.', {
          field: 'command',
          next: 'Put it after --: exec RENTAL -- nvidia-smi.',
        });
      }
      const client = await context.api();
      const rentalId = await findRental(client, context.args[0] ?? '');
      const frames = await client.rentals.exec({ rentalId, command: [...context.rest] }, { signal: context.signal });
      return follow(client, frames, context);
    },
  },
  {
    name: 'logs',
    about: 'what the rental’s main process printed',
    args: ['<rental>'],
    options: {
      follow: { type: 'boolean', about: 'keep printing' },
      tail: { type: 'string', value: 'N', about: 'last lines; default 200' },
    },
    async run(context) {
      const client = await context.api();
      const rentalId = await findRental(client, context.args[0] ?? '');
      const tail = parseWhole(context.options.text('tail') ?? '200', '--tail', { max: 10_000 });
      const input = { rentalId, tail, follow: context.options.flag('follow') };
      const frames = await client.rentals.logs(input, { signal: context.signal });
      await follow(client, frames, context);
    },
  },
];
