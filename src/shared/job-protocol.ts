/**
 * What two hosts say to each other about one job, over an authenticated peer connection. Whether a job exists, who took
 * it and what it pays is on chain; this carries what is not: acceptances, secrets, progress, logs. Inputs and results
 * travel as content-addressed blocks (src/content).
 */
import { z } from 'zod';
import { progressSchema } from './deal-protocol.ts';
import { MAX_SPEC_BYTES } from './job-spec.ts';
import type { JobTerms } from './job-terms.ts';

const bytes32 = z.string().regex(/^0x[0-9a-f]{64}$/);
const signature = z.string().regex(/^0x[0-9a-f]{130}$/);
const unixSeconds = z.int().min(0).max(0xff_ffff_ffff);

const address = z.string().regex(/^0x[0-9a-f]{40}$/);
const amount = z
  .string()
  .regex(/^\d{1,39}$/)
  .transform(BigInt);
const uint = (bits: number) =>
  z
    .int()
    .min(0)
    .max(Math.min(2 ** bits - 1, Number.MAX_SAFE_INTEGER));

/** A job's whole agreement as JSON: amounts are decimal strings. What comes out of it is a `JobTerms`. */
export const jobTermsSchema = z.object({
  renter: address,
  assignee: address,
  arbiter: address,
  token: address,
  bounty: amount,
  bond: amount,
  deadline: uint(40),
  minRun: uint(32),
  window: uint(32),
  minStake: amount,
  gpuCount: uint(8),
  gpuMemoryGb: uint(16),
  tier: uint(8),
  copies: uint(8).min(1),
  agree: uint(8),
  feeBps: uint(16),
  slashBps: uint(16),
  specHash: bytes32,
  salt: bytes32,
});

export const jobTermsAsJson = (terms: JobTerms): z.input<typeof jobTermsSchema> => ({
  ...terms,
  bounty: `${terms.bounty}`,
  bond: `${terms.bond}`,
  minStake: `${terms.minStake}`,
});

/** Where the provider's run of a job stands. `unknown`: this host has not seen the assignment on chain (yet). */
export const RUN_PHASES = [
  'unknown',
  'assigned',
  'fetching',
  'preparing',
  'running',
  'packing',
  'submitting',
  'submitted',
  'settled',
  'failed',
] as const;

export const runStatusSchema = z.object({
  dealId: bytes32,
  phase: z.enum(RUN_PHASES),
  /** Plain words for the renter; why, where it failed. */
  detail: z.string().max(500),
  progress: progressSchema.nullable(),
  /** Unix seconds by the provider's clock. */
  startedAt: unixSeconds.nullable(),
  finishedAt: unixSeconds.nullable(),
  exitCode: z.int().nullable(),
  /** Content id of the result folder once it is packed; of a copy only once every copy has committed. */
  resultCid: z.string().max(128).nullable(),
});
export type RunStatus = z.infer<typeof runStatusSchema>;

const deal = z.object({ dealId: bytes32 });

/** request kind -> what is sent and what comes back. */
export const JOB_REQUESTS = {
  /**
   * Would you take this job on this offer? The signature is an EIP-712 Acceptance that the renter may put on chain. The
   * job need not be posted yet: its terms are told whole, because they, by their hash, are what is signed for.
   */
  'job.ask': {
    input: z.object({
      offerId: bytes32,
      terms: jobTermsSchema,
      /** Exact JSON text of the spec; its hash stands in the terms. */
      spec: z.string().max(MAX_SPEC_BYTES),
    }),
    output: z.object({
      acceptance: z.object({ validUntil: unixSeconds, signature }).nullable(),
      /** Why not, in words, when there is no acceptance. */
      reason: z.string().max(500),
    }),
  },
  /** After the assignment: the values of the spec's secrets. Idempotent; a job without secrets does not wait for it. */
  'job.begin': {
    input: deal.extend({ secrets: z.record(z.string().max(128), z.string().max(8192)) }),
    output: runStatusSchema,
  },
  'job.status': { input: deal, output: runStatusSchema },
  /** Sends SIGUSR1 to the work: programs that know it write a checkpoint to their outputs. */
  'job.checkpoint': { input: deal, output: z.object({ ok: z.literal(true) }) },
} as const;
export type JobRequest = keyof typeof JOB_REQUESTS;

/** Provider to renter, unasked: the run's status changed. */
export const JOB_STATUS_EVENT = 'job.changed';

/** Byte streams the renter opens, with their parameters. */
export const JOB_STREAMS = {
  /** stdout and stderr, each chunk prefixed by one byte, 1 or 2; from a byte offset of the whole log on. */
  'job.logs': deal.extend({ follow: z.boolean(), fromByte: z.int().min(0) }),
} as const;
