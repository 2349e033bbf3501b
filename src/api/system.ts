import { eventIterator, oc } from '@orpc/contract';
import { z } from 'zod';
import { addressSchema, okSchema, progressSchema, readyCheckSchema, tokenSchema } from './values.ts';

export const networkSchema = z.object({
  name: z.string(),
  chainId: z.int(),
  /** True while money is practice money. */
  practice: z.boolean(),
  state: z.enum(['connecting', 'catching-up', 'live', 'down', 'wrong-network']),
  detail: z.string(),
  headBlock: z.int(),
  progress: progressSchema.nullable(),
  tokens: z.array(tokenSchema),
  explorer: z.string().nullable(),
  /** Hundredths of a percent of the provider's gross, for new deals. */
  feeBps: z.int(),
  /** Where another host joins this network: `--network practice --rpc URL`; null when this host does not serve it. */
  joinUrl: z.string().nullable(),
});

export const walletStatusSchema = z.object({
  exists: z.boolean(),
  locked: z.boolean(),
  address: addressSchema.nullable(),
  backedUp: z.boolean(),
  /** Practice wallets are made and opened by the app itself. */
  practice: z.boolean(),
});

export const engineStatusSchema = z.object({
  state: z.enum(['up', 'down']),
  version: z.string().nullable(),
  detail: z.string(),
});

export const statusSchema = z.object({
  version: z.string(),
  dataDir: z.string(),
  pid: z.int(),
  startedAt: z.int(),
  network: networkSchema,
  wallet: walletStatusSchema,
  engine: engineStatusSchema,
  peer: z.object({
    peerKey: z.string(),
    state: z.enum(['starting', 'online', 'offline']),
    endpoints: z.array(z.object({ host: z.string(), port: z.int() })),
    connections: z.int(),
  }),
  sharing: z.object({ state: z.enum(['off', 'starting', 'on', 'stopping']), activeRentals: z.int() }),
});

export const notificationSchema = z.object({
  id: z.string(),
  at: z.int(),
  level: z.enum(['info', 'success', 'warning', 'error']),
  title: z.string(),
  body: z.string(),
  /** What it is about, where that can be opened: a rental, or a job of this host's own. */
  rentalId: z.string().nullable(),
  taskId: z.string().nullable(),
});

export const systemContract = {
  status: oc.route({ method: 'GET', path: '/status', summary: 'How this host stands' }).output(statusSchema),
  /** The newest status at each change. */
  watch: oc.route({ method: 'GET', path: '/status/stream' }).output(eventIterator(statusSchema)),
  checks: oc
    .route({ method: 'GET', path: '/checks', summary: 'What this computer still needs, each with its fix' })
    .output(z.array(readyCheckSchema)),
  notifications: oc.route({ method: 'GET', path: '/notifications' }).output(z.array(notificationSchema)),
  watchNotifications: oc
    .route({ method: 'GET', path: '/notifications/stream' })
    .output(eventIterator(notificationSchema)),
  shutdown: oc.route({ method: 'POST', path: '/shutdown', summary: 'Stop this host cleanly' }).output(okSchema),
};
