import { AppError } from '../shared/errors.ts';

/** Longest name that common file systems take, in bytes. */
const NAME_BYTES = 255;

const WINDOWS_NAME = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$/i;
const WINDOWS_CHARACTERS = /[<>:"|?*]/;

export type Platform = NodeJS.Platform;

const refusal = (where: string, why: string) =>
  new AppError('bad-input', `The name ${JSON.stringify(where.slice(0, 300))} is refused: ${why}.`, { field: where });

/**
 * A name from a stranger, before it becomes a file here. `where` is for the message: the whole path.
 * @throws AppError `bad-input` naming the entry.
 */
export function checkName(name: string, where: string = name, platform: Platform = process.platform): void {
  if (name === '') throw refusal(where, 'it is empty');
  if (name === '.' || name === '..') throw refusal(where, 'it leads out of its folder');
  if (/[/\\]/.test(name)) throw refusal(where, 'it holds a slash');
  if (/[\u0000-\u001f\u007f]/.test(name)) throw refusal(where, 'it holds a control character');
  // Decoders put this in place of bytes that are no text: two such names could be the same.
  if (name.includes('\ufffd')) throw refusal(where, 'it is not valid text');
  if (Buffer.byteLength(name) > NAME_BYTES) throw refusal(where, `it is longer than ${NAME_BYTES} bytes`);
  if (platform !== 'win32') return;
  if (WINDOWS_NAME.test(name)) throw refusal(where, 'Windows reserves it');
  if (WINDOWS_CHARACTERS.test(name) || /[. ]$/.test(name)) throw refusal(where, 'Windows cannot store it');
}

/** Names with equal keys would be one file on this platform. */
export const nameKey = (name: string, platform: Platform = process.platform): string =>
  platform === 'win32' || platform === 'darwin' ? name.normalize('NFC').toLowerCase() : name;

/** @throws AppError `bad-input` when two names would be one file. */
export function checkDistinct(names: Iterable<string>, folder: string, platform: Platform = process.platform): void {
  const seen = new Set<string>();
  for (const name of names) {
    const key = nameKey(name, platform);
    if (seen.has(key)) throw refusal(folder === '' ? name : `${folder}/${name}`, 'it occurs twice');
    seen.add(key);
  }
}

/** Splits a path with `/` and checks every name of it. @throws AppError `bad-input`. */
export function checkPath(path: string): string[] {
  const names = path.split('/');
  for (const name of names) checkName(name, path);
  return names;
}
