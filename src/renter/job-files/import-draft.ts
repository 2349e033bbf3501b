import { jobFileSchema, jobPathSchema } from '../../shared/job-spec.ts';
import type { JobFile, JobFileInput } from '../../shared/job-spec.ts';
import { GIB, MIB } from '../../shared/units.ts';
import { badPart } from './import-fields.ts';
import { addNotice, shown } from './notices.ts';
import type { Notice } from './notices.ts';
import { badField } from './plain-issues.ts';

/** Where a job finds what it was given and leaves what it made. Nothing else of its disk is kept. */
const JOB_IN = '/job/in';
export const JOB_OUT = '/job/out';
/** As src/runtime/job-options.ts mounts it. */
export const TMP_SIZE = "Its size is half of the job's memory (resources.memoryBytes) and counts as part of it.";

/** A job as read, complete except that the foreign formats have no bounty. */
export type ReadFile = Omit<JobFile, 'bounty'> & { bounty?: string | undefined };
const readFileSchema = jobFileSchema.partial({ bounty: true });

/** A job while an importer puts it together. */
export interface Draft {
  notices: Notice[];
  name: string;
  image: string | null;
  /** null: the image's own. */
  entrypoint: string[] | null;
  args: string[];
  workdir: { path: string; where: string } | null;
  env: Map<string, string>;
  secrets: Map<string, string>;
  inputs: JobFileInput[];
  /** Folders of the container that stand elsewhere in a job; the command and variables are rewritten. */
  moves: { from: string; to: string }[];
  gpuType: string | null;
  gpuModel: string | null;
  gpuCount: number;
  gpuMemoryGb: number;
  cpus: number | null;
  memoryBytes: number | null;
  diskBytes: number | null;
  network: 'none' | 'internet';
  runSeconds: number | null;
  queueSeconds: number | null;
  totalSeconds: number | null;
  priority: number | null;
  tasks: number;
}

export const newDraft = (): Draft => ({
  notices: [],
  name: '',
  image: null,
  entrypoint: null,
  args: [],
  workdir: null,
  env: new Map(),
  secrets: new Map(),
  inputs: [],
  moves: [],
  gpuType: null,
  gpuModel: null,
  gpuCount: 0,
  gpuMemoryGb: 0,
  cpus: null,
  memoryBytes: null,
  diskBytes: null,
  network: 'internet',
  runSeconds: null,
  queueSeconds: null,
  totalSeconds: null,
  priority: null,
  tasks: 1,
});

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
const STEERING = /^(NVIDIA_|LD_PRELOAD$|LD_LIBRARY_PATH$|LD_AUDIT$)/;
const CONFIDENTIAL = /TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|(API|ACCESS|PRIVATE|AUTH)_?KEY|_PAT$/i;

/** Takes over a variable. Values that look confidential become secrets: everything else of a job is public on the chain. */
export function setVariable(draft: Draft, name: string, value: string, where: string): void {
  if (!VARIABLE.test(name) || name === '__proto__') {
    addNotice(
      draft.notices,
      'refused',
      where,
      `${shown(name, 40)} cannot be a variable's name: use letters, digits and _.`,
    );
  } else if (STEERING.test(name)) {
    addNotice(
      draft.notices,
      'ignored',
      where,
      `${name} is left out: cards and libraries are handed over by the provider's host.`,
    );
  } else if (CONFIDENTIAL.test(name) && value !== '') {
    draft.secrets.set(name, value);
    addNotice(
      draft.notices,
      'changed',
      where,
      `${name} looks confidential and became a secret: only the chosen provider gets it, over the direct line. Everything else of a job is public.`,
    );
  } else draft.env.set(name, value);
}

/** `NAME=value`; without a value it would come from the person's own shell. */
export function setAssignment(draft: Draft, assignment: string, where: string): void {
  const cut = assignment.indexOf('=');
  if (cut > 0) {
    setVariable(draft, assignment.slice(0, cut), assignment.slice(cut + 1), where);
    return;
  }
  addNotice(
    draft.notices,
    'refused',
    where,
    `${shown(assignment, 40)} has no value here, it would come from your own shell. Add it under env, or under secrets where it is confidential.`,
  );
}

/** Where the container expects a folder -> path below `in/`; null where a job cannot have it there. */
export function inputPath(target: string): string | null {
  const below = target.startsWith(`${JOB_IN}/`) ? target.slice(JOB_IN.length) : target;
  const path = below.replace(/^\/+/, '').replace(/\/+$/, '');
  return jobPathSchema.safeParse(path).success ? path : null;
}

/** Puts an input where a job can read it and notes that it moved. `make` says where its content comes from. */
export function addInput(draft: Draft, target: string, where: string, make: (path: string) => JobFileInput): void {
  const path = inputPath(target);
  if (path === null) {
    addNotice(draft.notices, 'refused', where, `Nothing can be put at ${shown(target)}: name a folder such as /data.`);
    return;
  }
  if (draft.inputs.some((input) => input.path === path)) throw badPart(where, `names ${shown(target)} a second time.`);
  draft.inputs.push(make(path));
  const to = `${JOB_IN}/${path}`;
  move(draft, target, to);
  addNotice(
    draft.notices,
    'changed',
    where,
    `It is an input now and is read at ${to}, read-only. Where the command or a variable names it, that was changed to match.`,
  );
}

/** A folder of results: what stands in out/ at the end comes back. */
export function addOutput(draft: Draft, folder: string, to: string, where: string): void {
  move(draft, folder, to);
  addNotice(
    draft.notices,
    'changed',
    where,
    `Results are what the job leaves in ${JOB_OUT}: ${shown(folder)} became ${to}, also in the command and variables.${to === JOB_OUT ? '' : ' The command has to make that folder.'}`,
  );
}

function move(draft: Draft, from: string, to: string): void {
  const folder = from.replace(/\/+$/, '');
  if (folder.startsWith('/') && folder !== to) draft.moves.push({ from: folder, to });
}

/** A bind mount of a container. Read-only ones are uploaded; others would need the person's own disk at the provider. */
export function addMount(
  draft: Draft,
  mount: { source: string; target: string; readOnly: boolean },
  where: string,
): void {
  const { source, target, readOnly } = mount;
  if (!/^(\.|\/|~|\$|[A-Za-z]:[\\/])/.test(source)) {
    addNotice(
      draft.notices,
      'refused',
      where,
      `The volume ${shown(source, 40)} exists on your computer only. Write to /tmp what is needed for a while and to ${JOB_OUT} what should come back.`,
    );
    return;
  }
  if (!readOnly) {
    addNotice(
      draft.notices,
      'refused',
      where,
      `A job cannot write to folders of your computer. Add :ro to have ${shown(source, 40)} uploaded as an input, and write results to ${JOB_OUT}.`,
    );
    return;
  }
  const here = source.replace(/^(\$PWD|\$\{PWD\}|\$\(pwd\))(?=\/|$)/, '.');
  if (/[$`]|^~/.test(here)) {
    addNotice(
      draft.notices,
      'refused',
      where,
      `${shown(source, 40)} is filled in by your shell, which does not read this. Write the whole path.`,
    );
    return;
  }
  addInput(draft, target, where, (path) => ({ path, upload: here }));
}

const PATH_CHARACTER = /[\w.\-/~$}]/;
const NAME_CHARACTER = /[\w.-]/;

/** Replaces a folder where it stands as a path of its own or at the beginning of one: /data, not /mnt/data or /database. */
function movePath(text: string, { from, to }: { from: string; to: string }): string {
  let moved = '';
  let start = 0;
  for (;;) {
    const found = text.indexOf(from, start);
    if (found === -1) return moved + text.slice(start);
    const before = text[found - 1] ?? ' ';
    const after = text[found + from.length] ?? ' ';
    const whole = !PATH_CHARACTER.test(before) && !NAME_CHARACTER.test(after);
    moved += text.slice(start, found) + (whole ? to : from);
    start = found + from.length;
  }
}

/** Rewrites folders that moved; the variables, confidential ones too, at once. */
function applyMoves({ moves, env, secrets }: Draft): (word: string) => string {
  const longest = moves.toSorted((a, b) => b.from.length - a.from.length);
  const moved = (word: string): string => longest.reduce(movePath, word);
  for (const variables of [env, secrets]) for (const [name, value] of variables) variables.set(name, moved(value));
  return moved;
}

function mainCommand(draft: Draft, moved: (word: string) => string): string[] | undefined {
  const { entrypoint, args, notices, workdir } = draft;
  const command = [...(entrypoint ?? []), ...args].map(moved);
  if (command.length === 0) {
    if (workdir) {
      addNotice(
        notices,
        'refused',
        workdir.where,
        'Without a command the image starts in its own folder. Write the command too.',
      );
    }
    return undefined;
  }
  if (entrypoint === null) {
    addNotice(
      notices,
      'changed',
      'command',
      'These words are the whole command of the job. If the image has an entry point of its own that should run them, write it in front.',
    );
  }
  if (!workdir) return command;
  addNotice(
    notices,
    'changed',
    workdir.where,
    'A shell of the image changes into this folder first and then runs the command.',
  );
  return ['/bin/sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', moved(workdir.path), ...command];
}

const LEAST_BYTES = 64 * MIB;
const LEAST_CPUS = 0.1;

function atLeast(draft: Draft, value: number, least: number, where: string, unit: string): number {
  if (value >= least) return value;
  addNotice(draft.notices, 'changed', where, `Raised to ${unit}, the least that a job gets.`);
  return least;
}

function resourcesOf(draft: Draft) {
  const { notices, gpuType, gpuModel, gpuCount, gpuMemoryGb, cpus, memoryBytes, diskBytes, runSeconds } = draft;
  const assumed = [
    ...(memoryBytes === null ? ['1 GiB of memory (resources.memoryBytes)'] : []),
    ...(cpus === null ? ['1 processor (resources.cpus)'] : []),
    ...(diskBytes === null ? ['4 GiB of disk (resources.diskBytes)'] : []),
    ...(runSeconds === null ? ['1 hour to run (timeouts.runSeconds)'] : []),
  ];
  if (assumed.length > 0) {
    addNotice(notices, 'changed', 'limits', `Nothing was said of these, so the job gets ${assumed.join(', ')}.`);
  }
  return {
    ...(gpuType === null ? {} : { gpuType }),
    ...(gpuModel === null ? {} : { gpuModel }),
    gpuCount,
    gpuMemoryGb,
    ...(cpus === null ? {} : { cpus: atLeast(draft, cpus, LEAST_CPUS, 'resources.cpus', '0.1 processors') }),
    memoryBytes:
      memoryBytes === null ? GIB : atLeast(draft, memoryBytes, LEAST_BYTES, 'resources.memoryBytes', '64 MiB'),
    ...(diskBytes === null
      ? {}
      : { diskBytes: atLeast(draft, diskBytes, LEAST_BYTES, 'resources.diskBytes', '64 MiB') }),
  };
}

/** @throws AppError bad-input where what was read is still no job: no image, too many variables, … */
export function finishDraft(draft: Draft, module: string | null = null): { file: ReadFile; notices: Notice[] } {
  if (draft.image === null && module === null) {
    throw badPart('image', 'is missing.', 'Name the container image that should run.');
  }
  const env = (): Record<string, string> => Object.fromEntries(draft.env);
  const moved = applyMoves(draft);
  const command = module === null ? mainCommand(draft, moved) : undefined;
  const work =
    module === null
      ? { type: 'docker', image: draft.image, ...(command ? { command } : {}), env: env() }
      : { type: 'wasm', module, args: draft.args.map(moved), env: env() };
  const { runSeconds, queueSeconds, totalSeconds } = draft;
  const resources = resourcesOf(draft);
  addNotice(
    draft.notices,
    'changed',
    'bounty',
    'This format names no bounty. Choose what each task pays before you post it.',
  );
  const parsed = readFileSchema.safeParse({
    name: shown(draft.name),
    work,
    secrets: Object.fromEntries(draft.secrets),
    resources,
    network: draft.network,
    timeouts: {
      ...(runSeconds === null ? {} : { runSeconds }),
      ...(queueSeconds === null ? {} : { queueSeconds }),
      ...(totalSeconds === null ? {} : { totalSeconds }),
    },
    inputs: draft.inputs,
    ...(draft.priority === null ? {} : { priority: draft.priority }),
    ...(draft.tasks > 1 ? { array: draft.tasks } : {}),
  });
  if (!parsed.success) throw badField(parsed.error, () => null, 'Correct it in what you pasted, or write a job file.');
  return { file: parsed.data, notices: draft.notices };
}

/** The file of a job as a person wrote it. */
export const parseJobFile = (value: unknown) => readFileSchema.safeParse(value);
