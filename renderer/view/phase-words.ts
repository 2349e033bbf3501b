import type { Rental } from '../../src/api/contract.ts';
import type { RentalPhase } from '../../src/shared/rental.ts';

export type Shape = 'flow' | 'ok' | 'wait' | 'ask' | 'stop' | 'fail' | 'off';

interface PhaseWords {
  label: string;
  shape: Shape;
  sentence: string;
}

const RENTER: Record<RentalPhase, PhaseWords> = {
  opening: { label: 'Opening', shape: 'wait', sentence: 'Your deposit is being locked on the network.' },
  preparing: {
    label: 'Preparing',
    shape: 'wait',
    sentence: 'The provider is getting the machine ready. Nothing is charged yet.',
  },
  running: { label: 'Running', shape: 'flow', sentence: 'The machine is yours. You pay by the second.' },
  paused: { label: 'Paused', shape: 'stop', sentence: 'The meter stands still until the machine answers again.' },
  ending: { label: 'Ending', shape: 'wait', sentence: 'Both sides are agreeing on the exact seconds.' },
  closing: { label: 'Settling', shape: 'wait', sentence: 'The network is paying the provider and refunding the rest.' },
  closed: { label: 'Ended', shape: 'off', sentence: 'Paid and refunded.' },
};

const PROVIDER: Record<RentalPhase, PhaseWords> = {
  opening: {
    label: 'Opening',
    shape: 'wait',
    sentence: 'Somebody is renting this computer; the deposit is being locked.',
  },
  preparing: { label: 'Preparing', shape: 'wait', sentence: 'This computer is getting the machine ready.' },
  running: { label: 'Running', shape: 'flow', sentence: 'Somebody is using this computer and pays by the second.' },
  paused: { label: 'Paused', shape: 'stop', sentence: 'The meter stands still until the renter answers again.' },
  ending: { label: 'Ending', shape: 'wait', sentence: 'Both sides are agreeing on the exact seconds.' },
  closing: { label: 'Settling', shape: 'wait', sentence: 'The network is paying you.' },
  closed: { label: 'Ended', shape: 'off', sentence: 'Paid to your account.' },
};

/** A rental's phase in plain words for the side that looks at it. */
export const phaseWords = (rental: Pick<Rental, 'phase' | 'role'>): PhaseWords =>
  (rental.role === 'renter' ? RENTER : PROVIDER)[rental.phase];

/** Share of the rented time that is used, 0 to 1. */
export const usedShare = (rental: Pick<Rental, 'servedSeconds' | 'capSeconds'>): number =>
  rental.capSeconds === 0 ? 0 : Math.min(1, rental.servedSeconds / rental.capSeconds);
