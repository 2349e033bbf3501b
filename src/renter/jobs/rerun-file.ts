import { AppError } from '../../shared/errors.ts';
import { jobFileSchema, jobSpecSchema, type JobFile, type JobFileInput } from '../../shared/job-spec.ts';
import type { JobTask } from '../../store/ledger.ts';

/**
 * The job file of one task as it was posted, array values and addresses of inputs filled in.
 * @throws AppError bad-input where its secrets are not kept any more
 */
export function rerunFile(task: JobTask): JobFile {
  const spec = jobSpecSchema.parse(JSON.parse(task.specText));
  const { array: _array, inputs: _inputs, ...rest } = jobFileSchema.parse(task.file);
  const secrets = task.secrets ?? {};
  if (spec.secrets.some((name) => secrets[name] === undefined)) {
    throw new AppError('bad-input', `The secret ${spec.secrets[0]} is not kept after a job has ended.`, {
      field: 'secrets',
      next: 'Submit the job again with its secrets.',
    });
  }
  const { work } = spec;
  const inputs = spec.inputs.map((input): JobFileInput => {
    if (input.from === 'url') return { path: input.path, url: input.url, sha256: input.sha256 };
    return input.from === 'ipfs' ? { path: input.path, ipfs: input.cid } : { path: input.path, content: input.cid };
  });
  return {
    ...rest,
    secrets,
    work: work.type === 'kernel' ? work : { ...work, env: { ...work.env, ...spec.task?.values } },
    inputs,
  };
}
