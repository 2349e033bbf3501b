import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { ContentStore } from '../../content/content-store.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import type { JobFile, JobFileInput, JobInput } from '../../shared/job-spec.ts';
import { kernelSample } from '../../shared/kernel-samples.ts';
import { readKernelInput } from '../../shared/kernels.ts';
import { parseTable, tableFormatOf } from '../../shared/table.ts';
import { MIB } from '../../shared/units.ts';
import { readAll } from './check-result.ts';

/** Looked at before it is posted; larger ones would hold everything else up. */
const SMALL_TABLE_BYTES = 4 * MIB;

/** Owner of the pins that keep a submission's inputs until all its tasks have ended. */
export const inputsPin = (batchId: string): string => `jobs:${batchId}`;
/** Null for another owner's pin. */
export const batchOfPin = (pin: string): string | null => /^jobs:([0-9a-f]+)$/.exec(pin)?.[1] ?? null;

/** A kernel job on one of the host's own samples gets the sample's parameters where it names none. */
export function withSampleParams(file: JobFile): JobFile {
  if (file.work.type !== 'kernel') return file;
  const { work, inputs } = file;
  const input = inputs.find((one) => one.path === work.table);
  if (!input) {
    throw new AppError('bad-input', `A kernel needs its table: an input with the path ${work.table}.`, {
      field: 'inputs',
      next: `Add an input {path: ${work.table}, upload: …}, or {path: ${work.table}, sample: ${work.model}} to try it.`,
    });
  }
  if (!('sample' in input)) return file;
  const sample = kernelSample(input.sample);
  const target = work.target ?? sample.target;
  const params = { ...sample.params, ...work.params };
  return { ...file, work: { ...work, params, ...(target === undefined ? {} : { target }) } };
}

/**
 * Gives every input its address: files of this computer stay where they are, text and samples go into the store. All of it
 * is kept for `pin` until it is let go.
 * @throws AppError bad-input naming the input, not-found
 */
export async function resolveInputs(
  content: ContentStore,
  file: JobFile,
  { pin, signal }: { pin: string; signal?: AbortSignal },
): Promise<JobInput[]> {
  const resolved: JobInput[] = [];
  for (const [index, input] of file.inputs.entries()) {
    try {
      resolved.push(await resolveInput(content, input, pin, signal));
    } catch (thrown) {
      const { code, message, next, cause, field } = toAppError(thrown);
      throw new AppError(code, `Input ${input.path}: ${message}`, {
        field: `inputs[${index}]${field === 'upload' ? '.upload' : ''}`,
        cause,
        ...(next === undefined ? {} : { next }),
      });
    }
  }
  if (file.work.type === 'kernel') await checkTable(content, file, resolved, pin);
  return resolved;
}

/** A kernel's table is one file, and where a certificate checks the result, one that is on this computer. */
async function checkTable(
  content: ContentStore,
  file: JobFile,
  inputs: readonly JobInput[],
  pin: string,
): Promise<void> {
  const { work, verification } = file;
  const table = inputs.find((input) => work.type === 'kernel' && input.path === work.table);
  if (!table) return;
  const here = table.from !== 'url' && content.has(table.cid);
  if (!here) {
    if (verification.tier !== 'certificate') return;
    throw new AppError('bad-input', 'A certificate is checked against a table that is on this computer.', {
      field: 'inputs',
      next: 'Download the table and name the file as an upload, or choose another verification.',
    });
  }
  await content.pin(table.cid, pin);
  for await (const { kind, path: name, size } of content.entries(table.cid)) {
    if (kind === 'file' && name === '') {
      // A table that no kernel can compute on would be posted, tried and paid.
      if (size <= SMALL_TABLE_BYTES) tryTable(await readAll(content.read(table.cid)), file);
      return;
    }
    throw new AppError('bad-input', `The table ${table.path} is a folder; a kernel reads one file.`, {
      field: 'inputs',
      next: 'Name the file itself.',
    });
  }
}

/** @throws AppError bad-input naming what is wrong with the table or the parameters */
function tryTable(bytes: Uint8Array, { work, array }: JobFile): void {
  if (work.type !== 'kernel') return;
  const target = work.model === 'linear_regression' ? (work.target ?? 'last') : undefined;
  const table = parseTable(bytes, tableFormatOf(work.table), target === undefined ? {} : { target });
  // Each task of an array has parameters of its own.
  if (array === undefined) readKernelInput(work.model, table, work.params);
}

async function resolveInput(
  content: ContentStore,
  input: JobFileInput,
  pin: string,
  signal: AbortSignal | undefined,
): Promise<JobInput> {
  const options = { pin, ...(signal === undefined ? {} : { signal }) };
  if ('url' in input) return { from: 'url', path: input.path, url: input.url, sha256: input.sha256 };
  if ('ipfs' in input) return { from: 'ipfs', path: input.path, cid: input.ipfs };
  const own = async (cid: string): Promise<JobInput> => ({
    from: 'renter',
    path: input.path,
    cid,
    bytes: await sizeOf(content, cid),
  });
  if ('text' in input) return own((await content.importBytes(Buffer.from(input.text), options)).cid);
  if ('sample' in input) {
    const { csv } = kernelSample(input.sample);
    return own((await content.importBytes(csv, options)).cid);
  }
  if ('content' in input) {
    if (!content.has(input.content)) throw new AppError('not-found', 'This content is not on this computer.');
    await content.pin(input.content, pin);
    return own(input.content);
  }
  const place = input.upload;
  // Against this process's working folder it would be another file than its writer meant; the command line writes it whole.
  if (!path.isAbsolute(place)) {
    throw new AppError('bad-input', `the path ${place.slice(0, 200)} does not say which folder it starts in.`, {
      field: 'upload',
      next: 'Choose the file or folder here, or write its whole path.',
    });
  }
  const found = await stat(place).catch((thrown: unknown) => {
    throw new AppError('not-found', `${place} cannot be read.`, { cause: thrown, next: 'Check the path.' });
  });
  return own(
    (found.isDirectory() ? await content.importFolder(place, options) : await content.importFile(place, options)).cid,
  );
}

async function sizeOf(content: ContentStore, cid: string): Promise<number> {
  let bytes = 0;
  for await (const entry of content.entries(cid)) bytes += entry.size;
  return bytes;
}
