/** Result files of strangers, as values that a screen can show. Everything is text until it is drawn as text. */

export type PreviewKind = 'text' | 'image' | 'csv' | 'notebook' | 'none';

const IMAGES: ReadonlyMap<string, string> = new Map([
  ['png', 'image/png'],
  ['jpg', 'image/jpeg'],
  ['jpeg', 'image/jpeg'],
  ['gif', 'image/gif'],
  ['webp', 'image/webp'],
]);
const TEXTS = new Set([
  'txt',
  'log',
  'md',
  'json',
  'jsonl',
  'yaml',
  'yml',
  'py',
  'sh',
  'xml',
  'html',
  'svg',
  'ini',
  'toml',
  '',
]);

const extensionOf = (path: string): string => /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? '';

/** How a file can be looked at, by its name: what its bytes claim is not believed. */
export function previewKind(path: string): PreviewKind {
  const extension = extensionOf(path);
  if (IMAGES.has(extension)) return 'image';
  if (extension === 'csv' || extension === 'tsv') return 'csv';
  if (extension === 'ipynb') return 'notebook';
  if (TEXTS.has(extension) || path.startsWith('logs/')) return 'text';
  return 'none';
}

/** Of pictures that are drawn as pictures; vector graphics are shown as text, because they can hold programs. */
export const imageType = (path: string): string | undefined => IMAGES.get(extensionOf(path));

/** Rows and cells of separated values (RFC 4180), at most `maxRows`; a quote that is never closed ends with the text. */
export function parseCsv(text: string, separator: string, maxRows: number): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = '';
  let quoted = false;
  const endRow = () => {
    row.push(cell);
    rows.push(row);
    row = [];
    cell = '';
  };
  for (let at = 0; at < text.length && rows.length < maxRows; at += 1) {
    const letter = text.charAt(at);
    if (quoted) {
      if (letter !== '"') cell += letter;
      else if (text.charAt(at + 1) === '"') {
        cell += '"';
        at += 1;
      } else quoted = false;
    } else if (letter === '"' && cell === '') quoted = true;
    else if (letter === separator) {
      row.push(cell);
      cell = '';
    } else if (letter === '\n') endRow();
    else if (letter !== '\r') cell += letter;
  }
  if (rows.length < maxRows && (cell !== '' || row.length > 0)) endRow();
  return rows;
}

export interface NotebookCell {
  kind: 'text' | 'code';
  source: string;
  /** Printed text, and pictures as base64 PNG. */
  outputs: ({ kind: 'text'; text: string } | { kind: 'png'; base64: string })[];
}

const MAX_CELLS = 200;

/** The cells of a Jupyter notebook; null where the text is none. */
export function parseNotebook(text: string): NotebookCell[] | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  const cells = member(parsed, 'cells');
  if (!Array.isArray(cells)) return null;
  return cells.slice(0, MAX_CELLS).map((cell): NotebookCell => {
    const outputs = member(cell, 'outputs');
    return {
      kind: member(cell, 'cell_type') === 'code' ? 'code' : 'text',
      source: joined(member(cell, 'source')),
      outputs: Array.isArray(outputs) ? outputs.flatMap(outputOf) : [],
    };
  });
}

function outputOf(output: unknown): NotebookCell['outputs'] {
  const data = member(output, 'data');
  const png = joined(member(data, 'image/png')).replaceAll(/\s/g, '');
  if (/^[A-Za-z0-9+/]+=*$/.test(png)) return [{ kind: 'png', base64: png }];
  const text =
    joined(member(output, 'text')) || joined(member(data, 'text/plain')) || joined(member(output, 'traceback'));
  return text === '' ? [] : [{ kind: 'text', text }];
}

const member = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;

/** Notebooks write text as one string or as its lines. */
const joined = (value: unknown): string =>
  typeof value === 'string'
    ? value
    : Array.isArray(value)
      ? value.filter((line) => typeof line === 'string').join('')
      : '';
