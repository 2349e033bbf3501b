import { AppError } from '../../src/shared/errors.ts';

/**
 * `python train.py --name "my run"` as the words a process gets: quotes group, a backslash takes the next character as
 * it is; nothing is expanded.
 * @throws AppError `bad-input` when a quote is not closed.
 */
export function splitCommand(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let i = 0; i < line.length; i += 1) {
    const c = line.charAt(i);
    if (c === '\\' && quote !== "'" && i + 1 < line.length) {
      i += 1;
      word = (word ?? '') + line.charAt(i);
    } else if (quote === c) quote = undefined;
    else if (quote === undefined && (c === '"' || c === "'")) {
      quote = c;
      word ??= '';
    } else if (quote === undefined && /\s/.test(c)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + c;
  }
  if (quote !== undefined) {
    throw new AppError('bad-input', `The command has an open ${quote} quote.`, {
      field: 'command',
      next: 'Close the quote.',
    });
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** The words as one line that `splitCommand` reads back as they are. */
export const joinCommand = (words: readonly string[]): string =>
  words.map((word) => (/^[^\s'"\\]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`)).join(' ');

/**
 * `NAME=value`, one per line; empty lines and lines starting with # are skipped.
 * @throws AppError `bad-input` naming the line.
 */
export function parseEnvironment(text: string): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const at = line.indexOf('=');
    if (at <= 0) {
      throw new AppError('bad-input', `Line ${index + 1} of the variables is not NAME=value.`, { field: 'env' });
    }
    env[line.slice(0, at).trim()] = line.slice(at + 1);
  }
  return env;
}

/**
 * "8888, 22" as ports.
 * @throws AppError `bad-input` for anything but numbers from 1 to 65535.
 */
export function parsePorts(text: string): number[] {
  return text
    .split(/[\s,]+/)
    .filter((part) => part !== '')
    .map((part) => {
      const port = Number(part);
      if (!/^\d{1,5}$/.test(part) || port < 1 || port > 65_535) {
        throw new AppError('bad-input', `${part.slice(0, 20)} is not a port from 1 to 65535.`, { field: 'ports' });
      }
      return port;
    });
}
