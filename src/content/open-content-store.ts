import { mkdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { AppError, toAppError } from '../shared/errors.ts';
import type { Log } from '../shared/log.ts';
import { Serial } from '../shared/serial.ts';
import type { Clock } from '../shared/time.ts';
import { isRaw, matches, toCid } from './address.ts';
import {
  type BlockAccess,
  type BlockIntake,
  type Cid,
  type ContentRoot,
  type ContentScope,
  type ContentStore,
  type ImportOptions,
  OWN_SCOPE,
} from './content-store.ts';
import { openBlockFiles } from './disk.ts';
import { describeHeld, type Held, isFor, isInPlace, union } from './held.ts';
import { openHoldings } from './holdings.ts';
import { buildTree, scanEntries, scanFile, scanFolder, sourceFiles, type Scan } from './import-tree.ts';
import { findPlaces, readPlace } from './in-place.ts';
import { removeOldParts, removeUnclaimed } from './leftovers.ts';
import { materializeTree } from './materialize.ts';
import { childrenOf } from './nodes.ts';
import { newRecord, openRecords, type RootRecord, type Source } from './records.ts';
import { createMeter, type GetBlock, readFileTree, resolvePath, walkTree } from './tree.ts';

export interface ContentStoreOptions {
  /** A folder of its own; made when missing. */
  dir: string;
  /** Bytes the store may take; asked whenever it grows. */
  limitBytes: () => number;
  log: Log;
  clock: Clock;
}

const TOUCH_SECONDS = 60;

/** @throws AppError or Error where the folder cannot be used. What a crash left behind is put in order first. */
export async function openContentStore({ dir, limitBytes, log, clock }: ContentStoreOptions): Promise<ContentStore> {
  const at = (name: string) => path.join(dir, name);
  const folders = ['by-cid', 'roots', 'scratch', 'files', 'partial'];
  for (const name of folders) await mkdir(at(name), { recursive: true });
  await removeUnclaimed(at('scratch'), new Set());
  const files = openBlockFiles(at('by-cid'), at('scratch'));
  const records = openRecords(at('roots'));
  const holdings = await openHoldings(files, limitBytes, log);
  const held = new Map<Cid, Held>();
  /** Records are written one after the other, so that the newest is the one that stays. */
  const writes = new Serial();
  const save = (entry: Held) => writes.run(() => records.write(entry.record));
  let unsaved = Promise.resolve();
  const saveLater = (entry: Held) => {
    unsaved = save(entry).catch((thrown: unknown) => log.warn({ error: String(thrown) }, 'a record was not saved'));
  };

  function createHeld(record: RootRecord, source: Source | null, cid: Cid | null): Held {
    const entry: Held = {
      cid,
      record,
      source,
      blocks: new Set(),
      places: new Map(),
      fileBytes: 0,
      users: 0,
      broken: null,
      touchedAt: 0,
      free: () => entry.users === 0 && entry.record.pins.length === 0 && takesSpace(entry),
      evict: () => forgetOnDisk(entry),
      spoiled() {
        if (!entry.record.complete) return;
        entry.record = { ...entry.record, complete: false };
        if (entry.cid !== null) saveLater(entry);
      },
    };
    holdings.add(entry);
    return entry;
  }

  /** What lies in the user's own files frees nearly nothing when it is evicted, and could not be fetched again. */
  const takesSpace = (entry: Held) => entry.source === null || entry.source.owned;

  async function forgetOnDisk(entry: Held): Promise<void> {
    const { cid, source } = entry;
    if (cid === null) return;
    if (held.get(cid) === entry) held.delete(cid);
    await writes.run(() => records.remove(cid));
    await removeOwned(source);
  }

  async function removeOwned(source: Source | null): Promise<void> {
    if (source?.owned === true) await rm(path.join(source.base, source.files[0]?.path ?? '-'), { force: true });
  }

  const described = (entry: Held): ContentRoot => describeHeld(entry, holdings.bytesOf(entry));

  function touch(entry: Held): void {
    holdings.touch(entry);
    const now = clock.now();
    if (now - entry.touchedAt < TOUCH_SECONDS || entry.cid === null) return;
    entry.touchedAt = now;
    void records.used(entry.cid, now).catch(() => undefined);
  }

  async function readFromFile(entry: Held, block: Cid): Promise<Uint8Array | null> {
    const place = entry.places.get(block);
    try {
      return place === undefined ? null : await readPlace(place, block);
    } catch (thrown) {
      entry.broken = toAppError(thrown).message;
      throw thrown;
    }
  }

  const readHeld = async (entry: Held, block: Cid): Promise<Uint8Array | null> =>
    entry.blocks.has(block) ? holdings.read(block) : readFromFile(entry, block);

  const missing = (cid: Cid) =>
    new AppError('not-found', 'This content is not here, or not completely.', { field: cid, next: 'Fetch it first.' });

  /** Uses a complete root, protected from eviction meanwhile. */
  function using(text: Cid): { entry: Held; get: GetBlock; release: () => void } {
    const cid = toCid(text);
    const entry = held.get(cid);
    if (entry === undefined || !entry.record.complete) throw missing(cid);
    entry.users += 1;
    touch(entry);
    return {
      entry,
      release: () => void (entry.users -= 1),
      async get(block) {
        const bytes = await readHeld(entry, block);
        if (bytes === null) throw missing(block);
        return bytes;
      },
    };
  }

  async function* whileUsing<T>(cid: Cid, run: (get: GetBlock) => AsyncIterable<T>): AsyncGenerator<T, void> {
    const { get, release } = using(cid);
    try {
      yield* run(get);
    } finally {
      release();
    }
  }

  const stored: GetBlock = async (block) => {
    const bytes = await holdings.read(block);
    if (bytes === null) throw missing(block);
    return bytes;
  };

  /** Holds every block below the root that is on disk; true when none is missing. */
  async function gather(entry: Held, root: Cid): Promise<boolean> {
    const waiting = [root];
    let whole = true;
    for (let block = waiting.pop(); block !== undefined; block = waiting.pop()) {
      if (entry.blocks.has(block)) continue;
      if (!holdings.hold(entry, block)) {
        whole &&= entry.places.has(block) || (entry.source !== null && isRaw(block));
        continue;
      }
      if (isRaw(block)) continue;
      const bytes = await holdings.read(block);
      if (bytes === null) whole = false;
      else waiting.push(...childrenOf(block, bytes));
    }
    return whole;
  }

  /** A root can name any block: only those count that came for this scope, or for everybody. */
  const mayReuse = (block: Cid, scope: ContentScope): boolean =>
    holdings.has(block) && held.values().some((entry) => entry.blocks.has(block) && isFor(entry, scope));

  function createIntake(entry: Held, root: Cid | null, scope: ContentScope): BlockIntake {
    entry.users += 1;
    let active = true;
    const written: Cid[] = [];
    const leave = () => {
      if (!active) throw new Error('this intake has ended');
      active = false;
      entry.users -= 1;
    };
    return {
      get: async (block) => {
        if (!entry.blocks.has(block) && mayReuse(block, scope)) holdings.hold(entry, block);
        return readHeld(entry, block);
      },
      async put(block, bytes) {
        if (!(await matches(block, bytes))) return false;
        if (entry.blocks.has(block)) return true;
        await holdings.write(entry, block, bytes);
        written.push(block);
        return true;
      },
      async complete(cid) {
        await files.sync(written);
        leave();
        entry.record = { ...entry.record, cid, complete: true };
        if (root !== null && held.get(root) === entry) {
          await save(entry);
          return described(entry);
        }
        return described(await settle(entry, cid));
      },
      abandon() {
        if (!active) return Promise.resolve();
        leave();
        if (root === null || held.get(root) !== entry) holdings.drop(entry);
        return Promise.resolve();
      },
    };
  }

  /** What was built gets its name; where the same content is here already, that one stays. */
  async function settle(entry: Held, cid: Cid): Promise<Held> {
    const same = held.get(cid);
    // A copy of ours is better than somebody's files, unless those are being read right now.
    const better = same?.record.inPlace === true && entry.source === null && same.users === 0;
    if (same?.record.complete === true && same.broken === null && !better) {
      const pins = union(same.record.pins, entry.record.pins);
      // Files of the owner's are never read for anybody else.
      const scopes = isInPlace(same) ? same.record.scopes : union(same.record.scopes, entry.record.scopes);
      same.record = { ...same.record, pins, scopes, sha256: same.record.sha256 ?? entry.record.sha256 };
      holdings.drop(entry);
      await removeOwned(entry.source);
      touch(same);
      await save(same);
      return same;
    }
    if (same !== undefined) {
      const { pins, scopes, complete } = same.record;
      entry.record = {
        ...entry.record,
        pins: union(pins, entry.record.pins),
        // What is only partly here for somebody is not theirs.
        scopes: complete && !isInPlace(entry) ? union(scopes, entry.record.scopes) : entry.record.scopes,
      };
      same.cid = null;
      same.record = { ...same.record, pins: [] };
      // Somebody else may still be fetching into it, and takes this one in the end.
      if (same.users === 0) holdings.drop(same);
    }
    entry.cid = cid;
    held.set(cid, entry);
    touch(entry);
    const { source } = entry;
    await writes.run(async () => {
      if (source !== null) await records.writeSource(cid, source);
      await records.write(entry.record);
    });
    return entry;
  }

  const building = (pin?: string, scope = OWN_SCOPE): { entry: Held; intake: BlockIntake } => {
    const entry = createHeld(newRecord('', { pins: pin === undefined ? [] : [pin], scopes: [scope] }), null, null);
    return { entry, intake: createIntake(entry, null, scope) };
  };

  /** Imports what a scan found without copying it. */
  async function importScan(
    base: string,
    scan: Scan,
    { pin, scope, signal, onProgress }: ImportOptions,
    wrap: boolean,
    more: { owned?: boolean; sha256?: string } = {},
  ): Promise<ContentRoot> {
    const { entry, intake } = building(pin, scope);
    try {
      const cids = new Map<string, Cid>();
      const cid = await buildTree(
        scanEntries(base, scan, onProgress),
        intake,
        { signal, inPlace: true, files: 4, onFile: (name, file) => cids.set(name, file) },
        wrap,
      );
      entry.source = { base, owned: more.owned ?? false, files: sourceFiles(scan, cids) };
      entry.record = { ...entry.record, inPlace: true, sha256: more.sha256 ?? null };
      entry.places = await findPlaces(entry.source, stored);
      if (more.owned === true) {
        holdings.reserve(scan.bytes);
        entry.fileBytes = scan.bytes;
      }
      return await intake.complete(cid);
    } catch (thrown) {
      await intake.abandon();
      throw signal?.aborted === true ? new AppError('cancelled', 'Cancelled.', { cause: thrown }) : thrown;
    }
  }

  // What is on disk already

  for (const { record, source } of await records.load((file, thrown) =>
    log.warn({ file, error: String(thrown) }, 'a record of content cannot be read and is dropped'),
  )) {
    const entry = createHeld(record, source, record.cid);
    held.set(record.cid, entry);
    try {
      if (source?.owned === true) {
        const file = path.join(source.base, source.files[0]?.path ?? '-');
        entry.fileBytes = (await stat(file)).size;
        holdings.count(entry.fileBytes);
      }
      // Nobody wrote down which blocks came for whom before it was complete: such a fetch begins again.
      const known = record.complete || record.scopes.every((scope) => scope === OWN_SCOPE);
      const whole = known && (await gather(entry, record.cid));
      if (whole && source !== null) entry.places = await findPlaces(source, stored);
      if (whole || !record.complete) continue;
      throw new Error('some of its blocks are missing');
    } catch (thrown) {
      log.warn({ cid: record.cid, error: String(thrown) }, 'content is no longer complete');
      entry.record = { ...record, complete: false };
      await save(entry);
    }
  }
  const swept = holdings.sweep();
  const owned = [...held.values()].flatMap(({ source }) => (source?.owned === true ? source.files : []));
  await removeUnclaimed(at('files'), new Set(owned.map((file) => file.path)));
  holdings.count(await removeOldParts(at('partial'), clock.now()));
  await holdings.settled();
  log.debug({ roots: held.size, bytes: holdings.bytes, swept }, 'content store opened');

  const blocks: BlockAccess = {
    async get(root, block) {
      const entry = held.get(root);
      if (entry === undefined) return null;
      touch(entry);
      return readHeld(entry, block);
    },
    holders: (block) =>
      [...held].filter(([, entry]) => entry.blocks.has(block) || entry.places.has(block)).map(([cid]) => cid),
    async fetching(root, pin, scope = OWN_SCOPE) {
      let entry = held.get(root);
      if (entry !== undefined && !entry.record.scopes.includes(scope)) {
        // Here for others: all of it comes again, beside what they have, and the two become one at the end.
        const pins = pin === undefined ? [] : [pin];
        const beside = newRecord(root, { profile: null, complete: false, pins, scopes: [scope] });
        return createIntake(createHeld(beside, null, null), root, scope);
      }
      if (entry === undefined) {
        entry = createHeld(newRecord(root, { profile: null, complete: false, scopes: [scope] }), null, root);
        held.set(root, entry);
      }
      const intake = createIntake(entry, root, scope);
      if (pin !== undefined && !entry.record.pins.includes(pin)) {
        entry.record = { ...entry.record, pins: [...entry.record.pins, pin] };
      }
      await save(entry);
      return intake;
    },
    building: (pin, scope) => building(pin, scope).intake,
    async adopt(file, sha256, options = {}) {
      const { size } = await stat(file);
      const kept = path.join(at('files'), sha256);
      await rename(file, kept);
      // From here on it is counted as content, no longer as a part that arrives.
      holdings.release(size);
      try {
        const scanned = await scanFile(kept, createMeter(options.caps));
        const scan = { files: [scanned], emptyFolders: [], bytes: scanned.size };
        return await importScan(at('files'), scan, options, false, { owned: true, sha256 });
      } catch (thrown) {
        await rm(kept, { force: true });
        throw thrown;
      }
    },
    bySha256(sha256, scope) {
      for (const [cid, entry] of held) {
        const { record, broken } = entry;
        if (record.sha256 === sha256 && record.complete && broken === null && isFor(entry, scope)) return cid;
      }
      return null;
    },
    partial(name) {
      const file = path.join(at('partial'), name);
      return {
        file,
        grow: (bytes) => holdings.reserve(bytes),
        async discard() {
          const { size } = await stat(file).catch(() => ({ size: 0 }));
          await rm(file, { force: true });
          holdings.release(size);
        },
      };
    },
  };

  return {
    blocks,
    async importFolder(folder, options = {}) {
      const base = path.resolve(folder);
      return importScan(base, await scanFolder(base, createMeter(options.caps)), options, true);
    },
    async importFile(file, options = {}) {
      const full = path.resolve(file);
      const scanned = await scanFile(full, createMeter(options.caps));
      return importScan(
        path.dirname(full),
        { files: [scanned], emptyFolders: [], bytes: scanned.size },
        options,
        false,
      );
    },
    async importBytes(bytes, { pin, scope, signal } = {}) {
      const { intake } = building(pin, scope);
      try {
        async function* content() {
          yield bytes;
        }
        const cid = await buildTree([{ path: 'bytes', content: content() }], intake, { signal }, false);
        return await intake.complete(cid);
      } catch (thrown) {
        await intake.abandon();
        throw thrown;
      }
    },
    has: (cid, scope) => {
      const entry = held.get(toCid(cid));
      if (entry === undefined || !entry.record.complete || entry.broken !== null) return false;
      return scope === undefined || isFor(entry, scope);
    },
    stat(cid) {
      const entry = held.get(toCid(cid));
      return entry === undefined ? null : described(entry);
    },
    roots: () => [...held.values()].map(described),
    async pin(text, owner) {
      const cid = toCid(text);
      const entry = held.get(cid);
      if (entry === undefined) throw missing(cid);
      if (entry.record.pins.includes(owner)) return;
      entry.record = { ...entry.record, pins: [...entry.record.pins, owner] };
      await save(entry);
    },
    async unpin(text, owner) {
      const entry = held.get(toCid(text));
      if (entry === undefined || !entry.record.pins.includes(owner)) return;
      entry.record = { ...entry.record, pins: entry.record.pins.filter((pin) => pin !== owner) };
      await save(entry);
    },
    async remove(text) {
      const cid = toCid(text);
      const entry = held.get(cid);
      if (entry === undefined) return;
      if (entry.users > 0 || entry.record.pins.length > 0) {
        throw new AppError('conflict', 'This content is still needed.', { field: cid, next: 'Unpin it first.' });
      }
      const gone = forgetOnDisk(entry);
      holdings.drop(entry);
      await gone;
      await holdings.settled();
    },
    entries: (cid, { signal, caps } = {}) =>
      whileUsing(cid, async function* walk(get) {
        for await (const found of walkTree(get, toCid(cid), createMeter(caps))) {
          signal?.throwIfAborted();
          yield found;
        }
      }),
    read: (cid, name = '', { signal, ...range } = {}) =>
      whileUsing(cid, async function* walk(get) {
        for await (const bytes of readFileTree(get, await resolvePath(get, toCid(cid), name), range)) {
          signal?.throwIfAborted();
          yield bytes;
        }
      }),
    async materialize(cid, target, options = {}) {
      const { get, release } = using(cid);
      try {
        return await materializeTree(get, toCid(cid), target, options);
      } finally {
        release();
      }
    },
    usage: () => ({
      bytes: holdings.bytes,
      limitBytes: limitBytes(),
      pinnedBytes: [...held.values()]
        .filter(({ record }) => record.pins.length > 0)
        .reduce((sum, entry) => sum + holdings.bytesOf(entry), 0),
    }),
    async close() {
      await holdings.settled();
      await unsaved;
      await writes.run(() => Promise.resolve());
    },
  };
}
