import { toAppError } from '../../../src/shared/errors.ts';
import { jobFileSchema, type JobFile, type JobFileInput } from '../../../src/shared/job-spec.ts';
import { GIB } from '../../../src/shared/units.ts';
import { joinCommand } from '../../view/command-line.ts';
import { buildJobFile, EMPTY_JOB, type DraftInput, type JobFields } from './job-draft.ts';

/**
 * A job file as the form's fields. `missing` names the parts of it that the form has no field for (`outputs`, `arbiter`, …):
 * built from these fields, they would not come out as they stand in the file.
 */
export function jobFieldsOf(file: JobFile): { fields: JobFields; missing: string[] } {
  const { work, resources, timeouts, verification, array } = file;
  const fields: JobFields = {
    ...EMPTY_JOB,
    name: file.name,
    ...workFields(work),
    secrets: lines(file.secrets),
    inputs: isOwnSample(file) ? [] : file.inputs.map((input, index) => draftInput(input, `file-${index}`)),
    gpuCount: String(resources.gpuCount),
    gpuMemoryGb: String(resources.gpuMemoryGb),
    gpuType: resources.gpuType ?? '',
    gpuModel: resources.gpuModel ?? '',
    cpus: String(resources.cpus),
    memoryGib: String(resources.memoryBytes / GIB),
    diskGib: String(resources.diskBytes / GIB),
    bounty: file.bounty,
    token: file.token,
    runMinutes: minutes(timeouts.runSeconds),
    queueMinutes: minutes(timeouts.queueSeconds),
    totalMinutes: timeouts.totalSeconds === undefined ? '' : minutes(timeouts.totalSeconds),
    retries: String(file.retries),
    priority: String(file.priority),
    array: typeof array === 'number' ? String(array) : '',
    matrix: typeof array === 'object' ? matrixText(array) : '',
    check: verification.tier,
    review: file.review,
    open: file.assignment === 'open',
    internet: file.network === 'internet',
  };
  return { fields, missing: missingIn(fields, file) };
}

function workFields(work: JobFile['work']): Partial<JobFields> {
  switch (work.type) {
    case 'docker':
      return { kind: 'docker', image: work.image, command: joinCommand(work.command ?? []), env: lines(work.env) };
    case 'wasm':
      return { kind: 'wasm', module: work.module, args: joinCommand(work.args), env: lines(work.env) };
    case 'kernel': {
      const parts = work.params[work.model === 'pca' ? 'components' : 'k'];
      return {
        kind: work.model,
        ...(typeof work.target === 'string' ? { target: work.target } : {}),
        ...(typeof parts === 'number' ? { parts: String(parts) } : {}),
      };
    }
  }
}

/** Without any input the form itself means the kernel's sample. */
const isOwnSample = ({ work, inputs: [input, ...others] }: JobFile): boolean =>
  work.type === 'kernel' &&
  others.length === 0 &&
  input !== undefined &&
  'sample' in input &&
  input.sample === work.model;

function draftInput(input: JobFileInput, key: string): DraftInput {
  const { path } = input;
  if ('url' in input) return { from: 'url', key, path, url: input.url, sha256: input.sha256 };
  if ('ipfs' in input) return { from: 'ipfs', key, path, cid: input.ipfs };
  return { from: 'file', key, path, input };
}

const lines = (values: Readonly<Record<string, string>>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n');

const matrixText = (lists: Readonly<Record<string, readonly string[]>>): string =>
  Object.entries(lists)
    .map(([name, values]) => `${name}=${joinCommand(values)}`)
    .join('\n');

/** Four decimals tell every second apart. */
const minutes = (seconds: number): string => Number((seconds / 60).toFixed(4)).toString();

function missingIn(fields: JobFields, file: JobFile): string[] {
  let built: JobFile;
  try {
    built = jobFileSchema.parse(buildJobFile(fields));
  } catch (thrown) {
    // A value of several lines, for instance.
    return [toAppError(thrown).field ?? 'work'];
  }
  const keys = Object.keys(file) as (keyof JobFile)[];
  return keys.filter((key) => JSON.stringify(built[key]) !== JSON.stringify(file[key]));
}
