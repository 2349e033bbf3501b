import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../shared/errors.ts';
import { MIB } from '../../shared/units.ts';
import { boundMemory, PAGE } from './module-memory.ts';
import { command, ECHO, EXIT_3, GROW } from './tiny-wasm.ts';

const imports = (bytes: Uint8Array): WebAssembly.Imports => {
  const calls: Record<string, () => number> = {};
  for (const { kind, name } of WebAssembly.Module.imports(new WebAssembly.Module(new Uint8Array(bytes))))
    if (kind === 'function') calls[name] = () => 0;
  return { wasi_snapshot_preview1: calls };
};

function largest(bytes: Uint8Array, more: WebAssembly.Imports = {}): number {
  const module = new WebAssembly.Module(new Uint8Array(bytes));
  const { exports } = new WebAssembly.Instance(module, { ...imports(bytes), ...more });
  const memory = exports['memory'];
  if (!(memory instanceof WebAssembly.Memory)) return 0;
  for (let step = 4096; step >= 1; step = Math.floor(step / 2)) {
    try {
      for (;;) memory.grow(step);
    } catch {
      // No more of that size.
    }
  }
  return memory.buffer.byteLength;
}

/** What the engine lets the module have after it was bounded to 4 MiB; 0 where it was refused, here or there. */
function mostMemory(bytes: Uint8Array): number {
  try {
    const bounded = boundMemory(bytes, 4 * MIB);
    return bounded.memory?.imported === null ? largest(bounded.bytes) : 0;
  } catch (thrown) {
    // Ours, the compiler's, or what a module throws whose texts lie outside of its memory.
    const { CompileError, LinkError, RuntimeError } = WebAssembly;
    if ([AppError, CompileError, LinkError, RuntimeError].some((kind) => thrown instanceof kind)) return 0;
    throw thrown;
  }
}

describe('the memory of a module is bounded', () => {
  test.for([
    ['without a maximum', [0, 1], 4 * MIB, true],
    ['with a larger one', [1, 1, 200, 1], 4 * MIB, true],
    ['with a smaller one', [1, 1, 3], 3 * PAGE, false],
    ['that it has from the start', [1, 64, 64], 4 * MIB, false],
    ['with padded numbers', [1, 0x81, 0x80, 0x80, 0x80, 0x00, 0x83, 0x80, 0x00], 3 * PAGE, false],
  ] as const)('one %s', ([, memory, expected, shortened]) => {
    const bounded = boundMemory(command([], { memory: [...memory] }), 4 * MIB);
    expect(largest(bounded.bytes)).toBe(expected);
    expect(bounded.memory).toMatchObject({ imported: null, maxPages: expected / PAGE, shortened });
  });

  test('one that is imported', () => {
    const bounded = boundMemory(command([], { imported: true, memory: [0, 2] }), 4 * MIB);
    expect(bounded.memory).toEqual({
      imported: { module: 'env', name: 'memory' },
      minPages: 2,
      maxPages: 64,
      shortened: true,
    });
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 64 });
    expect(largest(bounded.bytes, { env: { memory } })).toBe(4 * MIB);
    const larger = new WebAssembly.Memory({ initial: 2, maximum: 65 });
    expect(() => largest(bounded.bytes, { env: { memory: larger } })).toThrow(/maximum/);
  });

  test.for([
    ['64-bit memory', command([], { memory: [4, 1] }), 'unsupported'],
    ['shared memory', command([], { memory: [3, 1, 2] }), 'unsupported'],
    ['pages of another size', command([], { memory: [8, 1, 0] }), 'unsupported'],
    ['more than the job has', command([], { memory: [0, 65] }), 'bad-input'],
    ['a maximum below the minimum', command([], { memory: [1, 2, 1] }), 'bad-input'],
    ['nothing at all', new Uint8Array(), 'bad-input'],
    ['a text', new TextEncoder().encode('#!/bin/sh'), 'bad-input'],
    ['a component', Uint8Array.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]), 'bad-input'],
    ['the memory section twice', Uint8Array.from([...ECHO.subarray(0, 8), 5, 3, 1, 0, 1, 5, 3, 1, 0, 1]), 'bad-input'],
    ['two memories', Uint8Array.from([...ECHO.subarray(0, 8), 5, 5, 2, 0, 1, 0, 1]), 'bad-input'],
    ['a foreign import', Uint8Array.from([...ECHO.subarray(0, 8), 2, 7, 1, 1, 0x61, 1, 0x62, 0, 0]), 'bad-input'],
    [
      'a table from outside',
      Uint8Array.from([...ECHO.subarray(0, 8), 2, 9, 1, 1, 0x61, 1, 0x62, 1, 0x70, 0, 1]),
      'bad-input',
    ],
  ] as const)('refused: %s', ([, bytes, code]) => {
    expect(() => boundMemory(bytes, 4 * MIB)).toThrow(expect.objectContaining({ code }));
  });

  test('whatever comes in: an error for a person, or a module that the engine bounds the same', () => {
    const mutated = fc
      .tuple(
        fc.constantFrom(ECHO, EXIT_3, GROW, command([], { imported: true })),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
        fc.option(fc.nat()),
      )
      .map(([from, changes, cut]) => {
        const bytes = Uint8Array.from(from);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        return cut === null ? bytes : bytes.subarray(0, cut % (bytes.length + 1));
      });
    const garbage = fc.uint8Array({ maxLength: 200 }).map((tail) => Uint8Array.from([...ECHO.subarray(0, 8), ...tail]));
    fc.assert(
      fc.property(fc.oneof(mutated, garbage, fc.uint8Array({ maxLength: 64 })), (bytes) => {
        expect(mostMemory(bytes)).toBeLessThanOrEqual(4 * MIB);
      }),
      { numRuns: 3000 },
    );
  });
});
