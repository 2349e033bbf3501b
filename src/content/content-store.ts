/**
 * A content address as text: CIDv1 in base32, sha2-256, codec `dag-pb` (folders, files of several blocks) or `raw` (files
 * of one block). Equal content has one spelling here, so `===` compares; `toCid` normalises what comes from outside.
 */
export type Cid = string;

/**
 * How we turn files into blocks (IPIP-0499): CIDv1, sha2-256, raw leaves of 1 MiB, 1024 links per node, folders whose
 * node would pass 256 KiB become a HAMT of fan-out 256. Names that begin with a dot are part of the content.
 */
export const CONTENT_PROFILE = 'unixfs-v1-2025';

/** What a tree may hold before we refuse it. */
export interface ContentCaps {
  /** Files and folders together. */
  entries: number;
  /** Sum of all file sizes, in bytes; what occurs twice counts twice. */
  bytes: number;
  /** Folders within folders. */
  depth: number;
}

export const DEFAULT_CAPS: ContentCaps = { entries: 100_000, bytes: 64 * 1024 ** 3, depth: 32 };

/** Bytes done, and of how many where that is known (it is what the content's root claims, so it may be corrected). */
export interface ContentProgress {
  bytes: number;
  totalBytes: number | null;
}

export interface WorkOptions {
  signal?: AbortSignal;
  onProgress?: (progress: ContentProgress) => void;
  /** Default `DEFAULT_CAPS`. */
  caps?: Partial<ContentCaps>;
}

/**
 * For whom content came here: the wallet of the renter whose job it belongs to, in lower case; `public` for what anybody
 * could get from where it came; `own` for the owner of this computer. An address alone opens nothing: content that came
 * for one is reused for the same one only, or for everybody where it is public.
 */
export type ContentScope = string;
export const OWN_SCOPE: ContentScope = 'own';
export const PUBLIC_SCOPE: ContentScope = 'public';

export interface ImportOptions extends WorkOptions {
  /** Pins the result for this owner from its first moment on. */
  pin?: string;
  /** Default `OWN_SCOPE`. */
  scope?: ContentScope;
}

/** One piece of content in the store. */
export interface ContentRoot {
  cid: Cid;
  /** Our own imports carry `CONTENT_PROFILE`; of fetched content the profile is not known. */
  profile: typeof CONTENT_PROFILE | null;
  /** `in-place`: the bytes stay in the files they were imported from; the store keeps only where. */
  kind: 'stored' | 'in-place';
  /** False while a fetch is under way or was interrupted. */
  complete: boolean;
  /** What it takes of the store, in bytes; blocks shared with other content are counted for each. */
  storedBytes: number;
  pins: string[];
  /** Why it can no longer be read, where that was noticed: a file it was imported from has changed. */
  broken: string | null;
}

export interface ContentEntry {
  /** Relative to the root, `/` between names; empty for the root itself when it is a file. */
  path: string;
  kind: 'file' | 'folder';
  /** Bytes of a file; 0 for folders. */
  size: number;
  cid: Cid;
}

/**
 * Content by its address, one store per data directory. What is fetched or packed is stored once, shared between jobs,
 * and evicted least recently used first when the owner's disk limit is reached; pins protect from that. Every block is
 * compared with its address whenever it is read.
 *
 * All methods throw AppError: `not-found` (content is not here, or not completely), `bad-input` (not a CID; a tree that
 * breaks a rule, with the entry named in `field`), `over-limit` (a cap), `disk-full`, `conflict` (a file imported in
 * place has changed), `cancelled`.
 */
export interface ContentStore {
  /** Addresses a folder without copying it. Links and special files in it are refused. */
  importFolder(dir: string, options?: ImportOptions): Promise<ContentRoot>;
  /** Addresses one file without copying it: a `raw` or `dag-pb` file root, without its name. */
  importFile(file: string, options?: ImportOptions): Promise<ContentRoot>;
  /** Stores bytes as one file. */
  importBytes(bytes: Uint8Array, options?: ImportOptions): Promise<ContentRoot>;
  /** True when all of it is here; with a scope, when it may also be reused for that one. */
  has(cid: Cid, scope?: ContentScope): boolean;
  /** What is known about it, complete or not; null when nothing. */
  stat(cid: Cid): ContentRoot | null;
  roots(): ContentRoot[];
  /** Protects from eviction until the same owner unpins. Pinning twice is pinning once. */
  pin(cid: Cid, owner: string): Promise<void>;
  /** No error when there was no such pin. */
  unpin(cid: Cid, owner: string): Promise<void>;
  /** Forgets unpinned content and frees its space; files imported in place stay. @throws AppError `conflict` when pinned or in use. */
  remove(cid: Cid): Promise<void>;
  /** Files and folders in order of their names, parents first. */
  entries(cid: Cid, options?: WorkOptions): AsyncIterable<ContentEntry>;
  /** The bytes of one file: `path` as in `entries`, empty for a root that is a file. */
  read(
    cid: Cid,
    path?: string,
    options?: { offset?: number; length?: number; signal?: AbortSignal },
  ): AsyncIterable<Uint8Array>;
  /**
   * Writes the tree to `target`, which must not exist or be an empty folder; a root that is a file becomes the file
   * `target`. On failure nothing of it is left behind. Modes and times are the default ones. `entries` are files and
   * folders.
   */
  materialize(
    cid: Cid,
    target: string,
    options?: WorkOptions,
  ): Promise<{ entries: number; files: number; bytes: number }>;
  /** `bytes` is what the store takes on disk, `limitBytes` the owner's limit. */
  usage(): { bytes: number; limitBytes: number; pinnedBytes: number };
  /** Waits for writes under way. */
  close(): Promise<void>;
  /** For the rest of this room. */
  readonly blocks: BlockAccess;
}

/** The store as its blocks: for fetching, serving and packing. */
export interface BlockAccess {
  /**
   * A verified block of this root, or null when it does not belong to it or is not here.
   * @throws AppError `conflict` when the file that holds it has changed.
   */
  get(root: Cid, block: Cid): Promise<Uint8Array | null>;
  /** Which content a block belongs to, by root. */
  holders(block: Cid): Cid[];
  /** Takes blocks for a root that is being fetched; what an earlier fetch for this scope left is there already. */
  fetching(root: Cid, pin?: string, scope?: ContentScope): Promise<BlockIntake>;
  /** Takes the blocks of a root whose address is not known yet. */
  building(pin?: string, scope?: ContentScope): BlockIntake;
  /** Imports a file that the store owns from now on: moved into it, counted and evicted like everything else. */
  adopt(file: string, sha256: string, options?: ImportOptions): Promise<ContentRoot>;
  /** The content of this scope whose plain bytes as one file have this SHA-256, as told to `adopt`. */
  bySha256(sha256: string, scope: ContentScope): Cid | null;
  /** A file of ours for bytes that arrive in parts, kept over restarts. */
  partial(name: string): PartialFile;
}

export interface PartialFile {
  file: string;
  /** Makes room before bytes are appended. @throws AppError `disk-full`. */
  grow(bytes: number): void;
  /** Removes the file and frees its space. */
  discard(): Promise<void>;
}

export interface BlockIntake {
  /** Verified bytes, or null: also for a block that is here for others only. */
  get(block: Cid): Promise<Uint8Array | null>;
  /** False when the bytes are not what the address says. @throws AppError `disk-full`. */
  put(block: Cid, bytes: Uint8Array): Promise<boolean>;
  /** All blocks are here: makes it durable under `root`. */
  complete(root: Cid): Promise<ContentRoot>;
  /** Ends without completing; what was fetched stays for the next try, what was built goes. */
  abandon(): Promise<void>;
}
