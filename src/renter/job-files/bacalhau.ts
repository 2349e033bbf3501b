/**
 * Reads a Bacalhau 1.x job specification: bacalhau-project/docs `cli-api/specifications`. Keys in any case, as its own
 * command line takes them.
 */
import { cidSchema } from '../../shared/job-spec.ts';
import { parseBytes, parseCount, parseCpus } from './amounts.ts';
import { chooseOne } from './compose.ts';
import { addInput, addOutput, finishDraft, JOB_OUT, newDraft, setAssignment, setVariable } from './import-draft.ts';
import type { Draft, ReadFile } from './import-draft.ts';
import { asList, asText, at, badPart, fieldsOf, nameRest, take, takeText, textList } from './import-fields.ts';
import type { Fields, Remarks } from './import-fields.ts';
import { addNotice, shown } from './notices.ts';
import type { Notice } from './notices.ts';

const fold = { fold: true } as const;

const JOB: Remarks = {
  constraints: ['refused', 'Computers are not chosen by labels. Use resources.gpuModel or gpuMemoryGb.'],
  namespace: ['ignored', 'Jobs have no namespaces here.'],
  labels: ['ignored', 'Jobs have no labels here.'],
  meta: ['ignored', 'It is not carried along.'],
};

const TASK: Remarks = {
  publisher: [
    'ignored',
    'Results come back to this computer, checked by content id; from here they can be pushed to an IPFS node of yours.',
  ],
  meta: ['ignored', 'It is not carried along.'],
};

/** Type and parameters, as engines, sources and publishers are written. */
function specConfig(value: unknown, where: string): { type: string; params: Fields } {
  const fields = fieldsOf(value, where, fold);
  const type = (takeText(fields, 'type') ?? '').toLowerCase();
  return { type, params: fieldsOf(take(fields, 'params'), at(fields, 'Params'), fold) };
}

const number = <T>(value: T | null, where: string, example: string): T => {
  if (value === null) throw badPart(where, `must be an amount such as ${example}.`);
  return value;
};

function inputs(draft: Draft, value: unknown, where: string): void {
  for (const [index, item] of asList(value, where).entries()) {
    const path = `${where}[${index}]`;
    const fields = fieldsOf(item, path, fold);
    const { type, params } = specConfig(take(fields, 'source'), `${path}.Source`);
    const target = takeText(fields, 'target') ?? '/inputs';
    take(fields, 'alias');
    const cid = takeText(params, 'cid');
    if (type === 'ipfs' && cid !== undefined && cidSchema.safeParse(cid).success) {
      addInput(draft, target, path, (below) => ({ path: below, ipfs: cid }));
    } else if (type === 'local' || type === 'localdirectory') {
      addNotice(
        draft.notices,
        'refused',
        path,
        "It is a folder of the provider's computer, and jobs see none of those. If you have the files, add them as an input with upload.",
      );
    } else {
      const what = takeText(params, 'url') ?? takeText(params, 'key') ?? takeText(params, 'bucket') ?? '';
      addNotice(
        draft.notices,
        'refused',
        path,
        `${shown(type, 20)} ${shown(what, 60)} has no content id or checksum, so nobody could check it. Add it as an input with its sha256 or CID.`,
      );
      continue;
    }
    nameRest(params, {}, draft.notices);
    nameRest(fields, {}, draft.notices);
  }
}

function outputs(draft: Draft, value: unknown, where: string): void {
  const list = asList(value, where);
  for (const [index, item] of list.entries()) {
    const path = `${where}[${index}]`;
    const fields = fieldsOf(item, path, fold);
    const folder = takeText(fields, 'path');
    const name = (takeText(fields, 'name') ?? '')
      .replaceAll(/[^\w.-]/g, '_')
      .replace(/^\.+/, '_')
      .slice(0, 60);
    if (folder === undefined) throw badPart(`${path}.Path`, 'is missing.');
    addOutput(draft, folder, list.length === 1 ? JOB_OUT : `${JOB_OUT}/${name || index}`, path);
  }
}

function resources(draft: Draft, fields: Fields): void {
  const cpu = takeText(fields, 'cpu');
  if (cpu !== undefined && cpu !== '') draft.cpus = number(parseCpus(cpu), at(fields, 'CPU'), '500m');
  const memory = takeText(fields, 'memory');
  if (memory !== undefined && memory !== '')
    draft.memoryBytes = number(parseBytes(memory), at(fields, 'Memory'), '4Gb');
  const disk = takeText(fields, 'disk');
  if (disk !== undefined && disk !== '') draft.diskBytes = number(parseBytes(disk), at(fields, 'Disk'), '10Gb');
  const gpu = takeText(fields, 'gpu');
  if (gpu !== undefined && gpu !== '') draft.gpuCount = number(parseCount(gpu), at(fields, 'GPU'), '1');
  nameRest(fields, {}, draft.notices);
}

function network(draft: Draft, fields: Fields): void {
  const type = (takeText(fields, 'type') ?? 'none').toLowerCase();
  draft.network = type === 'none' || type === '' ? 'none' : 'internet';
  if (type === 'http') {
    addNotice(
      draft.notices,
      'changed',
      at(fields, 'Type'),
      'The whole internet can be reached, not only the domains that are listed.',
    );
    take(fields, 'domains');
  } else if (type === 'host') {
    addNotice(
      draft.notices,
      'changed',
      at(fields, 'Type'),
      "The internet can be reached, never the provider's own network.",
    );
  }
  nameRest(
    fields,
    { ports: ['refused', 'Nothing can connect to a job. Rent a machine if you want to reach a port.'] },
    draft.notices,
  );
}

function seconds(fields: Fields, key: string, name: string): number | null {
  const value = takeText(fields, key);
  if (value === undefined) return null;
  const parsed = number(parseCount(value), at(fields, name), '3600');
  return parsed === 0 ? null : parsed;
}

function environment(draft: Draft, value: unknown, where: string): void {
  if (Array.isArray(value)) for (const line of textList(value, where)) setAssignment(draft, line, where);
  else {
    for (const [name, given] of fieldsOf(value, where).map) {
      setVariable(draft, name, asText(given, `${where}.${name}`) ?? '', `${where}.${name}`);
    }
  }
}

function docker(draft: Draft, params: Fields): void {
  draft.image = takeText(params, 'image') ?? null;
  if (draft.image === null) throw badPart(at(params, 'Image'), 'is missing.');
  const entrypoint = textList(take(params, 'entrypoint'), at(params, 'Entrypoint'));
  draft.entrypoint = entrypoint.length === 0 ? null : entrypoint;
  draft.args = textList(take(params, 'parameters'), at(params, 'Parameters'));
  environment(draft, take(params, 'environmentvariables'), at(params, 'EnvironmentVariables'));
  const workdir = takeText(params, 'workingdirectory');
  if (workdir !== undefined && workdir !== '') draft.workdir = { path: workdir, where: at(params, 'WorkingDirectory') };
  nameRest(params, {}, draft.notices);
}

/** Returns the module's content id. */
function wasm(draft: Draft, params: Fields): string {
  const entry = fieldsOf(take(params, 'entrymodule'), at(params, 'EntryModule'), fold);
  const source = specConfig(take(entry, 'source'), at(entry, 'Source'));
  const cid = takeText(source.params, 'cid') ?? '';
  if (source.type !== 'ipfs' || !cidSchema.safeParse(cid).success) {
    throw badPart(
      at(params, 'EntryModule'),
      'must be a module on IPFS, named by its CID.',
      'Add the module to an IPFS node and name its CID.',
    );
  }
  const start = takeText(params, 'entrypoint');
  if (start !== undefined && start !== '_start' && start !== '') {
    addNotice(
      draft.notices,
      'refused',
      at(params, 'Entrypoint'),
      `Modules are started at _start, not at ${shown(start, 40)}.`,
    );
  }
  draft.args = textList(take(params, 'parameters'), at(params, 'Parameters'));
  environment(draft, take(params, 'environmentvariables'), at(params, 'EnvironmentVariables'));
  nameRest(params, { importmodules: ['refused', 'A job is one module. Link the others into it.'] }, draft.notices);
  return cid;
}

/**
 * @param part name of the task; the first where it is left out
 * @throws AppError bad-input naming the key
 */
export function readBacalhau(value: unknown, part?: string): { file: ReadFile; notices: Notice[] } {
  const job = fieldsOf(value, '', fold);
  const tasks = asList(take(job, 'tasks'), 'Tasks').map((item, index) => {
    const task = fieldsOf(item, `Tasks[${index}]`, fold);
    return { task, name: takeText(task, 'name') ?? String(index) };
  });
  const chosen = part === undefined ? tasks[0] : tasks.find(({ name }) => name === part);
  if (!chosen)
    throw chooseOne(
      'task',
      tasks.map(({ name }) => name),
      part,
    );
  const draft = newDraft();
  const { task } = chosen;
  const { notices } = draft;
  draft.name = takeText(job, 'name') ?? chosen.name;
  const { type, params } = specConfig(take(task, 'engine'), at(task, 'Engine'));
  let module: string | null = null;
  if (type === 'docker') docker(draft, params);
  else if (type === 'wasm') module = wasm(draft, params);
  else throw badPart(`${at(task, 'Engine')}.Type`, `must be docker or wasm, not "${shown(type, 30)}".`);
  environment(draft, take(task, 'env'), at(task, 'Env'));
  inputs(draft, take(task, 'inputsources'), at(task, 'InputSources'));
  outputs(draft, take(task, 'resultpaths'), at(task, 'ResultPaths'));
  resources(draft, fieldsOf(take(task, 'resources'), at(task, 'Resources'), fold));
  network(draft, fieldsOf(take(task, 'network'), at(task, 'Network'), fold));
  const timeouts = fieldsOf(take(task, 'timeouts'), at(task, 'Timeouts'), fold);
  draft.runSeconds = seconds(timeouts, 'executiontimeout', 'ExecutionTimeout');
  draft.queueSeconds = seconds(timeouts, 'queuetimeout', 'QueueTimeout');
  draft.totalSeconds = seconds(timeouts, 'totaltimeout', 'TotalTimeout');
  nameRest(timeouts, {}, notices);
  nameRest(task, TASK, notices);

  const kind = (takeText(job, 'type') ?? 'batch').toLowerCase();
  if (kind !== 'batch') {
    addNotice(
      notices,
      'refused',
      'Type',
      `"${shown(kind, 20)}" does not exist here: the job runs once, on one computer, until it ends or its time is up.`,
    );
  }
  const count = takeText(job, 'count');
  const copies = count === undefined || count === '' ? 1 : number(parseCount(count), 'Count', '1');
  if (copies > 1) {
    draft.tasks = copies;
    addNotice(
      notices,
      'changed',
      'Count',
      `It became an array of ${copies} tasks, each paid for itself. COMMONWATT_TASK_INDEX tells them apart.`,
    );
  }
  const priority = takeText(job, 'priority');
  if (priority !== undefined && priority !== '0') {
    const wanted = number(parseCount(priority), 'Priority', '50');
    draft.priority = Math.min(wanted, 100);
    if (wanted > 100) addNotice(notices, 'changed', 'Priority', 'The highest is 100.');
  }
  for (const other of tasks) {
    if (other !== chosen) {
      addNotice(
        notices,
        'refused',
        other.task.where,
        `A job is one task, this is ${shown(chosen.name, 40)}. Read the file again for "${shown(other.name, 40)}" and post it as another job.`,
      );
    }
  }
  nameRest(job, JOB, notices);
  return finishDraft(draft, module);
}
