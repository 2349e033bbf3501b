import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { imageType, parseCsv, parseNotebook, previewKind } from './previews.ts';

describe('what a result file is shown as', () => {
  test('goes by its name', () => {
    expect(previewKind('out/plot.PNG')).toBe('image');
    expect(previewKind('out/table.csv')).toBe('csv');
    expect(previewKind('out/run.ipynb')).toBe('notebook');
    expect(previewKind('logs/stdout')).toBe('text');
    expect(previewKind('out/model.bin')).toBe('none');
    expect(previewKind('out/model.safetensors')).toBe('none');
    expect(previewKind('out.v2/Makefile')).toBe('text');
    expect(previewKind('out/x.constructor')).toBe('none');
  });

  test('never draws a vector graphic', () => {
    expect(previewKind('out/evil.svg')).toBe('text');
    expect(imageType('out/evil.svg')).toBeUndefined();
  });
});

describe('separated values', () => {
  test('quotes, empty cells, both line ends', () => {
    expect(parseCsv('a,"b ""x"", y",\r\n1,,3\n', ',', 10)).toEqual([
      ['a', 'b "x", y', ''],
      ['1', '', '3'],
    ]);
  });

  test('stops at the cap', () => {
    expect(parseCsv('1\n2\n3\n', ',', 2)).toEqual([['1'], ['2']]);
  });

  test('any text gives rows', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseCsv(text, ',', 50).length).toBeLessThanOrEqual(50);
      }),
    );
  });
});

describe('notebooks', () => {
  test('cells, printed text and pictures', () => {
    const cells = parseNotebook(
      JSON.stringify({
        cells: [
          { cell_type: 'markdown', source: ['# Title\n', 'words'] },
          {
            cell_type: 'code',
            source: 'print(1)',
            outputs: [{ text: ['1\n'] }, { data: { 'image/png': 'aGVsbG8=', 'text/plain': 'picture' } }],
          },
        ],
      }),
    );
    expect(cells).toEqual([
      { kind: 'text', source: '# Title\nwords', outputs: [] },
      {
        kind: 'code',
        source: 'print(1)',
        outputs: [
          { kind: 'text', text: '1\n' },
          { kind: 'png', base64: 'aGVsbG8=' },
        ],
      },
    ]);
  });

  test('a picture that is no base64 is left out', () => {
    const cells = parseNotebook(
      JSON.stringify({
        cells: [{ cell_type: 'code', source: '', outputs: [{ data: { 'image/png': '"><script>' } }] }],
      }),
    );
    expect(cells?.[0]?.outputs).toEqual([]);
  });

  test('anything else is none, and nothing throws', () => {
    expect(parseNotebook('{')).toBeNull();
    fc.assert(
      fc.property(fc.json(), (text) => {
        const cells = [parseNotebook(text), parseNotebook(`{"cells":${text}}`)];
        expect(cells.every((one) => one === null || Array.isArray(one))).toBe(true);
      }),
    );
  });
});
