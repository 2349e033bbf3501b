import type { z } from 'zod';
import { AppError } from '../../shared/errors.ts';
import { shown } from './notices.ts';

/** `work.env.SEED`, `inputs[0].path`. */
export const fieldName = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (name, part) => (typeof part === 'number' ? `${name}[${part}]` : `${name}${name === '' ? '' : '.'}${String(part)}`),
    '',
  );

const WORDS: Readonly<Record<string, string>> = {
  string: 'a text; put it in quotation marks',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a group of fields',
  record: 'a group of names and values',
};

interface Found {
  path: PropertyKey[];
  message: string;
}

/** Of the ways in which a union could be meant, the one that is nearest to what was written. */
function nearest(branches: readonly z.core.$ZodIssue[][]): readonly z.core.$ZodIssue[] {
  const cost = (issues: readonly z.core.$ZodIssue[]): number =>
    issues.reduce((sum, { code, path }) => {
      if (code === 'invalid_type' && path.length === 0) return sum + 10;
      return sum + (code === 'unrecognized_keys' || code === 'invalid_type' ? 2 : 1);
    }, 0);
  return branches.toSorted((a, b) => cost(a) - cost(b))[0] ?? [];
}

function plain(issue: z.core.$ZodIssue): Found {
  const path = [...issue.path];
  switch (issue.code) {
    case 'invalid_type': {
      const missing = issue.input === undefined && issue.message.endsWith('received undefined');
      const wanted = WORDS[issue.expected] ?? issue.expected;
      return { path, message: missing ? 'is missing' : `must be ${wanted}` };
    }
    case 'unrecognized_keys':
      return { path: [...path, issue.keys[0] ?? ''], message: 'is not a field that jobs have' };
    case 'invalid_union': {
      const [inner] = nearest(issue.errors);
      if (!inner) return { path, message: 'is none of the known kinds' };
      const found = plain(inner);
      return { path: [...path, ...found.path], message: found.message };
    }
    case 'invalid_value':
      return { path, message: `must be ${issue.values.map((value) => `"${String(value)}"`).join(' or ')}` };
    case 'too_big':
      return {
        path,
        message: `is too ${typeof issue.maximum === 'number' && issue.origin === 'number' ? 'large' : 'long'}: at most ${issue.maximum}`,
      };
    case 'too_small':
      return { path, message: `is too small: at least ${issue.minimum}` };
    case 'invalid_key':
    case 'invalid_element': {
      const [inner] = issue.issues;
      return { path, message: inner ? plain(inner).message : issue.message };
    }
    case 'custom':
    case 'invalid_format':
    case 'not_multiple_of':
      return { path, message: issue.message };
  }
}

/** The first thing that is wrong with what was read, with its line where the text is known. */
export function badField(
  error: z.ZodError,
  lineOf: (path: readonly PropertyKey[]) => number | null,
  next = 'Correct this field in the job file.',
): AppError {
  const [issue] = error.issues;
  if (!issue) return new AppError('bad-input', 'The job could not be read.', { cause: error, next });
  const { path, message } = plain(issue);
  const field = shown(fieldName(path), 120) || 'job';
  const line = lineOf(path);
  return new AppError('bad-input', `${field}${line === null ? '' : ` (line ${line})`} ${message}.`, {
    field,
    next,
    cause: error,
  });
}
