import { AppError } from '../../shared/errors.ts';
import { readAkash } from './akash.ts';
import { readBacalhau } from './bacalhau.ts';
import { readCompose } from './compose.ts';
import { isDockerRun, readDockerRun } from './docker-run.ts';
import { parseJobFile } from './import-draft.ts';
import type { ReadFile } from './import-draft.ts';
import { isObject } from './import-fields.ts';
import { readNosana } from './nosana.ts';
import { addNotice } from './notices.ts';
import type { Notice } from './notices.ts';
import { MAX_JOB_TEXT_BYTES, parseText } from './parse-text.ts';
import type { ParsedText } from './parse-text.ts';
import { badField } from './plain-issues.ts';

export type JobTextFormat = 'job' | 'docker-run' | 'compose' | 'nosana' | 'bacalhau' | 'akash';

export interface ReadJob {
  format: JobTextFormat;
  /** What `jobFileSchema` takes, except that the bounty may still have to be chosen. */
  file: ReadFile;
  /** Everything that will not be as the text says, in the order in which it was met. */
  notices: Notice[];
}

const KNOWN = 'Paste a job file, a docker run line, a compose file, a Nosana or Bacalhau job or an Akash SDL.';

/**
 * Understands what a person pasted or named: a job file in YAML or JSON, a `docker run` line, a compose file, a Nosana or
 * Bacalhau job, an Akash SDL. Reads no other file, fetches nothing, posts nothing.
 * @param options.format instead of guessing it from the text
 * @param options.part which service, operation or task is meant where the text has several
 * @throws AppError bad-input naming line or field and what to do
 */
export function readJobFile(text: string, options: { format?: JobTextFormat; part?: string } = {}): ReadJob {
  if (Buffer.byteLength(text) > MAX_JOB_TEXT_BYTES) {
    throw new AppError('bad-input', `A job has at most ${MAX_JOB_TEXT_BYTES / 1024} KiB of text.`, {
      field: 'text',
      next: 'Give large data as an input: a file, a URL or a content id.',
    });
  }
  const plain = text.replace(/^\uFEFF/, '');
  const { format: wanted, part } = options;
  if (wanted === 'docker-run' || (wanted === undefined && isDockerRun(plain))) {
    return { format: 'docker-run', ...readDockerRun(plain) };
  }
  const parsed = parseText(plain);
  const format = wanted ?? formatOf(parsed.value);
  switch (format) {
    case 'job':
      return { format, ...readOwn(parsed) };
    case 'compose':
      return { format, ...readCompose(parsed.value, part) };
    case 'nosana':
      return { format, ...readNosana(parsed.value, part) };
    case 'bacalhau':
      return { format, ...readBacalhau(parsed.value, part) };
    case 'akash':
      return { format, ...readAkash(parsed.value, part) };
  }
}

function formatOf(value: unknown): Exclude<JobTextFormat, 'docker-run'> {
  const keys = new Set(isObject(value) ? Object.keys(value) : []);
  const folded = new Set([...keys].map((key) => key.toLowerCase()));
  if (keys.has('work') || keys.has('bounty')) return 'job';
  if (keys.has('services')) return keys.has('deployment') && keys.has('profiles') ? 'akash' : 'compose';
  if (keys.has('ops')) return 'nosana';
  if (folded.has('tasks')) return 'bacalhau';
  if (folded.has('apiversion') && folded.has('spec')) {
    throw new AppError('bad-input', 'This is a Bacalhau job of before version 1.', {
      field: 'APIVersion',
      next: 'Export it with a newer Bacalhau: bacalhau job describe --output yaml.',
    });
  }
  throw new AppError('bad-input', 'This is no kind of job that is known here.', { field: 'text', next: KNOWN });
}

/** Where people write numbers without quotation marks although texts are wanted. */
const TEXTS: readonly (readonly string[])[] = [['bounty'], ['work', 'env', '*'], ['secrets', '*'], ['array', '*', '*']];

function withTexts(
  value: unknown,
  pattern: readonly string[],
  path: readonly PropertyKey[],
  parsed: ParsedText,
): unknown {
  const [step, ...rest] = pattern;
  if (step === undefined) {
    if (typeof value !== 'number' && typeof value !== 'boolean') return value;
    return parsed.sourceOf(path) ?? String(value);
  }
  if (Array.isArray(value)) {
    return step === '*' ? value.map((item, index) => withTexts(item, rest, [...path, index], parsed)) : value;
  }
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]: [string, unknown]) => [
      key,
      step === '*' || step === key ? withTexts(item, rest, [...path, key], parsed) : item,
    ]),
  );
}

function readOwn(parsed: ParsedText): { file: ReadFile; notices: Notice[] } {
  const value = TEXTS.reduce<unknown>((whole, pattern) => withTexts(whole, pattern, [], parsed), parsed.value);
  const result = parseJobFile(value);
  if (!result.success) throw badField(result.error, parsed.lineOf);
  const notices: Notice[] = [];
  if (result.data.bounty === undefined) {
    addNotice(notices, 'changed', 'bounty', 'The file names no bounty. Choose what each task pays before you post it.');
  }
  return { file: result.data, notices };
}
