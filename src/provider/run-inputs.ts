import { mkdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ContentSource } from '../content/block-sources.ts';
import { DEFAULT_CAPS, PUBLIC_SCOPE, type Cid, type ContentScope, type WorkOptions } from '../content/content-store.ts';
import { fetchContent } from '../content/fetch-content.ts';
import { fetchUrl } from '../content/fetch-url.ts';
import type { PeerConnection } from '../peer/peer-link.ts';
import { AppError, toAppError } from '../shared/errors.ts';
import type { Hex } from '../shared/ids.ts';
import type { JobInput, JobSpec } from '../shared/job-spec.ts';
import type { Progress } from '../shared/ready-check.ts';
import type { JobRun } from '../store/ledger.ts';
import type { JobRoom } from './job-room.ts';
import { inputFault } from './renter-fault.ts';

const CONNECT_MS = 20_000;

export interface FetchedInputs {
  /** Folder whose content becomes `in/`. */
  inputs: string;
  /** File of the module; null unless the work is one. */
  module: string | null;
}

interface FetchParts {
  run: JobRun;
  spec: JobSpec;
  /** A folder of this run's own; what is in it is replaced. */
  folder: string;
  /** Keeps what is fetched until the run lets go of it. */
  pin: string;
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
}

/**
 * Brings everything the work reads onto this computer, each piece compared with its address or hash: from the renter over
 * a direct line, from gateways, from URLs. What came in an earlier try, or for another job of this renter, is not fetched
 * again; what is here for others, or is the owner's, is: an address alone opens nothing.
 * @throws RenterFault where the renter named something that cannot be had; AppError peer-unreachable, network-down, busy
 * (worth another try), disk-full
 */
export async function fetchInputs(room: JobRoom, parts: FetchParts): Promise<FetchedInputs> {
  const { run, spec, folder, pin, signal, onProgress } = parts;
  const inputs = path.join(folder, 'in');
  const module = spec.work.type === 'wasm' ? path.join(folder, 'module.wasm') : null;
  await rm(folder, { recursive: true, force: true });
  await mkdir(inputs, { recursive: true, mode: 0o700 });
  const line = renterLine(room, run, spec, signal);
  // Together they fit on the disk that the job asked for.
  let bytesLeft = spec.resources.diskBytes;
  try {
    for (const input of spec.inputs) {
      const options: WorkOptions = {
        signal,
        caps: { ...DEFAULT_CAPS, bytes: bytesLeft },
        onProgress: ({ bytes, totalBytes }) =>
          onProgress({ label: `Fetching ${input.path}`, done: bytes, total: totalBytes, unit: 'bytes' }),
      };
      const target = path.join(inputs, ...input.path.split('/'));
      await mkdir(path.dirname(target), { recursive: true });
      try {
        const cid = await fetchOne(room, input, line.get, { pin, renter: run.terms.renter, ...options });
        // Names and sizes inside it are the renter's too.
        const { bytes } = await room.content.materialize(cid, target, { signal, caps: { bytes: bytesLeft } });
        bytesLeft -= bytes;
      } catch (thrown) {
        throw inputFault(input.path, input.from, toAppError(thrown));
      }
    }
    if (module !== null && spec.work.type === 'wasm') {
      try {
        const cid = await fetchModule(room, spec.work.module, spec, line.get, {
          pin,
          renter: run.terms.renter,
          signal,
          caps: { bytes: bytesLeft },
        });
        await room.content.materialize(cid, module, { signal });
        if (!(await stat(module)).isFile()) throw new AppError('bad-input', 'The module is a folder.');
      } catch (thrown) {
        throw inputFault('with the module', 'renter', toAppError(thrown));
      }
    }
    return { inputs, module };
  } finally {
    line.close();
  }
}

type FetchOneOptions = WorkOptions & { pin: string; renter: ContentScope };
type GetLine = () => Promise<PeerConnection>;

async function fetchOne(room: JobRoom, input: JobInput, line: GetLine, options: FetchOneOptions): Promise<Cid> {
  const store = room.content;
  switch (input.from) {
    case 'renter': {
      if (store.has(input.cid, options.renter)) return fetched(room, input.cid, [], options, options.renter);
      return fromRenter(async () => fetched(room, input.cid, [{ peer: await line() }], options, options.renter));
    }
    case 'ipfs':
      return fetched(room, input.cid, gatewaySources(room), options, PUBLIC_SCOPE);
    case 'url': {
      const { caps, ...rest } = options;
      const { root } = await fetchUrl(input.url, input.sha256, {
        ...rest,
        store,
        scope: PUBLIC_SCOPE,
        ...(caps?.bytes === undefined ? {} : { maxBytes: caps.bytes }),
        // A stranger's URL never reaches the owner's own network; on a practice network there are no strangers.
        allowPrivate: room.chain.profile.practice,
      });
      return root.cid;
    }
  }
}

/** From the renter where there is one to ask, else from a gateway. */
async function fetchModule(
  room: JobRoom,
  cid: Cid,
  spec: JobSpec,
  line: GetLine,
  options: FetchOneOptions,
): Promise<Cid> {
  const { renter } = options;
  if (room.content.has(cid, renter)) return fetched(room, cid, [], options, renter);
  if (spec.renterPeer === undefined) return fetched(room, cid, gatewaySources(room), options, PUBLIC_SCOPE);
  try {
    return await fromRenter(async () => fetched(room, cid, [{ peer: await line() }], options, renter));
  } catch (thrown) {
    if (room.gateways().length === 0 || options.signal?.aborted) throw thrown;
    return fetched(room, cid, gatewaySources(room), options, PUBLIC_SCOPE).catch(() => {
      // What gateways do not have may still come from the renter: its word decides whether to try again.
      throw thrown;
    });
  }
}

async function fetched(
  room: JobRoom,
  cid: Cid,
  sources: ContentSource[],
  options: Omit<FetchOneOptions, 'renter'>,
  scope: ContentScope,
): Promise<Cid> {
  if (sources.length === 0 && !room.content.has(cid, scope)) {
    throw new AppError('not-found', 'This host has no IPFS gateway to fetch from.', { field: cid });
  }
  const { root } = await fetchContent(cid, sources, { ...options, store: room.content, scope });
  return root.cid;
}

const gatewaySources = (room: JobRoom): ContentSource[] => room.gateways().map((gateway) => ({ gateway }));

/** The renter's host may not have seen the assignment yet, and gives nothing to strangers. */
async function fromRenter<T>(step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (thrown) {
    const error = toAppError(thrown);
    if (error.code !== 'not-allowed') throw error;
    throw new AppError('busy', `The renter’s host does not hand out the input yet: ${error.message}`, { cause: error });
  }
}

/** One line to the renter for all inputs, opened when the first of them needs it. */
function renterLine(
  room: JobRoom,
  { terms }: JobRun,
  { renterPeer }: JobSpec,
  signal: AbortSignal,
): { get: GetLine; close: () => void } {
  let opened: Promise<PeerConnection> | null = null;
  return {
    get() {
      if (renterPeer === undefined) {
        return Promise.reject(new AppError('bad-input', 'The job does not say where the renter’s host is.'));
      }
      opened ??= room.connect(
        { peerKey: renterPeer as Hex },
        {
          signal: AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS)]),
          expectWallet: terms.renter,
          purpose: 'bulk',
        },
      );
      return opened;
    },
    close() {
      void opened?.then(
        (connection) => connection.close('The inputs are here.'),
        () => undefined,
      );
    },
  };
}
