import type { Statement } from 'better-sqlite3';
import { z } from 'zod';
import { AppError } from '../shared/errors.ts';
import type { Token } from '../shared/money.ts';
import { parseOfferQuery, wordsOf } from '../shared/offer-query.ts';
import type { NumberRange, OfferQuery } from '../shared/offer-query.ts';
import type { SqliteDatabase } from './database.ts';
import { OFFER_COLUMNS, offerFromRow } from './index-rows.ts';
import type { OfferRow } from './index-rows.ts';
import { OFFER_SORTS } from './search-offers.ts';
import type { OfferPage, OfferSearch, OfferSort } from './search-offers.ts';

/** Hits up to which a total is exact and a text search gathers all rows and sorts them. */
const COUNTED = 3000;
/** Names of GPUs and regions up to which words are looked up among them; a flood of invented names ends that. */
const MOST_NAMES = 5000;
/** GPUs up to which the price index is walked once per GPU. */
const MOST_WALKS = 8;

const SORT_COLUMN: Readonly<Record<OfferSort, string>> = {
  price: 'price_hour',
  gpuModel: 'gpu_model',
  gpuMemoryGb: 'gpu_memory_gb',
  gpuCount: 'gpu_count',
  region: 'region',
  createdAt: 'created_at',
};

type Value = string | number;
interface Where {
  sql: string[];
  values: Value[];
}
type FoundRow = OfferRow & { id: number; sortValue: Value };

/** Finds offers that can be rented: active and not ended. Sorted and paged by key, so that no page costs more than the first. */
export function offerFinder(
  db: SqliteDatabase,
  tokens: readonly Token[],
): (search: OfferSearch, now: number) => OfferPage {
  const statements = new Map<string, Statement>();
  const prepared = (sql: string): Statement => {
    let statement = statements.get(sql);
    if (!statement) {
      if (statements.size > 200) statements.clear();
      statement = db.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  };
  const names = nameCache(db);

  return (search, now) => {
    const start = performance.now();
    const column = SORT_COLUMN[search.sort];
    const query = parseOfferQuery(search.text);
    const { where, models, text } = conditions(query, now, tokens, names());
    const page = cursorCondition(search, column);
    const order = `ORDER BY ${column} ${search.descending ? 'DESC' : 'ASC'}, id ${search.descending ? 'DESC' : 'ASC'}`;
    const columns = `id, ${column} AS sortValue, ${OFFER_COLUMNS}`;
    const size = Math.min(500, Math.max(1, Math.floor(search.limit)));
    const limit = size + 1;

    const hits = text === '' ? null : hitsOf(prepared, text);
    let rows: FoundRow[];
    let total: number | null;
    const all = [...where.sql, ...(models ? [`gpu_model IN (${marks(models)})`] : [])].join(' AND ');
    const allValues = [...where.values, ...(models ?? [])];
    const paged = page.sql === '' ? all : `${all} AND ${page.sql}`;
    if (hits && hits.length <= COUNTED) {
      // CROSS JOIN keeps the planner from walking a whole index for a handful of hits.
      const source = 'FROM (SELECT value FROM json_each(?)) AS hit CROSS JOIN offers ON offers.id = hit.value';
      const list = JSON.stringify(hits);
      rows = prepared(`SELECT ${columns} ${source} WHERE ${paged} ${order} LIMIT ?`).all(
        list,
        ...allValues,
        ...page.values,
        limit,
      ) as FoundRow[];
      total = countOf(prepared, `${source} WHERE ${all}`, [list, ...allValues]);
    } else {
      const inText = hits ? ' AND id IN (SELECT rowid FROM offer_words WHERE offer_words MATCH ?)' : '';
      const textValues = hits ? [text] : [];
      if (models && models.length > 0 && models.length <= MOST_WALKS && search.sort === 'price') {
        const one = `SELECT * FROM (SELECT ${columns} FROM offers INDEXED BY offers_by_model_price WHERE gpu_model = ? AND ${[
          ...where.sql,
          ...(page.sql === '' ? [] : [page.sql]),
        ].join(' AND ')}${inText} ${order} LIMIT ?)`;
        const values = models.flatMap((model) => [model, ...where.values, ...page.values, ...textValues, limit]);
        const direction = search.descending ? 'DESC' : 'ASC';
        rows = prepared(
          `${models.map(() => one).join(' UNION ALL ')} ORDER BY sortValue ${direction}, id ${direction} LIMIT ?`,
        ).all(...values, limit) as FoundRow[];
      } else {
        rows = prepared(`SELECT ${columns} FROM offers WHERE ${paged}${inText} ${order} LIMIT ?`).all(
          ...allValues,
          ...page.values,
          ...textValues,
          limit,
        ) as FoundRow[];
      }
      total = countOf(prepared, `FROM offers WHERE ${all}${inText}`, [...allValues, ...textValues]);
    }
    const last = rows.length > size ? rows[size - 1] : undefined;
    return {
      offers: rows.slice(0, size).map(({ id: _id, sortValue: _sortValue, ...row }) => offerFromRow(row)),
      total,
      cursor: last ? writeCursor(search, last) : null,
      tookMs: performance.now() - start,
    };
  };
}

type Prepared = (sql: string) => Statement;

const marks = (values: readonly unknown[]) => values.map(() => '?').join(', ');

function hitsOf(prepared: Prepared, text: string): number[] {
  const rows = prepared(`SELECT rowid AS id FROM offer_words WHERE offer_words MATCH ? LIMIT ${COUNTED + 1}`).all(text);
  return (rows as { id: number }[]).map(({ id }) => id);
}

function countOf(prepared: Prepared, rest: string, values: readonly Value[]): number | null {
  const { n } = prepared(`SELECT count(*) AS n FROM (SELECT 1 ${rest} LIMIT ${COUNTED + 1})`).get(...values) as {
    n: number;
  };
  return n > COUNTED ? null : n;
}

interface Names {
  gpus: { type: string; model: string; words: string[] }[];
  regions: { region: string; words: string[] }[];
}

/** The names that offers share; read again only after something was written. Null when there are too many of them. */
function nameCache(db: SqliteDatabase): () => Names | null {
  const gpus = db.prepare<[number], { type: string; model: string }>('SELECT type, model FROM gpu_names LIMIT ?');
  const regions = db.prepare<[number], { region: string }>('SELECT region FROM region_names LIMIT ?');
  let version: unknown = null;
  let names: Names | null = null;
  return () => {
    const now = db.pragma('data_version', { simple: true });
    if (now === version) return names;
    version = now;
    const [allGpus, allRegions] = [gpus.all(MOST_NAMES + 1), regions.all(MOST_NAMES + 1)];
    names =
      allGpus.length > MOST_NAMES || allRegions.length > MOST_NAMES
        ? null
        : {
            gpus: allGpus.map(({ type, model }) => ({ type, model, words: wordsOf(`${type} ${model}`) })),
            regions: allRegions.map(({ region }) => ({ region, words: wordsOf(region) })),
          };
    return names;
  };
}

/** A query as SQL: plain conditions, the GPU models it is limited to, and what is left for the text index. */
function conditions(
  query: OfferQuery,
  now: number,
  tokens: readonly Token[],
  names: Names | null,
): { where: Where; models: string[] | null; text: string } {
  const where: Where = { sql: ["status = 'active'", 'ends_by > ?'], values: [now] };
  const add = (sql: string, ...values: Value[]) => {
    where.sql.push(sql);
    where.values.push(...values);
  };
  range(add, 'gpu_memory_gb', query.vram);
  range(add, 'gpu_count', query.count);
  range(add, 'price_hour', query.price);
  if (query.free) add('taken < units');
  if (query.unit !== null) add('unit = ?', query.unit);
  if (query.provider !== null) add('provider = ?', query.provider);
  if (query.token !== null) add('token = ?', tokenAddress(query.token, tokens));

  const left: string[] = query.features.flatMap(wordsOf);
  let models: string[] | null = null;
  const limitTo = (found: readonly string[]) => {
    const before: readonly string[] | null = models;
    models = [...new Set(before ? found.filter((model) => before.includes(model)) : found)];
  };
  if (names) {
    for (const text of query.gpu) {
      limitTo(
        names.gpus
          .filter(({ type, model }) => model.toLowerCase().includes(text) || type.toLowerCase().includes(text))
          .map(({ model }) => model),
      );
    }
    for (const text of query.region) {
      inRegions(
        add,
        names.regions.filter(({ region }) => region.toLowerCase().includes(text)).map(({ region }) => region),
      );
    }
  } else left.push(...query.gpu.flatMap(wordsOf), ...query.region.flatMap(wordsOf));
  for (const word of query.words) {
    const begins = (one: { words: string[] }) => one.words.some((part) => part.startsWith(word));
    const gpus = names?.gpus.filter(begins) ?? [];
    const regions = names?.regions.filter(begins) ?? [];
    if (gpus.length > 0 && regions.length === 0) limitTo(gpus.map(({ model }) => model));
    else if (regions.length > 0 && gpus.length === 0)
      inRegions(
        add,
        regions.map(({ region }) => region),
      );
    else left.push(word);
  }
  return { where, models, text: left.map((word) => `"${word}"*`).join(' AND ') };
}

function inRegions(add: (sql: string, ...values: Value[]) => void, regions: readonly string[]): void {
  add(`region IN (${marks(regions)})`, ...regions);
}

function range(
  add: (sql: string, ...values: Value[]) => void,
  column: string,
  { min, max, above, below }: NumberRange,
): void {
  if (min !== undefined) add(`${column} >= ?`, min);
  if (max !== undefined) add(`${column} <= ?`, max);
  if (above !== undefined) add(`${column} > ?`, above);
  if (below !== undefined) add(`${column} < ?`, below);
}

function tokenAddress(text: string, tokens: readonly Token[]): string {
  const token = tokens.find((one) => one.symbol.toLowerCase() === text || one.address === text);
  if (token) return token.address;
  throw new AppError('bad-input', `There is no token “${text}” on this network.`, {
    field: 'token',
    next: `Use one of: ${tokens.map(({ symbol }) => symbol).join(', ')}.`,
  });
}

const cursorSchema = z.tuple([z.enum(OFFER_SORTS), z.boolean(), z.union([z.string().max(200), z.number()]), z.int()]);

const writeCursor = (search: OfferSearch, { id, sortValue }: FoundRow): string =>
  Buffer.from(JSON.stringify([search.sort, search.descending, sortValue, id])).toString('base64url');

function cursorCondition(search: OfferSearch, column: string): { sql: string; values: Value[] } {
  if (search.cursor === undefined) return { sql: '', values: [] };
  const bad = new AppError('bad-input', 'This cursor does not belong to this search.', {
    field: 'cursor',
    next: 'Search again from the first page.',
  });
  let parsed: z.infer<typeof cursorSchema>;
  try {
    parsed = cursorSchema.parse(JSON.parse(Buffer.from(search.cursor, 'base64url').toString('utf8')));
  } catch {
    throw bad;
  }
  const [sort, descending, value, id] = parsed;
  if (sort !== search.sort || descending !== search.descending) throw bad;
  return { sql: `(${column}, id) ${descending ? '<' : '>'} (?, ?)`, values: [value, id] };
}
