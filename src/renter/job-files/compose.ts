/** Reads one service of a compose file: compose-spec `05-services.md`, `deploy.md` and its schema. */
import { parseBytes, parseCount, parseCpus } from './amounts.ts';
import { allCards, chosenCards, readDevice, readGpus } from './gpu-request.ts';
import { addMount, finishDraft, JOB_OUT, newDraft, setAssignment, setVariable, TMP_SIZE } from './import-draft.ts';
import type { Draft, ReadFile } from './import-draft.ts';
import {
  asList,
  asText,
  at,
  badPart,
  fieldsOf,
  isObject,
  nameRest,
  take,
  takeText,
  textList,
} from './import-fields.ts';
import type { Fields, Remarks } from './import-fields.ts';
import { addNotice, shown } from './notices.ts';
import type { Notice } from './notices.ts';
import { shellWords } from './shell-words.ts';

const ALONE =
  'The job runs alone: other services, networks and volumes of this file are not there. Put what it needs into its image or inputs.';
const NO_RIGHTS =
  'A job gets no extra rights: it runs as an ordinary user without capabilities. Rent a machine if it needs more.';
const NO_PORTS = 'Nothing can connect to a job. Rent a machine instead if you want to reach a port.';
const OWN_LIMITS = "The provider's host sets this limit.";
const OWN_NETWORK = 'A job has its own address, name and name servers; they cannot be chosen.';
const LOCAL = 'It matters to the Docker of your own computer only.';
const FILES = 'The file stands on your computer and was not read. Copy what the job needs into env, secrets or inputs.';

const all = (keys: readonly string[], remark: Remarks[string]): Remarks =>
  Object.fromEntries(keys.map((key) => [key, remark]));

const SERVICE: Remarks = {
  ...all(
    ['depends_on', 'links', 'external_links', 'volumes_from', 'extends', 'provider', 'models'],
    ['refused', ALONE],
  ),
  ...all(['ports', 'expose'], ['refused', NO_PORTS]),
  ...all(
    ['privileged', 'cap_add', 'security_opt', 'sysctls', 'group_add', 'device_cgroup_rules'],
    ['refused', NO_RIGHTS],
  ),
  ...all(['ipc', 'pid', 'uts', 'userns_mode', 'cgroup', 'cgroup_parent'], ['refused', ALONE]),
  ...all(['env_file', 'configs', 'credential_spec', 'label_file'], ['refused', FILES]),
  secrets: [
    'refused',
    'Files of secrets do not exist in a job. Write the values into secrets: they become environment variables that only the provider gets.',
  ],
  user: ['refused', 'A job always runs as user 65534. Give files of the image to everybody.'],
  platform: ['refused', 'Offers do not say which processor they have, so none can be asked for.'],
  restart: ['ignored', 'Whether a job is tried again is said by retries: another provider takes it.'],
  healthcheck: ['ignored', 'A job is judged by its exit code and results, not by a health check.'],
  shm_size: ['ignored', "The provider's host chooses the size of shared memory by the job's memory."],
  tmpfs: ['changed', `A job has memory-backed space at /tmp and nowhere else. ${TMP_SIZE}`],
  ...all(['stdin_open', 'tty', 'attach'], ['ignored', 'A job has no terminal; its output is shown live.']),
  ...all(
    ['hostname', 'domainname', 'dns', 'dns_opt', 'dns_search', 'extra_hosts', 'mac_address', 'networks'],
    ['ignored', OWN_NETWORK],
  ),
  ...all(
    [
      'ulimits',
      'pids_limit',
      'memswap_limit',
      'mem_swappiness',
      'mem_reservation',
      'oom_kill_disable',
      'oom_score_adj',
    ],
    ['ignored', OWN_LIMITS],
  ),
  ...all(
    ['cpu_shares', 'cpu_period', 'cpu_quota', 'cpu_rt_period', 'cpu_rt_runtime', 'cpu_count', 'cpu_percent', 'cpuset'],
    ['ignored', OWN_LIMITS],
  ),
  ...all(['blkio_config', 'storage_opt'], ['ignored', OWN_LIMITS]),
  ...all(
    ['labels', 'annotations', 'logging', 'profiles', 'stop_signal', 'stop_grace_period', 'develop', 'isolation'],
    ['ignored', LOCAL],
  ),
  ...all(['post_start', 'pre_stop'], ['refused', 'Only the main command runs. Put these commands into it.']),
};

const DEPLOY: Remarks = {
  placement: ['refused', 'Computers are not chosen by their labels. Use resources.gpuModel or gpuMemoryGb.'],
  restart_policy: ['ignored', 'Whether a job is tried again is said by retries: another provider takes it.'],
  ...all(
    ['labels', 'mode', 'endpoint_mode', 'update_config', 'rollback_config'],
    ['ignored', 'A job runs once and is never updated.'],
  ),
};

const FILE: Remarks = {
  include: ['refused', FILES],
  configs: ['refused', FILES],
  secrets: ['refused', SERVICE['secrets']?.[1] ?? FILES],
  ...all(['networks', 'volumes', 'models'], ['ignored', ALONE]),
};

/** Fills `${NAME:-default}` with its default, as nothing of the person's environment is known here; `$$` is a dollar. */
function interpolate(draft: Draft, text: string, where: string): string {
  return text.replaceAll(
    /\$(?:(\$)|([A-Za-z_]\w{0,100})|\{([A-Za-z_]\w{0,100})(?:(:?[-?+])([^${}]{0,1000}))?\})/g,
    (whole, dollar?: string, plain?: string, name?: string, operator?: string, rest?: string) => {
      if (dollar !== undefined) return '$';
      if (operator === '-' || operator === ':-') {
        addNotice(
          draft.notices,
          'changed',
          where,
          `${name} is not known here: its default "${shown(rest ?? '', 40)}" was taken.`,
        );
        return rest ?? '';
      }
      addNotice(
        draft.notices,
        'refused',
        where,
        `${plain ?? name} comes from your own shell and is not known here. Write its value.`,
      );
      return whole;
    },
  );
}

function command(draft: Draft, value: unknown, where: string): string[] | null {
  if (value === undefined) return null;
  if (Array.isArray(value)) return textList(value, where).map((word) => interpolate(draft, word, where));
  const text = (asText(value, where) ?? '').replaceAll(/[\r\n]+/g, ' ').trim();
  if (text === '') return [];
  const line = interpolate(draft, text, where);
  const { words, rest } = shellWords(line);
  if (rest === '') return words.map((word) => word.text);
  addNotice(draft.notices, 'changed', where, 'It needs a shell: it is run by /bin/sh -c.');
  return ['/bin/sh', '-c', line];
}

function environment(draft: Draft, value: unknown, where: string): void {
  if (Array.isArray(value)) {
    for (const line of textList(value, where)) setAssignment(draft, interpolate(draft, line, where), where);
    return;
  }
  for (const [name, given] of fieldsOf(value, where).map) {
    const path = `${where}.${name}`;
    if (given === null || given === undefined) setAssignment(draft, name, path);
    else setVariable(draft, name, interpolate(draft, asText(given, path) ?? '', path), path);
  }
}

function volumes(draft: Draft, value: unknown, where: string): void {
  for (const [index, item] of asList(value, where).entries()) {
    const path = `${where}[${index}]`;
    if (!isObject(item)) {
      const text = interpolate(draft, asText(item, path) ?? '', path);
      const drive = /^[A-Za-z]:[\\/]/.test(text) ? 2 : 0;
      const [source = '', target, options = ''] = text.slice(drive).split(':');
      if (target === undefined) empty(draft, source, path);
      else
        addMount(
          draft,
          { source: text.slice(0, drive) + source, target, readOnly: options.split(',').includes('ro') },
          path,
        );
      continue;
    }
    const fields = fieldsOf(item, path);
    const source = takeText(fields, 'source');
    const target = takeText(fields, 'target');
    const type = takeText(fields, 'type');
    const readOnly = take(fields, 'read_only') === true;
    if (target === undefined) throw badPart(at(fields, 'target'), 'is missing.');
    if (type === 'tmpfs') addNotice(draft.notices, 'changed', path, SERVICE['tmpfs']?.[1] ?? '');
    else if (source === undefined) empty(draft, target, path);
    else addMount(draft, { source: interpolate(draft, source, path), target, readOnly }, path);
    nameRest(fields, {}, draft.notices);
  }
}

function empty(draft: Draft, target: string, where: string): void {
  addNotice(
    draft.notices,
    'changed',
    where,
    `There is no empty volume at ${shown(target, 40)}: write to /tmp or, to get it back, to ${JOB_OUT}.`,
  );
}

const bytes = (value: unknown, where: string): number => {
  const parsed = parseBytes(value);
  if (parsed === null) throw badPart(where, 'must be an amount of memory such as 4g.');
  return parsed;
};
const cpus = (value: unknown, where: string): number => {
  const parsed = parseCpus(value);
  if (parsed === null) throw badPart(where, 'must be a number of processors such as 1.5.');
  return parsed;
};

/** One reservation of devices: a list of capabilities, and which or how many. */
function deviceRequest(draft: Draft, value: unknown, where: string): void {
  const fields = fieldsOf(value, where);
  const capabilities = textList(take(fields, 'capabilities'), at(fields, 'capabilities'));
  const driver = takeText(fields, 'driver');
  const count = takeText(fields, 'count');
  const ids = textList(take(fields, 'device_ids'), at(fields, 'device_ids'));
  if (capabilities.length > 0 && !capabilities.some((name) => /gpu|compute|nvidia|amd/i.test(name))) {
    addNotice(
      draft.notices,
      'refused',
      where,
      `${shown(capabilities.join(', '), 40)}: a job gets no devices but graphics cards.`,
    );
  } else {
    if (driver !== undefined && driver !== 'cdi') draft.gpuType = driver.toUpperCase().slice(0, 40);
    else if (capabilities.some((name) => name.startsWith('nvidia'))) draft.gpuType = 'NVIDIA';
    const number = count === undefined ? null : parseCount(count);
    if (ids.length > 0) chosenCards(draft, ids, where);
    else if (number !== null) draft.gpuCount = Math.max(draft.gpuCount, number);
    else allCards(draft, where);
  }
  nameRest(fields, { options: ['ignored', 'Options of a device driver have no effect.'] }, draft.notices);
}

function deploy(draft: Draft, value: unknown, where: string): void {
  const fields = fieldsOf(value, where);
  replicas(draft, take(fields, 'replicas'), at(fields, 'replicas'));
  const resources = fieldsOf(take(fields, 'resources'), at(fields, 'resources'));
  // What is guaranteed comes first; a limit above it has the last word on what the job may take.
  for (const part of ['reservations', 'limits'] as const) {
    const set = fieldsOf(take(resources, part), at(resources, part));
    const memory = take(set, 'memory');
    const processors = take(set, 'cpus');
    if (memory !== undefined) draft.memoryBytes = bytes(memory, at(set, 'memory'));
    if (processors !== undefined) draft.cpus = cpus(processors, at(set, 'cpus'));
    for (const [index, item] of asList(take(set, 'devices'), at(set, 'devices')).entries()) {
      deviceRequest(draft, item, `${at(set, 'devices')}[${index}]`);
    }
    nameRest(set, { pids: ['ignored', OWN_LIMITS] }, draft.notices);
  }
  nameRest(resources, {}, draft.notices);
  nameRest(fields, DEPLOY, draft.notices);
}

function replicas(draft: Draft, value: unknown, where: string): void {
  if (value === undefined) return;
  const count = parseCount(value);
  if (count === null) throw badPart(where, 'must be a whole number.');
  if (count <= 1) return;
  draft.tasks = count;
  addNotice(
    draft.notices,
    'changed',
    where,
    `It became an array of ${count} tasks, each paid for itself. COMMONWATT_TASK_INDEX tells them apart.`,
  );
}

function gpus(draft: Draft, value: unknown, where: string): void {
  if (value === undefined) return;
  if (!Array.isArray(value)) readGpus(draft, asText(value, where) ?? '', where);
  else for (const [index, item] of value.entries()) deviceRequest(draft, item, `${where}[${index}]`);
}

function network(draft: Draft, mode: string | undefined, where: string): void {
  if (mode === undefined || mode === 'bridge') return;
  if (mode === 'none') draft.network = 'none';
  else if (/^(service|container):/.test(mode)) addNotice(draft.notices, 'refused', where, ALONE);
  else
    addNotice(
      draft.notices,
      'changed',
      where,
      "The internet is what the job reaches: never the provider's own network.",
    );
}

function service(draft: Draft, fields: Fields): void {
  const build = take(fields, 'build');
  const image = takeText(fields, 'image');
  if (image === undefined) {
    throw badPart(
      at(fields, 'image'),
      'is missing.',
      build === undefined ? 'Name the image.' : 'Build the image, push it to a registry and name it here.',
    );
  }
  if (build !== undefined)
    addNotice(
      draft.notices,
      'ignored',
      at(fields, 'build'),
      'Nothing is built: the image is fetched from its registry.',
    );
  draft.image = interpolate(draft, image, at(fields, 'image'));
  draft.name = takeText(fields, 'container_name') ?? draft.name;
  draft.entrypoint = command(draft, take(fields, 'entrypoint'), at(fields, 'entrypoint'));
  draft.args = command(draft, take(fields, 'command'), at(fields, 'command')) ?? [];
  const workdir = takeText(fields, 'working_dir');
  if (workdir !== undefined) draft.workdir = { path: workdir, where: at(fields, 'working_dir') };
  environment(draft, take(fields, 'environment'), at(fields, 'environment'));
  volumes(draft, take(fields, 'volumes'), at(fields, 'volumes'));
  const memory = take(fields, 'mem_limit');
  if (memory !== undefined) draft.memoryBytes = bytes(memory, at(fields, 'mem_limit'));
  const processors = take(fields, 'cpus');
  if (processors !== undefined) draft.cpus = cpus(processors, at(fields, 'cpus'));
  replicas(draft, take(fields, 'scale'), at(fields, 'scale'));
  deploy(draft, take(fields, 'deploy'), at(fields, 'deploy'));
  gpus(draft, take(fields, 'gpus'), at(fields, 'gpus'));
  for (const [index, item] of asList(take(fields, 'devices'), at(fields, 'devices')).entries()) {
    const path = `${at(fields, 'devices')}[${index}]`;
    const source = isObject(item) ? takeText(fieldsOf(item, path), 'source') : asText(item, path);
    readDevice(draft, source ?? '', path);
  }
  const runtime = takeText(fields, 'runtime');
  if (runtime === 'nvidia') {
    draft.gpuType = 'NVIDIA';
    if (draft.gpuCount === 0) allCards(draft, at(fields, 'runtime'));
  } else if (runtime !== undefined) {
    addNotice(draft.notices, 'refused', at(fields, 'runtime'), "The provider's host chooses the container runtime.");
  }
  network(draft, takeText(fields, 'network_mode'), at(fields, 'network_mode'));
  // Like this in every job.
  for (const key of ['init', 'read_only', 'cap_drop', 'pull_policy', 'pull_refresh_after']) take(fields, key);
  if (fields.map.get('platform') === 'linux/amd64') take(fields, 'platform');
  if (fields.map.get('ipc') === 'private') take(fields, 'ipc');
  nameRest(fields, SERVICE, draft.notices);
}

/**
 * @param part name of the service; not needed where there is only one
 * @throws AppError bad-input naming the key, or the services to choose from (field `part`)
 */
export function readCompose(value: unknown, part?: string): { file: ReadFile; notices: Notice[] } {
  const fields = fieldsOf(value, '');
  const services = fieldsOf(take(fields, 'services'), 'services');
  const names = [...services.map.keys()];
  const name = part ?? (names.length === 1 ? names[0] : undefined);
  if (name === undefined || !services.map.has(name)) throw chooseOne('service', names, part);
  const draft = newDraft();
  draft.name = name;
  take(fields, 'version');
  take(fields, 'name');
  service(draft, fieldsOf(take(services, name), `services.${name}`));
  for (const other of services.map.keys()) addNotice(draft.notices, 'refused', `services.${other}`, ALONE);
  nameRest(fields, FILE, draft.notices);
  return finishDraft(draft);
}

/** Said where a file describes several things and it is not clear which one is meant. */
export const chooseOne = (what: string, names: readonly string[], part?: string) =>
  badPart(
    'part',
    part === undefined
      ? names.length === 0
        ? `cannot be chosen: the file has no ${what}.`
        : `is needed: the file has ${names.length} of kind ${what}, and a job is one of them.`
      : `"${shown(part, 40)}" is no ${what} of this file.`,
    names.length === 0 ? `Add a ${what}.` : `Choose one of ${shown(names.join(', '), 200)}.`,
  );
