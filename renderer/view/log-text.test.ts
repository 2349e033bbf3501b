import { describe, expect, test } from 'vitest';
import { appendLog, visibleLog } from './log-text.ts';

const printed = (pieces: string[], max = 1000) =>
  visibleLog(pieces.reduce((log, piece) => appendLog(log, piece, max), ''));

describe('a log on screen', () => {
  test.each<[string, string[], string]>([
    ['lines', ['one\r\n', 'two\n'], 'one\ntwo\n'],
    ['colours, however they are cut', ['\u001B[3', '1mred\u001B', '[0m!'], 'red!'],
    ['titles and clipboard writes', ['a\u001B]0;title\u0007b\u001B]52;c;', 'eA==\u001B\\c'], 'abc'],
    ['a progress bar shows where it is now', ['10 %\r', '20 %\r', '30 %'], '30 %'],
    ['a carriage return before its line feed', ['10 %\r', '\nnext'], '10 %\nnext'],
    ['overrides of direction', ['\u202Egnp.exe'], 'gnp.exe'],
    ['bells and other controls', ['a\u0007\u0000b\tc'], 'ab\tc'],
  ])('%s', (_name, pieces, shown) => {
    expect(printed(pieces)).toBe(shown);
  });

  test('only the newest is kept', () => {
    expect(printed(['a'.repeat(50), 'b'.repeat(50)], 60)).toBe(`${'a'.repeat(10)}${'b'.repeat(50)}`);
  });
});
