/** What people type, as values: money, time, sizes, ids. */
import type { ApiClient, Job, Rental } from '../../api/contract.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import { isBytes32 } from '../../shared/ids.ts';
import { formatAmount, type Token } from '../../shared/money.ts';

const bad = (field: string, message: string, next: string) => new AppError('bad-input', message, { field, next });

const SECONDS = { s: 1, m: 60, min: 60, h: 3600, d: 86_400 } as const;

/** "90", "90s", "15m", "2h", "1d" -> seconds. */
export function parseDuration(text: string, field: string): number {
  const match = /^(\d{1,9}(?:\.\d+)?)(s|m|min|h|d)?$/.exec(text.trim());
  if (!match) throw bad(field, `${field} must be a duration.`, `Write ${field} like 90s, 15m, 2h or 1d.`);
  const unit = (match[2] ?? 's') as keyof typeof SECONDS;
  return Math.round(Number(match[1]) * SECONDS[unit]);
}

const BYTES = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 } as const;

/** "512m", "2g", "1024" -> bytes. */
export function parseBytes(text: string, field: string): number {
  const match = /^(\d{1,12}(?:\.\d+)?)([kmgt]?)(?:i?b)?$/i.exec(text.trim());
  if (!match) throw bad(field, `${field} must be a size.`, `Write ${field} like 512m or 2g.`);
  return Math.round(Number(match[1]) * BYTES[(match[2] ?? '').toLowerCase() as keyof typeof BYTES]);
}

export function parseWhole(text: string, field: string, { min = 0, max = Number.MAX_SAFE_INTEGER } = {}): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) {
    throw bad(field, `${field} must be a whole number from ${min} to ${max}.`, `Correct ${field}.`);
  }
  return value;
}

const UNITS = { minute: 60, hour: 3600, day: 86_400 } as const;

export function parsePer(text: string): 60 | 3600 | 86_400 {
  if (!Object.hasOwn(UNITS, text)) throw bad('--per', '--per must be minute, hour or day.', 'Use --per hour.');
  return UNITS[text as keyof typeof UNITS];
}

const perName = (unit: number) => Object.entries(UNITS).find(([, seconds]) => seconds === unit)?.[0] ?? `${unit} s`;

/** "CWD" or an address -> the network's token. */
export async function findToken(client: ApiClient, wanted: string | undefined): Promise<Token> {
  const { network } = await client.system.status();
  const { tokens } = network;
  const name = wanted?.toLowerCase();
  const found =
    name === undefined
      ? (tokens.find((token) => token.symbol !== 'ETH') ?? tokens[0])
      : tokens.find((token) => token.symbol.toLowerCase() === name || token.address === name);
  if (!found) {
    const symbols = tokens.map((token) => token.symbol).join(', ');
    throw bad('--token', `${network.name} has no token ${wanted ?? ''}.`, `Use one of: ${symbols}.`);
  }
  return found;
}

export const money = (amount: string, token: Token): string =>
  `${formatAmount(BigInt(amount), token.decimals)} ${token.symbol}`;

export const price = (offer: { price: string; token: Token; unit: number }): string =>
  `${money(offer.price, offer.token)} per ${perName(offer.unit)}`;

const isPrefix = (text: string) => /^0x[0-9a-fA-F]{4,64}$/.test(text);

function onlyOne<T>(found: readonly T[], what: string, field: string): T {
  const [first, second] = found;
  if (first === undefined)
    throw new AppError('not-found', `There is no such ${what}.`, { field, next: `List them first.` });
  if (second !== undefined) throw bad(field, `Several ${what}s begin like that.`, 'Type more of it.');
  return first;
}

/** A whole id, or enough of its beginning. */
export async function findRental(client: ApiClient, text: string): Promise<string> {
  if (isBytes32(text)) return text;
  if (!isPrefix(text))
    throw bad('rental', 'rental must be an id such as 0x12ab34.', 'Take it from `commonwatt rentals`.');
  const all = await client.rentals.list({ limit: 500 });
  const ids = all.map((rental: Rental) => rental.rentalId).filter((id) => id.startsWith(text.toLowerCase()));
  return onlyOne(ids, 'rental', 'rental');
}

export async function findOffer(client: ApiClient, text: string): Promise<string> {
  if (isBytes32(text)) return text;
  if (!isPrefix(text)) throw bad('offer', 'offer must be an id such as 0x12ab34.', 'Take it from `commonwatt search`.');
  const { offers } = await client.market.search({ limit: 500 });
  return onlyOne(
    offers.map((offer) => offer.offerId).filter((id) => id.startsWith(text.toLowerCase())),
    'offer',
    'offer',
  );
}

/** Enough of a task's id to find it again: its submission, and which task of several. */
export const shortTask = ({ batchId, index, of }: Pick<Job, 'batchId' | 'index' | 'of'>): string =>
  of === 1 ? batchId.slice(0, 12) : `${batchId.slice(0, 8)}-${index}`;

/** A whole task id, enough of its beginning, or that of its submission with the task's number: 1a2b3c4d-7. */
export async function findTask(client: ApiClient, text: string): Promise<string> {
  if (!/^[0-9a-f]{4,64}(-\d{1,4})?$/.test(text))
    throw bad('task', 'task must be an id as `job submit` gave it.', 'Take it from `commonwatt job list`.');
  const known = await client.jobs.get({ taskId: text }).catch((thrown: unknown) => {
    if (toAppError(thrown).code === 'not-found') return null;
    throw thrown;
  });
  if (known !== null) return known.taskId;
  const [batch = '', index] = text.split('-');
  const { batches } = await client.jobs.batches({ limit: 500 });
  const { batchId, job } = onlyOne(
    batches.filter((one) => one.batchId.startsWith(batch)),
    'task',
    'task',
  );
  if (index === undefined && job.of > 1) {
    throw bad('task', `This is an array of ${job.of} tasks.`, `Name one of them, for example ${shortTask(job)}.`);
  }
  return (await client.jobs.get({ taskId: `${batchId}-${index ?? 0}` })).taskId;
}

/** A whole id of a job that this computer runs, or enough of its beginning. */
export async function findRun(client: ApiClient, text: string): Promise<`0x${string}`> {
  if (isBytes32(text)) return text;
  if (!isPrefix(text))
    throw bad('run', 'run must be an id such as 0x12ab34.', 'Take it from `commonwatt work status`.');
  const { running } = await client.work.status();
  const ids = running.map(({ dealId }) => dealId).filter((id) => id.startsWith(text.toLowerCase()));
  return onlyOne(ids, 'run', 'run');
}

/** Left-aligned columns; the widest cell makes the width. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** Unix seconds as "2026-11-21 07:30:00" UTC. */
export const moment = (at: number): string => new Date(at * 1000).toISOString().slice(0, 19).replace('T', ' ');
