import { isBytes32, type Bytes32 } from '../shared/ids.ts';
import type { JobSpec } from '../shared/job-spec.ts';
import { envSchema } from '../shared/rental.ts';

const PIN = 'run:';

/** Under which name a run keeps content from being evicted. */
export const pinOf = (dealId: Bytes32): string => `${PIN}${dealId}`;

/** Whose pin it is; null for one that no run has set. */
export function dealOfPin(pin: string): Bytes32 | null {
  const dealId = pin.slice(PIN.length);
  return pin.startsWith(PIN) && isBytes32(dealId) ? dealId : null;
}

/** Every variable the work sees: public ones, the task's own values, its place in the array, secrets. Later ones win. */
export function runEnv(spec: JobSpec, secrets: Readonly<Record<string, string>>): Record<string, string> {
  const { work, task } = spec;
  return {
    ...(work.type === 'kernel' ? {} : work.env),
    ...(task ? { COMMONWATT_TASK_INDEX: `${task.index}`, COMMONWATT_TASK_COUNT: `${task.of}`, ...task.values } : {}),
    ...Object.fromEntries(spec.secrets.map((name) => [name, secrets[name] ?? ''])),
  };
}

/** What makes a spec that parses impossible to run anywhere, in words; null when it can be run. */
export function impossible(spec: JobSpec): string | null {
  const env = envSchema.safeParse(runEnv(spec, {}));
  if (!env.success) return `The variables of this job cannot be set: ${env.error.issues[0]?.message ?? 'wrong name'}.`;
  if (spec.network !== 'none' && spec.work.type !== 'docker') return 'Modules and built-in kernels reach no network.';
  const paths = spec.inputs.map((input) => input.path).toSorted();
  for (const [at, path] of paths.entries()) {
    // `a` would have to be a file and a folder.
    if (paths.slice(at + 1).some((other) => other.startsWith(`${path}/`)))
      return `The input ${path} is in the way of another.`;
  }
  if (spec.renterPeer === undefined && spec.inputs.some(({ from }) => from === 'renter')) {
    return 'The job names inputs of the renter, but not where its host is.';
  }
  return null;
}
