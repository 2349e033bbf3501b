import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createJsonLines } from './json-lines.ts';
import { createDemultiplexer } from './multiplex.ts';
import { createPullProgress } from './pull-progress.ts';
import { cpuPercent, type RawStats, readUsage } from './usage.ts';

const frame = (stream: number, bytes: Uint8Array): Uint8Array => {
  const header = new Uint8Array(8);
  header[0] = stream;
  new DataView(header.buffer).setUint32(4, bytes.length);
  return Buffer.concat([header, bytes]);
};

/** Cuts bytes at arbitrary places, as a socket does. */
const cut = (bytes: Uint8Array, at: number[]): Uint8Array[] => {
  const places = [...new Set(at.map((n) => n % (bytes.length + 1)))].toSorted((a, b) => a - b);
  return [...places, bytes.length].map((end, i) => bytes.subarray(places[i - 1] ?? 0, end));
};

describe('multiplexed output', () => {
  test('any frames, cut anywhere, come out whole and in order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(1 as const, 2 as const), fc.uint8Array({ maxLength: 200 })), {
          maxLength: 20,
        }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (frames, places) => {
          const read = createDemultiplexer();
          const chunks = cut(Buffer.concat(frames.map(([stream, bytes]) => frame(stream, bytes))), places).flatMap(
            read,
          );
          for (const stream of [1, 2] as const) {
            const sent = Buffer.concat(frames.filter(([of]) => of === stream).map(([, bytes]) => bytes));
            expect(
              Buffer.concat(chunks.filter((chunk) => chunk.stream === stream).map((chunk) => chunk.bytes)),
            ).toEqual(sent);
          }
        },
      ),
    );
  });

  test('arbitrary bytes either come out or are refused; nothing is made up', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 10 }), (pieces) => {
        const read = createDemultiplexer();
        let out = 0;
        let refusal = 'Not a multiplexed stream.';
        try {
          for (const piece of pieces) for (const chunk of read(piece)) out += chunk.bytes.length;
        } catch (thrown) {
          refusal = (thrown as Error).message;
        }
        expect(refusal).toBe('Not a multiplexed stream.');
        expect(out).toBeLessThanOrEqual(pieces.reduce((sum, piece) => sum + piece.length, 0));
      }),
    );
  });

  test('a frame that claims 4 GiB costs nothing', () => {
    const read = createDemultiplexer();
    expect(read(new Uint8Array([1, 0, 0, 0, 255, 255, 255, 255, 7]))).toEqual([
      { stream: 1, bytes: new Uint8Array([7]) },
    ]);
  });
});

describe('lines of JSON', () => {
  test('objects cut anywhere come out; what is no object is left out', () => {
    fc.assert(
      fc.property(
        fc.array(fc.dictionary(fc.string(), fc.string()), { maxLength: 10 }),
        fc.array(fc.nat(), { maxLength: 10 }),
        (objects, places) => {
          const text = objects.map((object) => `${JSON.stringify(object)}\n[1]\nnot json\n\n`).join('');
          const read = createJsonLines();
          const found = cut(Buffer.from(text), places).flatMap(read);
          expect(found.map((object) => JSON.stringify(object))).toEqual(
            objects.map((object) => JSON.stringify(object)),
          );
        },
      ),
    );
  });

  test('a line without end is refused before it fills the memory', () => {
    const read = createJsonLines();
    expect(() => {
      for (let i = 0; i < 40; i += 1) read(Buffer.alloc(64 * 1024, 'x'));
    }).toThrow('longer than 1 MiB');
  });
});

const line = (id: string, status: string, current?: number, total?: number) => ({
  id,
  status,
  progressDetail: { current, total },
});

describe('pull progress', () => {
  test('adds up layers; the total is unknown until every layer told its size', () => {
    const read = createPullProgress('x');
    expect(read({ status: 'Pulling from library/x', id: 'latest' })).toEqual({
      label: 'x',
      done: 0,
      total: null,
      unit: 'bytes',
    });
    read(line('a', 'Pulling fs layer'));
    read(line('b', 'Pulling fs layer'));
    expect(read(line('a', 'Downloading', 10, 100))).toMatchObject({ done: 10, total: null });
    expect(read(line('b', 'Downloading', 5, 50))).toMatchObject({ done: 15, total: 150 });
    expect(read(line('a', 'Download complete'))).toMatchObject({ done: 105, total: 150 });
    read(line('a', 'Extracting', 3, 100));
    expect(read(line('b', 'Pull complete'))).toMatchObject({ done: 150, total: 150 });
  });

  test('a layer that is here already counts nothing', () => {
    const read = createPullProgress('x');
    expect(read(line('a', 'Already exists'))).toMatchObject({ done: 0, total: 0 });
  });

  test('whatever the engine says, done never falls and never passes the total', () => {
    const status = fc.constantFrom(
      'Pulling fs layer',
      'Waiting',
      'Downloading',
      'Verifying Checksum',
      'Download complete',
      'Extracting',
      'Pull complete',
      'Already exists',
      'Retrying in 5 seconds',
    );
    const detail = fc.oneof(
      fc.constant(undefined),
      fc.record({
        current: fc.oneof(fc.integer(), fc.double(), fc.string()),
        total: fc.oneof(fc.integer(), fc.string()),
      }),
    );
    fc.assert(
      fc.property(
        fc.array(fc.record({ id: fc.constantFrom('a', 'b', 'c'), status, progressDetail: detail }), { maxLength: 40 }),
        (lines) => {
          const read = createPullProgress('x');
          for (const { done, total } of lines.map((each) => read(each))) {
            expect(Number.isFinite(done)).toBe(true);
            expect(done).toBeGreaterThanOrEqual(0);
            expect(total === null || done <= total).toBe(true);
          }
        },
      ),
    );
  });
});

const at = (total: number, system: number): RawStats => ({
  cpu_stats: { cpu_usage: { total_usage: total }, system_cpu_usage: system, online_cpus: 4 },
});

describe('usage', () => {
  test('percent of one processor, memory without cache, traffic of the guard', () => {
    expect(cpuPercent(at(100, 1000), at(200, 1400))).toBe(100);
    expect(cpuPercent(at(200, 1000), at(100, 1400))).toBe(0);
    const guard = { networks: { eth0: { rx_bytes: 5, tx_bytes: 7 } } };
    expect(readUsage({ memory_stats: { usage: 100, stats: { inactive_file: 30 } } }, guard)).toEqual({
      memoryBytes: 70,
      networkReceivedBytes: 5,
      networkSentBytes: 7,
    });
    expect(readUsage({}, null)).toEqual({ memoryBytes: 0, networkReceivedBytes: 0, networkSentBytes: 0 });
  });
});
