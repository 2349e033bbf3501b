/** CSV of numbers: commas, semicolons or tabs, a header line or none, cells quoted or not, decimal points. */
import { AppError } from './errors.ts';
import { MAX_TABLE_CELLS, MAX_TABLE_COLUMNS } from './kernels.ts';
import type { RawTable } from './table.ts';

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const MAX_CELL = 400;
const BYTE_ORDER_MARK = '\uFEFF';

const wrong = (message: string, next?: string): AppError =>
  new AppError('bad-input', message, { field: 'table', ...(next === undefined ? {} : { next }) });

/** @throws AppError bad-input naming line and column. */
export function parseCsv(bytes: Uint8Array): RawTable {
  const text = decoded(bytes);
  const lines = linesOf(text);
  const first = lines.next();
  if (first.done) throw wrong('The table is empty.');
  const separator = separatorOf(first.value.text);
  const top = cellsOf(first.value, separator);
  const columns = top.length;
  if (columns > MAX_TABLE_COLUMNS) throw wrong(`The table has ${columns} columns; ${MAX_TABLE_COLUMNS} are allowed.`);
  const header = top.some((cell) => !NUMBER.test(cell));
  const names = header ? top : top.map((_, j) => String(j));
  const seen = new Set(names);
  if (seen.size !== names.length) throw wrong('Two columns have the same name.');

  const data = new GrowingNumbers();
  let rows = 0;
  const add = (cells: string[], line: number) => {
    if (cells.length !== columns) {
      throw wrong(`Line ${line} has ${cells.length} cells, the first one ${columns}.`);
    }
    if (data.length + columns > MAX_TABLE_CELLS) throw wrong(`The table has more than ${MAX_TABLE_CELLS} cells.`);
    for (const [j, cell] of cells.entries()) {
      const value = NUMBER.test(cell) ? Number(cell) : NaN;
      if (!Number.isFinite(value)) throw notANumber(cell, line, names[j]!);
      data.push(value);
    }
    rows += 1;
  };
  if (!header) add(top, first.value.number);
  for (const line of lines) add(cellsOf(line, separator), line.number);
  if (rows === 0) throw wrong('The table has a header line but no rows.');
  return { rows, columns, data: data.take(), names };
}

function notANumber(cell: string, line: number, name: string): AppError {
  const shown = cell === '' ? 'empty' : `${JSON.stringify(cell.slice(0, 40))}, not a finite number`;
  return wrong(
    `Line ${line}, column ${JSON.stringify(name.slice(0, 40))} is ${shown}.`,
    'Leave out text columns and rows with gaps: the kernels compute on numbers only.',
  );
}

function decoded(bytes: Uint8Array): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
  } catch (error) {
    throw new AppError('bad-input', 'The table is not UTF-8 text.', { field: 'table', cause: error });
  }
}

interface Line {
  text: string;
  /** From 1, as editors count. */
  number: number;
}

/** Lines with something in them. */
function* linesOf(text: string): Generator<Line> {
  let start = 0;
  for (let number = 1; start < text.length; number += 1) {
    const found = text.indexOf('\n', start);
    const end = found === -1 ? text.length : found;
    const line = text.slice(start, end > start && text[end - 1] === '\r' ? end - 1 : end);
    if (line.trim() !== '') yield { text: line, number };
    start = end + 1;
  }
}

const separatorOf = (line: string): string => [';', '\t', ','].find((mark) => line.includes(mark)) ?? ',';

function cellsOf({ text, number }: Line, separator: string): string[] {
  const cells = text.includes('"') ? quotedCells(text, number, separator) : text.split(separator);
  for (const [j, cell] of cells.entries()) {
    if (cell.length > MAX_CELL) throw wrong(`Line ${number} has a cell of ${cell.length} characters.`);
    cells[j] = cell.trim();
  }
  return cells;
}

/** RFC 4180: a quoted cell ends at a single quote, two stand for one. Line breaks inside cells are not taken. */
function quotedCells(text: string, number: number, separator: string): string[] {
  const cells: string[] = [];
  for (let at = 0; ;) {
    let cell = '';
    if (text[at] === '"') {
      for (at += 1; ; at += 2) {
        const end = text.indexOf('"', at);
        if (end === -1) throw wrong(`Line ${number} has a quote without an end.`);
        cell += text.slice(at, end);
        at = end;
        if (text[end + 1] !== '"') break;
        cell += '"';
      }
      at += 1;
    } else {
      const end = text.indexOf(separator, at);
      cell = text.slice(at, end === -1 ? text.length : end);
      at += cell.length;
    }
    cells.push(cell);
    if (at >= text.length) return cells;
    if (text[at] !== separator) throw wrong(`Line ${number} has text behind a closing quote.`);
    at += 1;
  }
}

/** Doubles, as many as come: twice the room whenever it is full. */
class GrowingNumbers {
  length = 0;
  #room = new Float64Array(1024);

  push(value: number): void {
    if (this.length === this.#room.length) {
      const larger = new Float64Array(this.#room.length * 2);
      larger.set(this.#room);
      this.#room = larger;
    }
    this.#room[this.length] = value;
    this.length += 1;
  }

  take(): Float64Array {
    return this.#room.slice(0, this.length);
  }
}
