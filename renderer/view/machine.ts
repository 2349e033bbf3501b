import type { Offer } from '../../src/api/contract.ts';
import { plainText } from '../../src/shared/plain-text.ts';

type Machine = Pick<Offer, 'gpuType' | 'gpuModel' | 'gpuCount'>;

/** Offers without a graphics card say so in their type; nobody should take one for a card. */
export const isProcessor = ({ gpuType }: Pick<Offer, 'gpuType'>): boolean => gpuType.trim().toLowerCase() === 'cpu';

/** "2 × RTX 4090", or "Processor EPYC": what is rented, in one line of plain words. */
export function machineText(machine: Machine, maxLength = 48): string {
  if (machine.gpuCount === 0) return 'Unknown machine';
  const model = plainText(machine.gpuModel, maxLength);
  return isProcessor(machine) ? `Processor ${model}` : `${machine.gpuCount} × ${model}`;
}
