import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AppError } from './errors.ts';
import { parseTable, tableFormatOf } from './table.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const csv = (text: string, options = {}) => parseTable(bytes(text), 'csv', options);
const wrong = (field: string, message: RegExp): unknown =>
  expect.objectContaining({ code: 'bad-input', field, message: expect.stringMatching(message) });

describe('CSV', () => {
  test('header, quotes, line ends of three kinds, a byte order mark', () => {
    const { x, names } = csv('\uFEFFage,"height, cm"\r\n1,2.5\r\n\n-3e2,"4"');
    expect(names).toEqual(['age', 'height, cm']);
    expect(x).toEqual({ rows: 2, columns: 2, data: Float64Array.of(1, 2.5, -300, 4) });
  });

  test('without a header; semicolons and tabs', () => {
    expect(csv('1;2\n3;4').x.data).toEqual(Float64Array.of(1, 2, 3, 4));
    expect(csv('a\tb\n3\t4').names).toEqual(['a', 'b']);
    expect(csv('5\n6').x).toEqual({ rows: 2, columns: 1, data: Float64Array.of(5, 6) });
  });

  test('the target by name, by number, or the last column', () => {
    const text = 'a,b,c\n1,2,3\n4,5,6\n';
    expect(csv(text, { target: 'b' })).toEqual({
      x: { rows: 2, columns: 2, data: Float64Array.of(1, 3, 4, 6) },
      y: Float64Array.of(2, 5),
      names: ['a', 'c'],
      targetName: 'b',
    });
    expect(csv(text, { target: 0 }).y).toEqual(Float64Array.of(1, 4));
    expect(csv(text, { target: 'last' }).targetName).toBe('c');
  });

  test.each([
    ['table', '', /empty/],
    ['table', '\n\n', /empty/],
    ['table', 'a,b\n', /no rows/],
    ['table', '1,2\n3', /Line 2 has 1 cells, the first one 2/],
    ['table', 'a,b\n1,\n', /Line 2, column "b" is empty/],
    ['table', 'a,b\n1,x\n', /Line 2, column "b" is "x"/],
    ['table', 'a,b\n1,NaN\n', /"NaN"/],
    ['table', 'a,b\n1,1e999\n', /"1e999"/],
    ['table', 'a,b\n1,0x10\n', /"0x10"/],
    ['table', 'a,a\n1,2\n', /same name/],
    ['table', '"a,1\n2', /quote/],
    ['table', '"a"b,1\n2,3', /closing quote/],
    ['target', 'a,b\n1,2\n', /no column "z"/],
  ])('refuses: %s %j', (field, text, message) => {
    expect(() => csv(text, field === 'target' ? { target: 'z' } : {})).toThrow(wrong(field, message));
  });

  test('what is no UTF-8 is refused', () => {
    expect(() => parseTable(Uint8Array.of(0x31, 0xff, 0x0a), 'csv')).toThrow(wrong('table', /UTF-8/));
  });

  test('any table of numbers comes back as it was written', () => {
    fc.assert(
      fc.property(
        fc
          .integer({ min: 1, max: 5 })
          .chain((columns) =>
            fc.array(
              fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: columns, maxLength: columns }),
              { minLength: 1 },
            ),
          ),
        (rows) => {
          const { x } = csv(rows.map((row) => row.join(',')).join('\n'));
          expect(Array.from(x.data, String)).toEqual(rows.flat().map(String));
        },
      ),
    );
  });
});

/** As NumPy writes it. */
function npy(descr: string, shape: string, body: Uint8Array, version = 1, fortran = 'False'): Uint8Array {
  const start = version === 1 ? 10 : 12;
  let header = `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`;
  header += `${' '.repeat(63 - ((start + header.length) % 64))}\n`;
  const file = new Uint8Array(start + header.length + body.length);
  file.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]);
  new DataView(file.buffer).setUint16(8, header.length, true);
  file.set(bytes(header), start);
  file.set(body, start + header.length);
  return file;
}
const raw = (array: { buffer: ArrayBufferLike }) => new Uint8Array(array.buffer);

describe('NumPy', () => {
  test.each([
    ['<f8', raw(Float64Array.of(1, 2.5, -3, 4))],
    ['<f4', raw(Float32Array.of(1, 2.5, -3, 4))],
  ])('%s', (descr, body) => {
    expect(parseTable(npy(descr, '(2, 2)', body), 'npy')).toEqual({
      x: { rows: 2, columns: 2, data: Float64Array.of(1, 2.5, -3, 4) },
      names: ['0', '1'],
    });
  });

  test.each([
    ['<i4', raw(Int32Array.of(1, 2, -3, 4))],
    ['<i8', raw(BigInt64Array.of(1n, 2n, -3n, 4n))],
    ['|i1', raw(Int8Array.of(1, 2, -3, 4))],
    ['>i2', Uint8Array.of(0, 1, 0, 2, 255, 253, 0, 4)],
  ])('%s, version 2, a target', (descr, body) => {
    const { x, y } = parseTable(npy(descr, '(2, 2)', body, 2), 'npy', { target: 'last' });
    expect([...x.data, ...y!]).toEqual([1, -3, 2, 4]);
  });

  test('one dimension is one column', () => {
    expect(parseTable(npy('<f8', '(3,)', raw(Float64Array.of(1, 2, 3))), 'npy').x).toMatchObject({
      rows: 3,
      columns: 1,
    });
  });

  test.each([
    ['objects, which would be unpickled', npy('|O', '(1, 1)', new Uint8Array(8)), /holds \|O, not numbers/],
    ['text', npy('<U3', '(1, 1)', new Uint8Array(12)), /not numbers/],
    ['Fortran order', npy('<f8', '(1, 2)', new Uint8Array(16), 1, 'True'), /Fortran/],
    ['three dimensions', npy('<f8', '(1, 1, 1)', new Uint8Array(8)), /no table/],
    ['nothing in it', npy('<f8', '(0, 3)', new Uint8Array(0)), /no table/],
    ['a size that would fill the memory', npy('<f8', '(999999999999, 4000)', new Uint8Array(8)), /more than/],
    ['a size that overflows', npy('<f8', '(999999999999999, 999999999999999)', new Uint8Array(8)), /columns/],
    ['fewer numbers than it says', npy('<f8', '(2, 2)', new Uint8Array(31)), /ends after/],
    ['more numbers than it says', npy('<f8', '(2, 2)', new Uint8Array(33)), /ends after/],
    ['no number', npy('<f8', '(1, 2)', raw(Float64Array.of(1, NaN))), /row 1, column 2 is NaN/],
    ['a whole number beyond 2^53', npy('<i8', '(1, 1)', raw(BigInt64Array.of(2n ** 60n))), /exactly/],
    ['a header that is code', npy("<f8', 'x': __import__('os'), 'y': '", '(1, 1)', new Uint8Array(8)), /header/],
    ['another file', bytes('hello world'), /not a NumPy array/],
    ['a header longer than the file', Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 255, 255), /header/],
  ])('refuses %s', (_, file, message) => {
    expect(() => parseTable(file, 'npy')).toThrow(wrong('table', message));
  });
});

describe('bytes of a stranger', () => {
  const survives = (file: Uint8Array, format: 'csv' | 'npy', target: string) => {
    try {
      const { x, y } = parseTable(file, format, { target });
      return x.data.length === x.rows * x.columns && y?.length === x.rows && x.data.every(Number.isFinite);
    } catch (error) {
      return error instanceof AppError && error.code === 'bad-input';
    }
  };
  test('give a table or a clear error, never anything else', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom('csv' as const, 'npy' as const),
        (file, format) => {
          expect(survives(file, format, 'last')).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.array(fc.constantFrom('1', '-2.5', ',', ';', '"', '\n', '\r', 'e', ' ', '.', 'a')), (parts) => {
        expect(survives(bytes(parts.join('')), 'csv', 'last')).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
  test('a good NumPy file with some bytes changed', () => {
    const good = npy('<f4', '(2, 3)', raw(Float32Array.of(1, 2, 3, 4, 5, 6)));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        (changes) => {
          const file = good.slice();
          for (const [at, value] of changes) file[at] = value;
          expect(survives(file, 'npy', 'last')).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });
});

test('the format is told by the name', () => {
  expect([tableFormatOf('data/A.NPY'), tableFormatOf('data.csv'), tableFormatOf('x')]).toEqual(['npy', 'csv', 'csv']);
});
