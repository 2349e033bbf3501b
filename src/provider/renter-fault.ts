import { AppError, type ErrorCode } from '../shared/errors.ts';
import type { JobInput } from '../shared/job-spec.ts';

/** Of the time between assignment and deadline: what did not come until then was not delivered. The rest is for handing in. */
const PATIENCE = 0.8;

/**
 * The renter named something that cannot be worked on, or did not deliver what only it has. The run is over with a result
 * that says so: had it none, anybody could earn late fees with jobs that nobody can do.
 */
export class RenterFault extends AppError {}

/**
 * Unix seconds until which whatever the renter has to deliver is waited for.
 * @param most seconds: a deadline may lie far off, because of a queue for example, and waiting is not paid for
 */
export const patienceEnd = (createdAt: number, deadline: number, most: number): number =>
  Math.floor(createdAt + Math.min(most, Math.max(0, deadline - createdAt) * PATIENCE));

const OF_SOURCE: Record<JobInput['from'], ReadonlySet<ErrorCode>> = {
  url: new Set(['bad-input', 'not-found', 'not-allowed', 'over-limit']),
  // An address that gateways do not know may be known to them later.
  ipfs: new Set(['bad-input', 'over-limit']),
  renter: new Set(['bad-input', 'over-limit']),
};

/** What went wrong with one input, as the fault it is; anything else stays what it is. */
export function inputFault(name: string, from: JobInput['from'], error: AppError): AppError {
  if (OF_SOURCE[from].has(error.code)) return faultOf(`The input ${name} cannot be had: ${error.message}`, error);
  if (error.code !== 'not-found') return error;
  return new AppError('busy', `The input ${name} is not there yet: ${error.message}`, { cause: error });
}

/** Fields of the spec, as those who start the work name them. What names none was refused for reasons of this computer. */
const OF_SPEC = /^(?:work|spec|env|inputs|resources|network)(?:\.|$)/;
const UNUSABLE: ReadonlySet<ErrorCode> = new Set(['bad-input', 'unsupported', 'image-missing', 'over-limit']);

/** Why the work cannot be started anywhere, as the fault it is; anything else stays what it is. */
export function startFault(error: AppError): AppError {
  const isSpecs = UNUSABLE.has(error.code) && error.field !== undefined && OF_SPEC.test(error.field);
  return isSpecs ? faultOf(error.message, error) : error;
}

/** Copies give the same result only where they use the same words: no times, no names of sources. */
export const notDelivered = (what: 'inputs' | 'secrets' | 'image'): RenterFault =>
  new RenterFault(
    'timeout',
    {
      inputs: 'The inputs could not be had in time.',
      secrets: 'The renter did not send the secrets in time.',
      image: 'The registry of the image could not be reached in time.',
    }[what],
  );

const faultOf = (message: string, cause: AppError): RenterFault => new RenterFault(cause.code, message, { cause });
