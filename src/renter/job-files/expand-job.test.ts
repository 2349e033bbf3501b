import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AppError } from '../../shared/errors.ts';
import { jobFileSchema, jobSpecSchema, MAX_SPEC_BYTES } from '../../shared/job-spec.ts';
import type { JobFile, JobInput } from '../../shared/job-spec.ts';
import { expandJob } from './expand-job.ts';
import { specText } from './spec-text.ts';

const docker = (more: object = {}): JobFile =>
  jobFileSchema.parse({ work: { type: 'docker', image: 'busybox:1.36', env: { A: '1' } }, bounty: '1', ...more });

const thrown = (act: () => unknown): AppError => {
  try {
    act();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('did not throw');
};

const INPUT: JobInput = {
  from: 'ipfs',
  path: 'data',
  cid: 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi',
};

test('one job is one task; secrets leave only their names, the image its digest', () => {
  const image = `busybox@sha256:${'a'.repeat(64)}`;
  const [spec, ...more] = expandJob(docker({ secrets: { TOKEN: 'hidden' } }), { inputs: [INPUT], image });
  expect(more).toEqual([]);
  expect(spec).toMatchObject({ secrets: ['TOKEN'], inputs: [INPUT], work: { image } });
  expect(spec?.task).toBeUndefined();
  expect(JSON.stringify(spec)).not.toContain('hidden');
});

test('a number makes so many tasks that differ in their index', () => {
  const specs = expandJob(docker({ array: 100 }), { inputs: [] });
  expect(specs.map(({ task }) => task?.index)).toEqual(Array.from({ length: 100 }, (_, index) => index));
  expect(new Set(specs.map(specText)).size).toBe(100);
});

test('a matrix makes every combination once, the last name changing fastest', () => {
  const specs = expandJob(docker({ array: { SEED: ['1', '2'], RATE: ['0.1', '0.2', '0.3'] } }), { inputs: [] });
  expect(specs.map(({ task }) => Object.values(task?.values ?? {}).join(' '))).toEqual([
    '1 0.1',
    '1 0.2',
    '1 0.3',
    '2 0.1',
    '2 0.2',
    '2 0.3',
  ]);
  expect(specs[4]?.task).toEqual({ index: 4, of: 6, values: { SEED: '2', RATE: '0.2' } });
});

test('for a kernel the values are parameters', () => {
  const file = jobFileSchema.parse({
    work: { type: 'kernel', model: 'k_means' },
    bounty: '1',
    array: { k: ['2', '3'] },
  });
  expect(expandJob(file, { inputs: [] }).map(({ work }) => work)).toMatchObject([
    { params: { k: 2 } },
    { params: { k: 3 } },
  ]);
});

test.each([
  [{ array: {} }, 'array'],
  [{ array: { A: ['2'] } }, 'array.A'],
  [{ array: { S: ['2'] }, secrets: { S: 'x' } }, 'array.S'],
  [{ array: { 'not a name': ['2'] } }, 'array.not a name'],
  [{ array: { NVIDIA_X: ['2'] } }, 'array.NVIDIA_X'],
  [{ secrets: { A: 'x' } }, 'secrets.A'],
])('%j is refused', (more, field) => {
  expect(thrown(() => expandJob(docker(more), { inputs: [] }))).toMatchObject({ code: 'bad-input', field });
});

test('too many combinations are refused before they are made', () => {
  const list = Array.from({ length: 1000 }, (_, n) => String(n));
  const error = thrown(() => expandJob(docker({ array: { X: list, Y: list, Z: list } }), { inputs: [] }));
  expect(error.message).toBe('array stands for more than 1000 tasks (1000 × 1000 × 1000).');
});

test('inputs that clash are refused', () => {
  for (const path of [INPUT.path, INPUT.path.toUpperCase()]) {
    const clash = { ...INPUT, path };
    expect(thrown(() => expandJob(docker(), { inputs: [INPUT, clash] }))).toMatchObject({ field: 'inputs' });
  }
});

test('a spec that is too long names what makes it so', () => {
  const [spec] = expandJob(docker({ work: { type: 'docker', image: 'x', env: { LONG: 'ü'.repeat(5000) } } }), {
    inputs: [],
  });
  if (!spec) throw new Error('no task');
  const error = thrown(() => specText(spec));
  expect(error).toMatchObject({ code: 'bad-input', field: 'work.env' });
  expect(error.message).toContain('work.env (10011 bytes)');
});

test('what is posted is read back as the same spec and never exceeds the limit', () => {
  const text = fc.string({ unit: 'binary', maxLength: 3000 });
  fc.assert(
    fc.property(
      fc.dictionary(fc.stringMatching(/^[A-Z]{1,8}$/), text, { maxKeys: 5 }),
      fc.array(text, { maxLength: 4 }),
      (env, command) => {
        const work = { type: 'docker', image: 'x', env, ...(command.length > 0 ? { command } : {}) };
        const [spec] = expandJob(docker({ work }), { inputs: [INPUT] });
        if (!spec) throw new Error('no task');
        try {
          const posted = specText(spec);
          expect(Buffer.byteLength(posted)).toBeLessThanOrEqual(MAX_SPEC_BYTES);
          expect(jobSpecSchema.parse(JSON.parse(posted))).toEqual(spec);
        } catch (error) {
          if (!(error instanceof AppError)) throw error;
        }
      },
    ),
    { numRuns: 200 },
  );
});
