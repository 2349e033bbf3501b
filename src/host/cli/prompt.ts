import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { AppError } from '../../shared/errors.ts';
import type { CommandContext } from './command.ts';

/** One line from the terminal, not shown while it is typed when `hidden`. */
function ask(question: string, hidden: boolean, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const silent = new Writable({
      write(_chunk, _encoding, done) {
        done();
      },
    });
    process.stderr.write(question);
    const lines = createInterface({ input: process.stdin, output: hidden ? silent : process.stderr, terminal: true });
    const cancel = () => {
      lines.close();
      reject(new AppError('cancelled', 'Cancelled.'));
    };
    signal.addEventListener('abort', cancel, { once: true });
    lines.once('SIGINT', cancel);
    lines.question('', (answer) => {
      signal.removeEventListener('abort', cancel);
      lines.close();
      if (hidden) process.stderr.write('\n');
      resolve(answer);
    });
  });
}

/** A secret from `--OPTION FILE` (`-` is standard input), or typed without being shown. */
export async function readSecret(
  { options, signal }: CommandContext,
  { option, question, confirm = false }: { option: string; question: string; confirm?: boolean },
): Promise<string> {
  const file = options.text(option);
  if (file !== undefined) {
    try {
      return readFileSync(file === '-' ? 0 : file, 'utf8').replace(/\r?\n$/, '');
    } catch (thrown) {
      throw new AppError('bad-input', `--${option}: ${file} cannot be read.`, {
        field: `--${option}`,
        next: 'Give a file that exists, or - for standard input.',
        cause: thrown,
      });
    }
  }
  if (!process.stdin.isTTY) {
    throw new AppError('bad-input', `${question} is needed, and there is no terminal to ask on.`, {
      field: `--${option}`,
      next: `Give it with --${option} FILE (- for standard input).`,
    });
  }
  const answer = await ask(`${question}: `, true, signal);
  if (confirm && (await ask(`${question} again: `, true, signal)) !== answer) {
    throw new AppError('bad-input', 'The two were not the same.', { field: option, next: 'Try again.' });
  }
  return answer;
}
