/**
 * What a renter wants done. A *job file* is what a person writes (`job.yaml`): it may name folders of this computer, hold
 * secrets and stand for many tasks. A *job spec* is one task of it as it is posted: public, immutable, at most 8 KiB.
 */
import { z } from 'zod';
import { envSchema, imageSchema } from './rental.ts';
import { GIB, MIB } from './units.ts';

/** Longest spec that the Jobs contract takes, in bytes of its JSON. */
export const MAX_SPEC_BYTES = 8192;
/** Most tasks of one array. */
export const MAX_TASKS = 1000;
const MAX_SECONDS = 30 * 86_400;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be a sha-256: 64 lower-case hexadecimal digits');
export const cidSchema = z
  .string()
  .max(128)
  .regex(/^[a-zA-Z0-9]{40,128}$/, 'must be a content id such as bafybei…');

/** A path inside the job's folder: relative, no `..`, no empty parts. */
export const jobPathSchema = z
  .string()
  .min(1)
  .max(255)
  .refine(
    // A backslash parts folders on Windows, wherever the file was written.
    (path) =>
      !/[\\\p{Cc}]/u.test(path) && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
    'must be a relative path with /, without . or .., backslashes and control characters',
  );

export const jobModelSchema = z.enum(['linear_regression', 'k_means', 'pca']);
export type JobModel = z.infer<typeof jobModelSchema>;

const word = z.string().max(4096);

export const workSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('docker'),
    /** By digest, so that it is the same work for everybody: name@sha256:…; a tag is resolved before posting. */
    image: imageSchema,
    command: z.array(word).max(64).optional(),
    env: envSchema,
  }),
  z.strictObject({
    type: z.literal('wasm'),
    /** Content id of a WASI preview 1 module. */
    module: cidSchema,
    args: z.array(word).max(64).default([]),
    env: envSchema,
  }),
  z.strictObject({
    type: z.literal('kernel'),
    model: jobModelSchema,
    /** Input file (below `in/`) that holds the table: CSV or NumPy. */
    table: jobPathSchema.default('data.csv'),
    /** Column by name or number from 0; the last one where it is left out. Only linear regression has a target. */
    target: z.union([z.string().max(100), z.int().min(0)]).optional(),
    params: z.record(z.string().max(40), z.union([z.number(), z.boolean(), z.string().max(100)])).default({}),
  }),
]);
export type Work = z.infer<typeof workSchema>;

/** Where one input comes from, as everybody may know it. */
export const inputSchema = z.discriminatedUnion('from', [
  /** The renter's own computer serves it over the direct line. */
  z.strictObject({ from: z.literal('renter'), path: jobPathSchema, cid: cidSchema, bytes: z.int().min(0) }),
  z.strictObject({
    from: z.literal('url'),
    path: jobPathSchema,
    url: z.url({ protocol: /^https?$/ }).max(2000),
    sha256,
  }),
  z.strictObject({ from: z.literal('ipfs'), path: jobPathSchema, cid: cidSchema }),
]);
export type JobInput = z.infer<typeof inputSchema>;

export const resourcesSchema = z.strictObject({
  /** As offers name them ("NVIDIA"), matched without regard to case; left out: any. */
  gpuType: z.string().max(40).optional(),
  /** Part of the model's name ("RTX 4090"), matched without regard to case. */
  gpuModel: z.string().max(80).optional(),
  /** 0: a processor is enough. */
  gpuCount: z.int().min(0).max(255).default(0),
  /** Of one card, in GiB. */
  gpuMemoryGb: z.int().min(0).max(65_535).default(0),
  cpus: z.number().min(0.1).max(256).default(1),
  memoryBytes: z
    .int()
    .min(64 * MIB)
    .default(GIB),
  diskBytes: z
    .int()
    .min(64 * MIB)
    .default(4 * GIB),
});
export type JobResources = z.infer<typeof resourcesSchema>;

const seconds = z.int().min(1).max(MAX_SECONDS);
export const timeoutsSchema = z.strictObject({
  /** From posting until somebody takes it. */
  queueSeconds: seconds.default(3600),
  /** Of the run itself; the machine is stopped then. */
  runSeconds: seconds.default(3600),
  /** Everything together, inputs and outputs too. */
  totalSeconds: seconds.optional(),
});

export const verificationSchema = z.discriminatedUnion('tier', [
  /** T0: the renter accepts, or its window passes. */
  z.strictObject({ tier: z.literal('accept') }),
  /** T2: several owners run it, enough of them have to agree to the byte. */
  z
    .strictObject({
      tier: z.literal('redundancy'),
      copies: z.int().min(2).max(15).default(3),
      agree: z.int().min(2).max(15).default(2),
    })
    .refine(({ copies, agree }) => agree <= copies && agree * 2 > copies, {
      path: ['agree'],
      message: 'must be more than half of the copies',
    }),
  /** T3: arithmetic far cheaper than the work proves it. Kernels only. */
  z.strictObject({ tier: z.literal('certificate') }),
]);

const secretNames = z
  .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'must be a variable name'))
  .max(32)
  .default([]);

const specFields = {
  version: z.literal(1).default(1),
  name: z.string().max(80).default(''),
  work: workSchema,
  /** Names of environment variables whose values only the chosen provider gets, over the direct line. */
  secrets: secretNames,
  resources: resourcesSchema.default(resourcesSchema.parse({})),
  /** `none`: no network at all; `internet`: the internet, never the owner's own network. */
  network: z.enum(['none', 'internet']).default('none'),
  timeouts: timeoutsSchema.default(timeoutsSchema.parse({})),
  /** Caps of what comes back. */
  outputs: z
    .strictObject({
      maxBytes: z.int().min(0).default(GIB),
      maxFiles: z.int().min(1).max(100_000).default(10_000),
    })
    .default({ maxBytes: GIB, maxFiles: 10_000 }),
  verification: verificationSchema.default({ tier: 'accept' }),
};

/** One task as it stands on chain. */
export const jobSpecSchema = z
  .strictObject({
    ...specFields,
    inputs: z.array(inputSchema).max(32).default([]),
    /** Of an array: which of how many, and this one's values, which are also environment variables. */
    task: z
      .strictObject({
        index: z.int().min(0),
        of: z.int().min(1).max(MAX_TASKS),
        values: z.record(z.string().max(40), z.string().max(1000)).default({}),
      })
      .optional(),
    /** Peer key (0x, 32 bytes) of the renter's host: serves its inputs, takes its results. */
    renterPeer: z
      .string()
      .regex(/^0x[0-9a-f]{64}$/)
      .optional(),
  })
  .superRefine((spec, context) => {
    const { tier } = spec.verification;
    if (tier === 'certificate' && spec.work.type !== 'kernel') {
      context.addIssue({
        code: 'custom',
        path: ['verification', 'tier'],
        message: 'can be certificate for the built-in kernels only; use accept or redundancy',
      });
    }
    const paths = spec.inputs.map((input) => input.path);
    // Not every provider's disk tells capital letters apart.
    if (new Set(paths.map((path) => path.normalize('NFC').toLowerCase())).size !== paths.length) {
      context.addIssue({ code: 'custom', path: ['inputs'], message: 'names a path twice (capital letters aside)' });
    }
    if (spec.work.type === 'kernel' && spec.inputs.length > 0 && !paths.includes(spec.work.table)) {
      context.addIssue({ code: 'custom', path: ['work', 'table'], message: 'is not the path of an input' });
    }
  });
export type JobSpec = z.infer<typeof jobSpecSchema>;

/** Whether only the renter's own host can deliver what the job needs: uploads, and secrets. */
export const needsRenter = ({ secrets, inputs }: JobSpec): boolean =>
  secrets.length > 0 || inputs.some(({ from }) => from === 'renter');

/** An input as a person writes it: a file or folder of this computer, or one that anybody can fetch. */
export const jobFileInputSchema = z.union([
  z.strictObject({ path: jobPathSchema, upload: z.string().min(1).max(4096) }),
  z.strictObject({ path: jobPathSchema, url: z.url({ protocol: /^https?$/ }).max(2000), sha256 }),
  z.strictObject({ path: jobPathSchema, ipfs: cidSchema }),
  /** Text that stands in the job file itself. */
  z.strictObject({ path: jobPathSchema, text: z.string().max(1_000_000) }),
  /** Already in this host's content store. */
  z.strictObject({ path: jobPathSchema, content: cidSchema }),
  /** A small sample table made by the host, named as a sample wherever it shows. Kernels only. */
  z.strictObject({ path: jobPathSchema, sample: jobModelSchema }),
]);
export type JobFileInput = z.infer<typeof jobFileInputSchema>;

/** Decimal text such as "12.5", in whole tokens. */
const decimal = z.string().regex(/^\d{1,30}(\.\d{1,24})?$/, 'must be a decimal number such as "2.5"');

/** `job.yaml`: the spec's own fields, and what only the renter's host needs. */
export const jobFileSchema = z.strictObject({
  ...specFields,
  inputs: z.array(jobFileInputSchema).max(32).default([]),
  /** For each task, in whole tokens. */
  bounty: decimal,
  /** Symbol or address of the token; WATT where it is left out. */
  token: z.string().max(42).default('WATT'),
  /** Values of secret variables; they replace `secrets`, whose names come from here. */
  secrets: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'must be a variable name'), z.string().max(8192))
    .default({}),
  /** How often a task is posted again after its provider failed. */
  retries: z.int().min(0).max(10).default(2),
  /** Higher goes first among this host's waiting tasks. */
  priority: z.int().min(0).max(100).default(50),
  /** 100, or {"SEED": ["1", "2"], "RATE": ["0.1"]}: one task for each combination. Values become variables. */
  array: z
    .union([z.int().min(1).max(MAX_TASKS), z.record(z.string().max(40), z.array(z.string().max(1000)).min(1))])
    .optional(),
  /** `mine`: this host chooses the provider. `open`: any qualified provider may take it, also while this host sleeps. */
  assignment: z.enum(['mine', 'open']).default('mine'),
  /** Which results this host does not pay before its owner said so; silence pays too: of failures after half an hour. */
  review: z.enum(['never', 'failures', 'always']).default('failures'),
  /** Decides a dispute without quorum. */
  arbiter: z
    .string()
    .regex(/^0x[0-9a-fA-F]{40}$/)
    .optional(),
});
export type JobFile = z.infer<typeof jobFileSchema>;

/** The words of the founding documents for where a job stands. */
export const JOB_STATUSES = ['pending', 'assigned', 'completed', 'verified', 'failed', 'cancelled'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** What comes first in every result folder, beside `logs/` and `out/`. */
export const resultInfoSchema = z.object({
  version: z.literal(1),
  /** Of the container or module; null where it was stopped. */
  exitCode: z.int().nullable(),
  /** Why it ended. `input-failed`: it never began, because what the renter named cannot be used or was not delivered. */
  reason: z.enum(['exited', 'run-timeout', 'out-of-memory', 'disk-limit', 'output-limit', 'input-failed']),
  detail: z.string().max(500),
});
export type ResultInfo = z.infer<typeof resultInfoSchema>;
export const RESULT_INFO_FILE = 'result.json';
