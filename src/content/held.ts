import { type Cid, type ContentRoot, type ContentScope, PUBLIC_SCOPE } from './content-store.ts';
import type { Holding } from './holdings.ts';
import type { Place } from './in-place.ts';
import type { RootRecord, Source } from './records.ts';

/** One root that the store holds, or one that is being fetched or built. */
export interface Held extends Holding {
  cid: Cid | null;
  record: RootRecord;
  source: Source | null;
  places: Map<Cid, Place>;
  /** Work under way that needs it. */
  users: number;
  broken: string | null;
  touchedAt: number;
}

/** Its bytes are those of the user's own files, where they lie. */
export const isInPlace = ({ record, source }: Held): boolean => record.inPlace && source?.owned !== true;

/** Whether it may be reused for this scope. */
export const isFor = ({ record: { scopes } }: Held, scope: ContentScope): boolean =>
  scopes.includes(scope) || scopes.includes(PUBLIC_SCOPE);

export const describeHeld = (entry: Held, storedBytes: number): ContentRoot => ({
  cid: entry.record.cid,
  profile: entry.record.profile,
  kind: isInPlace(entry) ? 'in-place' : 'stored',
  complete: entry.record.complete,
  storedBytes,
  pins: entry.record.pins,
  broken: entry.broken,
});

export const union = (some: readonly string[], more: readonly string[]): string[] => [...new Set([...some, ...more])];
