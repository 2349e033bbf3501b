import { eventIterator, oc } from '@orpc/contract';
import { z } from 'zod';
import { offerSchema } from './market.ts';
import {
  amountSchema,
  addressSchema,
  bytes32Schema,
  commandIdSchema,
  priceUnitSchema,
  unixSecondsSchema,
} from './values.ts';

/** What the owner asks for, as the founding action `registerGPUOffer` names it where it names it. */
export const offerInputSchema = z.object({
  /** Devices behind one unit; all of one model. */
  deviceIds: z.array(z.string().max(200)).min(1).max(64),
  price: amountSchema.refine((amount) => amount !== '0' && BigInt(amount) < 2n ** 128n, 'must be more than zero'),
  unit: priceUnitSchema,
  token: addressSchema,
  region: z.string().trim().min(1).max(64),
  features: z.array(z.string().trim().min(1).max(64)).max(16).default([]),
  minSeconds: z.int().min(60).max(600).default(60),
  /** Unix seconds; the offer disappears by itself then. */
  endsBy: unixSecondsSchema,
  limits: z
    .object({
      cpus: z.number().min(0.1).max(256),
      memoryBytes: z.int().min(64 * 1024 * 1024),
      diskBytes: z.int().min(64 * 1024 * 1024),
      uploadBitsPerSecond: z.int().min(100_000).nullable(),
    })
    .optional(),
});

export const shareStatusSchema = z.object({
  state: z.enum(['off', 'starting', 'on', 'stopping']),
  /** One sentence: what happens now, or why it cannot. */
  detail: z.string(),
  /** Unix seconds until which sharing is snoozed, null when not. */
  snoozedUntil: unixSecondsSchema.nullable(),
  offer: offerSchema.nullable(),
  /** Rentals on this computer now. */
  rentals: z.array(bytes32Schema),
  earned: z.array(z.object({ token: addressSchema, amount: amountSchema })),
});

export const shareContract = {
  status: oc.route({ method: 'GET', path: '/share' }).output(shareStatusSchema),
  watch: oc.route({ method: 'GET', path: '/share/stream' }).output(eventIterator(shareStatusSchema)),
  /** What this computer could offer, filled in: the market's median for the model, or the reason for a starting price. */
  suggest: oc.route({ method: 'GET', path: '/share/suggestion' }).output(
    z.object({
      offer: offerInputSchema,
      priceReason: z.string(),
      marketOffers: z.int(),
    }),
  ),
  start: oc
    .route({ method: 'POST', path: '/share/start', summary: 'Publish the offer and serve rentals' })
    .input(z.object({ commandId: commandIdSchema, offer: offerInputSchema }))
    .output(z.object({ offerId: bytes32Schema, status: z.string() })),
  /** `now` ends running rentals honestly; `after` lets them finish. */
  stop: oc
    .route({ method: 'POST', path: '/share/stop' })
    .input(z.object({ commandId: commandIdSchema, rentals: z.enum(['after', 'now']).default('after') }))
    .output(shareStatusSchema),
  snooze: oc
    .route({ method: 'POST', path: '/share/snooze' })
    .input(z.object({ seconds: z.int().min(0).max(86_400) }))
    .output(shareStatusSchema),
};
