/**
 * Tables as files: what a kernel job takes in. Both sides read the same bytes with this same parser, so they compute on and
 * verify the same numbers. Files are strangers' bytes: sizes are checked before memory is taken.
 */
import { parseCsv } from './csv-table.ts';
import { AppError } from './errors.ts';
import type { Matrix } from './kernels.ts';
import { parseNpy } from './npy-table.ts';

export type TableFormat = 'csv' | 'npy';

/** A file as it stands: every column, named where the file names them. */
export interface RawTable extends Matrix {
  /** In order; without names they are "0", "1", … */
  names: string[];
}

export interface Table {
  x: Matrix;
  /** The target column, where one was asked for. */
  y?: Float64Array;
  /** Of the columns of x. */
  names: string[];
  targetName?: string;
}

export interface TableOptions {
  /** Column to predict: its name, its number from 0, or 'last' (where no column has that name). */
  target?: string | number;
}

export const MAX_TABLE_BYTES = 256 * 1024 * 1024;

/** By the file's name: .npy is NumPy's, everything else is read as CSV. */
export const tableFormatOf = (path: string): TableFormat => (path.toLowerCase().endsWith('.npy') ? 'npy' : 'csv');

/** @throws AppError bad-input saying where the file is wrong. */
export function parseTable(bytes: Uint8Array, format: TableFormat, { target }: TableOptions = {}): Table {
  if (bytes.length > MAX_TABLE_BYTES) {
    throw new AppError('bad-input', `The table has ${bytes.length} bytes; ${MAX_TABLE_BYTES} are allowed.`, {
      field: 'table',
    });
  }
  const raw = format === 'npy' ? parseNpy(bytes) : parseCsv(bytes);
  if (target === undefined) return { x: { rows: raw.rows, columns: raw.columns, data: raw.data }, names: raw.names };
  return apart(raw, targetColumn(raw, target));
}

function targetColumn({ names, columns }: RawTable, target: string | number): number {
  const named = typeof target === 'string' ? names.indexOf(target) : -1;
  if (named !== -1) return named;
  if (target === 'last') return columns - 1;
  if (typeof target === 'number' && Number.isInteger(target) && target >= 0 && target < columns) return target;
  throw new AppError('bad-input', `The table has no column ${JSON.stringify(target)}.`, {
    field: 'target',
    next: `Its columns are ${names.slice(0, 20).join(', ')}${names.length > 20 ? ', …' : ''}.`,
  });
}

function apart({ rows, columns, data, names }: RawTable, target: number): Table {
  if (columns < 2) {
    throw new AppError('bad-input', 'A table with a target needs at least two columns.', { field: 'table' });
  }
  const y = new Float64Array(rows);
  const x = new Float64Array(rows * (columns - 1));
  let at = 0;
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) {
      const value = data[i * columns + j]!;
      if (j === target) y[i] = value;
      else {
        x[at] = value;
        at += 1;
      }
    }
  }
  return {
    x: { rows, columns: columns - 1, data: x },
    y,
    names: names.filter((_, j) => j !== target),
    targetName: names[target]!,
  };
}
