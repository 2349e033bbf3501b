import { isNode, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import type { Document } from 'yaml';
import { AppError } from '../../shared/errors.ts';
import { shown } from './notices.ts';

/** Longest text that is looked at: what a person pastes, not data. */
export const MAX_JOB_TEXT_BYTES = 256 * 1024;
const MOST_ALIASES = 100;
/** Brackets or dashes in each other; the schema needs six. */
const DEEPEST = 60;

/** A parsed text that still knows where its parts stood. */
export interface ParsedText {
  value: unknown;
  /** Line from 1 of the value at `path`, or of the nearest part around it; null where that is not known. */
  lineOf: (path: readonly PropertyKey[]) => number | null;
  /** The scalar at `path` as it was written: "1.10" where the value is 1.1. */
  sourceOf: (path: readonly PropertyKey[]) => string | null;
}

const unreadable = (message: string, cause?: unknown): AppError =>
  new AppError('bad-input', message, {
    field: 'text',
    next: 'Correct it there. Nothing was posted.',
    cause,
  });

/** Deep nesting would end in the parser's recursion, after minutes: counted first, strings and comments included. */
function refuseDeep(text: string): void {
  let open = 0;
  let dashes = 0;
  let line = 1;
  for (const char of text) {
    if (char === '[' || char === '{') open += 1;
    else if (char === ']' || char === '}') open = Math.max(0, open - 1);
    if (char === '-' || char === '?' || char === ':') dashes += 1;
    else if (char !== ' ') dashes = 0;
    if (char === '\n') line += 1;
    if (open > DEEPEST * 10 || dashes > DEEPEST * 10) throw unreadable(`Line ${line} is nested too deeply.`);
  }
}

function refuseDoubleKeys(document: Document.Parsed, lines: LineCounter): void {
  visit(document, {
    Map: (_key, map) => {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key) || key.value === '<<') continue;
        if (seen.has(key.value)) {
          const line = key.range ? lines.linePos(key.range[0]).line : 1;
          throw unreadable(`Line ${line}: ${shown(String(key.value), 60)} stands there a second time.`);
        }
        seen.add(key.value);
      }
    },
  });
}

function depthOf(value: unknown, left = DEEPEST): boolean {
  if (left === 0) return false;
  if (Array.isArray(value)) return value.every((item) => depthOf(item, left - 1));
  if (value !== null && typeof value === 'object') return Object.values(value).every((item) => depthOf(item, left - 1));
  return true;
}

/**
 * YAML 1.2 with merge keys, of which JSON is a part. Aliases are counted, keys are texts and unique.
 * @throws AppError bad-input naming the line
 */
export function parseText(text: string): ParsedText {
  refuseDeep(text);
  const lines = new LineCounter();
  let document: Document.Parsed;
  let value: unknown;
  try {
    document = parseDocument(text, {
      lineCounter: lines,
      merge: true,
      stringKeys: true,
      // The library compares every key with every other, and draws a picture of every error: both are quadratic.
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'silent',
    });
    const [problem] = document.errors;
    if (problem) {
      const { line } = lines.linePos(problem.pos[0]);
      throw unreadable(`Line ${line}: ${shown(problem.message, 200)}.`, problem);
    }
    refuseDoubleKeys(document, lines);
    value = document.toJS({ maxAliasCount: MOST_ALIASES });
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (error instanceof ReferenceError)
      throw unreadable(`It uses more than ${MOST_ALIASES} aliases, or unknown ones.`, error);
    throw unreadable('It could not be read as YAML or JSON.', error);
  }
  if (!depthOf(value)) throw unreadable(`It is nested more than ${DEEPEST} levels deep.`);
  const nodeAt = (path: readonly PropertyKey[]): unknown => {
    try {
      return document.getIn(path, true);
    } catch {
      return undefined;
    }
  };
  return {
    value,
    lineOf: (path) => {
      for (let length = path.length; length > 0; length -= 1) {
        const node = nodeAt(path.slice(0, length));
        if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
      }
      return null;
    },
    sourceOf: (path) => {
      const node = nodeAt(path);
      return isNode(node) && 'source' in node && typeof node.source === 'string' ? node.source : null;
    },
  };
}
