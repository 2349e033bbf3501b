import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AppError } from '../../src/shared/errors.ts';
import { joinCommand, parseEnvironment, parsePorts, splitCommand } from './command-line.ts';

test('splits a command like a shell, without expanding anything', () => {
  expect(splitCommand('python train.py --name "my run" --x=\'a b\' a\\ b ""')).toEqual([
    'python',
    'train.py',
    '--name',
    'my run',
    '--x=a b',
    'a b',
    '',
  ]);
  expect(splitCommand('echo $HOME `id`')).toEqual(['echo', '$HOME', '`id`']);
  expect(splitCommand('   ')).toEqual([]);
  expect(() => splitCommand('echo "open')).toThrow(AppError);
});

test('words written as a line are read back as they are', () => {
  expect(joinCommand(['a', 'b c', "it's", '', '\\'])).toBe(String.raw`a 'b c' 'it'\''s' '' '\'`);
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (words) => {
      expect(splitCommand(joinCommand(words))).toEqual(words);
    }),
  );
});

test('reads variables line by line and names the line that is wrong', () => {
  expect(parseEnvironment('A=1\n\n# note\nB=x=y ')).toEqual({ A: '1', B: 'x=y' });
  expect(() => parseEnvironment('A=1\nnonsense')).toThrow('Line 2');
});

test('reads ports and refuses what is none', () => {
  expect(parsePorts('8888, 22 80')).toEqual([8888, 22, 80]);
  for (const wrong of ['0', '65536', '22a', '-1', '1e3']) expect(() => parsePorts(wrong)).toThrow(AppError);
});
