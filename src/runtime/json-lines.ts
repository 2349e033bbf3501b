const MAX_LINE = 1024 * 1024;

/**
 * Parses the engine's streams of JSON lines (events, pull progress) piece by piece. Lines that are no JSON object are
 * left out: the engine mixes none in, and a broken one must not end the watch.
 * @throws Error when a line grows past 1 MiB.
 */
export function createJsonLines(): (bytes: Uint8Array) => Record<string, unknown>[] {
  const decoder = new TextDecoder();
  let rest = '';
  return (bytes) => {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE) throw new Error('The engine sent a line longer than 1 MiB.');
    return lines.flatMap((line) => {
      const value = parse(line);
      return value === null ? [] : [value];
    });
  };
}

function parse(line: string): Record<string, unknown> | null {
  if (line.trim() === '') return null;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/** The objects of a byte source of JSON lines. */
export async function* jsonLines(source: AsyncIterable<Uint8Array>): AsyncGenerator<Record<string, unknown>, void> {
  const next = createJsonLines();
  for await (const bytes of source) yield* next(bytes);
}
