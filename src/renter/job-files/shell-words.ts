import { AppError } from '../../shared/errors.ts';

/** A word of a command line as the shell would hand it over, except that nothing was looked up. */
export interface ShellWord {
  text: string;
  /** The part that a shell would have replaced: `$HOME`, `$(pwd)`, `~`, `*`; null where there is none. */
  expands: string | null;
}

export interface ShellLine {
  words: ShellWord[];
  /** What stands behind the first `|`, `>`, `;`, `&` or line end: not part of the command. */
  rest: string;
}

const MOST_WORDS = 1000;
const BLANK = new Set([' ', '\t', '\r']);
const ENDS = new Set(['|', ';', '&', '<', '>', '\n']);
const NAME = /^\$(?:\w+|\{[^}\n]{1,100}\}|\([^)\n]{0,100}\)?|[?$!@*#])/;

/** Length of a line continuation at `at`: `\` of shells, `^` of cmd, a backtick of PowerShell, right before a line end. */
function continuation(text: string, at: number): number {
  const mark = text[at];
  if (mark !== '\\' && mark !== '^' && mark !== '`') return 0;
  if (text[at + 1] === '\n') return 2;
  return text[at + 1] === '\r' && text[at + 2] === '\n' ? 3 : 0;
}

/**
 * Cuts the first command of `text` into words by the rules of POSIX shells. Expands nothing: no variable, no pattern, no
 * command inside the line.
 * @throws AppError bad-input for an open quotation mark or too many words
 */
export function shellWords(text: string): ShellLine {
  const words: ShellWord[] = [];
  let word: string | null = null;
  let expands: string | null = null;
  let at = 0;

  const close = (): void => {
    if (word === null) return;
    if (words.length >= MOST_WORDS)
      throw wrong(`A command line has at most ${MOST_WORDS} words.`, 'Put it into a job file.');
    words.push({ text: word, expands });
    word = null;
    expands = null;
  };
  const variable = (): void => {
    const found = NAME.exec(text.slice(at, at + 104))?.[0];
    if (found !== undefined) expands ??= found;
  };

  while (at < text.length) {
    const char = text[at] ?? '';
    const skip = continuation(text, at);
    if (skip > 0) {
      at += skip;
    } else if (BLANK.has(char)) {
      close();
      at += 1;
    } else if (ENDS.has(char)) {
      close();
      return { words, rest: text.slice(at) };
    } else if (char === '#' && word === null) {
      const end = text.indexOf('\n', at);
      at = end === -1 ? text.length : end;
    } else if (char === "'") {
      const end = text.indexOf("'", at + 1);
      if (end === -1) throw open("'");
      word = (word ?? '') + text.slice(at + 1, end);
      at = end + 1;
    } else if (char === '"') {
      word ??= '';
      at += 1;
      for (;;) {
        const inner = text[at];
        if (inner === undefined) throw open('"');
        if (inner === '"') break;
        const joined = inner === '\\' ? continuation(text, at) : 0;
        if (joined > 0) at += joined;
        else if (inner === '\\' && '"\\$`'.includes(text[at + 1] ?? ' ')) {
          word += text[at + 1] ?? '';
          at += 2;
        } else {
          if (inner === '$') variable();
          if (inner === '`') expands ??= '`…`';
          word += inner;
          at += 1;
        }
      }
      at += 1;
    } else if (char === '\\') {
      word = (word ?? '') + (text[at + 1] ?? '');
      at += 2;
    } else {
      if (char === '$') {
        variable();
        const command = /^\$\([^)\n]{0,100}\)/.exec(text.slice(at, at + 104))?.[0];
        if (command !== undefined) {
          word = (word ?? '') + command;
          at += command.length;
          continue;
        }
      } else if (char === '`') expands ??= '`…`';
      else if (char === '*' || char === '?' || (char === '~' && word === null)) expands ??= char;
      word = (word ?? '') + char;
      at += 1;
    }
  }
  close();
  return { words, rest: '' };
}

const wrong = (message: string, next: string): AppError =>
  new AppError('bad-input', message, { field: 'command', next });
const open = (mark: string): AppError =>
  wrong(`A quotation mark ${mark} in the command line has no second one.`, 'Add it, or paste the whole line again.');
