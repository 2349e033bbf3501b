/** The search line's own grammar, enough to let the mouse edit it: the host understands and answers it. */

export type FilterKey = 'gpu' | 'vram' | 'price' | 'region' | 'count';

export interface QueryFilters {
  gpu?: string;
  vram?: string;
  price?: string;
  region?: string;
  count?: string;
  free: boolean;
}

const OPERATOR: Record<FilterKey, string> = { gpu: ':', vram: '>=', price: '<', region: ':', count: '>=' };

/** Words of the line; a quoted part belongs to its word. */
export const queryWords = (query: string): string[] => query.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];

const FILTER = /^(gpu|vram|price|region|count)(:|>=|<=|=|>|<)(.*)$/i;

const unquote = (text: string) => text.replace(/^"([^"]*)"?$/, '$1');
const quote = (text: string) => (/\s/.test(text) ? `"${text.replaceAll('"', '')}"` : text);

/** What of the line the mouse filters can show. */
export function readFilters(query: string): QueryFilters {
  const filters: QueryFilters = { free: false };
  for (const word of queryWords(query)) {
    if (word.toLowerCase() === 'free') filters.free = true;
    const match = FILTER.exec(word);
    if (!match) continue;
    const key = (match[1] ?? '').toLowerCase() as FilterKey;
    if (match[2] === OPERATOR[key] || (key === 'price' && match[2] === '<=')) filters[key] = unquote(match[3] ?? '');
  }
  return filters;
}

/** The line with one filter set, or taken away with an empty value; everything else stays as typed. */
export function setFilter(query: string, key: FilterKey, value: string): string {
  const words = queryWords(query);
  const at = words.findIndex((word) => FILTER.exec(word)?.[1]?.toLowerCase() === key);
  const others = words.filter((word) => FILTER.exec(word)?.[1]?.toLowerCase() !== key);
  if (value !== '') others.splice(at < 0 ? others.length : at, 0, `${key}${OPERATOR[key]}${quote(value)}`);
  return others.join(' ');
}

export function setFree(query: string, free: boolean): string {
  const words = queryWords(query).filter((word) => word.toLowerCase() !== 'free');
  return (free ? [...words, 'free'] : words).join(' ');
}
