import { parseCount } from './amounts.ts';
import type { Draft } from './import-draft.ts';
import { addNotice, shown } from './notices.ts';

const ALL =
  'All cards of an unknown computer cannot be asked for: the job asks for one. Say how many with resources.gpuCount.';

/** "all" cards: one, named. */
export function allCards(draft: Draft, where: string): void {
  draft.gpuCount = Math.max(draft.gpuCount, 1);
  addNotice(draft.notices, 'changed', where, ALL);
}

/** Cards chosen by number or id: as many as were named. */
export function chosenCards(draft: Draft, ids: readonly string[], where: string): void {
  draft.gpuCount = Math.max(draft.gpuCount, ids.length);
  addNotice(
    draft.notices,
    'changed',
    where,
    `${shown(ids.join(', '), 60)} names cards of one computer: the job asks for ${ids.length} of any.`,
  );
}

/** Fields of one CSV line as `docker run --gpus` takes it: `all`, `2`, `"device=0,1"`, `count=2,capabilities=utility`. */
function csvFields(text: string): string[] {
  const fields: string[] = [];
  let field = '';
  let quoted = false;
  for (const char of text) {
    if (char === '"') quoted = !quoted;
    else if (char === ',' && !quoted) {
      fields.push(field);
      field = '';
    } else field += char;
  }
  fields.push(field);
  return fields.map((part) => part.trim()).filter((part) => part !== '');
}

/** `--gpus` of docker: cards of NVIDIA. */
export function readGpus(draft: Draft, value: string, where: string): void {
  draft.gpuType = 'NVIDIA';
  for (const field of csvFields(value)) {
    const cut = field.indexOf('=');
    const key = cut === -1 ? 'count' : field.slice(0, cut);
    const what = field.slice(cut + 1);
    const count = parseCount(what);
    if (key === 'count' && (what === 'all' || what === '-1')) allCards(draft, where);
    else if (key === 'count' && count !== null) draft.gpuCount = Math.max(draft.gpuCount, count);
    else if (key === 'device')
      chosenCards(
        draft,
        what.split(',').filter((id) => id !== ''),
        where,
      );
    else if (key === 'driver' && what !== 'nvidia') {
      draft.gpuType = what.toUpperCase().slice(0, 40) || null;
    } else if (key !== 'driver') {
      addNotice(
        draft.notices,
        'ignored',
        where,
        `${shown(field, 40)} has no effect: a job gets its cards for computing.`,
      );
    }
  }
}

/** `--device` and compose `devices`: cards by CDI name or by device file; anything else is refused. */
export function readDevice(draft: Draft, value: string, where: string): void {
  const cdi = /^(nvidia|amd|intel)\.com\/gpu=(.+)$/.exec(value);
  if (cdi) {
    draft.gpuType = (cdi[1] ?? '').toUpperCase();
    if (cdi[2] === 'all') allCards(draft, where);
    else chosenCards(draft, [cdi[2] ?? ''], where);
    return;
  }
  if (value.startsWith('/dev/kfd') || value.startsWith('/dev/dri') || value.startsWith('/dev/nvidia')) {
    draft.gpuType = value.startsWith('/dev/kfd')
      ? 'AMD'
      : (draft.gpuType ?? (value.startsWith('/dev/nvidia') ? 'NVIDIA' : null));
    if (draft.gpuCount > 0) return;
    draft.gpuCount = 1;
    addNotice(
      draft.notices,
      'changed',
      where,
      'Cards are asked for by number, not as device files: the job asks for one.',
    );
    return;
  }
  addNotice(draft.notices, 'refused', where, `${shown(value, 40)}: a job gets no devices but graphics cards.`);
}
