import os from 'node:os';
import type { OfferFields } from '../chain/events.ts';
import type { WorkDoor } from '../provider/job-room.ts';
import type { DealLimits } from '../runtime/engine.ts';
import type { Address, Bytes32 } from '../shared/ids.ts';
import type { JobSpec } from '../shared/job-spec.ts';
import { GIB } from '../shared/units.ts';

/** Feature of an offer whose card is a declaration of the practice network, not hardware. */
export const SIMULATED_CARD = 'simulated card';

/** What an account of the practice network may be called; dots alone would be a folder elsewhere. */
export const PRACTICE_NAME = /^(?!\.+$)[A-Za-z0-9._-]{1,64}$/;

const MOST_MEMORY = 2 * GIB;
const MOST_DISK = 8 * GIB;
/** What well-known cards have, in GiB; the rest are declared with 8. */
const MEMORY_GB: readonly [RegExp, number][] = [
  [/4090|3090/, 24],
  [/a100|h100/i, 80],
  [/h200/i, 141],
  [/4080/, 16],
  [/3080/, 10],
];
const OTHER_MEMORY_GB = 8;

/** A declared card on the market: it costs next to nothing, because nothing stands behind it but this computer. */
export function practiceOffer(worker: {
  address: Address;
  gpuType: string;
  computeCapacity: number;
  peerKey: Bytes32;
  token: Address;
  endsBy: number;
}): Omit<OfferFields, 'provider'> {
  const { address, gpuType, computeCapacity, peerKey, token, endsBy } = worker;
  return {
    gpuType: 'NVIDIA',
    gpuModel: gpuType,
    gpuCount: 1,
    gpuMemoryGb: MEMORY_GB.find(([name]) => name.test(gpuType))?.[1] ?? OTHER_MEMORY_GB,
    price: 1n,
    unit: 3600,
    token,
    region: 'Practice',
    features: [SIMULATED_CARD, `declared capacity ${computeCapacity}`],
    peerKey,
    providerSigner: address,
    endsBy,
    minSeconds: 60,
    units: 1,
  };
}

/** Kernels and modules only: they run in a process of this computer, whatever card was declared. */
export const practiceDoor = (offerId: Bytes32): WorkDoor => ({
  offers: () => [offerId],
  mayTake(_offerId, { work, resources }) {
    if (work.type === 'docker') {
      return { free: false, reason: 'This practice worker runs built-in kernels and WASM modules only.' };
    }
    if (resources.memoryBytes > MOST_MEMORY || resources.diskBytes > MOST_DISK) {
      return { free: false, reason: 'This practice worker has 2 GiB of memory and 8 GiB of disk for a job.' };
    }
    return { free: true, reason: '' };
  },
});

export const practiceLimits = ({ resources }: JobSpec): DealLimits => ({
  cpus: Math.min(resources.cpus, os.availableParallelism()),
  memoryBytes: Math.min(resources.memoryBytes, MOST_MEMORY),
  diskBytes: Math.min(resources.diskBytes, MOST_DISK),
  pids: 64,
  uploadBitsPerSecond: null,
  gpuIds: [],
});
