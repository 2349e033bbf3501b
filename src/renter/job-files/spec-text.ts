import { AppError } from '../../shared/errors.ts';
import { MAX_SPEC_BYTES } from '../../shared/job-spec.ts';
import type { JobSpec } from '../../shared/job-spec.ts';
import { canonicalJson } from '../../shared/json.ts';
import { fieldName } from './plain-issues.ts';

const NAMED = 3;

const bytesOf = (value: unknown): number => Buffer.byteLength(canonicalJson(value));

/** Fields of the second level with their sizes, the biggest first: `work.env`, `inputs[0]`. */
function sizes(spec: JobSpec): { field: string; bytes: number }[] {
  return Object.entries(spec)
    .flatMap(([key, value]: [string, unknown]) => {
      if (value === null || typeof value !== 'object') return [{ field: key, bytes: bytesOf(value ?? null) }];
      const inner: [PropertyKey, unknown][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
      return inner.map(([part, item]) => ({ field: fieldName([key, part]), bytes: bytesOf(item ?? null) }));
    })
    .toSorted((a, b) => b.bytes - a.bytes || (a.field < b.field ? -1 : 1));
}

/**
 * The bytes that are posted and whose hash is the spec's: canonical JSON. Equal specs give equal text.
 * @throws AppError bad-input over 8 KiB, naming the fields that take most of it
 */
export function specText(spec: JobSpec): string {
  const text = canonicalJson(spec);
  const length = Buffer.byteLength(text);
  if (length <= MAX_SPEC_BYTES) return text;
  const biggest = sizes(spec).slice(0, NAMED);
  const list = biggest.map(({ field, bytes }) => `${field} (${bytes} bytes)`).join(', ');
  throw new AppError(
    'bad-input',
    `The job is ${length} bytes long; ${MAX_SPEC_BYTES} fit on the chain. Most of it is ${list}.`,
    {
      field: biggest[0]?.field ?? 'job',
      next: 'Put long text into an input file and read it from there.',
    },
  );
}
