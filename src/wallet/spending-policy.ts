import { z } from 'zod';
import { AppError } from '../shared/errors.ts';
import { isAddress } from '../shared/ids.ts';
import type { Address } from '../shared/ids.ts';
import type { Clock } from '../shared/time.ts';
import { readPrivateFile, writePrivateFile } from './files.ts';

/** What the owner allows the app to spend by itself, in the token's smallest unit; null for no limit. */
interface SpendingLimit {
  token: Address;
  perDeal: bigint | null;
  /** Over any 24 hours, not a calendar day: midnight doubles nothing. */
  perDay: bigint | null;
}

interface Spending {
  /** Made by the caller, one per act of spending (a command id). Reserving the same id again changes nothing. */
  id: string;
  /** What the money is for: every spending of one deal counts together, as long as the deal lives. */
  deal: string;
  token: Address;
  /** Smallest units; a rental's whole deposit counts when it is opened. */
  amount: bigint;
}

/**
 * Keeps spending inside the owner's limits: reserve before signing, then commit when it happened or release when it did
 * not. A reservation whose fate is unknown (the host was killed) counts as spent until it is told otherwise or a day has
 * passed. Tokens without a limit are not recorded: counting starts when a limit is set.
 */
export interface SpendingPolicy {
  readonly limits: readonly SpendingLimit[];
  /** Replaces all limits. @throws AppError bad-input naming the field. */
  setLimits(limits: readonly SpendingLimit[]): Promise<void>;
  /** On disk when it resolves. @throws AppError `over-limit` naming the limit; nothing is reserved then. */
  reserve(spending: Spending): Promise<void>;
  /** It happened. Unknown ids are ignored. */
  commit(id: string): Promise<void>;
  /** It did not happen: the amount is free again. Unknown ids are ignored. */
  release(id: string): Promise<void>;
  /** The deal is over; what it spent still counts for its 24 hours. */
  endDeal(deal: string): Promise<void>;
  /** Spent or reserved in the last 24 hours. */
  spentToday(token: Address): bigint;
  /** Waits for the last write. */
  close(): Promise<void>;
}

const DAY_SECONDS = 86_400;
/** A deal nobody ended is forgotten after this long. */
const LONGEST_DEAL_SECONDS = 400 * DAY_SECONDS;

const amount = z
  .string()
  .regex(/^\d{1,78}$/)
  .transform((text) => BigInt(text));
const token = z.custom<Address>(isAddress);
const fileSchema = z.object({
  version: z.literal(1),
  limits: z.array(z.object({ token, perDeal: amount.nullable(), perDay: amount.nullable() })),
  spent: z.array(
    z.object({
      id: z.string(),
      deal: z.string(),
      token,
      amount,
      at: z.int(),
      committed: z.boolean(),
      ended: z.boolean(),
    }),
  ),
});
type Entry = z.infer<typeof fileSchema>['spent'][number];

/** @throws AppError `internal` when the file is damaged: forgetting limits silently would let anything through. */
export async function openSpendingPolicy({ file, clock }: { file: string; clock: Clock }): Promise<SpendingPolicy> {
  const { limits: storedLimits, spent } = parse(await readPrivateFile(file));
  let limits: SpendingLimit[] = storedLimits;
  const entries = new Map<string, Entry>(spent.map((entry) => [entry.id, entry]));

  let asked = 0;
  let written = 0;
  let writing: Promise<void> = Promise.resolve();
  /** Resolves when the state as it is now, or a newer one, is on disk. Callers during a write share the next one. */
  const save = (): Promise<void> => {
    asked += 1;
    const wanted = asked;
    writing = writing
      .catch(() => null)
      .then(async () => {
        if (written >= wanted) return;
        const revision = asked;
        await writePrivateFile(file, serialise(limits, entries.values()));
        written = revision;
      });
    return writing;
  };

  const forgetOld = () => {
    const now = clock.now();
    for (const entry of entries.values()) {
      const age = now - entry.at;
      if (age >= LONGEST_DEAL_SECONDS || (age >= DAY_SECONDS && entry.ended)) entries.delete(entry.id);
    }
  };
  const sum = (counts: (entry: Entry) => boolean): bigint => {
    let total = 0n;
    for (const entry of entries.values()) if (counts(entry)) total += entry.amount;
    return total;
  };
  const spentToday = (of: Address) => {
    const since = clock.now() - DAY_SECONDS;
    return sum((entry) => entry.token === of && entry.at > since);
  };

  return {
    get limits() {
      return limits;
    },
    async setLimits(wanted) {
      const seen = new Set<string>();
      for (const [index, limit] of wanted.entries()) {
        const field = `limits[${index}]`;
        if (!isAddress(limit.token)) throw new AppError('bad-input', 'A limit needs a token address.', { field });
        if ((limit.perDeal ?? 0n) < 0n || (limit.perDay ?? 0n) < 0n) {
          throw new AppError('bad-input', 'A limit cannot be below zero.', { field });
        }
        const key = limit.token.toLowerCase();
        if (seen.has(key)) throw new AppError('bad-input', 'Two limits name the same token.', { field });
        seen.add(key);
      }
      const before = limits;
      limits = wanted.map((limit) => ({ ...limit, token: limit.token.toLowerCase() as Address }));
      await save().catch((thrown: unknown) => {
        limits = before;
        throw thrown;
      });
    },
    async reserve(spending) {
      if (spending.amount < 0n) throw new AppError('bad-input', 'An amount cannot be below zero.', { field: 'amount' });
      const of = spending.token.toLowerCase() as Address;
      const limit = limits.find((candidate) => candidate.token === of);
      if (!limit || (limit.perDeal === null && limit.perDay === null)) return;
      if (entries.has(spending.id)) return;
      forgetOld();
      const inDeal = sum((entry) => entry.deal === spending.deal && entry.token === of) + spending.amount;
      if (limit.perDeal !== null && inDeal > limit.perDeal) {
        throw overLimit('perDeal', 'for one deal', of, limit.perDeal, inDeal);
      }
      const today = spentToday(of) + spending.amount;
      if (limit.perDay !== null && today > limit.perDay)
        throw overLimit('perDay', 'for 24 hours', of, limit.perDay, today);
      entries.set(spending.id, { ...spending, token: of, at: clock.now(), committed: false, ended: false });
      await save().catch((thrown: unknown) => {
        entries.delete(spending.id);
        throw thrown;
      });
    },
    async commit(id) {
      const entry = entries.get(id);
      if (!entry || entry.committed) return;
      entry.committed = true;
      await save();
    },
    async release(id) {
      if (entries.get(id)?.committed !== false) return;
      entries.delete(id);
      await save();
    },
    async endDeal(deal) {
      let changed = false;
      for (const entry of entries.values()) {
        if (entry.deal !== deal || entry.ended) continue;
        entry.ended = true;
        changed = true;
      }
      forgetOld();
      if (changed) await save();
    },
    spentToday: (of) => spentToday(of.toLowerCase() as Address),
    close: () => writing.catch(() => undefined),
  };
}

const overLimit = (field: string, words: string, token_: Address, limit: bigint, wanted: bigint) =>
  new AppError(
    'over-limit',
    `This would go over your spending limit ${words}: ${wanted} of ${limit} allowed (${token_}).`,
    {
      field,
      next: 'Raise the limit in the wallet, or rent for less.',
    },
  );

function serialise(limits: readonly SpendingLimit[], entries: Iterable<Entry>): string {
  return JSON.stringify({ version: 1, limits, spent: [...entries] }, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
}

function parse(text: string | null): z.infer<typeof fileSchema> {
  if (text === null) return { version: 1, limits: [], spent: [] };
  try {
    return fileSchema.parse(JSON.parse(text));
  } catch (thrown) {
    throw new AppError('internal', 'The file of spending limits (spending.json) is damaged.', {
      cause: thrown,
      next: 'Restore it from a copy, or delete it and set your limits again.',
    });
  }
}
