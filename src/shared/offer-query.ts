import { AppError } from './errors.ts';
import { isAddress } from './ids.ts';
import type { Address } from './ids.ts';
import { PRICE_UNITS } from './money.ts';
import type { PriceUnitSeconds } from './money.ts';

/** Bounds of a number; absent where there is none. */
export interface NumberRange {
  min?: number;
  max?: number;
  /** The bound itself is left out. */
  above?: number;
  below?: number;
}

/** What a person typed into the search box, understood. */
export interface OfferQuery {
  /** Free words, lower case: each must occur as the beginning of a word of the offer. */
  words: string[];
  /** Each text must occur in the GPU's name. */
  gpu: string[];
  region: string[];
  features: string[];
  /** Symbol or address. */
  token: string | null;
  unit: PriceUnitSeconds | null;
  provider: Address | null;
  /** Only what nobody rents now. */
  free: boolean;
  /** GiB of one card. */
  vram: NumberRange;
  /** Cards. */
  count: NumberRange;
  /** Whole tokens per hour, whatever the offer's own unit. */
  price: NumberRange;
}

export const OFFER_QUERY_MAX = 500;
const MOST_TERMS = 32;

/** For the line under the search box. */
export const OFFER_QUERY_EXAMPLE = 'gpu:"RTX 3090" vram>=24 price<0.5 region:EU unit:hour free';

const TERM = /\s*(?:([A-Za-z]+)\s*(>=|<=|[:=<>])\s*)?(?:"([^"]*)"|([^\s"]+))/y;

const wrong = (field: string, message: string): AppError =>
  new AppError('bad-input', message, { field, next: `Write it as in ${OFFER_QUERY_EXAMPLE}` });

/** @throws AppError bad-input whose field is the part of the query that is wrong: `vram`, `unit`, `query` */
export function parseOfferQuery(text: string): OfferQuery {
  if (text.length > OFFER_QUERY_MAX) {
    throw wrong('query', `A search has at most ${OFFER_QUERY_MAX} characters.`);
  }
  const query: OfferQuery = {
    words: [],
    gpu: [],
    region: [],
    features: [],
    token: null,
    unit: null,
    provider: null,
    free: false,
    vram: {},
    count: {},
    price: {},
  };
  const end = text.trimEnd().length;
  let at = 0;
  for (let terms = 0; at < end; terms += 1) {
    if (terms >= MOST_TERMS) throw wrong('query', `A search has at most ${MOST_TERMS} parts.`);
    TERM.lastIndex = at;
    const match = TERM.exec(text);
    if (!match) throw wrong('query', 'A quotation mark in the search has no second one.');
    at = TERM.lastIndex;
    const [, key, operator, quoted, plain = ''] = match;
    if (key !== undefined && operator !== undefined) {
      apply(query, key.toLowerCase(), operator, (quoted ?? plain).trim());
    } else if (quoted === undefined && plain.toLowerCase() === 'free') query.free = true;
    else query.words.push(...wordsOf(quoted ?? plain));
  }
  return query;
}

/** "RTX-3090" -> ["rtx", "3090"]: as the text index cuts it. */
export const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

function apply(query: OfferQuery, key: string, operator: string, value: string): void {
  if (value === '') throw wrong(key, `${key} needs a value.`);
  switch (key) {
    case 'gpu':
    case 'region':
      isText(key, operator);
      query[key].push(value.toLowerCase());
      return;
    case 'feature':
      isText(key, operator);
      query.features.push(value.toLowerCase());
      return;
    case 'token':
      isText(key, operator);
      query.token = value.toLowerCase();
      return;
    case 'unit':
      isText(key, operator);
      query.unit = unitOf(value.toLowerCase());
      return;
    case 'provider':
      isText(key, operator);
      if (!isAddress(value)) throw wrong(key, 'provider must be an address: 0x and 40 hexadecimal digits.');
      query.provider = value.toLowerCase() as Address;
      return;
    case 'free':
      isText(key, operator);
      if (!['yes', 'no', 'true', 'false'].includes(value.toLowerCase())) throw wrong(key, 'free is yes or no.');
      query.free = ['yes', 'true'].includes(value.toLowerCase());
      return;
    case 'vram':
    case 'count':
    case 'price':
      narrow(query[key], key, operator, value);
      return;
    default:
      throw wrong(
        key,
        `There is no “${key}” to search by; there are gpu, vram, count, price, region, unit, token, feature, provider and free.`,
      );
  }
}

function isText(key: string, operator: string): void {
  if (operator !== ':' && operator !== '=') throw wrong(key, `${key} is text: write ${key}: and what it should be.`);
}

function unitOf(value: string): PriceUnitSeconds {
  if (Object.hasOwn(PRICE_UNITS, value)) return PRICE_UNITS[value as keyof typeof PRICE_UNITS];
  throw wrong('unit', 'unit is minute, hour or day.');
}

function narrow(range: NumberRange, key: string, operator: string, value: string): void {
  if (!/^\d{1,15}(?:\.\d{1,18})?$/.test(value)) throw wrong(key, `${key} must be a number such as ${key}>=1.`);
  const number = Number(value);
  if (operator === '>') range.above = Math.max(range.above ?? number, number);
  else if (operator === '<') range.below = Math.min(range.below ?? number, number);
  else {
    if (operator !== '<=') range.min = Math.max(range.min ?? number, number);
    if (operator !== '>=') range.max = Math.min(range.max ?? number, number);
  }
}
