import { z } from 'zod';
import type { Address, Bytes32 } from './ids.ts';
import { GIB, MIB } from './units.ts';

/**
 * A lease's agreement, exactly as the Rentals contract hashes it: `leaseId = keccak256(abi.encode(Terms))`.
 * Nothing here can change while the lease lives. Field order is the ABI order.
 */
export interface RentalTerms {
  offerId: Bytes32;
  /** The offer's version the renter saw; opening fails when the provider has changed it since. */
  offerVersion: number;
  renter: Address;
  provider: Address;
  /** Session key of the renter's host: signs vouchers and finals. */
  signer: Address;
  /** Key of the provider's host: signs finals. */
  providerSigner: Address;
  /** A validator committee that may sign while the renter is offline; the zero address for none. */
  witness: Address;
  token: Address;
  /** Smallest units of `token` for `unit` seconds. */
  price: bigint;
  /** Seconds one price covers: 60, 3600 or 86400. */
  unit: number;
  /** Seconds the first voucher covers, 60 to 600. */
  minSeconds: number;
  /** Unix seconds after which the offer ends; no lease extends past it. */
  endsBy: number;
  /** Network fee on the provider's gross, in hundredths of a percent. */
  feeBps: number;
  /** keccak256 of the rental spec's canonical JSON (`specHash`). */
  specHash: Bytes32;
  salt: Bytes32;
}

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
const REFUSED_ENV = /^(NVIDIA_|LD_PRELOAD$|LD_LIBRARY_PATH$|LD_AUDIT$)/;

export const imageSchema = z
  .string()
  .min(1)
  .max(300)
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9._\-/:@]*$/, 'must be an image reference such as busybox:1.36 or name@sha256:…');

/** Variables of a stranger's process, without those that would change how it is loaded or which card it sees. */
export const envSchema = z
  .record(z.string().regex(ENV_NAME, 'must be a variable name'), z.string().max(8192))
  .refine((env) => Object.keys(env).length <= 64, 'has more than 64 variables')
  .refine((env) => !Object.keys(env).some((name) => REFUSED_ENV.test(name)), 'may not set NVIDIA_* or LD_* variables')
  .default({});

/** What the renter wants to run. Agreed by hash on chain, sent over the direct line, shown to the owner. */
export const rentalSpecSchema = z.strictObject({
  image: imageSchema,
  /** Started as the container's main process; without it the image's own, or a process that waits. */
  command: z.array(z.string().max(4096)).max(64).optional(),
  env: envSchema,
  /** TCP ports inside the container that tunnels may reach. */
  ports: z
    .array(z.int().min(1).max(65_535))
    .max(16)
    .refine((ports) => new Set(ports).size === ports.length, 'names a port twice')
    .default([]),
  memoryBytes: z
    .int()
    .min(64 * MIB)
    .optional(),
  cpus: z.number().min(0.1).max(256).optional(),
  diskBytes: z
    .int()
    .min(64 * MIB)
    .default(10 * GIB),
  /** Whether the container may reach the internet (never the owner's own network). */
  internet: z.boolean().default(true),
});

export type RentalSpec = z.infer<typeof rentalSpecSchema>;

/** Where a rental stands, as both hosts and every screen name it. */
export const RENTAL_PHASES = ['opening', 'preparing', 'running', 'paused', 'ending', 'closing', 'closed'] as const;
export type RentalPhase = (typeof RENTAL_PHASES)[number];
