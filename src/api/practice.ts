import { oc } from '@orpc/contract';
import { z } from 'zod';
import { bytes32Schema } from './values.ts';

const neighbourSchema = z.object({
  state: z.enum(['off', 'starting', 'on', 'failed']),
  detail: z.string(),
  wallet: z.string().nullable(),
});

/** A second, real host on the same computer to try both sides with. Refused on real networks. */
export const practiceContract = {
  neighbour: oc.route({ method: 'GET', path: '/practice/neighbour' }).output(neighbourSchema),
  /** Starts the neighbour's host and has it share its processor. */
  startNeighbour: oc.route({ method: 'POST', path: '/practice/neighbour/start' }).output(neighbourSchema),
  stopNeighbour: oc.route({ method: 'POST', path: '/practice/neighbour/stop' }).output(neighbourSchema),
  /** Has the neighbour rent this computer's offer for a few minutes. */
  rentMine: oc
    .route({ method: 'POST', path: '/practice/neighbour/rent-mine' })
    .input(z.object({ seconds: z.int().min(60).max(3600).default(300) }))
    .output(z.object({ rentalId: bytes32Schema })),
};
