/**
 * NumPy's .npy, versions 1 to 3 (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): numbers of one or two dimensions in C
 * order. Object arrays, which would be unpickled by running code, are refused by their type.
 */
import { AppError } from './errors.ts';
import { MAX_TABLE_CELLS, MAX_TABLE_COLUMNS } from './kernels.ts';
import type { RawTable } from './table.ts';

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const MAX_HEADER = 4096;
/** A dictionary as NumPy writes it: the three keys in alphabetical order. */
const HEADER =
  /^\{\s*'descr':\s*'([<>|=]?[a-zA-Z]\d{0,3})',\s*'fortran_order':\s*(True|False),\s*'shape':\s*\(([\d\s,]{0,64})\),?\s*\}\s*$/;

type Reader = (view: DataView, at: number, littleEndian: boolean) => number;
const READERS: Readonly<Record<string, { bytes: number; read: Reader }>> = {
  f8: { bytes: 8, read: (view, at, little) => view.getFloat64(at, little) },
  f4: { bytes: 4, read: (view, at, little) => view.getFloat32(at, little) },
  i8: { bytes: 8, read: (view, at, little) => Number(view.getBigInt64(at, little)) },
  i4: { bytes: 4, read: (view, at, little) => view.getInt32(at, little) },
  i2: { bytes: 2, read: (view, at, little) => view.getInt16(at, little) },
  i1: { bytes: 1, read: (view, at) => view.getInt8(at) },
  u8: { bytes: 8, read: (view, at, little) => Number(view.getBigUint64(at, little)) },
  u4: { bytes: 4, read: (view, at, little) => view.getUint32(at, little) },
  u2: { bytes: 2, read: (view, at, little) => view.getUint16(at, little) },
  u1: { bytes: 1, read: (view, at) => view.getUint8(at) },
};

const wrong = (message: string, next?: string): AppError =>
  new AppError('bad-input', message, { field: 'table', ...(next === undefined ? {} : { next }) });

/** @throws AppError bad-input */
export function parseNpy(bytes: Uint8Array): RawTable {
  const { descr, fortran, shape, start } = header(bytes);
  const kind = READERS[descr.replace(/^[<>|=]/, '')];
  if (!kind) {
    throw wrong(`The array holds ${descr}, not numbers.`, "Save it with numpy.save(path, table.astype('float64')).");
  }
  const [rows, columns] = dimensions(shape);
  if (fortran && columns > 1) {
    throw wrong('The array is in Fortran order.', 'Save numpy.ascontiguousarray(table) instead.');
  }
  if (columns > MAX_TABLE_COLUMNS) throw wrong(`The table has ${columns} columns; ${MAX_TABLE_COLUMNS} are allowed.`);
  if (rows * columns > MAX_TABLE_CELLS) throw wrong(`The table has more than ${MAX_TABLE_CELLS} cells.`);
  if (bytes.length - start !== rows * columns * kind.bytes) {
    throw wrong(`The file ends after ${bytes.length} bytes; its header speaks of ${rows} rows of ${columns}.`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = new Float64Array(rows * columns);
  const whole = /[iu]8$/.test(descr);
  for (let at = 0; at < data.length; at += 1) {
    const value = kind.read(view, start + at * kind.bytes, !descr.startsWith('>'));
    if (!Number.isFinite(value) || (whole && !Number.isSafeInteger(value))) {
      const place = `row ${Math.floor(at / columns) + 1}, column ${(at % columns) + 1}`;
      throw wrong(`The number in ${place} is ${value}, which cannot be computed on exactly.`);
    }
    data[at] = value;
  }
  return { rows, columns, data, names: Array.from({ length: columns }, (_, j) => String(j)) };
}

function header(bytes: Uint8Array): { descr: string; fortran: boolean; shape: string; start: number } {
  const version = bytes[6];
  if (!MAGIC.every((byte, at) => bytes[at] === byte) || version === undefined || version < 1 || version > 3) {
    throw wrong('The file is not a NumPy array.');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lengthBytes = version === 1 ? 2 : 4;
  if (bytes.length < 8 + lengthBytes) throw wrong('The file is not a NumPy array.');
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const start = 8 + lengthBytes + length;
  if (length > MAX_HEADER || start > bytes.length)
    throw wrong("The array's header is longer than the file or than allowed.");
  const text = String.fromCharCode(...bytes.subarray(8 + lengthBytes, start));
  const [, descr, fortran, shape] = HEADER.exec(text) ?? [];
  if (descr === undefined || shape === undefined)
    throw wrong("The array's header is not one of a plain array of numbers.");
  return { descr, fortran: fortran === 'True', shape, start };
}

/** Rows and columns; a list of numbers is one column. */
function dimensions(shape: string): [number, number] {
  const parts = shape.split(',').map((part) => part.trim());
  if (parts.at(-1) === '') parts.pop();
  const sizes = parts.map((part) => (/^\d{1,15}$/.test(part) ? Number(part) : NaN));
  const [rows, columns = 1] = sizes;
  if (rows === undefined || sizes.length > 2 || !sizes.every((size) => size >= 1)) {
    throw wrong(
      `An array of shape (${shape}) is no table.`,
      'Save an array of one or two dimensions that is not empty.',
    );
  }
  return [rows, columns];
}
