import type { ApiInputs } from '../../../src/api/contract.ts';
import { AppError } from '../../../src/shared/errors.ts';
import {
  jobFileSchema,
  MAX_TASKS,
  type JobFile,
  type JobFileInput,
  type JobModel,
} from '../../../src/shared/job-spec.ts';
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
  /** Who made the card, as offers name it; any where it is empty. */
  gpuType: string;
  gpuModel: string;
  cpus: string;
  memoryGib: string;
  diskGib: string;
  bounty: string;
  token: string;
  runMinutes: string;
  queueMinutes: string;
  /** Empty: the wait and the run. */
  totalMinutes: string;
  retries: string;
  priority: string;
  /** A number of tasks alike. */
  array: string;
  /** `NAME=value value …` on each line: a task for each combination. */
  matrix: string;
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
  | { from: 'ipfs'; key: string; path: string; cid: string }
  /** As a job file named it, of a sort that only a file can name. */
  | { from: 'file'; key: string; path: string; input: JobFileInput };

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
  gpuType: '',
  gpuModel: '',
  cpus: '1',
  memoryGib: '1',
  diskGib: '4',
  bounty: '5',
  token: 'WATT',
  runMinutes: '60',
  queueMinutes: '60',
  totalMinutes: '',
  retries: '2',
  priority: '50',
  array: '',
  matrix: '',
  check: 'accept',
  review: 'failures',
  open: false,
  internet: false,
};

/** Most GiB and minutes that a form takes; what is too much for any offer is said by the estimate. */
const MOST_GIB = 8_000_000;
const MOST_MINUTES = 30 * 24 * 60;
const LEAST_MINUTES = 1 / 60;
const LEAST_GIB = 1 / 16;

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
            case 'file':
              return input.input;
          }
        }),
    secrets: secretsOf(fields.secrets),
    resources: {
      gpuCount: whole(fields.gpuCount, 'gpuCount', 'Cards', 255),
      gpuMemoryGb: whole(fields.gpuMemoryGb, 'gpuMemoryGb', 'Memory of each card', 65_535),
      cpus: number(fields.cpus, 'cpus', 'Processor', [0.1, 256, 'cores']),
      memoryBytes: Math.round(number(fields.memoryGib, 'memoryGib', 'Main memory', [LEAST_GIB, MOST_GIB, 'GiB']) * GIB),
      diskBytes: Math.round(number(fields.diskGib, 'diskGib', 'Disk', [LEAST_GIB, MOST_GIB, 'GiB']) * GIB),
      ...(fields.gpuType.trim() === '' ? {} : { gpuType: fields.gpuType.trim() }),
      ...(fields.gpuModel.trim() === '' ? {} : { gpuModel: fields.gpuModel.trim() }),
    },
    network: fields.internet ? ('internet' as const) : ('none' as const),
    timeouts: {
      queueSeconds: seconds(fields.queueMinutes, 'queueMinutes', 'Longest wait'),
      runSeconds: seconds(fields.runMinutes, 'runMinutes', 'Longest run'),
      ...(fields.totalMinutes.trim() === ''
        ? {}
        : { totalSeconds: seconds(fields.totalMinutes, 'totalMinutes', 'All together') }),
    },
    bounty: fields.bounty.trim(),
    token: fields.token,
    verification: { tier: isKernel(kind) ? check : check === 'certificate' ? ('accept' as const) : check },
    ...(check === 'redundancy' ? {} : { review: fields.review }),
    assignment: fields.open ? ('open' as const) : ('mine' as const),
    retries: whole(fields.retries, 'retries', 'New attempts', 10),
    priority: whole(fields.priority, 'priority', 'Priority', 100),
    ...arrayOf(fields),
  };
  const parsed = jobFileSchema.safeParse(draft);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const named = FORM_FIELDS[String(issue?.path.at(-1))] ?? FORM_FIELDS[String(issue?.path[0])] ?? 'name';
  const field = named === 'array' && fields.matrix.trim() !== '' ? 'matrix' : named;
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
  queueSeconds: 'queueMinutes',
  totalSeconds: 'totalMinutes',
  retries: 'retries',
  priority: 'priority',
  cpus: 'cpus',
  memoryBytes: 'memoryGib',
  diskBytes: 'diskGib',
  gpuType: 'gpuType',
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
  matrix: 'A list of values',
  gpuType: 'Maker',
  gpuModel: 'Model',
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

/** The tasks, alike by number or each with values of its own. */
function arrayOf({ array, matrix }: JobFields): Pick<JobFileDraft, 'array'> {
  const wrong = (message: string) => new AppError('bad-input', message, { field: 'matrix' });
  if (matrix.trim() === '') return array.trim() === '' ? {} : { array: whole(array, 'array', 'Tasks', MAX_TASKS, 1) };
  if (array.trim() !== '') throw wrong('Write a number of tasks or lists of values, not both.');
  const lists = new Map<string, string[]>();
  let tasks = 1;
  for (const [index, line] of matrix.split('\n').entries()) {
    if (line.trim() === '') continue;
    const at = line.indexOf('=');
    const name = line.slice(0, Math.max(at, 0)).trim();
    const values = wordsOf(line.slice(at + 1));
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,39}$/.test(name) || values === null || values.length === 0) {
      throw wrong(`Line ${index + 1} of the lists is not NAME=value value …, such as SEED=1 2 3.`);
    }
    if (lists.has(name)) throw wrong(`${name} has two lists; write all its values on one line.`);
    lists.set(name, values);
    tasks *= values.length;
  }
  if (tasks > MAX_TASKS)
    throw wrong(`These lists stand for ${tasks.toLocaleString('en')} tasks; ${MAX_TASKS} is the most.`);
  return { array: Object.fromEntries(lists) };
}

/** Null where a quote is not closed. */
function wordsOf(text: string): string[] | null {
  try {
    return splitCommand(text);
  } catch {
    return null;
  }
}

function whole(text: string, field: keyof JobFields, name: string, max: number, min = 0): number {
  const value = /^\d{1,6}$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new AppError('bad-input', `${name} must be a whole number from ${min} to ${max}.`, { field });
}

function number(
  text: string,
  field: keyof JobFields,
  name: string,
  [min, max, unit]: readonly [number, number, string],
): number {
  const value = /^\d{1,7}(\.\d{1,20})?$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  const from = Number(min.toFixed(4)).toString();
  throw new AppError('bad-input', `${name} must be a number from ${from} to ${max} ${unit}.`, { field });
}

/** From minutes, to whole seconds. */
function seconds(text: string, field: keyof JobFields, name: string): number {
  const value = Math.round(number(text, field, name, [LEAST_MINUTES - 0.001, MOST_MINUTES, 'minutes']) * 60);
  return Math.max(1, value);
}
