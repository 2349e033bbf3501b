import { oc } from '@orpc/contract';
import { z } from 'zod';
import { rentalSpecSchema } from '../shared/rental.ts';
import {
  addressSchema,
  amountSchema,
  bytes32Schema,
  priceUnitSchema,
  tokenSchema,
  unixSecondsSchema,
} from './values.ts';

/** An offer as everybody sees it, from the chain. */
export const offerSchema = z.object({
  offerId: bytes32Schema,
  version: z.int(),
  provider: addressSchema,
  gpuType: z.string(),
  gpuModel: z.string(),
  gpuCount: z.int(),
  gpuMemoryGb: z.int(),
  token: tokenSchema,
  price: amountSchema,
  unit: priceUnitSchema,
  minSeconds: z.int(),
  region: z.string(),
  features: z.array(z.string()),
  /** Identical bundles, and how many of them nobody rents now. */
  units: z.int(),
  free: z.int(),
  status: z.enum(['active', 'paused', 'delisted', 'suspended']),
  endsBy: unixSecondsSchema,
  createdAt: unixSecondsSchema,
  /** This wallet's own offer. */
  mine: z.boolean(),
});

export const SORT_KEYS = ['price', 'gpuModel', 'gpuMemoryGb', 'gpuCount', 'region', 'createdAt'] as const;

export const searchSchema = z.object({
  /** `gpu:"RTX 3090" vram>=24 price<0.5 region:EU free` and plain words. */
  query: z.string().max(500).default(''),
  sort: z.enum(SORT_KEYS).default('price'),
  descending: z.boolean().default(false),
  limit: z.int().min(1).max(500).default(100),
  cursor: z.string().max(200).optional(),
});

export const quoteSchema = z.object({
  offerId: bytes32Schema,
  seconds: z.int(),
  token: tokenSchema,
  /** Escrowed now; what is not used comes back. */
  deposit: amountSchema,
  /** Charged at the least once access is given: the first voucher. */
  chargedFirst: amountSchema,
  firstSeconds: z.int(),
  /** Longest this offer can be rented from now. */
  maxSeconds: z.int(),
  feeBps: z.int(),
  available: amountSchema,
  /** What is still missing in the deposit account, "0" when nothing. */
  missing: amountSchema,
});

export const marketContract = {
  search: oc
    .route({ method: 'GET', path: '/offers', summary: 'Search every offer on this network' })
    .input(searchSchema)
    .output(
      z.object({
        offers: z.array(offerSchema),
        /** Exact up to 3000, then null: "more than 3000". */
        total: z.int().nullable(),
        cursor: z.string().nullable(),
        tookMs: z.number(),
      }),
    ),
  get: oc
    .route({ method: 'GET', path: '/offers/{offerId}' })
    .input(z.object({ offerId: bytes32Schema }))
    .output(offerSchema),
  quote: oc
    .route({ method: 'POST', path: '/offers/{offerId}/quote', summary: 'What a rental costs, before anything is paid' })
    .input(z.object({ offerId: bytes32Schema, seconds: z.int().min(60).max(31_536_000) }))
    .output(quoteSchema),
  /** Ask the provider over the direct line whether it would take this spec now. */
  ask: oc
    .route({ method: 'POST', path: '/offers/{offerId}/ask' })
    .input(z.object({ offerId: bytes32Schema, spec: rentalSpecSchema }))
    .output(
      z.object({ free: z.boolean(), reason: z.string(), imagePresent: z.boolean(), rttMs: z.number().nullable() }),
    ),
};
