/** Reads a Nosana job definition, version 0.1: nosana-ci/docs `inference/job_reference.md` and `writing_a_job.md`. */
import { cidSchema } from '../../shared/job-spec.ts';
import { chooseOne } from './compose.ts';
import { addInput, addOutput, finishDraft, JOB_OUT, newDraft, setVariable } from './import-draft.ts';
import type { Draft, ReadFile } from './import-draft.ts';
import { asList, asText, at, badPart, fieldsOf, nameRest, take, takeText, textList } from './import-fields.ts';
import type { Fields, Remarks } from './import-fields.ts';
import { addNotice, shown } from './notices.ts';
import type { Notice } from './notices.ts';

const NO_PORTS = 'Nothing can connect to a job. Rent a machine instead if you want to reach a port.';

const ARGS: Remarks = {
  expose: ['refused', NO_PORTS],
  authentication: ['refused', 'Images are fetched without a password. Put the image where everybody can fetch it.'],
  private: ['refused', NO_PORTS],
};

const FILE: Remarks = {
  logistics: ['ignored', 'Results come back to this computer over the direct line.'],
};

const SHELL = /^((?:\/\S{1,100}\/)?(?:ba|da|a|z)?sh)\s+-c\s*$/;

/**
 * A text is a line for a shell. Of a list, the first word tells: with blanks in it the list is a line too, otherwise each
 * item is a word.
 */
function command(draft: Draft, value: unknown, where: string): string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return ['/bin/sh', '-c', asText(value, where) ?? ''];
  const words = textList(value, where);
  const [first = '', ...rest] = words;
  const shell = SHELL.exec(first)?.[1];
  if (shell !== undefined && rest.length > 0) {
    addNotice(draft.notices, 'changed', where, `Its parts were joined into one line for ${shell} -c.`);
    return [shell, '-c', rest.join(' ')];
  }
  if (!/\s/.test(first)) return words;
  addNotice(draft.notices, 'changed', where, 'Its parts were joined into one line for /bin/sh -c.');
  return ['/bin/sh', '-c', words.join(' ')];
}

function entrypoint(value: unknown, where: string): string[] | null {
  if (value === undefined) return null;
  return Array.isArray(value) ? textList(value, where) : [asText(value, where) ?? ''];
}

function resources(draft: Draft, value: unknown, where: string): void {
  for (const [index, item] of asList(value, where).entries()) {
    const path = `${where}[${index}]`;
    const fields = fieldsOf(item, path);
    const type = takeText(fields, 'type') ?? '';
    const target = takeText(fields, 'target');
    if (target === undefined) throw badPart(at(fields, 'target'), 'is missing.');
    const url = takeText(fields, 'url') ?? '';
    const cid = /^(?:ipfs:\/\/)?(?:\S{1,200}\/ipfs\/)?([A-Za-z0-9]{40,128})\/?$/.exec(url)?.[1];
    if (type === 'IPFS' && cid !== undefined && cidSchema.safeParse(cid).success) {
      addInput(draft, target, path, (below) => ({ path: below, ipfs: cid }));
    } else {
      const what = takeText(fields, 'repo') ?? url;
      const secret = fields.map.has('IAM') ? ' Its access keys were left out: give them as secrets.' : '';
      addNotice(
        draft.notices,
        'refused',
        path,
        `${shown(type, 20)} ${shown(what, 60)} has no content id or checksum, so nobody could check it. Add it as an input with its sha256 or CID, or fetch it in the command.${secret}`,
      );
      continue;
    }
    nameRest(fields, {}, draft.notices);
  }
}

function volumes(draft: Draft, value: unknown, where: string): void {
  for (const [index, item] of asList(value, where).entries()) {
    const path = `${where}[${index}]`;
    const dest = takeText(fieldsOf(item, path), 'dest') ?? '';
    addNotice(
      draft.notices,
      'refused',
      path,
      `There is no volume at ${shown(dest, 40)} that outlives the run. Write to /tmp or, to get it back, to ${JOB_OUT}.`,
    );
  }
}

function vram(draft: Draft, value: unknown, where: string): void {
  if (value === undefined) return;
  const gib = Number(value);
  if (!Number.isFinite(gib) || gib < 0 || gib > 65_535) throw badPart(where, 'must be the memory of one card in GB.');
  draft.gpuMemoryGb = Math.max(draft.gpuMemoryGb, Math.ceil(gib));
  if (gib > 0) draft.gpuCount = Math.max(draft.gpuCount, 1);
}

function meta(draft: Draft, value: unknown): void {
  const fields = fieldsOf(value, 'meta');
  take(fields, 'trigger');
  for (const key of ['system_resources', 'system_requirements']) {
    const needs = fieldsOf(take(fields, key), at(fields, key));
    vram(draft, take(needs, 'required_vram'), at(needs, 'required_vram'));
    nameRest(needs, {}, draft.notices);
  }
  nameRest(fields, {}, draft.notices);
}

function run(draft: Draft, args: Fields, common: Fields): void {
  const either = (key: string): { value: unknown; where: string } => {
    const own = take(args, key);
    const shared = take(common, key);
    return own === undefined ? { value: shared, where: at(common, key) } : { value: own, where: at(args, key) };
  };
  const image = either('image');
  draft.image = asText(image.value, image.where) ?? null;
  if (draft.image === null) throw badPart(at(args, 'image'), 'is missing.');
  const entry = either('entrypoint');
  draft.entrypoint = entrypoint(entry.value, entry.where);
  draft.args = command(draft, take(args, 'cmd'), at(args, 'cmd'));
  const folder = either('work_dir');
  const workdir = asText(folder.value, folder.where);
  if (workdir !== undefined) draft.workdir = { path: workdir, where: folder.where };
  for (const [set, fields] of [
    [take(common, 'env'), common],
    [take(args, 'env'), args],
  ] as const) {
    for (const [name, value] of fieldsOf(set, at(fields, 'env')).map) {
      const where = `${at(fields, 'env')}.${name}`;
      setVariable(draft, name, asText(value, where) ?? '', where);
    }
  }
  // Markets of Nosana are cards of NVIDIA.
  if (either('gpu').value === true) {
    draft.gpuCount = Math.max(draft.gpuCount, 1);
    draft.gpuType = 'NVIDIA';
  }
  vram(draft, take(args, 'required_vram'), at(args, 'required_vram'));
  resources(draft, take(args, 'resources'), at(args, 'resources'));
  volumes(draft, take(args, 'volumes'), at(args, 'volumes'));
  const output = takeText(args, 'output');
  if (output !== undefined) addOutput(draft, output, JOB_OUT, at(args, 'output'));
  nameRest(args, ARGS, draft.notices);
  nameRest(common, {}, draft.notices);
}

/**
 * @param part id of the operation; the first that runs a container where it is left out
 * @throws AppError bad-input naming the key
 */
export function readNosana(value: unknown, part?: string): { file: ReadFile; notices: Notice[] } {
  const fields = fieldsOf(value, '');
  take(fields, 'version');
  take(fields, 'type');
  const operations = asList(take(fields, 'ops'), 'ops').map((item, index) => {
    const op = fieldsOf(item, `ops[${index}]`);
    return { op, id: takeText(op, 'id') ?? String(index), type: takeText(op, 'type') ?? 'container/run' };
  });
  const runs = operations.filter(({ type }) => type === 'container/run');
  const chosen = part === undefined ? runs[0] : runs.find(({ id }) => id === part);
  if (!chosen)
    throw chooseOne(
      'operation',
      runs.map(({ id }) => id),
      part,
    );
  const draft = newDraft();
  draft.name = chosen.id;
  meta(draft, take(fields, 'meta'));
  const common = fieldsOf(take(fields, 'global'), 'global');
  run(draft, fieldsOf(take(chosen.op, 'args'), at(chosen.op, 'args')), common);
  nameRest(
    chosen.op,
    { results: ['ignored', 'Results are not searched: logs and files come back as they are.'] },
    draft.notices,
  );
  for (const { op, id, type } of operations) {
    if (op === chosen.op) continue;
    if (type === 'container/run') {
      addNotice(
        draft.notices,
        'refused',
        op.where,
        `A job is one operation, this is ${shown(chosen.id, 40)}. Read the file again for "${shown(id, 40)}" and post it as another job.`,
      );
    } else {
      addNotice(
        draft.notices,
        'refused',
        op.where,
        `${shown(type, 40)} has no meaning here: nothing outlives a run but its results.`,
      );
    }
  }
  nameRest(fields, FILE, draft.notices);
  return finishDraft(draft);
}
