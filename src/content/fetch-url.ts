import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { AppError, toAppError } from '../shared/errors.ts';
import { delay } from '../shared/retry.ts';
import { Serial } from '../shared/serial.ts';
import {
  type ContentRoot,
  type ContentScope,
  type ContentStore,
  DEFAULT_CAPS,
  OWN_SCOPE,
  type PartialFile,
  type WorkOptions,
} from './content-store.ts';
import { diskError, hashFile } from './disk.ts';
import { httpGet } from './http-get.ts';
import { overCap } from './tree.ts';

export interface FetchUrlOptions extends Omit<WorkOptions, 'caps'> {
  store: ContentStore;
  pin?: string;
  /** For whom it is fetched; default `OWN_SCOPE`. */
  scope?: ContentScope;
  /** Default 64 GiB. */
  maxBytes?: number;
  /** Also from addresses inside private networks: for tests and the practice network. Default false. */
  allowPrivate?: boolean;
}

export interface FetchedUrl {
  /** A file root: `materialize` writes it as one file. */
  root: ContentRoot;
  /** Bytes that came now; 0 when it was here already. */
  bytes: number;
  /** Bytes an earlier, interrupted try had left. */
  resumedFrom: number;
}

const REDIRECTS = 3;
const TRIES = 5;

/** Downloads under way, so that two jobs that want the same file wait for one. */
const underWay = new WeakMap<ContentStore, Map<string, Serial>>();

/**
 * Fetches one file over http(s), checked against its SHA-256 (64 hexadecimal digits), into the store: two jobs that
 * name the same hash share it, wherever it came from. An interrupted download goes on where it stopped.
 * @throws AppError `bad-input` (URL or hash malformed, or the bytes are not those of the hash), `not-allowed` (a private
 * address), `network-down`, `not-found`, `over-limit`, `disk-full`, `cancelled`.
 */
export async function fetchUrl(url: string, sha256: string, options: FetchUrlOptions): Promise<FetchedUrl> {
  const hash = sha256.toLowerCase().replace(/^0x/, '');
  if (!/^[0-9a-f]{64}$/.test(hash)) {
    throw new AppError('bad-input', 'The SHA-256 of the file is needed: 64 hexadecimal digits.', { field: 'sha256' });
  }
  const serials = underWay.get(options.store) ?? new Map<string, Serial>();
  underWay.set(options.store, serials);
  const serial = serials.get(hash) ?? new Serial();
  serials.set(hash, serial);
  return serial.run(() => fetchOnce(url, hash, options));
}

async function fetchOnce(url: string, sha256: string, options: FetchUrlOptions): Promise<FetchedUrl> {
  const { store, pin, signal, scope = OWN_SCOPE } = options;
  const here = store.blocks.bySha256(sha256, scope);
  if (here !== null) {
    if (pin !== undefined) await store.pin(here, pin);
    const root = store.stat(here);
    if (root !== null) return { root, bytes: 0, resumedFrom: 0 };
  }
  const part = store.blocks.partial(sha256);
  const { size: resumedFrom } = await stat(part.file).catch(() => ({ size: 0 }));
  const came = { bytes: 0 };
  for (let attempt = 0; ; attempt += 1) {
    try {
      await download(url, sha256, part, came, options);
      const root = await store.blocks.adopt(part.file, sha256, {
        scope,
        ...(pin === undefined ? {} : { pin }),
        ...(signal === undefined ? {} : { signal }),
        caps: { bytes: Number.MAX_SAFE_INTEGER },
      });
      return { root, bytes: came.bytes, resumedFrom };
    } catch (thrown) {
      const error = signal?.aborted === true ? new AppError('cancelled', 'Cancelled.') : toAppError(diskError(thrown));
      const again = error.code === 'network-down' || (error instanceof Restart && attempt === 0);
      if (!again || attempt + 1 >= TRIES) throw error;
      await delay(100 * 2 ** attempt, signal).catch(() => {
        throw new AppError('cancelled', 'Cancelled.');
      });
    }
  }
}

/** What an earlier try left did not fit: it is gone, and one try from the beginning is worth it. */
class Restart extends AppError {}

/** Appends what is missing; counts what comes. */
async function download(
  url: string,
  sha256: string,
  part: PartialFile,
  counted: { bytes: number },
  { signal, onProgress, allowPrivate = false, maxBytes = DEFAULT_CAPS.bytes }: FetchUrlOptions,
): Promise<void> {
  let { size } = await stat(part.file).catch(() => ({ size: 0 }));
  const response = await httpGet(url, {
    headers: size > 0 ? { range: `bytes=${size}-` } : {},
    signal,
    allowPrivate,
    redirects: REDIRECTS,
  });
  try {
    const goesOn =
      response.statusCode === 206 && response.headers['content-range']?.startsWith(`bytes ${size}-`) === true;
    if (size > 0 && !goesOn) {
      await part.discard();
      if (response.statusCode !== 200) throw new Restart('bad-input', 'The download cannot go on where it stopped.');
      size = 0;
    }
    checkStatus(response, goesOn);
    const expected = Number(response.headers['content-length'] ?? Number.NaN);
    const totalBytes = Number.isSafeInteger(expected) ? size + expected : null;
    if (totalBytes !== null && totalBytes > maxBytes) throw overCap(`more than ${maxBytes} bytes`, 'url');
    const resumed = size > 0;
    const { hash } = resumed ? await hashFile(part.file, signal) : { hash: createHash('sha256') };
    const handle = await open(part.file, 'a');
    let came = 0;
    try {
      for await (const bytes of response as AsyncIterable<Buffer>) {
        if (size + came + bytes.byteLength > maxBytes) throw overCap(`more than ${maxBytes} bytes`, 'url');
        part.grow(bytes.byteLength);
        await handle.writeFile(bytes);
        hash.update(bytes);
        came += bytes.byteLength;
        counted.bytes += bytes.byteLength;
        onProgress?.({ bytes: size + came, totalBytes });
      }
      if (!response.complete) throw new AppError('network-down', 'The download broke off.');
      await handle.sync();
    } catch (thrown) {
      if (thrown instanceof AppError || (thrown as { syscall?: string }).syscall === 'write') throw thrown;
      throw new AppError('network-down', 'The download broke off.', { cause: thrown });
    } finally {
      await handle.close();
    }
    if (hash.digest('hex') !== sha256) {
      await part.discard();
      const message = 'The file at this URL is not the one with this SHA-256.';
      throw resumed
        ? new Restart('bad-input', message, { field: 'sha256' })
        : new AppError('bad-input', message, { field: 'sha256', next: 'Check the URL and the hash.' });
    }
  } finally {
    response.destroy();
  }
}

function checkStatus(response: IncomingMessage, goesOn: boolean): void {
  const status = response.statusCode ?? 0;
  if (status === 200 || goesOn) return;
  if (status === 404 || status === 410) {
    throw new AppError('not-found', 'There is no file at this URL.', { field: 'url' });
  }
  if (status === 429 || status >= 500) throw new AppError('network-down', `The server answered ${status}.`);
  throw new AppError('bad-input', `The server answered ${status}.`, { field: 'url' });
}
