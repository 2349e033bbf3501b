import { isIP } from 'node:net';
import { z } from 'zod';
import { LIMITS } from './limits.ts';
import type { Endpoint } from './tcp-carrier.ts';

/** A record nobody renews for this long no longer counts: the machine has moved or is gone. */
const VALID_SECONDS = 2 * 24 * 60 * 60;

const recordSchema = z.object({
  v: z.literal(1),
  /** Unix seconds. */
  at: z.int().positive(),
  tcp: z
    .array(z.tuple([z.string().refine((host) => isIP(host) !== 0), z.int().min(1).max(65_535)]))
    .max(LIMITS.endpoints),
});

/**
 * The value of the DHT's mutable record under the peer key. The DHT signs value and sequence number with that key and
 * checks both on every read; at most 1000 bytes.
 */
export const encodeEndpointRecord = (endpoints: readonly Endpoint[], at: number): Uint8Array =>
  Buffer.from(
    JSON.stringify({ v: 1, at, tcp: endpoints.slice(0, LIMITS.endpoints).map(({ host, port }) => [host, port]) }),
  );

/** The endpoints of a record, none when it is stale or nonsense. Addresses only: a stranger's names are not resolved. */
export function decodeEndpointRecord(value: Uint8Array, now: number): Endpoint[] {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(value).toString('utf8'));
  } catch {
    return [];
  }
  const record = recordSchema.safeParse(json);
  if (!record.success || record.data.at + VALID_SECONDS < now) return [];
  return record.data.tcp.map(([host, port]) => ({ host, port }));
}
