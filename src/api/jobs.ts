import { eventIterator, oc } from '@orpc/contract';
import { z } from 'zod';
import { JOB_STATUSES, jobFileSchema, jobSpecSchema } from '../shared/job-spec.ts';
import { outputFrameSchema } from './rentals.ts';
import {
  addressSchema,
  amountSchema,
  bytes32Schema,
  commandIdSchema,
  okSchema,
  progressSchema,
  tokenSchema,
  unixSecondsSchema,
} from './values.ts';

/** One provider's run of a task: the only one, or one of several copies. */
export const jobRunSchema = z.object({
  dealId: bytes32Schema,
  provider: addressSchema,
  offerId: bytes32Schema,
  gpuType: z.string(),
  gpuModel: z.string(),
  /** The card is a declaration of the practice network, not hardware. */
  simulatedCard: z.boolean(),
  phase: z.string(),
  detail: z.string(),
  progress: progressSchema.nullable(),
  /** Unix seconds by the provider's clock. */
  startedAt: unixSecondsSchema.nullable(),
  finishedAt: unixSecondsSchema.nullable(),
  exitCode: z.int().nullable(),
  resultCid: z.string().nullable(),
  connected: z.boolean(),
});

export const verdictSchema = z.object({
  tier: z.enum(['accept', 'redundancy', 'certificate']),
  valid: z.boolean(),
  /** Plain words: what was checked, or why it failed. */
  reason: z.string(),
  checks: z.array(z.object({ name: z.string(), ok: z.boolean(), measured: z.number(), limit: z.number() })),
});

/** Why a task waits: so many offers are out of the question for this reason. */
export const waitingReasonSchema = z.object({ reason: z.string(), offers: z.int() });

/** One task as this host posted it. All amounts in `token`'s smallest unit. */
export const jobSchema = z.object({
  taskId: z.string(),
  /** All tasks of one submission share it. */
  batchId: z.string(),
  /** Current attempt on chain; null before the first is posted. */
  jobId: bytes32Schema.nullable(),
  /** Who pays. */
  account: addressSchema,
  name: z.string(),
  index: z.int(),
  of: z.int(),
  spec: jobSpecSchema,
  /** The founding documents' words. */
  status: z.enum(JOB_STATUSES),
  /** The host's finer word for where it stands. */
  phase: z.string(),
  /** Plain words about it; for a waiting task the sentence that says what it waits for. */
  detail: z.string(),
  waiting: z.array(waitingReasonSchema),
  token: tokenSchema,
  bounty: amountSchema,
  /** What providers got in the end, fee included; null before it is settled. */
  paid: amountSchema.nullable(),
  refund: amountSchema.nullable(),
  priority: z.int(),
  attempts: z.int(),
  retries: z.int(),
  runs: z.array(jobRunSchema),
  resultCid: z.string().nullable(),
  /** The result folder is on this computer and checked against its content id. */
  resultHere: z.boolean(),
  verdict: verdictSchema.nullable(),
  /** The result waits for its owner: accept or reject it until then (unix seconds), afterwards it is paid. */
  review: z
    .object({
      until: unixSecondsSchema,
      /** What rejecting locks until the dispute is over. */
      bond: amountSchema,
    })
    .nullable(),
  postedAt: unixSecondsSchema.nullable(),
  /** By when the current attempt has to be submitted. */
  deadline: unixSecondsSchema.nullable(),
  endedAt: unixSecondsSchema.nullable(),
  createdAt: unixSecondsSchema,
});

export const jobCountsSchema = z.object(
  Object.fromEntries(JOB_STATUSES.map((status) => [status, z.int()])) as Record<
    (typeof JOB_STATUSES)[number],
    z.ZodInt
  >,
);

/** All tasks of one submission in one line. */
export const jobBatchSchema = z.object({
  batchId: z.string(),
  /** How many tasks stand where; of those that are `completed`, `review` wait for their owner's word. */
  counts: jobCountsSchema,
  review: z.int(),
  /** The task that says most: one that needs its owner, else one that has not ended, else one that failed, else the first. */
  job: jobSchema,
});

export const noticeSchema = z.object({
  level: z.enum(['ignored', 'changed', 'refused']),
  /** The flag or key it is about. */
  where: z.string(),
  message: z.string(),
});

export const schedulingSchema = z.object({
  /** Cycles run by themselves at each change; off: only when triggered. */
  automatic: z.boolean(),
  strategy: z.string(),
  strategies: z.array(z.object({ name: z.string(), about: z.string() })),
  waiting: z.int(),
  /** Unix seconds of the last cycle, and what it did. */
  lastCycleAt: unixSecondsSchema.nullable(),
  lastAssigned: z.int(),
  lastMs: z.number(),
});

/** Inputs and results on this computer, in bytes. What is not kept for anybody goes by itself, the oldest first. */
export const storageSchema = z.object({
  usedBytes: z.int(),
  keptBytes: z.int(),
  limitBytes: z.int(),
  /** IPFS gateways that content may come from too, in order. */
  gateways: z.array(z.string()),
});

const task = z.object({ taskId: z.string().max(64) });

export const jobsContract = {
  /** Reads a job file, `docker run` line, compose service, Nosana or Bacalhau JSON or Akash SDL. Posts nothing. */
  read: oc
    .route({ method: 'POST', path: '/jobs/read', summary: 'Understand a pasted job' })
    .input(
      z.object({
        text: z.string().max(262_144),
        format: z.enum(['job', 'docker-run', 'compose', 'nosana', 'bacalhau', 'akash']).optional(),
        /** Which service, operation or task of it, where there are several. */
        part: z.string().max(100).optional(),
      }),
    )
    .output(z.object({ format: z.string(), file: jobFileSchema.partial(), notices: z.array(noticeSchema) })),
  /** What submitting costs and who could take it now. Posts nothing. */
  estimate: oc
    .route({ method: 'POST', path: '/jobs/estimate', summary: 'What a job costs and who could run it' })
    .input(z.object({ file: jobFileSchema }))
    .output(
      z.object({
        tasks: z.int(),
        token: tokenSchema,
        /** Locked when it is posted: bounty of every task. */
        escrow: amountSchema,
        /** Free in the deposit account now, and what is missing there. */
        available: amountSchema,
        missing: amountSchema,
        feeBps: z.int(),
        fittingOffers: z.int(),
        waiting: z.array(waitingReasonSchema),
      }),
    ),
  /** Founding action `job/submit`. Resolves when every task is in the book; posting goes on by itself. */
  submit: oc
    .route({ method: 'POST', path: '/jobs', summary: 'Submit a job' })
    .input(z.object({ commandId: commandIdSchema, file: jobFileSchema }))
    .output(z.object({ batchId: z.string(), taskIds: z.array(z.string()), status: z.string() })),
  /** Puts bytes of a file into this host's content store, piece by piece, for inputs that the window uploads. */
  upload: oc
    .route({ method: 'POST', path: '/jobs/uploads', summary: 'Upload a piece of an input' })
    .input(
      z.object({
        uploadId: commandIdSchema,
        path: z.string().max(255),
        offset: z.int().min(0),
        base64: z.base64().max(1_500_000),
        /** No more pieces for any file of this upload. */
        end: z.boolean(),
      }),
    )
    .output(z.object({ received: z.int(), cid: z.string().nullable() })),
  list: oc
    .route({ method: 'GET', path: '/jobs' })
    .input(
      z.object({
        batchId: z.string().max(64).optional(),
        status: z.enum(JOB_STATUSES).optional(),
        open: z.boolean().optional(),
        /** `createdAt` and id of the last one seen, as `next` gave it. */
        after: z.string().max(200).optional(),
        limit: z.int().min(1).max(500).default(100),
      }),
    )
    .output(z.object({ jobs: z.array(jobSchema), counts: jobCountsSchema, next: z.string().nullable() })),
  /** Submissions, newest first: an array of a thousand tasks is one line. All tasks of one: `list` with its id. */
  batches: oc
    .route({ method: 'GET', path: '/jobs/batches', summary: 'Submitted jobs, arrays in one line' })
    .input(
      z.object({
        batchId: z.string().max(64).optional(),
        /** Only those with a task that has not ended; false: only those with one that has. */
        open: z.boolean().optional(),
        after: z.string().max(200).optional(),
        limit: z.int().min(1).max(500).default(100),
      }),
    )
    .output(z.object({ batches: z.array(jobBatchSchema), counts: jobCountsSchema, next: z.string().nullable() })),
  get: oc.route({ method: 'GET', path: '/jobs/{taskId}' }).input(task).output(jobSchema),
  watch: oc.route({ method: 'GET', path: '/jobs/{taskId}/stream' }).input(task).output(eventIterator(jobSchema)),
  /** The newest jobs and all counts at each change; conflated. */
  watchList: oc
    .route({ method: 'GET', path: '/jobs/stream' })
    .input(z.object({ limit: z.int().min(1).max(500).default(100) }))
    .output(
      eventIterator(z.object({ jobs: z.array(jobSchema), counts: jobCountsSchema, next: z.string().nullable() })),
    ),
  /** Before anybody took it: the bounty comes back. @throws conflict once it runs */
  cancel: oc
    .route({ method: 'POST', path: '/jobs/{taskId}/cancel' })
    .input(task.extend({ commandId: commandIdSchema }))
    .output(jobSchema),
  /** Pays a result that waits for its owner. @throws conflict where none does */
  accept: oc
    .route({ method: 'POST', path: '/jobs/{taskId}/accept', summary: 'Pay a result that waits for you' })
    .input(task.extend({ commandId: commandIdSchema }))
    .output(jobSchema),
  /** Challenges a result that waits for its owner: a jury decides. @throws conflict, insufficient-funds for the bond */
  reject: oc
    .route({ method: 'POST', path: '/jobs/{taskId}/reject', summary: 'Challenge a result that waits for you' })
    .input(task.extend({ commandId: commandIdSchema, reason: z.string().trim().min(1).max(300) }))
    .output(jobSchema),
  /** Submits the same work again, as a new job. */
  rerun: oc
    .route({ method: 'POST', path: '/jobs/{taskId}/rerun' })
    .input(task.extend({ commandId: commandIdSchema }))
    .output(z.object({ batchId: z.string(), taskIds: z.array(z.string()), status: z.string() })),
  logs: oc
    .route({ method: 'GET', path: '/jobs/{taskId}/logs' })
    .input(task.extend({ follow: z.boolean().default(false), dealId: bytes32Schema.optional() }))
    .output(eventIterator(outputFrameSchema)),
  checkpoint: oc.route({ method: 'POST', path: '/jobs/{taskId}/checkpoint' }).input(task).output(okSchema),
  /** Files of the result folder. */
  results: oc
    .route({ method: 'GET', path: '/jobs/{taskId}/results' })
    .input(task)
    .output(
      z.object({
        cid: z.string(),
        files: z.array(z.object({ path: z.string(), bytes: z.int(), type: z.string() })),
      }),
    ),
  /** A part of one file of the result, for previews. */
  resultFile: oc
    .route({ method: 'GET', path: '/jobs/{taskId}/results/file' })
    .input(
      task.extend({
        path: z.string().max(4096),
        offset: z.int().min(0).default(0),
        length: z.int().min(1).max(1_000_000).default(1_000_000),
      }),
    )
    .output(z.object({ base64: z.string(), offset: z.int(), bytes: z.int(), type: z.string() })),
  /** Copies the result folder to a folder of this computer. */
  saveResults: oc
    .route({ method: 'POST', path: '/jobs/{taskId}/results/save' })
    .input(task.extend({ folder: z.string().min(1).max(4096) }))
    .output(z.object({ folder: z.string(), files: z.int(), bytes: z.int() })),
  /** Pushes the result as a CAR to the user's own IPFS node (Kubo RPC address). */
  pushResults: oc
    .route({ method: 'POST', path: '/jobs/{taskId}/results/push' })
    .input(task.extend({ url: z.url({ protocol: /^https?$/ }) }))
    .output(z.object({ cid: z.string() })),
  /** Lets the result go from this computer; the job and what it cost stay in the book. @throws conflict before its end */
  removeResults: oc
    .route({ method: 'POST', path: '/jobs/{taskId}/results/remove', summary: 'Remove a result from this computer' })
    .input(task)
    .output(jobSchema),
  storage: oc
    .route({ method: 'GET', path: '/jobs/storage', summary: 'Space that job files take' })
    .output(storageSchema),
  setStorage: oc
    .route({ method: 'PUT', path: '/jobs/storage', summary: 'Limit the space, name IPFS gateways' })
    .input(
      z.object({
        limitBytes: z.int().min(1_073_741_824).optional(),
        gateways: z
          .array(z.url({ protocol: /^https?$/ }).max(300))
          .max(8)
          .optional(),
      }),
    )
    .output(storageSchema),
  scheduling: oc.route({ method: 'GET', path: '/jobs/scheduling' }).output(schedulingSchema),
  setScheduling: oc
    .route({ method: 'PUT', path: '/jobs/scheduling' })
    .input(z.object({ automatic: z.boolean().optional(), strategy: z.string().max(40).optional() }))
    .output(schedulingSchema),
  /** One scheduling cycle now. */
  schedule: oc
    .route({ method: 'POST', path: '/jobs/scheduling/trigger' })
    .output(z.object({ assigned: z.int(), waiting: z.int() })),
};
