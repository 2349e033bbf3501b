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
/** Rows looked at to count; what is left uncounted then is told as "more". */
const COUNT_ROWS = 30_000;
const COUNT_ROWS_TEXT = 5000;
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

/** The planner cannot know that a page is small: told which index to walk, it never sorts a quarter of all offers. */
const SORT_INDEX: Readonly<Record<OfferSort, string>> = {
  price: 'offers_by_price',
  gpuModel: 'offers_by_model',
  gpuMemoryGb: 'offers_by_memory',
  gpuCount: 'offers_by_count',
  region: 'offers_by_region',
  createdAt: 'offers_by_age',
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
    const { where, models, words } = conditions(query, now, tokens, names());
    const page = cursorCondition(search, column);
    // Nobody has such a name.
    if (models?.length === 0 || where.sql.includes('region IN ()')) {
      return { offers: [], total: 0, cursor: null, tookMs: performance.now() - start };
    }
    const direction = search.descending ? 'DESC' : 'ASC';
    const columns = `id, ${column} AS sortValue, ${OFFER_COLUMNS}`;
    const size = Math.min(500, Math.max(1, Math.floor(search.limit)));
    const limit = size + 1;
    const active = `status = 'active'${models ? ` AND gpu_model IN (${marks(models)})` : ''}`;
    const activeValues: Value[] = models ?? [];

    const hits = words.length === 0 ? null : hitsOf(prepared, words);
    let rows: FoundRow[];
    let total: number | null;
    if (hits && hits.length <= COUNTED) {
      // CROSS JOIN keeps the planner from walking a whole index for a handful of hits.
      const source = `FROM (SELECT value FROM json_each(?)) AS hit CROSS JOIN offers ON offers.id = hit.value
        WHERE ${active} AND ${where.sql.join(' AND ')}`;
      const values = [JSON.stringify(hits), ...activeValues, ...where.values];
      rows = prepared(
        `SELECT ${columns} ${source} ${page.sql} ORDER BY ${column} ${direction}, id ${direction} LIMIT ?`,
      ).all(...values, ...page.values, limit) as FoundRow[];
      total = (prepared(`SELECT count(*) AS n ${source}`).get(...values) as { n: number }).n;
    } else {
      // So many offers have these words that looking at each on the way is cheaper than listing them all first.
      for (const word of hits ? words : []) {
        where.sql.push('instr(words, ?) > 0');
        where.values.push(` ${word}`);
      }
      const filters = where.sql.join(' AND ');
      const wide = models ? 'offers_by_model_price' : 'offers_by_price';
      total = countOf(prepared, `offers INDEXED BY ${wide} WHERE ${active}`, activeValues, where, {
        most: hits ? COUNT_ROWS_TEXT : COUNT_ROWS,
      });
      if (total === null && models && models.length <= MOST_WALKS && search.sort === 'price') {
        const one = `SELECT * FROM (SELECT ${columns} FROM offers INDEXED BY offers_by_model_price WHERE status = 'active'
          AND gpu_model = ? AND ${filters} ${page.sql} ORDER BY ${column} ${direction}, id ${direction} LIMIT ?)`;
        const values = models.flatMap((model) => [model, ...where.values, ...page.values, limit]);
        rows = prepared(
          `${models.map(() => one).join(' UNION ALL ')} ORDER BY sortValue ${direction}, id ${direction} LIMIT ?`,
        ).all(...values, limit) as FoundRow[];
      } else {
        // Few enough to sort: the plus sign keeps the planner from walking the sort's index past all the others.
        const sorted = total === null ? column : `+${column}`;
        const index = total === null ? SORT_INDEX[search.sort] : wide;
        rows = prepared(
          `SELECT ${columns} FROM offers INDEXED BY ${index} WHERE ${active} AND ${filters} ${page.sql}
            ORDER BY ${sorted} ${direction}, id ${direction} LIMIT ?`,
        ).all(...activeValues, ...where.values, ...page.values, limit) as FoundRow[];
      }
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

function hitsOf(prepared: Prepared, words: readonly string[]): number[] {
  const match = words.map((word) => `"${word}"*`).join(' AND ');
  const rows = prepared(`SELECT rowid AS id FROM offer_words WHERE offer_words MATCH ? LIMIT ${COUNTED + 1}`).all(
    match,
  );
  return (rows as { id: number }[]).map(({ id }) => id);
}

/** How many offers there are, if that can be said from `most` rows and is not above the limit. */
function countOf(
  prepared: Prepared,
  source: string,
  sourceValues: readonly Value[],
  where: Where,
  { most }: { most: number },
): number | null {
  const { scanned, n } = prepared(
    `SELECT count(*) AS scanned, total(fits) AS n
      FROM (SELECT (${where.sql.join(' AND ')}) AS fits FROM ${source} LIMIT ${most})`,
  ).get(...where.values, ...sourceValues) as { scanned: number; n: number };
  return scanned < most && n <= COUNTED ? n : null;
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
): { where: Where; models: string[] | null; words: string[] } {
  const where: Where = { sql: ['ends_by > ?'], values: [now] };
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
  return { where, models, words: left };
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
  return { sql: `AND (${column}, id) ${descending ? '<' : '>'} (?, ?)`, values: [value, id] };
}
