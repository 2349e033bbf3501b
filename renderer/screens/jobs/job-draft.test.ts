import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jobFileSchema } from '../../../src/shared/job-spec.ts';
import { toAppError } from '../../../src/shared/errors.ts';
import { buildJobFile, EMPTY_JOB, type JobFields } from './job-draft.ts';
import { jobFieldsOf } from './job-fields.ts';

const fieldOf = (fields: Partial<JobFields>) => {
  try {
    buildJobFile({ ...EMPTY_JOB, image: 'busybox:1.36', ...fields });
    return null;
  } catch (thrown) {
    return toAppError(thrown).field;
  }
};

describe('the job form', () => {
  test('a container with a command', () => {
    const file = buildJobFile({ ...EMPTY_JOB, image: 'busybox:1.36', command: 'sh -c "echo hi"', array: '4' });
    expect(jobFileSchema.parse(file)).toMatchObject({
      work: { type: 'docker', image: 'busybox:1.36', command: ['sh', '-c', 'echo hi'] },
      array: 4,
      network: 'none',
      timeouts: { runSeconds: 3600 },
    });
  });

  test('a kernel without a table runs on the sample', () => {
    const file = buildJobFile({ ...EMPTY_JOB, kind: 'k_means', check: 'certificate', parts: '4' });
    expect(file).toMatchObject({
      work: { type: 'kernel', model: 'k_means', params: { k: 4 } },
      inputs: [{ path: 'data.csv', sample: 'k_means' }],
      verification: { tier: 'certificate' },
    });
  });

  test('a kernel with a table of one’s own', () => {
    const inputs = [{ from: 'content' as const, key: 'a', path: 'my.csv', cid: `bafy${'a'.repeat(50)}`, bytes: 3 }];
    expect(buildJobFile({ ...EMPTY_JOB, kind: 'linear_regression', target: 'y', inputs })).toMatchObject({
      work: { table: 'my.csv', target: 'y' },
    });
  });

  test('what is paid without asking; copies are paid by agreement', () => {
    const reviewOf = (fields: Partial<JobFields>) =>
      buildJobFile({ ...EMPTY_JOB, image: 'busybox:1.36', ...fields }).review;
    expect(reviewOf({})).toBe('failures');
    expect(reviewOf({ review: 'always' })).toBe('always');
    expect(jobFileSchema.parse(buildJobFile({ ...EMPTY_JOB, image: 'a', review: 'never' })).review).toBe('never');
    expect(reviewOf({ review: 'always', check: 'redundancy' })).toBe('failures');
  });

  test.each<[Partial<JobFields>, string]>([
    [{ image: '' }, 'image'],
    [{ image: 'a b' }, 'image'],
    [{ bounty: 'much' }, 'bounty'],
    [{ gpuCount: '1.5' }, 'gpuCount'],
    [{ runMinutes: '0' }, 'runMinutes'],
    [{ array: '5000' }, 'array'],
    [{ array: '0' }, 'array'],
    [{ array: '2', matrix: 'SEED=1 2' }, 'matrix'],
    [{ matrix: 'SEED' }, 'matrix'],
    [{ matrix: 'SEED=' }, 'matrix'],
    [{ matrix: 'SEED=1 "2' }, 'matrix'],
    [{ matrix: '2SEED=1 2' }, 'matrix'],
    [{ matrix: 'SEED=1\nSEED=2' }, 'matrix'],
    [{ matrix: `A=${'1 '.repeat(40)}\nB=${'1 '.repeat(40)}` }, 'matrix'],
    [{ matrix: `A=${'x'.repeat(1001)}` }, 'matrix'],
    [{ queueMinutes: '0' }, 'queueMinutes'],
    [{ totalMinutes: '50000' }, 'totalMinutes'],
    [{ retries: '11' }, 'retries'],
    [{ retries: '' }, 'retries'],
    [{ priority: '101' }, 'priority'],
    [{ cpus: '0' }, 'cpus'],
    [{ cpus: '300' }, 'cpus'],
    [{ memoryGib: '0.01' }, 'memoryGib'],
    [{ diskGib: 'much' }, 'diskGib'],
    [{ gpuType: 'x'.repeat(41) }, 'gpuType'],
    [{ env: 'no equals sign' }, 'env'],
    [{ secrets: 'no equals sign' }, 'secrets'],
    [{ kind: 'wasm' }, 'module'],
    [{ kind: 'pca', parts: 'x' }, 'parts'],
  ])('names the field that is wrong: %o', (fields, field) => {
    expect(fieldOf(fields)).toBe(field);
  });
});

describe('what most jobs leave as it is', () => {
  test('stands in the form as the job file has it when nothing is said', () => {
    const file = jobFileSchema.parse(buildJobFile({ ...EMPTY_JOB, image: 'busybox:1.36' }));
    expect(file).toEqual(
      jobFileSchema.parse({ work: { type: 'docker', image: 'busybox:1.36', env: {} }, bounty: '5' }),
    );
  });

  test('lists of values, times, attempts, machine', () => {
    const file = buildJobFile({
      ...EMPTY_JOB,
      image: 'busybox:1.36',
      matrix: 'SEED = 1 2 3\n\nWHO="Ada L." Bob\n',
      queueMinutes: '5',
      totalMinutes: '90.5',
      retries: '0',
      priority: '80',
      gpuType: ' nvidia ',
      cpus: '2.5',
      diskGib: '20',
    });
    expect(file).toMatchObject({
      array: { SEED: ['1', '2', '3'], WHO: ['Ada L.', 'Bob'] },
      timeouts: { queueSeconds: 300, runSeconds: 3600, totalSeconds: 5430 },
      retries: 0,
      priority: 80,
      resources: { gpuType: 'nvidia', cpus: 2.5, diskBytes: 20 * 2 ** 30 },
    });
  });
});

describe('a job file in the form', () => {
  const text = (max: number) => fc.string({ maxLength: max }).map((words) => words.replaceAll(/\s+/g, ' ').trim());
  const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,20}$/).filter((word) => word !== '__proto__');
  const variables = fc.dictionary(name, text(30), { maxKeys: 4 });
  const seconds = fc.integer({ min: 1, max: 30 * 86_400 });
  const cid = fc.stringMatching(/^[a-z0-9]{50}$/);
  const maybe = <T extends object>(value: fc.Arbitrary<T>) => fc.oneof(fc.constant({}), value);
  const bytes = fc.integer({ min: 64 * 2 ** 20, max: 2 ** 50 });
  const words = fc.array(fc.string({ maxLength: 20 }), { minLength: 1, maxLength: 5 });
  const work = fc.oneof(
    fc
      .record({ type: fc.constant('docker'), image: fc.constant('busybox:1.36'), env: variables })
      .chain((docker) => maybe(fc.record({ command: words })).map((more) => ({ ...docker, ...more }))),
    fc.record({ type: fc.constant('wasm'), module: cid, args: words, env: variables }),
  );
  const input = fc.oneof(
    fc.record({ upload: fc.constant('/data/set') }),
    fc.record({ url: fc.constant('https://a.example/x'), sha256: fc.stringMatching(/^[0-9a-f]{64}$/) }),
    fc.record({ ipfs: cid }),
    fc.record({ text: fc.string() }),
    fc.record({ content: cid }),
  );
  const list = fc.array(
    fc.string({ maxLength: 12 }).map((value) => value.replaceAll('\n', ' ')),
    {
      minLength: 1,
      maxLength: 4,
    },
  );
  const file = fc
    .record({
      name: text(40),
      work,
      inputs: fc
        .array(input, { maxLength: 3 })
        .map((inputs) => inputs.map((one, index) => ({ path: `part-${index}`, ...one }))),
      secrets: variables,
      resources: fc
        .record({
          gpuCount: fc.nat({ max: 255 }),
          gpuMemoryGb: fc.nat({ max: 65_535 }),
          cpus: fc.double({ min: 0.1, max: 256, noNaN: true }),
          memoryBytes: bytes,
          diskBytes: bytes,
        })
        .chain((needs) =>
          maybe(fc.record({ gpuType: fc.constant('AMD'), gpuModel: fc.constant('RTX 4090') })).map((more) => ({
            ...needs,
            ...more,
          })),
        ),
      network: fc.constantFrom('none', 'internet'),
      timeouts: fc
        .record({ queueSeconds: seconds, runSeconds: seconds })
        .chain((times) => maybe(fc.record({ totalSeconds: seconds })).map((more) => ({ ...times, ...more }))),
      bounty: fc.constantFrom('5', '0.25', '1000000'),
      retries: fc.nat({ max: 10 }),
      priority: fc.nat({ max: 100 }),
      assignment: fc.constantFrom('mine', 'open'),
      review: fc.constantFrom('never', 'failures', 'always'),
    })
    .chain((plain) =>
      maybe(
        fc.record({
          array: fc.oneof(
            fc.integer({ min: 1, max: 1000 }),
            fc.dictionary(name, list, { minKeys: 1, maxKeys: 3, noNullPrototype: true }),
          ),
        }),
      ).map((more) => ({ ...plain, ...more })),
    );

  test('comes out of it as it went in, whatever it says', () => {
    fc.assert(
      fc.property(file, (draft) => {
        const whole = jobFileSchema.parse(draft);
        const { fields, missing } = jobFieldsOf(whole);
        expect(missing).toEqual([]);
        expect(jobFileSchema.parse(buildJobFile(fields))).toEqual(whole);
      }),
      { numRuns: 500 },
    );
  });

  test('with what the form has no field for is named instead of changed', () => {
    const missing = (more: object) =>
      jobFieldsOf(jobFileSchema.parse({ work: { type: 'docker', image: 'a', env: {} }, bounty: '1', ...more })).missing;
    expect(missing({})).toEqual([]);
    expect(missing({ outputs: { maxFiles: 3 } })).toEqual(['outputs']);
    expect(missing({ arbiter: `0x${'ab'.repeat(20)}` })).toEqual(['arbiter']);
    expect(missing({ verification: { tier: 'redundancy', copies: 5, agree: 3 } })).toEqual(['verification']);
    expect(missing({ verification: { tier: 'redundancy' } })).toEqual([]);
    expect(missing({ secrets: { KEY: 'two\nlines' } })).toEqual(['secrets']);
    const kernel = { type: 'kernel', model: 'pca', params: { components: 2 } };
    const table = [{ path: 'data.csv', sample: 'pca' }];
    expect(missing({ work: kernel, inputs: table })).toEqual([]);
    expect(missing({ work: { ...kernel, params: { components: 2, scale: true } }, inputs: table })).toEqual(['work']);
  });
});
