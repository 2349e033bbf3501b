/** What logs of Stakes and Record, and of who acts for whom, add up to for an account. */
import { assertNever } from '../shared/errors.ts';
import type { Address } from '../shared/ids.ts';
import type { StoredStanding } from '../store/index-jobs.ts';
import type { ChainEvent, JobOperatorEvent, RecordEvent, StakeEvent } from './events.ts';

export type StandingEvent = StakeEvent | RecordEvent | JobOperatorEvent;

const KINDS: ReadonlySet<ChainEvent['kind']> = new Set<StandingEvent['kind']>([
  'JobOperatorSet',
  'StakeAdded',
  'StakeUnbonding',
  'StakeReleased',
  'StakeSlashed',
  'ProviderStruck',
  'ProviderRejected',
  'ProviderRequalified',
  'DealRated',
]);

export const isStandingEvent = (event: ChainEvent): event is StandingEvent => KINDS.has(event.kind);

/** Whose standing an event changes. */
export function standingOf(event: StandingEvent): Address {
  if ('account' in event) return event.account;
  return event.kind === 'DealRated' ? event.rated : event.provider;
}

export function nextStanding(before: StoredStanding, event: StandingEvent): StoredStanding {
  switch (event.kind) {
    case 'JobOperatorSet':
      return { ...before, operator: event.operator };
    case 'ProviderStruck':
      return { ...before, strikes: event.strikes };
    case 'ProviderRejected':
      return {
        ...before,
        rejections: before.rejections + 1,
        rejectedAt: event.at,
        reputation: event.reputation,
      };
    case 'ProviderRequalified':
      return { ...before, reputation: event.reputation };
    case 'DealRated': {
      const { count, sum } = before.ratings;
      return { ...before, ratings: { count: count + 1, sum: sum + event.score } };
    }
    case 'StakeAdded':
    case 'StakeUnbonding':
    case 'StakeReleased':
    case 'StakeSlashed':
      // A validator's stake backs no jobs.
      return event.role === 'provider' ? nextStake(before, event) : before;
    default:
      return assertNever(event);
  }
}

function nextStake(before: StoredStanding, event: StakeEvent): StoredStanding {
  switch (event.kind) {
    case 'StakeAdded':
      return { ...before, staked: event.staked };
    case 'StakeUnbonding':
      return {
        ...before,
        staked: before.staked - event.amount,
        unbonding: before.unbonding + event.amount,
        releaseAt: event.releaseAt,
      };
    case 'StakeReleased':
      return { ...before, unbonding: 0n, releaseAt: 0 };
    case 'StakeSlashed':
      return {
        ...before,
        staked: before.staked - event.fromStaked,
        unbonding: before.unbonding - event.fromUnbonding,
      };
    default:
      return assertNever(event);
  }
}
