/** Reads one service of an Akash SDL, version 2: akash-network/website `akash-sdl/syntax-reference` and `advanced-features`. */
import { parseBytes, parseCount, parseCpus } from './amounts.ts';
import { chooseOne } from './compose.ts';
import { finishDraft, JOB_OUT, newDraft, setAssignment } from './import-draft.ts';
import type { Draft, ReadFile } from './import-draft.ts';
import { asText, at, badPart, fieldsOf, nameRest, take, takeText, textList } from './import-fields.ts';
import type { Fields, Remarks } from './import-fields.ts';
import { GIB } from '../../shared/units.ts';
import { addNotice, shown } from './notices.ts';
import type { Notice } from './notices.ts';

const ALONE =
  'The job runs alone: other services of this file are not there. Put what it needs into its image or inputs.';

const SERVICE: Remarks = {
  expose: ['refused', 'Nothing can connect to a job. Rent a machine instead if you want to reach a port.'],
  credentials: ['refused', 'Images are fetched without a password. Put the image where everybody can fetch it.'],
  'depends-on': ['refused', ALONE],
  depends_on: ['refused', ALONE],
  params: [
    'refused',
    `Nothing outlives a run but its results: there are no volumes and no rights to set. Write results to ${JOB_OUT}.`,
  ],
};

const PLACEMENT: Remarks = {
  attributes: [
    'refused',
    'Providers are not chosen by attributes. Use resources.gpuModel, or search the market and rent.',
  ],
  signedBy: ['refused', 'Auditors of another network say nothing here. Look at reputation instead.'],
};

/** "rtx4090" -> "RTX 4090", as offers here write it; "a100" -> "A100". */
function modelName(model: string): string {
  const match = /^(rtx|gtx)[ -]?([a-z]?\d{3,5})(.{0,20})$/i.exec(model);
  const parts = match ? [match[1], match[2], match[3]?.replace(/^-/, '')] : [model];
  return parts
    .map((part) => (part === 'ti' || part === 'Ti' ? 'Ti' : (part ?? '').toUpperCase()))
    .filter((part) => part !== '')
    .join(' ')
    .slice(0, 80);
}

const first = (value: unknown): unknown => (Array.isArray(value) ? value[0] : value);

function gpu(draft: Draft, fields: Fields): void {
  const units = take(fields, 'units');
  if (units === undefined) return;
  const count = parseCount(units);
  if (count === null) throw badPart(at(fields, 'units'), 'must be a number of cards.');
  draft.gpuCount = count;
  const attributes = fieldsOf(take(fields, 'attributes'), at(fields, 'attributes'));
  const vendors = fieldsOf(take(attributes, 'vendor'), at(attributes, 'vendor'));
  const [vendor] = vendors.map.keys();
  if (vendor !== undefined) {
    draft.gpuType = vendor.toUpperCase().slice(0, 40);
    const models = take(vendors, vendor);
    const where = at(vendors, vendor);
    const model = fieldsOf(first(models), `${where}[0]`);
    const name = takeText(model, 'model');
    if (name !== undefined && name !== '*') {
      draft.gpuModel = modelName(name);
      if (draft.gpuModel !== name)
        addNotice(draft.notices, 'changed', at(model, 'model'), `Offers here write it ${draft.gpuModel}.`);
    }
    const ram = take(model, 'ram');
    if (ram !== undefined) {
      const bytes = parseBytes(ram, { thousands: true });
      if (bytes === null) throw badPart(at(model, 'ram'), 'must be the memory of a card such as 24Gi.');
      draft.gpuMemoryGb = Math.ceil(bytes / GIB);
    }
    nameRest(model, { interface: ['ignored', 'Offers do not say how a card is plugged in.'] }, draft.notices);
    if (Array.isArray(models) && models.length > 1) {
      addNotice(
        draft.notices,
        'changed',
        where,
        `Only the first of ${models.length} models is asked for. Leave gpuModel out to take any card with enough memory.`,
      );
    }
    for (const other of vendors.map.keys()) {
      addNotice(draft.notices, 'changed', at(vendors, other), `One maker can be asked for: ${draft.gpuType}.`);
    }
  }
  nameRest(attributes, {}, draft.notices);
  nameRest(fields, {}, draft.notices);
}

function storage(draft: Draft, value: unknown, where: string): void {
  let total = 0;
  for (const [index, item] of (Array.isArray(value) ? value : [value]).entries()) {
    if (item === undefined || item === null) continue;
    const path = Array.isArray(value) ? `${where}[${index}]` : where;
    const fields = fieldsOf(item, path);
    const size = parseBytes(take(fields, 'size'), { thousands: true });
    if (size === null) throw badPart(at(fields, 'size'), 'must be an amount such as 10Gi.');
    take(fields, 'name');
    const attributes = fieldsOf(take(fields, 'attributes'), at(fields, 'attributes'));
    if (takeText(attributes, 'class') === 'ram') {
      addNotice(
        draft.notices,
        'ignored',
        path,
        "The provider's host chooses the size of shared memory by the job's memory.",
      );
    } else total += size;
    if (takeText(attributes, 'persistent') === 'true') {
      addNotice(
        draft.notices,
        'refused',
        path,
        `Nothing outlives a run but its results: it is disk for this run only. Write results to ${JOB_OUT}.`,
      );
    }
    nameRest(attributes, {}, draft.notices);
    nameRest(fields, {}, draft.notices);
  }
  if (total > 0) draft.diskBytes = total;
}

function compute(draft: Draft, profile: Fields): void {
  const resources = fieldsOf(take(profile, 'resources'), at(profile, 'resources'));
  const cpu = fieldsOf(take(resources, 'cpu'), at(resources, 'cpu'));
  const units = take(cpu, 'units');
  if (units !== undefined) {
    draft.cpus = parseCpus(units);
    if (draft.cpus === null) throw badPart(at(cpu, 'units'), 'must be a number of processors such as 0.5 or 500m.');
  }
  nameRest(cpu, { attributes: ['ignored', 'Offers do not say which processor they have.'] }, draft.notices);
  const memory = fieldsOf(take(resources, 'memory'), at(resources, 'memory'));
  const size = take(memory, 'size');
  if (size !== undefined) {
    draft.memoryBytes = parseBytes(size, { thousands: true });
    if (draft.memoryBytes === null) throw badPart(at(memory, 'size'), 'must be an amount such as 512Mi.');
  }
  nameRest(memory, {}, draft.notices);
  storage(draft, take(resources, 'storage'), at(resources, 'storage'));
  gpu(draft, fieldsOf(take(resources, 'gpu'), at(resources, 'gpu')));
  nameRest(resources, {}, draft.notices);
  nameRest(profile, {}, draft.notices);
}

function placement(draft: Draft, fields: Fields, name: string): void {
  const pricing = fieldsOf(take(fields, 'pricing'), at(fields, 'pricing'));
  const price = fieldsOf(take(pricing, name), at(pricing, name));
  const amount = takeText(price, 'amount');
  if (amount !== undefined) {
    addNotice(
      draft.notices,
      'ignored',
      price.where,
      `${shown(amount, 20)} ${shown(takeText(price, 'denom') ?? '', 20)} per block is a price of another network. What a task pays here is its bounty.`,
    );
  }
  nameRest(fields, PLACEMENT, draft.notices);
}

/** Where a service is to run: the profile's name, the placements' and how often in all of them. */
function target(
  draft: Draft,
  deployment: Fields,
  name: string,
): { profile: string; placements: string[]; count: number } {
  const places = fieldsOf(take(deployment, name), at(deployment, name));
  const wanted = [...places.map.keys()].map((place) => {
    const fields = fieldsOf(take(places, place), at(places, place));
    const count = parseCount(take(fields, 'count') ?? 1);
    if (count === null) throw badPart(at(fields, 'count'), 'must be a whole number.');
    const profile = takeText(fields, 'profile') ?? name;
    nameRest(fields, {}, draft.notices);
    return { place, where: fields.where, profile, count };
  });
  const [leading, ...others] = wanted;
  if (leading === undefined) throw badPart(places.where, 'is missing: it says which profile the service uses.');
  // Tasks of one array ask for the same hardware.
  const same = others.filter(({ profile }) => profile === leading.profile);
  for (const other of others) {
    if (other.profile === leading.profile) {
      addNotice(
        draft.notices,
        'changed',
        other.where,
        `Providers are not chosen by place: its ${other.count} went together with those of ${shown(leading.place, 40)}.`,
      );
    } else {
      addNotice(
        draft.notices,
        'refused',
        other.where,
        `It asks for other hardware (${shown(other.profile, 40)}) than ${shown(leading.place, 40)}: its ${other.count} are left out. Post them as another job.`,
      );
    }
  }
  const taken = [leading, ...same];
  return {
    profile: leading.profile,
    placements: taken.map(({ place }) => place),
    count: taken.reduce((sum, { count }) => sum + count, 0),
  };
}

/**
 * @param part name of the service; not needed where there is only one
 * @throws AppError bad-input naming the key, or the services to choose from (field `part`)
 */
export function readAkash(value: unknown, part?: string): { file: ReadFile; notices: Notice[] } {
  const fields = fieldsOf(value, '');
  take(fields, 'version');
  const services = fieldsOf(take(fields, 'services'), 'services');
  const names = [...services.map.keys()];
  const name = part ?? (names.length === 1 ? names[0] : undefined);
  if (name === undefined || !services.map.has(name)) throw chooseOne('service', names, part);
  const draft = newDraft();
  draft.name = name;
  const service = fieldsOf(take(services, name), `services.${name}`);
  draft.image = takeText(service, 'image') ?? null;
  if (draft.image === null) throw badPart(at(service, 'image'), 'is missing.');
  const list = (key: string): string[] => {
    const given = take(service, key);
    if (given === undefined || Array.isArray(given)) return textList(given, at(service, key));
    return ['/bin/sh', '-c', asText(given, at(service, key)) ?? ''];
  };
  const entrypoint = list('command');
  draft.entrypoint = entrypoint.length === 0 ? null : entrypoint;
  draft.args = list('args');
  for (const line of textList(take(service, 'env'), at(service, 'env'))) setAssignment(draft, line, at(service, 'env'));
  nameRest(service, SERVICE, draft.notices);

  const where = target(draft, fieldsOf(take(fields, 'deployment'), 'deployment'), name);
  const profiles = fieldsOf(take(fields, 'profiles'), 'profiles');
  const computes = fieldsOf(take(profiles, 'compute'), 'profiles.compute');
  if (!computes.map.has(where.profile)) throw badPart(`profiles.compute.${where.profile}`, 'is missing.');
  compute(draft, fieldsOf(take(computes, where.profile), at(computes, where.profile)));
  const places = fieldsOf(take(profiles, 'placement'), 'profiles.placement');
  for (const place of where.placements) placement(draft, fieldsOf(take(places, place), at(places, place)), name);
  if (where.count > 1) {
    draft.tasks = where.count;
    addNotice(
      draft.notices,
      'changed',
      `deployment.${name}`,
      `It became an array of ${where.count} tasks, each paid for itself. COMMONWATT_TASK_INDEX tells them apart.`,
    );
  }
  for (const other of services.map.keys()) addNotice(draft.notices, 'refused', `services.${other}`, ALONE);
  nameRest(
    fields,
    { endpoints: ['refused', 'Nothing can connect to a job: it has no address of its own.'] },
    draft.notices,
  );
  return finishDraft(draft);
}
