import type { ApiInputs } from '../../../src/api/contract.ts';
import { AppError } from '../../../src/shared/errors.ts';
import { jobFileSchema, type JobFile, type JobModel } from '../../../src/shared/job-spec.ts';
import { GIB } from '../../../src/shared/units.ts';
import { parseEnvironment, splitCommand } from '../../view/command-line.ts';

export type JobFileDraft = ApiInputs['jobs']['submit']['file'];

/** The job form as typed. */
export interface JobFields {
  name: string;
  kind: 'docker' | 'wasm' | JobModel;
  image: string;
  command: string;
  module: string;
  args: string;
  /** Kernels: the column that is predicted; the last one where it is empty. */
  target: string;
  /** Kernels: number of clusters or components. */
  parts: string;
  env: string;
  secrets: string;
  inputs: DraftInput[];
  gpuCount: string;
  gpuMemoryGb: string;
  gpuModel: string;
  memoryGib: string;
  bounty: string;
  token: string;
  runMinutes: string;
  array: string;
  check: 'accept' | 'redundancy' | 'certificate';
  /** Which results are not paid before their owner said so; copies are paid by agreement. */
  review: JobFile['review'];
  open: boolean;
  internet: boolean;
}

/** `key` tells lines of the form apart. */
export type DraftInput =
  | { from: 'content'; key: string; path: string; cid: string; bytes: number }
  | { from: 'url'; key: string; path: string; url: string; sha256: string }
  | { from: 'ipfs'; key: string; path: string; cid: string };

export const EMPTY_JOB: JobFields = {
  name: '',
  kind: 'docker',
  image: '',
  command: '',
  module: '',
  args: '',
  target: '',
  parts: '3',
  env: '',
  secrets: '',
  inputs: [],
  gpuCount: '0',
  gpuMemoryGb: '0',
  gpuModel: '',
  memoryGib: '1',
  bounty: '5',
  token: 'WATT',
  runMinutes: '60',
  array: '',
  check: 'accept',
  review: 'failures',
  open: false,
  internet: false,
};

export const isKernel = (kind: JobFields['kind']): kind is JobModel => kind !== 'docker' && kind !== 'wasm';

/**
 * The job file that the form stands for.
 * @throws AppError `bad-input` with the field of the form that is wrong
 */
export function buildJobFile(fields: JobFields): JobFileDraft {
  const { kind, check } = fields;
  const sample = isKernel(kind) && fields.inputs.length === 0;
  const draft = {
    name: fields.name.trim(),
    work: workOf(fields),
    inputs: sample
      ? [{ path: 'data.csv', sample: kind }]
      : fields.inputs.map((input) => {
          switch (input.from) {
            case 'content':
              return { path: input.path, content: input.cid };
            case 'url':
              return { path: input.path, url: input.url.trim(), sha256: input.sha256.trim().toLowerCase() };
            case 'ipfs':
              return { path: input.path, ipfs: input.cid.trim() };
          }
        }),
    secrets: secretsOf(fields.secrets),
    resources: {
      gpuCount: whole(fields.gpuCount, 'gpuCount', 'Cards', 255),
      gpuMemoryGb: whole(fields.gpuMemoryGb, 'gpuMemoryGb', 'Memory of each card', 65_535),
      memoryBytes: Math.round(positive(fields.memoryGib, 'memoryGib', 'Main memory') * GIB),
      ...(fields.gpuModel.trim() === '' ? {} : { gpuModel: fields.gpuModel.trim() }),
    },
    network: fields.internet ? ('internet' as const) : ('none' as const),
    timeouts: { runSeconds: Math.round(positive(fields.runMinutes, 'runMinutes', 'Longest run') * 60) },
    bounty: fields.bounty.trim(),
    token: fields.token,
    verification: { tier: isKernel(kind) ? check : check === 'certificate' ? ('accept' as const) : check },
    ...(check === 'redundancy' ? {} : { review: fields.review }),
    assignment: fields.open ? ('open' as const) : ('mine' as const),
    ...(fields.array.trim() === '' ? {} : { array: whole(fields.array, 'array', 'Tasks', 1000) }),
  };
  const parsed = jobFileSchema.safeParse(draft);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = FORM_FIELDS[String(issue?.path.at(-1))] ?? FORM_FIELDS[String(issue?.path[0])] ?? 'name';
  throw new AppError('bad-input', `${FIELD_NAMES[field] ?? field} ${issue?.message ?? 'is not right'}.`, { field });
}

/** Names of the schema -> fields of the form, where they differ. */
const FORM_FIELDS: Readonly<Record<string, keyof JobFields>> = {
  image: 'image',
  module: 'module',
  bounty: 'bounty',
  env: 'env',
  secrets: 'secrets',
  inputs: 'inputs',
  array: 'array',
  runSeconds: 'runMinutes',
  memoryBytes: 'memoryGib',
  gpuCount: 'gpuCount',
  gpuMemoryGb: 'gpuMemoryGb',
  gpuModel: 'gpuModel',
  verification: 'check',
};
const FIELD_NAMES: Readonly<Record<string, string>> = {
  image: 'Image',
  module: 'Module',
  bounty: 'Bounty',
  env: 'A variable',
  secrets: 'A secret',
  inputs: 'An input',
  array: 'Tasks',
  runMinutes: 'Longest run',
  memoryGib: 'Main memory',
  name: 'The job',
};

function workOf(fields: JobFields): JobFileDraft['work'] {
  const { kind } = fields;
  if (kind === 'docker') {
    if (fields.image.trim() === '') {
      throw new AppError('bad-input', 'Name the image to run, such as busybox:1.36.', { field: 'image' });
    }
    const command = splitCommand(fields.command);
    return {
      type: 'docker',
      image: fields.image.trim(),
      env: parseEnvironment(fields.env),
      ...(command.length === 0 ? {} : { command }),
    };
  }
  if (kind === 'wasm') {
    if (fields.module.trim() === '') {
      throw new AppError('bad-input', 'Say which module: its content id.', { field: 'module' });
    }
    return {
      type: 'wasm',
      module: fields.module.trim(),
      args: splitCommand(fields.args),
      env: parseEnvironment(fields.env),
    };
  }
  const table = fields.inputs[0]?.path;
  const target = fields.target.trim();
  return {
    type: 'kernel',
    model: kind,
    params: paramsOf(fields, kind),
    ...(table === undefined ? {} : { table }),
    ...(kind === 'linear_regression' && target !== '' ? { target } : {}),
  };
}

function secretsOf(text: string): Record<string, string> {
  try {
    return parseEnvironment(text);
  } catch {
    throw new AppError('bad-input', 'Write secrets as NAME=value, one per line.', { field: 'secrets' });
  }
}

function paramsOf(fields: JobFields, kind: JobModel): Record<string, number> {
  if (kind === 'linear_regression') return {};
  const parts = whole(fields.parts, 'parts', kind === 'pca' ? 'Components' : 'Clusters', 1000);
  return kind === 'pca' ? { components: parts } : { k: parts };
}

function whole(text: string, field: keyof JobFields, name: string, max: number): number {
  const value = /^\d{1,6}$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (!(value <= max)) throw new AppError('bad-input', `${name} must be a whole number up to ${max}.`, { field });
  return value;
}

function positive(text: string, field: keyof JobFields, name: string): number {
  const value = /^\d{1,6}(\.\d{1,2})?$/.test(text.trim()) ? Number(text) : 0;
  if (value <= 0) throw new AppError('bad-input', `${name} must be a number above 0.`, { field });
  return value;
}
