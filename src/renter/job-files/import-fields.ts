import { AppError } from '../../shared/errors.ts';
import { addNotice, shown } from './notices.ts';
import type { Notice } from './notices.ts';

/**
 * Fields of a foreign object, each taken out as it is understood: what is left at the end was not, and is named. A map,
 * because a stranger's key may be `__proto__`.
 */
export interface Fields {
  /** Key path of the object. */
  where: string;
  map: Map<string, unknown>;
}

export const badPart = (where: string, message: string, next = 'Correct it there and paste it again.'): AppError =>
  new AppError('bad-input', `${shown(where, 120)} ${message}`, { field: shown(where, 120), next });

export const isObject = (value: unknown): value is object =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

const under = (where: string, key: string): string => (where === '' ? key : `${where}.${key}`);

/** @param fold keys are compared without regard to case, as Bacalhau does */
export function fieldsOf(value: unknown, where: string, { fold = false } = {}): Fields {
  if (value === undefined || value === null) return { where, map: new Map() };
  if (!isObject(value)) throw badPart(where === '' ? 'The text' : where, 'must be a group of fields.');
  return {
    where,
    map: new Map(Object.entries(value).map(([key, item]) => [fold ? key.toLowerCase() : key, item as unknown])),
  };
}

export function take(fields: Fields, key: string): unknown {
  const value = fields.map.get(key);
  fields.map.delete(key);
  return value ?? undefined;
}

export const at = (fields: Fields, key: string): string => under(fields.where, key);

/** A text, or a number or truth value as text; undefined where there is nothing. */
export function asText(value: unknown, where: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw badPart(where, 'must be a text.');
}

export const takeText = (fields: Fields, key: string): string | undefined => asText(take(fields, key), at(fields, key));

export function asList(value: unknown, where: string): unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw badPart(where, 'must be a list.');
  return value;
}

export const textList = (value: unknown, where: string): string[] =>
  asList(value, where).map((item, index) => asText(item, `${where}[${index}]`) ?? '');

/** What the importer says of fields it knows but cannot honour: level and message by key. */
export type Remarks = Readonly<Record<string, readonly [Notice['level'], string]>>;

const UNKNOWN = 'is not known here and has no effect.';

/** Names everything that nobody has taken. Empty values need no word. */
export function nameRest(fields: Fields, remarks: Remarks, notices: Notice[]): void {
  for (const [key, value] of fields.map) {
    if (value === null || value === undefined || value === false) continue;
    if (Array.isArray(value) && value.length === 0) continue;
    const [level, message] = (Object.hasOwn(remarks, key) ? remarks[key] : undefined) ?? ['ignored', `It ${UNKNOWN}`];
    addNotice(notices, level, at(fields, key), message);
  }
  fields.map.clear();
}
