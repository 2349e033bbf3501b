import type { Offer, Rental } from '../../src/api/contract.ts';
import { billFor, depositFor } from '../../src/shared/money.ts';
import { rentalSpecSchema, type RentalPhase, type RentalSpec } from '../../src/shared/rental.ts';
import { CUSD, fakeHash } from './fake-market.ts';

interface FakeRentalOptions {
  seed: number;
  now: number;
  phase: RentalPhase;
  served: number;
  role?: 'renter' | 'provider';
  offer?: Offer;
  seconds?: number;
  spec?: RentalSpec;
}

export function fakeRental({
  seed,
  now,
  phase,
  served,
  role = 'renter',
  offer,
  seconds = 7200,
  spec,
}: FakeRentalOptions): Rental {
  const price = offer?.price ?? '340000';
  const unit = offer?.unit ?? 3600;
  const deposit = depositFor(BigInt(price), unit, seconds);
  const spent = billFor(BigInt(price), unit, served);
  return {
    rentalId: fakeHash(seed),
    role,
    counterparty: fakeHash(seed + 900, 20),
    offerId: offer?.offerId ?? fakeHash(seed + 300),
    gpuType: offer?.gpuType ?? 'NVIDIA',
    gpuModel: offer?.gpuModel ?? 'GeForce RTX 4090',
    gpuCount: offer?.gpuCount ?? 1,
    token: CUSD,
    price,
    unit,
    phase,
    detail: '',
    progress:
      phase === 'preparing'
        ? { label: 'Fetching the image', done: 1_610_612_736, total: 4_294_967_296, unit: 'bytes' }
        : null,
    connected: true,
    rttMs: 18,
    spec: spec ?? rentalSpecSchema.parse({ image: 'pytorch/pytorch:2.9.0-cuda12.8', ports: [8888, 6006, 22] }),
    openedAt: now - served,
    capSeconds: seconds,
    servedSeconds: served,
    signedSeconds: Math.floor(served / 60) * 60,
    deposit: deposit.toString(),
    spent: spent.toString(),
    left: (deposit - spent).toString(),
    settlement: null,
    forwards:
      phase === 'running' && role === 'renter' ? [{ containerPort: 8888, localPort: 41_888, connections: 1 }] : [],
  };
}

/** One second on: only running rentals cost. */
export function ticked(rental: Rental): Rental {
  if (rental.phase !== 'running') return rental;
  const servedSeconds = Math.min(rental.capSeconds, rental.servedSeconds + 1);
  const spent = billFor(BigInt(rental.price), rental.unit, servedSeconds);
  return {
    ...rental,
    servedSeconds,
    signedSeconds: Math.floor(servedSeconds / 60) * 60,
    spent: spent.toString(),
    left: (BigInt(rental.deposit) - spent).toString(),
  };
}

export function settled(rental: Rental, at: number): Rental {
  const paid = billFor(BigInt(rental.price), rental.unit, rental.servedSeconds);
  const refund = BigInt(rental.deposit) - paid;
  return {
    ...rental,
    phase: 'closed',
    progress: null,
    connected: false,
    spent: paid.toString(),
    left: refund.toString(),
    forwards: [],
    settlement: {
      seconds: rental.servedSeconds,
      paid: paid.toString(),
      refund: refund.toString(),
      fee: (paid / 100n).toString(),
      penalty: '0',
      closedAt: at,
      txHash: fakeHash(rental.servedSeconds + 4000),
      reason: 'Both sides signed the seconds.',
    },
  };
}
