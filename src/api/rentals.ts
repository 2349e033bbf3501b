import { eventIterator, oc } from '@orpc/contract';
import { z } from 'zod';
import { RENTAL_PHASES, rentalSpecSchema } from '../shared/rental.ts';
import {
  addressSchema,
  amountSchema,
  bytes32Schema,
  commandIdSchema,
  okSchema,
  priceUnitSchema,
  progressSchema,
  tokenSchema,
  unixSecondsSchema,
} from './values.ts';

export const forwardSchema = z.object({ containerPort: z.int(), localPort: z.int(), connections: z.int() });

/** One lease as this host sees it, from either side. All amounts in `token`'s smallest unit. */
export const rentalSchema = z.object({
  rentalId: bytes32Schema,
  role: z.enum(['renter', 'provider']),
  counterparty: addressSchema,
  offerId: bytes32Schema,
  /** As the offer says; "CPU" where there is no card. */
  gpuType: z.string(),
  gpuModel: z.string(),
  gpuCount: z.int(),
  token: tokenSchema,
  price: amountSchema,
  unit: priceUnitSchema,
  phase: z.enum(RENTAL_PHASES),
  /** Plain words about the phase; empty when there is nothing to add. */
  detail: z.string(),
  progress: progressSchema.nullable(),
  connected: z.boolean(),
  rttMs: z.number().nullable(),
  spec: rentalSpecSchema.nullable(),
  openedAt: unixSecondsSchema,
  capSeconds: z.int(),
  /** Seconds served so far, live. */
  servedSeconds: z.int(),
  /** Seconds the renter has signed for: what is paid if everything stopped now. */
  signedSeconds: z.int(),
  deposit: amountSchema,
  /** Bill of the served seconds so far, and what is left of the deposit. Once closed: what was paid and refunded. */
  spent: amountSchema,
  left: amountSchema,
  /** Settled on chain; null while open. */
  settlement: z
    .object({
      seconds: z.int(),
      paid: amountSchema,
      refund: amountSchema,
      fee: amountSchema,
      penalty: amountSchema,
      closedAt: unixSecondsSchema,
      txHash: bytes32Schema,
      reason: z.string(),
    })
    .nullable(),
  forwards: z.array(forwardSchema),
});

const rentalId = z.object({ rentalId: bytes32Schema });

/** Frames of an interactive stream. Bytes travel as base64; the reader acknowledges `seq` so that it is never flooded. */
export const outputFrameSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('opened'), sessionId: z.string() }),
  z.object({
    type: z.literal('data'),
    seq: z.int(),
    stream: z.union([z.literal(1), z.literal(2)]),
    base64: z.string(),
  }),
  z.object({ type: z.literal('exit'), exitCode: z.int().nullable(), reason: z.string() }),
]);

const session = z.object({ sessionId: z.string().max(64) });

export const rentalsContract = {
  open: oc
    .route({ method: 'POST', path: '/rentals', summary: 'Rent: escrow the deposit and get the machine' })
    .input(
      z.object({
        commandId: commandIdSchema,
        offerId: bytes32Schema,
        seconds: z.int().min(60).max(31_536_000),
        spec: rentalSpecSchema,
        /** The version the person looked at; the rental is refused if the provider changed the offer since. */
        offerVersion: z.int().optional(),
      }),
    )
    .output(z.object({ rentalId: bytes32Schema, status: z.string() })),
  list: oc
    .route({ method: 'GET', path: '/rentals' })
    .input(
      z.object({
        role: z.enum(['renter', 'provider']).optional(),
        open: z.boolean().optional(),
        limit: z.int().min(1).max(500).default(100),
      }),
    )
    .output(z.array(rentalSchema)),
  get: oc.route({ method: 'GET', path: '/rentals/{rentalId}' }).input(rentalId).output(rentalSchema),
  /** The newest state at each change, and at least once a second while running. */
  watch: oc
    .route({ method: 'GET', path: '/rentals/{rentalId}/stream' })
    .input(rentalId)
    .output(eventIterator(rentalSchema)),
  /** Some rental was added or changed phase; conflated. */
  watchList: oc.route({ method: 'GET', path: '/rentals/stream' }).output(eventIterator(z.array(rentalSchema))),
  extend: oc
    .route({ method: 'POST', path: '/rentals/{rentalId}/extend' })
    .input(rentalId.extend({ commandId: commandIdSchema, seconds: z.int().min(60).max(31_536_000) }))
    .output(rentalSchema),
  /** Founding action `terminateRental`: resolves when the chain has settled. */
  terminate: oc
    .route({ method: 'POST', path: '/rentals/{rentalId}/terminate' })
    .input(rentalId.extend({ commandId: commandIdSchema }))
    .output(z.object({ status: z.string(), billingAmount: amountSchema, rental: rentalSchema })),
  terminal: oc
    .route({ method: 'POST', path: '/rentals/{rentalId}/terminal' })
    .input(
      rentalId.extend({
        cols: z.int().min(1).max(1000),
        rows: z.int().min(1).max(1000),
        command: z.array(z.string().max(4096)).max(64).optional(),
      }),
    )
    .output(eventIterator(outputFrameSchema)),
  exec: oc
    .route({ method: 'POST', path: '/rentals/{rentalId}/exec' })
    .input(rentalId.extend({ command: z.array(z.string().max(4096)).min(1).max(64) }))
    .output(eventIterator(outputFrameSchema)),
  logs: oc
    .route({ method: 'GET', path: '/rentals/{rentalId}/logs' })
    .input(rentalId.extend({ follow: z.boolean().default(false), tail: z.int().min(0).max(10_000).default(200) }))
    .output(eventIterator(outputFrameSchema)),
  /** For terminal, exec and logs: at most 256 unacknowledged data frames are sent. */
  ack: oc
    .route({ method: 'POST', path: '/sessions/{sessionId}/ack' })
    .input(session.extend({ seq: z.int().min(0) }))
    .output(okSchema),
  input: oc
    .route({ method: 'POST', path: '/sessions/{sessionId}/input' })
    .input(session.extend({ base64: z.base64().max(90_000), end: z.boolean().default(false) }))
    .output(okSchema),
  resize: oc
    .route({ method: 'POST', path: '/sessions/{sessionId}/resize' })
    .input(session.extend({ cols: z.int().min(1).max(1000), rows: z.int().min(1).max(1000) }))
    .output(okSchema),
  closeSession: oc.route({ method: 'DELETE', path: '/sessions/{sessionId}' }).input(session).output(okSchema),
  forward: oc
    .route({
      method: 'POST',
      path: '/rentals/{rentalId}/forwards',
      summary: 'Open a port of the rental on this computer',
    })
    .input(
      rentalId.extend({
        containerPort: z.int().min(1).max(65_535),
        /** 0 or nothing: any free port. Always on 127.0.0.1. */
        localPort: z.int().min(0).max(65_535).default(0),
      }),
    )
    .output(forwardSchema),
  closeForward: oc
    .route({ method: 'DELETE', path: '/rentals/{rentalId}/forwards/{containerPort}' })
    .input(rentalId.extend({ containerPort: z.int() }))
    .output(okSchema),
};
