/** Reads a `docker run` line. Flags as in docker/cli `docs/reference/commandline/container_run.md`; podman takes the same. */
import { AppError } from '../../shared/errors.ts';
import { formatBytes } from '../../shared/units.ts';
import { parseBytes, parseCpus } from './amounts.ts';
import { readDevice, readGpus } from './gpu-request.ts';
import { addMount, finishDraft, JOB_OUT, newDraft, setAssignment, TMP_SIZE } from './import-draft.ts';
import type { Draft, ReadFile } from './import-draft.ts';
import { addNotice, shown } from './notices.ts';
import type { Notice } from './notices.ts';
import { shellWords } from './shell-words.ts';
import type { ShellWord } from './shell-words.ts';

interface Flag {
  /** Whether a value follows. */
  value: boolean;
  use: (draft: Draft, value: string, where: string) => void;
}

const remark =
  (level: Notice['level'], message: string): Flag['use'] =>
  (draft, _value, where) =>
    addNotice(draft.notices, level, where, message);

const silent: Flag['use'] = () => undefined;
const bad = (where: string, message: string): AppError =>
  new AppError('bad-input', `${where} ${message}`, {
    field: where,
    next: 'Correct it in the line and paste it again.',
  });

const ALONE =
  'The job runs alone on a computer that is not yours: it cannot share anything with other containers or with the host.';
const NO_RIGHTS =
  'A job gets no extra rights: it runs as an ordinary user without capabilities. Rent a machine if it needs more.';
const NO_PORTS = 'Nothing can connect to a job. Rent a machine instead if you want to reach a port.';
const OWN_LIMITS = "The provider's host sets this limit.";
const OWN_NETWORK = 'A job has its own address, name and name servers; they cannot be chosen.';
const ENDS_ANYWAY = 'A job always runs by itself and is cleaned up at its end; its output is kept.';
const HEALTH = 'A job is judged by its exit code and results, not by a health check.';
const FROM_FILE =
  'The file stands on your computer and was not read. Copy its lines into env, and confidential ones into secrets.';

function network(draft: Draft, value: string, where: string): void {
  const name = value.replace(/^name=/, '').split(',')[0] ?? '';
  draft.network = name === 'none' ? 'none' : 'internet';
  if (name === 'none' || name === 'bridge' || name === 'default') return;
  if (name.startsWith('container:')) remark('refused', ALONE)(draft, value, where);
  else {
    addNotice(
      draft.notices,
      'changed',
      where,
      `Not ${shown(name, 40)} but the internet is what the job reaches: never the provider's own network.`,
    );
  }
}

function mount(draft: Draft, value: string, where: string): void {
  const options = new Map(
    value.split(',').map((part) => {
      const cut = part.indexOf('=');
      return cut === -1
        ? ([part.trim(), 'true'] as const)
        : ([part.slice(0, cut).trim(), part.slice(cut + 1)] as const);
    }),
  );
  const type = options.get('type') ?? 'volume';
  const target = options.get('target') ?? options.get('destination') ?? options.get('dst') ?? '';
  if (type === 'tmpfs') {
    temporary(draft, target, where);
    return;
  }
  const source = options.get('source') ?? options.get('src') ?? '';
  const readOnly = (options.get('readonly') ?? options.get('ro') ?? 'false') !== 'false';
  if (target === '') throw bad(where, 'names no target folder.');
  if (source === '') volume(draft, target, where);
  else addMount(draft, { source, target, readOnly }, where);
}

function temporary(draft: Draft, target: string, where: string): void {
  if (target.startsWith('/tmp'))
    remark('changed', `A job has memory-backed space at /tmp. ${TMP_SIZE}`)(draft, target, where);
  else
    remark('refused', 'A job has memory-backed space at /tmp only. Change the command to use it.')(
      draft,
      target,
      where,
    );
}

/** `[source:]target[:options]`, also with a Windows drive in front. */
function volume(draft: Draft, value: string, where: string): void {
  const drive = /^[A-Za-z]:[\\/]/.test(value) ? 2 : 0;
  const [first = '', target, options = ''] = value.slice(drive).split(':');
  if (target === undefined) {
    addNotice(
      draft.notices,
      'changed',
      where,
      `There is no empty volume at ${shown(first, 40)}: write to /tmp or, to get it back, to ${JOB_OUT}.`,
    );
    return;
  }
  addMount(
    draft,
    { source: value.slice(0, drive) + first, target, readOnly: options.split(',').includes('ro') },
    where,
  );
}

const amount =
  (read: (value: string) => number | null, put: (draft: Draft, amount: number) => void, example: string): Flag['use'] =>
  (draft, value, where) => {
    const parsed = read(value);
    if (parsed === null) throw bad(where, `must be an amount such as ${example}, not ${shown(value, 40)}.`);
    put(draft, parsed);
  };

function userOf(draft: Draft, value: string, where: string): void {
  addNotice(
    draft.notices,
    'refused',
    where,
    `A job always runs as user 65534, not as ${shown(value, 40)}. Give files of the image to everybody.`,
  );
}

/** @param names separated by blanks */
const flag = (value: boolean, use: Flag['use'], names: string): [string, Flag][] =>
  names.split(' ').map((name) => [name, { value, use }]);

const FLAGS: ReadonlyMap<string, Flag> = new Map([
  ...flag(true, (draft, value) => (draft.name = value), '--name'),
  ...flag(true, (draft, value, where) => setAssignment(draft, value, where), '-e --env'),
  ...flag(true, remark('refused', FROM_FILE), '--env-file'),
  ...flag(true, (draft, value) => (draft.entrypoint = value === '' ? [] : [value]), '--entrypoint'),
  ...flag(true, (draft, value, where) => (draft.workdir = { path: value, where }), '-w --workdir'),
  ...flag(true, readGpus, '--gpus'),
  ...flag(true, readDevice, '--device'),
  ...flag(
    true,
    amount(parseBytes, (draft, bytes) => (draft.memoryBytes = bytes), '4g'),
    '-m --memory',
  ),
  ...flag(
    true,
    amount(parseCpus, (draft, cpus) => (draft.cpus = cpus), '2.5'),
    '--cpus',
  ),
  ...flag(true, network, '--network --net'),
  ...flag(true, volume, '-v --volume'),
  ...flag(true, mount, '--mount'),
  ...flag(true, (draft, value, where) => temporary(draft, value.split(':')[0] ?? '', where), '--tmpfs'),
  ...flag(true, userOf, '-u --user'),
  ...flag(
    true,
    (draft, value, where) => {
      const bytes = /(?:^|,)size=([^,]+)/.exec(value)?.[1];
      const size = bytes === undefined ? null : parseBytes(bytes);
      if (size === null) addNotice(draft.notices, 'ignored', where, OWN_LIMITS);
      else draft.diskBytes = size;
    },
    '--storage-opt',
  ),
  ...flag(
    true,
    (draft, value, where) => {
      if (value === 'linux/amd64' || value === 'linux/x86_64') return;
      addNotice(
        draft.notices,
        'refused',
        where,
        `Offers do not say which processor they have: ${shown(value, 40)} cannot be asked for.`,
      );
    },
    '--platform',
  ),
  ...flag(
    true,
    (draft, value, where) => {
      if (value !== 'nvidia')
        addNotice(draft.notices, 'refused', where, "The provider's host chooses the container runtime.");
      else {
        draft.gpuType = 'NVIDIA';
        draft.gpuCount = Math.max(draft.gpuCount, 1);
        addNotice(draft.notices, 'changed', where, 'The job asks for one card. Say how many with resources.gpuCount.');
      }
    },
    '--runtime',
  ),
  ...flag(false, remark('ignored', ENDS_ANYWAY), '-d --detach --rm --rmi --replace -q --quiet'),
  ...flag(
    false,
    remark('ignored', 'A job has no terminal and nobody types into it; its output is shown live.'),
    '-i --interactive -t --tty',
  ),
  ...flag(false, silent, '--init --read-only --no-healthcheck --sig-proxy'),
  ...flag(false, remark('refused', NO_RIGHTS), '--privileged --use-api-socket'),
  ...flag(true, remark('refused', NO_RIGHTS), '--cap-add --security-opt --device-cgroup-rule --sysctl --group-add'),
  ...flag(true, silent, '--cap-drop --pull'),
  ...flag(true, remark('refused', NO_PORTS), '-p --publish --expose'),
  ...flag(false, remark('refused', NO_PORTS), '-P --publish-all'),
  ...flag(
    true,
    (draft, value, where) => {
      if (value !== 'private' && value !== '') addNotice(draft.notices, 'refused', where, ALONE);
    },
    '--ipc --pid --uts --userns --cgroupns --volumes-from --link --cgroup-parent',
  ),
  ...flag(
    true,
    remark('ignored', 'Whether a job is tried again is said by retries: another provider takes it.'),
    '--restart',
  ),
  ...flag(
    true,
    (draft, value, where) => {
      const bytes = parseBytes(value);
      const size = bytes === null ? shown(value, 20) : formatBytes(bytes);
      addNotice(
        draft.notices,
        'ignored',
        where,
        `${size} of shared memory cannot be asked for: the provider's host chooses it by the job's memory.`,
      );
    },
    '--shm-size',
  ),
  ...flag(
    true,
    remark('ignored', OWN_LIMITS),
    '--ulimit --pids-limit --memory-swap --memory-swappiness --memory-reservation --oom-score-adj -c --cpu-shares --cpu-period --cpu-quota --cpu-rt-period --cpu-rt-runtime --cpu-count --cpu-percent --cpuset-cpus --cpuset-mems --blkio-weight --blkio-weight-device --io-maxiops --device-read-bps --device-read-iops --device-write-bps --device-write-iops --io-maxbandwidth',
  ),
  ...flag(false, remark('ignored', OWN_LIMITS), '--oom-kill-disable'),
  ...flag(
    true,
    remark('ignored', OWN_NETWORK),
    '--add-host --dns --dns-option --dns-search --domainname -h --hostname --ip --ip6 --link-local-ip --mac-address --network-alias --net-alias',
  ),
  ...flag(
    true,
    remark('ignored', HEALTH),
    '--health-cmd --health-interval --health-retries --health-start-interval --health-start-period --health-timeout',
  ),
  ...flag(
    true,
    remark('ignored', 'It matters to the Docker of your own computer only.'),
    '--annotation -a --attach --cidfile --detach-keys -l --label --label-file --log-driver --log-opt --isolation --stop-signal --stop-timeout --volume-driver --pidfile --systemd',
  ),
]);

const RUN =
  /^[$#>]?\s*(?:(?:sudo|doas)\s+)?(?:docker|podman|nerdctl)(?:\.exe)?\s+(?:container\s+)?(?:run|create)(?=\s|$)/;

/** Whether a text is such a line at all. */
export const isDockerRun = (text: string): boolean => RUN.test(text.slice(0, 200).trimStart());

/** @throws AppError bad-input naming the flag */
export function readDockerRun(text: string): { file: ReadFile; notices: Notice[] } {
  const line = text.trim();
  const start = RUN.exec(line);
  if (!start) throw bad('command', 'must begin with docker run.');
  const { words, rest } = shellWords(line.slice(start[0].length));
  const draft = newDraft();
  const more = rest.replace(/^[\s;]+/, '');
  if (more !== '' && !more.startsWith('#')) {
    addNotice(
      draft.notices,
      'ignored',
      shown(more, 40),
      'It runs on your own computer after the container, so it is no part of the job. Move it into the command.',
    );
  }
  const image = readFlags(draft, words);
  const command = words.slice(image + 1);
  for (const word of [words[image], ...command]) {
    if (word?.expands != null) {
      addNotice(
        draft.notices,
        'changed',
        shown(word.text, 40),
        `${word.expands} was taken as it stands: no shell of yours reads this line. Write what it should be.`,
      );
    }
  }
  draft.image = words[image]?.text ?? null;
  draft.args = command.map((word) => word.text);
  return finishDraft(draft);
}

const known = (name: string): Flag => {
  const found = FLAGS.get(name);
  if (!found) throw bad(shown(name, 40), 'is not an option of docker run that is known here. Remove it.');
  return found;
};

function apply(draft: Draft, name: string, word: ShellWord, value: string): void {
  const mounts = name === '-v' || name === '--volume' || name === '--mount';
  if (word.expands !== null && !mounts && value.includes(word.expands)) {
    addNotice(
      draft.notices,
      'refused',
      name,
      `${word.expands} is filled in by your shell, which does not read this: ${shown(value, 40)} was left out. Write its value.`,
    );
    return;
  }
  known(name).use(draft, value, name);
}

/** Reads options up to the image. Returns the image's place among the words. */
function readFlags(draft: Draft, words: readonly ShellWord[]): number {
  let index = 0;
  const next = (name: string): ShellWord => {
    index += 1;
    const word = words[index];
    if (!word) throw bad(shown(name, 40), 'needs a value.');
    return word;
  };
  for (; index < words.length; index += 1) {
    const word = words[index];
    const text = word?.text ?? '';
    if (!word || text === '--') return index + 1;
    if (!text.startsWith('-') || text === '-') return index;
    if (text.startsWith('--')) {
      const cut = text.indexOf('=');
      const name = cut === -1 ? text : text.slice(0, cut);
      const { value } = known(name);
      if (cut !== -1) {
        const given = text.slice(cut + 1);
        if (value || given !== 'false') apply(draft, name, word, given);
      } else if (value) {
        const follows = next(name);
        apply(draft, name, follows, follows.text);
      } else apply(draft, name, word, '');
      continue;
    }
    // -itd, -p80:80, -eA=1: switches, the last of which may take the rest of the word.
    for (let letter = 1; letter < text.length; letter += 1) {
      const name = `-${text[letter] ?? ''}`;
      if (!known(name).value) {
        apply(draft, name, word, '');
        continue;
      }
      const glued = text.slice(letter + 1).replace(/^=/, '');
      if (glued !== '') apply(draft, name, word, glued);
      else {
        const follows = next(name);
        apply(draft, name, follows, follows.text);
      }
      break;
    }
  }
  throw bad('image', 'is missing: the line ends before it.');
}
