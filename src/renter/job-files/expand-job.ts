import { AppError } from '../../shared/errors.ts';
import { jobSpecSchema, MAX_TASKS } from '../../shared/job-spec.ts';
import type { JobFile, JobInput, JobSpec, Work } from '../../shared/job-spec.ts';
import { badField } from './plain-issues.ts';

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,39}$/;
const REFUSED = /^(NVIDIA_|LD_|COMMONWATT_)|^__proto__$/;

type Values = Record<string, string>;

const wrong = (field: string, message: string, next: string): AppError =>
  new AppError('bad-input', `${field} ${message}`, { field, next });

/** One set of values for each task: every combination, the last name changing fastest. */
function combinations(file: JobFile): Values[] {
  const { array } = file;
  if (array === undefined) return [{}];
  if (typeof array === 'number') return Array.from({ length: array }, () => ({}));
  const axes = Object.entries(array);
  if (axes.length === 0) throw wrong('array', 'names no values.', 'Write a number, or names with lists of values.');
  const taken = new Set([
    ...(file.work.type === 'kernel' ? [] : Object.keys(file.work.env)),
    ...Object.keys(file.secrets),
  ]);
  let tasks = 1;
  for (const [name, values] of axes) {
    const field = `array.${name}`;
    if (!VARIABLE.test(name) || REFUSED.test(name)) {
      throw wrong(
        field,
        'cannot be the name of a variable.',
        'Use letters, digits and _, but not NVIDIA_, LD_ or COMMONWATT_ in front.',
      );
    }
    if (taken.has(name))
      throw wrong(field, 'is a variable of the job already.', 'Leave it out in one of the two places.');
    tasks *= values.length;
    if (tasks > MAX_TASKS) {
      const factors = axes.map(([, list]) => list.length).join(' × ');
      throw wrong('array', `stands for more than ${MAX_TASKS} tasks (${factors}).`, 'Split it into several jobs.');
    }
  }
  return axes.reduce<Values[]>(
    (sets, [name, values]) => sets.flatMap((set) => values.map((value) => ({ ...set, [name]: value }))),
    [{}],
  );
}

const NUMBER = /^-?\d{1,15}(\.\d{1,15})?(e[+-]?\d{1,3})?$/i;

/** A kernel reads no variables: there the values are its parameters. */
function workOf(work: Work, values: Values): Work {
  if (work.type !== 'kernel' || Object.keys(values).length === 0) return work;
  const params = { ...work.params };
  for (const [name, text] of Object.entries(values)) {
    params[name] = text === 'true' || text === 'false' ? text === 'true' : NUMBER.test(text) ? Number(text) : text;
  }
  return { ...work, params };
}

export interface ExpandWith {
  /** The file's inputs as everybody may know them, each with its content id or checksum. */
  inputs: readonly JobInput[];
  /** The image by digest, where the file names it by a tag. */
  image?: string;
  /** Peer key of this host, which serves uploads and takes results. */
  renterPeer?: string;
}

/**
 * The tasks that a job file stands for, as they are posted: one, or one for each number or combination of its array. A
 * task's values are in `task.values`; whoever runs it makes them variables.
 * @throws AppError bad-input naming the field
 */
export function expandJob(file: JobFile, { inputs, image, renterPeer }: ExpandWith): JobSpec[] {
  const sets = combinations(file);
  const { name, secrets, resources, network, timeouts, outputs, verification } = file;
  const work = image !== undefined && file.work.type === 'docker' ? { ...file.work, image } : file.work;
  const both =
    work.type === 'kernel' ? undefined : Object.keys(secrets).find((secret) => Object.hasOwn(work.env, secret));
  if (both !== undefined) {
    throw wrong(`secrets.${both}`, 'is a public variable of the job too.', 'Leave it out of work.env.');
  }
  return sets.map((values, index) => {
    const parsed = jobSpecSchema.safeParse({
      version: 1,
      name,
      work: workOf(work, values),
      secrets: Object.keys(secrets),
      resources,
      network,
      timeouts,
      outputs,
      verification,
      inputs,
      ...(file.array === undefined ? {} : { task: { index, of: sets.length, values } }),
      ...(renterPeer === undefined ? {} : { renterPeer }),
    });
    if (!parsed.success) throw badField(parsed.error, () => null);
    return parsed.data;
  });
}
