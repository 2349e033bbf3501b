/**
 * What two hosts say to each other about one lease, over an authenticated peer connection. Requests carry JSON; byte
 * streams carry terminals, logs and tunnels. Both sides parse with these schemas: the other machine is a stranger.
 */
import { z } from 'zod';
import { rentalSpecSchema } from './rental.ts';

const bytes32 = z.string().regex(/^0x[0-9a-f]{64}$/);
const signature = z.string().regex(/^0x[0-9a-f]{130}$/);
const seconds = z.int().min(0).max(0xffff_ffff);

export const progressSchema = z.object({
  label: z.string().max(200),
  done: z.number(),
  total: z.number().nullable(),
  unit: z.enum(['bytes', 'blocks', 'steps']),
});

/** How the provider's side of a lease stands. */
export const dealStatusSchema = z.object({
  leaseId: bytes32,
  phase: z.enum(['unknown', 'preparing', 'ready', 'running', 'paused', 'stopped', 'failed']),
  /** Plain words for the renter, empty when there is nothing to add. */
  detail: z.string().max(500),
  progress: progressSchema.nullable(),
  /** Ports of the spec that are published now. */
  ports: z.array(z.int()).max(16),
  /** Seconds the container has been served since access was given, by the provider's clock; pauses do not count. */
  servedSeconds: seconds,
  /** The newest voucher the provider holds. */
  signedSeconds: seconds,
});
export type DealStatus = z.infer<typeof dealStatusSchema>;

const lease = z.object({ leaseId: bytes32 });

/** request kind -> what is sent and what comes back. */
export const DEAL_REQUESTS = {
  /** Before paying: is a unit free, is the spec acceptable, is the image here? */
  'deal.ask': {
    input: z.object({ offerId: bytes32, spec: rentalSpecSchema }),
    output: z.object({
      free: z.boolean(),
      /** Why not, in words, when not free. */
      reason: z.string().max(500),
      imagePresent: z.boolean(),
      providerSigner: z.string().regex(/^0x[0-9a-f]{40}$/),
    }),
  },
  /** After opening on chain: here is the spec whose hash stands in the terms. Idempotent. */
  'deal.begin': { input: lease.extend({ spec: rentalSpecSchema }), output: dealStatusSchema },
  'deal.status': { input: lease, output: dealStatusSchema },
  /** Cumulative seconds signed by the renter's session key. The first one gives access. */
  'deal.voucher': { input: lease.extend({ secs: seconds, signature }), output: dealStatusSchema },
  /** Stop the container, then both sign the exact seconds. The renter proposes, the provider answers with its signature. */
  'deal.close': {
    input: lease.extend({ secs: seconds, deadline: z.int(), signature }),
    output: z.object({ secs: seconds, deadline: z.int(), signature }),
  },
  /** The exact seconds the provider will sign: it stops the container first. Idempotent. */
  'deal.stop': { input: lease, output: z.object({ servedSeconds: seconds }) },
} as const;
export type DealRequest = keyof typeof DEAL_REQUESTS;

/** Provider to renter, unasked: the status changed. */
export const DEAL_STATUS_EVENT = 'deal.changed';

/** Byte streams the renter opens, with their parameters. */
export const DEAL_STREAMS = {
  /** stdin/stdout of a TTY. Notes: renter `{cols, rows}`; provider `{exitCode}` before the end. */
  'deal.terminal': lease.extend({
    command: z.array(z.string().max(4096)).max(64).optional(),
    cols: z.int().min(1).max(1000),
    rows: z.int().min(1).max(1000),
  }),
  /** stdout and stderr of one command without a TTY; each chunk is prefixed by one byte, 1 or 2. Note: `{exitCode}`. */
  'deal.exec': lease.extend({ command: z.array(z.string().max(4096)).min(1).max(64) }),
  /** The main process's output, each chunk prefixed by one byte, 1 or 2. */
  'deal.logs': lease.extend({ follow: z.boolean(), tail: z.int().min(0).max(10_000) }),
  /** One TCP connection to a port of the spec. */
  'deal.tunnel': lease.extend({ port: z.int().min(1).max(65_535) }),
} as const;
export type DealStream = keyof typeof DEAL_STREAMS;
