import { eventIterator, oc } from '@orpc/contract';
import { z } from 'zod';
import {
  addressSchema,
  amountSchema,
  bytes32Schema,
  commandIdSchema,
  progressSchema,
  tokenSchema,
  unixSecondsSchema,
} from './values.ts';

/** One job that this computer runs for somebody. */
export const workRunSchema = z.object({
  dealId: bytes32Schema,
  jobId: bytes32Schema,
  renter: addressSchema,
  name: z.string(),
  phase: z.string(),
  detail: z.string(),
  progress: progressSchema.nullable(),
  token: tokenSchema,
  bounty: amountSchema,
  paid: amountSchema.nullable(),
  startedAt: unixSecondsSchema.nullable(),
  finishedAt: unixSecondsSchema.nullable(),
  exitCode: z.int().nullable(),
  submitBy: unixSecondsSchema,
  createdAt: unixSecondsSchema,
});

/** Whether this computer takes jobs besides rentals, and what it needs for that. Amounts of WATT in smallest units. */
export const workStatusSchema = z.object({
  state: z.enum(['off', 'starting', 'on', 'failed']),
  detail: z.string(),
  /** Also takes open jobs by itself, without being asked. */
  claimsOpen: z.boolean(),
  staked: amountSchema,
  unbonding: amountSchema,
  atRisk: amountSchema,
  minStake: amountSchema,
  stakeToken: tokenSchema.nullable(),
  /** 0 to 100; starts at 100. */
  reputation: z.number(),
  active: z.boolean(),
  running: z.array(workRunSchema),
  recent: z.array(workRunSchema),
  earned: z.array(z.object({ token: tokenSchema, amount: amountSchema })),
});

export const workContract = {
  status: oc
    .route({ method: 'GET', path: '/work', summary: 'Jobs this computer runs for others' })
    .output(workStatusSchema),
  watch: oc.route({ method: 'GET', path: '/work/stream' }).output(eventIterator(workStatusSchema)),
  /** Takes jobs on the shared offer: stakes what is missing, lets Jobs lock bonds. Sharing has to be on. */
  start: oc
    .route({ method: 'POST', path: '/work/start' })
    .input(z.object({ commandId: commandIdSchema, claimsOpen: z.boolean().default(true) }))
    .output(workStatusSchema),
  /** Takes no more; what runs is finished. */
  stop: oc
    .route({ method: 'POST', path: '/work/stop' })
    .input(z.object({ commandId: commandIdSchema }))
    .output(workStatusSchema),
  /** Ends one run at once: nothing is handed in, and its late fee is lost after the deadline. */
  stopRun: oc
    .route({ method: 'POST', path: '/work/runs/{dealId}/stop' })
    .input(z.object({ dealId: bytes32Schema }))
    .output(workStatusSchema),
  /** Puts WATT at stake as a provider. */
  stake: oc
    .route({ method: 'POST', path: '/work/stake' })
    .input(z.object({ commandId: commandIdSchema, amount: amountSchema }))
    .output(workStatusSchema),
  /** Begins to take stake back; it can be had after seven days. */
  unbond: oc
    .route({ method: 'POST', path: '/work/unbond' })
    .input(z.object({ commandId: commandIdSchema, amount: amountSchema }))
    .output(workStatusSchema),
  release: oc
    .route({ method: 'POST', path: '/work/release' })
    .input(z.object({ commandId: commandIdSchema }))
    .output(workStatusSchema),
};
