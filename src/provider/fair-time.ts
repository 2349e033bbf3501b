import { ETH } from '../shared/ids.ts';
import type { JobSpec } from '../shared/job-spec.ts';
import type { JobTerms } from '../shared/job-terms.ts';
import { formatSeconds } from '../shared/time.ts';
import { MIB } from '../shared/units.ts';

/**
 * How long a job may hold its taker's unit, bond and stake. Only the run is paid for, and a stranger writes the terms:
 * whatever else they ask for has to have a reason. Each bound is wider than what this app's own renter asks for.
 */

const HOUR = 3600;
const DAY = 86_400;

/** Besides the run and the inputs: pulling an image, packing, transactions. */
const AROUND_SECONDS = 2 * HOUR;
/** Copies wait for each other until the deadline, so time in which nobody took the others is lost for those who did. */
const COPIES_WAIT_SECONDS = DAY;
/** A renter that sleeps may look at a result for a day; what arithmetic or other copies judge waits for nobody. */
const LONGEST_WINDOW: Record<JobSpec['verification']['tier'], number> = {
  accept: DAY,
  redundancy: HOUR,
  certificate: HOUR,
};

/** The longest run, and what stands around it: more is not waited for anything that the renter has to bring. */
export function workSeconds({ inputs, resources, timeouts }: JobSpec): number {
  const bytes = inputs.reduce((sum, input) => sum + (input.from === 'renter' ? input.bytes : 0), 0);
  // More than its disk takes cannot be brought; the disk is within what the owner allows.
  return timeouts.runSeconds + AROUND_SECONDS + Math.ceil(Math.min(bytes, resources.diskBytes) / MIB);
}

/** Why these terms would hold a taker for longer than the job can explain, in words for the renter; null if not. */
export function heldTooLong(terms: JobTerms, spec: JobSpec, now: number): string | null {
  const { queueSeconds, totalSeconds } = spec.timeouts;
  const queue = terms.assignee === ETH ? (totalSeconds ?? queueSeconds) : 0;
  const most = workSeconds(spec) + (terms.copies === 1 ? queue : Math.min(queue, COPIES_WAIT_SECONDS));
  const left = terms.deadline - now;
  if (left > most) {
    const why = terms.copies === 1 ? 'its run, inputs and queue explain' : 'copies wait for each other here';
    return `The deadline is in ${formatSeconds(left)}, later than the ${formatSeconds(most)} that ${why}.`;
  }
  const window = LONGEST_WINDOW[spec.verification.tier];
  if (terms.window > window) {
    return `Its result would wait ${formatSeconds(terms.window)} to be settled; ${formatSeconds(window)} are enough for this kind of check.`;
  }
  return null;
}
