import type { Deals } from '../provider/deals.ts';
import type { WorkDoor } from '../provider/job-room.ts';
import type { Sharing } from '../provider/sharing.ts';
import { PRACTICE_IMAGE } from '../runtime/create-options.ts';
import type { DealLimits, Engine } from '../runtime/engine.ts';
import type { Bytes32 } from '../shared/ids.ts';
import type { JobSpec } from '../shared/job-spec.ts';
import { rentalSpecSchema } from '../shared/rental.ts';

/** The owner's policy for jobs on the one offer that the main wallet shares: the same switch, snooze and limits. */
export const sharedOfferDoor = (
  sharing: Sharing,
  deals: Pick<Deals, 'active'>,
  engine: Pick<Engine, 'info'>,
): WorkDoor => ({
  offers() {
    const { state, offerId, snoozedUntil } = sharing.state.value;
    return state === 'on' && offerId && snoozedUntil === null ? [offerId] : [];
  },
  mayTake(offerId, { resources, work }) {
    const no = (reason: string) => ({ free: false, reason });
    const { snoozedUntil } = sharing.state.value;
    const limits = sharing.params?.limits;
    if (!sharing.mayServe(offerId) || !limits) return no('This computer does not share now.');
    if (snoozedUntil !== null) return no('The owner has snoozed sharing.');
    if (work.type === 'docker' && !engine.info) return no('The Docker engine of this computer is down.');
    if (deals.active().length > 0) return no('This computer is rented now.');
    if (resources.memoryBytes > limits.memoryBytes)
      return no(`At most ${limits.memoryBytes} bytes of memory are offered.`);
    if (resources.cpus > limits.cpus) return no(`At most ${limits.cpus} processors are offered.`);
    if (resources.diskBytes > limits.diskBytes) return no(`At most ${limits.diskBytes} bytes of disk are offered.`);
    return { free: true, reason: '' };
  },
});

/** What a job on it gets: what it asked for, within the owner's limits; cards only where it asked for any. */
export function sharedOfferLimits(sharing: Sharing, offerId: Bytes32, { resources }: JobSpec): DealLimits {
  const { cpus, memoryBytes, diskBytes, gpuCount } = resources;
  const asRental = rentalSpecSchema.parse({ image: PRACTICE_IMAGE, cpus, memoryBytes, diskBytes });
  const limits = sharing.limitsFor(offerId, asRental);
  return gpuCount === 0 ? { ...limits, gpuIds: [] } : limits;
}
