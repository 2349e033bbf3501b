import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { AppError } from '../../shared/errors.ts';
import { jobModelSchema } from '../../shared/job-spec.ts';
import { PRACTICE_NAME } from '../practice-offers.ts';
import type { Founding } from './founding.ts';

const name = z.string().regex(PRACTICE_NAME, 'must be 1 to 64 letters, digits, dots, - or _, and not only dots');
const watt = z.number().min(0).max(1_000_000_000);
const cells = z.array(z.array(z.number()).max(1000)).min(1).max(10_000);

const workerSchema = z.strictObject({
  worker_id: name,
  gpu_type: z.string().min(1).max(80),
  compute_capacity: z.number().min(0).max(1_000_000),
  stake_amount: watt,
});
const clientSchema = z.strictObject({ client_address: name, initial_balance: watt });
const jobSchema = z.strictObject({
  client_address: name,
  model_type: z.preprocess((value) => (value === 'kmeans' ? 'k_means' : value), jobModelSchema),
  reward: z.number().positive().max(1_000_000_000),
  x: cells.optional(),
  y: z.array(z.number()).max(10_000).optional(),
  params: z.record(z.string().max(40), z.union([z.number(), z.boolean(), z.string().max(100)])).default({}),
});

type Answer = Record<string, unknown>;

interface Route {
  method: 'GET' | 'POST';
  /** One group at most: the name in the path. */
  path: RegExp;
  /** As people write it. */
  shown: string;
  about: string;
  status?: number;
  run(founding: Founding, given: { name: string; body: unknown; signal: AbortSignal }): Promise<Answer>;
}

const ROUTES: readonly Route[] = [
  {
    method: 'POST',
    path: /^\/worker\/register$/,
    shown: '/worker/register',
    about: 'Register a new worker: worker_id, gpu_type, compute_capacity, stake_amount',
    status: 201,
    run: async (founding, { body }) => ({
      ...(await founding.registerWorker(parse(workerSchema, body))),
      status: 'registered',
    }),
  },
  {
    method: 'GET',
    path: /^\/worker\/([^/]+)\/status$/,
    shown: '/worker/<id>/status',
    about: 'Get worker status',
    run: async (founding, given) => ({ ...(await founding.worker(given.name)) }),
  },
  {
    method: 'GET',
    path: /^\/workers$/,
    shown: '/workers',
    about: 'List all workers',
    run: async (founding) => list('workers', await founding.workers()),
  },
  {
    method: 'POST',
    path: /^\/client\/register$/,
    shown: '/client/register',
    about: 'Register a client: client_address, initial_balance',
    status: 201,
    run: async (founding, { body }) => ({ ...(await founding.registerClient(parse(clientSchema, body))) }),
  },
  {
    method: 'GET',
    path: /^\/client\/([^/]+)\/balance$/,
    shown: '/client/<address>/balance',
    about: 'Get client balance',
    run: async (founding, given) => ({ ...(await founding.client(given.name)) }),
  },
  {
    method: 'GET',
    path: /^\/clients$/,
    shown: '/clients',
    about: 'List all clients',
    run: async (founding) => list('clients', await founding.clients()),
  },
  {
    method: 'POST',
    path: /^\/job\/submit$/,
    shown: '/job/submit',
    about: 'Submit a new job: client_address, model_type, reward; x, y and params where it is not the sample',
    status: 201,
    run: async (founding, { body }) => ({ ...(await founding.submit(parse(jobSchema, body))) }),
  },
  {
    method: 'GET',
    path: /^\/job\/([^/]+)\/status$/,
    shown: '/job/<id>/status',
    about: 'Get job status',
    run: async (founding, given) => ({ ...(await founding.job(given.name)) }),
  },
  {
    method: 'GET',
    path: /^\/jobs$/,
    shown: '/jobs',
    about: 'List all jobs',
    run: async (founding) => list('jobs', await founding.jobs({ pending: false })),
  },
  {
    method: 'GET',
    path: /^\/jobs\/pending$/,
    shown: '/jobs/pending',
    about: 'Get pending jobs',
    run: async (founding) => list('jobs', await founding.jobs({ pending: true })),
  },
  {
    method: 'GET',
    path: /^\/network\/stats$/,
    shown: '/network/stats',
    about: 'Get network statistics',
    run: async (founding) => ({ ...(await founding.stats()) }),
  },
  {
    method: 'POST',
    path: /^\/network\/coordination\/start$/,
    shown: '/network/coordination/start',
    about: 'Start auto-coordination',
    run: async (founding) => founding.automatic(true).then(() => ({ status: 'started' })),
  },
  {
    method: 'POST',
    path: /^\/network\/coordination\/stop$/,
    shown: '/network/coordination/stop',
    about: 'Stop auto-coordination',
    run: async (founding) => founding.automatic(false).then(() => ({ status: 'stopped' })),
  },
  {
    method: 'POST',
    path: /^\/network\/coordination\/trigger$/,
    shown: '/network/coordination/trigger',
    about: 'Trigger a coordination cycle; answers when what it assigned has ended',
    run: async (founding, { signal }) => ({ ...(await founding.trigger(signal)), status: 'ok' }),
  },
];

const list = (what: string, items: readonly unknown[]): Answer => ({
  [what]: items,
  total: items.length,
  status: 'ok',
});

/** The first thing that is wrong, by name. */
function parse<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const missing = issue?.code === 'invalid_type' && issue.input === undefined;
  const field =
    issue?.code === 'unrecognized_keys' ? (issue.keys[0] ?? 'body') : issue?.path.map(String).join('.') || 'body';
  const what =
    issue?.code === 'unrecognized_keys' ? 'is not known here' : missing ? 'is missing' : (issue?.message ?? 'is wrong');
  throw new AppError('bad-input', `${field}: ${what}.`, { field, next: `Correct ${field} and send it again.` });
}

/** Whether a path is one of the founding documents', whatever the method. */
export const isFoundingPath = (pathname: string): boolean => ROUTES.some(({ path }) => path.test(pathname));

/** @throws AppError bad-input for the wrong method, and whatever the route throws */
export async function answerFounding(
  founding: Founding,
  request: { method: string; pathname: string; body: () => Promise<unknown>; signal: AbortSignal },
): Promise<{ status: number; body: Answer }> {
  const { method, pathname, signal } = request;
  const here = ROUTES.filter(({ path }) => path.test(pathname));
  const route = here.find((candidate) => candidate.method === method);
  if (!route) {
    throw new AppError('bad-input', `Use ${here.map((other) => other.method).join(' or ')} here.`, { field: 'method' });
  }
  const encoded = route.path.exec(pathname)?.[1] ?? '';
  const given = { name: encoded === '' ? '' : parse(name, decode(encoded)), signal };
  const body = method === 'POST' && /register$|submit$/.test(pathname) ? await request.body() : undefined;
  return { status: route.status ?? 200, body: await route.run(founding, { ...given, body }) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

/** What `GET /` answers to those who do not ask for a page. */
export const foundingDescription = (version: string): Answer => ({
  name: 'Commonwatt',
  version,
  status: 'ok',
  endpoints: Object.fromEntries([
    ...ROUTES.map(({ method, shown, about }) => [`${method} ${shown}`, about]),
    ['GET /health', 'Health check'],
    ['GET /api', 'The whole interface, described in OpenAPI; needs a session'],
  ]),
});

/** Whoever comes through a proxy comes from somewhere else, whatever the address says. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'];

/** No token is needed from a program of this computer, on practice money, that is not a web page. */
export function mayUseFounding(request: IncomingMessage, practice: boolean): boolean {
  const address = request.socket.remoteAddress ?? '';
  const loopback = address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
  const refused = ['origin', 'sec-fetch-site', ...FORWARDED];
  return practice && loopback && refused.every((header) => request.headers[header] === undefined);
}
