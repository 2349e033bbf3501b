import { assertNever } from '../shared/errors.ts';
import { ETH } from '../shared/ids.ts';
import type { Address, Hex } from '../shared/ids.ts';
import type { IndexedLease, IndexedOffer } from '../store/market-rows.ts';
import type { IndexBlock, IndexLog, IndexWriter } from '../store/open-index.ts';
import type { DecodedLog } from './decode-logs.ts';
import { eventFromText, eventToText } from './event-text.ts';
import type { ChainEvent, EventPlace, JobEvent, LeaseEvent, OfferEvent, OfferFields } from './events.ts';
import { completeJob, concernedByJob, nextJob, nextJobDeal } from './fold-jobs.ts';
import { isStandingEvent, nextStanding, standingOf } from './fold-standings.ts';
import type { StandingEvent } from './fold-standings.ts';
import type { NetworkProfile } from './profile.ts';

type StoredOffer = Omit<IndexedOffer, 'free'>;

export interface PlacedLog {
  place: EventPlace;
  /** Null for a log that made no sense. */
  decoded: DecodedLog | null;
}

/** What index.db means: logs become events, events become offers and leases, and all of it can be undone. */
export interface MarketIndex {
  /** Writes blocks and their logs, in chain order, in one transaction. @returns logs that were left out */
  append(blocks: readonly IndexBlock[], logs: readonly PlacedLog[]): { written: number; skipped: number };
  /** Undoes every block after `number`. */
  rollBackTo(number: number): void;
}

export function marketIndex(
  writer: IndexWriter,
  { tokens, contracts }: Pick<NetworkProfile, 'tokens' | 'contracts'>,
): MarketIndex {
  const decimals = new Map(tokens.map((token) => [token.address, token.decimals]));
  const wholeTokens = (amount: bigint, token: Address): number => Number(amount) / 10 ** (decimals.get(token) ?? 18);
  const priceHour = (offer: StoredOffer): number => (wholeTokens(offer.price, offer.token) * 3600) / offer.unit;
  const watt = contracts.watt ?? ETH;

  const foldOffer = (event: OfferEvent): void => {
    const before = writer.offer(event.offerId);
    if (event.kind === 'OfferStatusChanged') {
      if (!before) return;
      const next = { ...before, version: event.version, status: event.status };
      writer.putOffer(next, priceHour(next));
      return;
    }
    const next: StoredOffer = {
      offerId: event.offerId,
      version: event.version,
      ...event.offer,
      status: before?.status ?? 'active',
      createdAt: before?.createdAt ?? event.at,
    };
    writer.putOffer(next, priceHour(next));
  };

  const foldLease = (event: LeaseEvent): void => {
    const next = nextLease(writer.lease(event.leaseId), event);
    if (next) writer.putLease(next);
  };

  const foldJob = (event: JobEvent): void => {
    const job = nextJob(writer.job(event.jobId), event);
    if (!job) return;
    writer.putJob(job, wholeTokens(job.terms.bounty, job.terms.token));
    if (!('dealId' in event)) return;
    const deal = nextJobDeal(writer.jobDeal(event.dealId), event);
    if (!deal) return;
    writer.putJobDeal(deal, job);
    if (event.kind === 'JobAssigned' || event.kind === 'JobSettled') writer.countTaken(deal.offerId);
  };

  const foldStanding = (event: StandingEvent): void =>
    writer.putStanding(nextStanding(writer.standing(standingOf(event)), event));

  const fold = (event: ChainEvent): void => {
    if (isStandingEvent(event)) foldStanding(event);
    else if (isJobEvent(event)) foldJob(event);
    else if (isOfferEvent(event)) {
      foldOffer(event);
      writer.countTaken(event.offerId);
    } else if (isLeaseEvent(event)) {
      foldLease(event);
      if (event.kind === 'LeaseOpened' || event.kind === 'LeaseClosed') {
        const lease = writer.lease(event.leaseId);
        if (lease) writer.countTaken(lease.terms.offerId);
      }
    }
  };

  return {
    append: (blocks, logs) =>
      writer.transaction(() => {
        for (const block of blocks) writer.putBlock(block);
        let skipped = 0;
        for (const { place, decoded } of logs) {
          const event = decoded && complete(decoded, place, writer, watt);
          if (!event) {
            skipped += 1;
            continue;
          }
          writer.putLog(rowOf(event, writer));
          fold(event);
        }
        return { written: logs.length - skipped, skipped };
      }),
    rollBackTo: (number) =>
      writer.transaction(() => {
        for (const entity of writer.dropBlocksAfter(number)) {
          const offers = [
            writer.lease(entity)?.terms.offerId ?? entity,
            ...writer.jobDeals(entity).map(({ offerId }) => offerId),
          ];
          writer.removeLease(entity);
          writer.removeOffer(entity);
          writer.removeJob(entity);
          writer.removeStanding(entity);
          for (const text of writer.eventsOfEntity(entity)) {
            const event = eventFromText(text, writer);
            if (event) fold(event);
          }
          for (const offerId of offers) writer.countTaken(offerId);
        }
      }),
  };
}

const isOfferEvent = (event: ChainEvent): event is OfferEvent => event.kind.startsWith('Offer');
const isJobEvent = (event: ChainEvent): event is JobEvent => event.kind.startsWith('Job') && 'jobId' in event;
const isLeaseEvent = (event: ChainEvent): event is LeaseEvent => event.kind.startsWith('Lease');

/** A lease after one more event; null for an event that cannot follow. */
export function nextLease(before: IndexedLease | null, event: LeaseEvent): IndexedLease | null {
  if (event.kind === 'LeaseOpened') {
    return {
      leaseId: event.leaseId,
      terms: event.terms,
      state: 'open',
      openedAt: event.openedAt,
      capSeconds: event.capSeconds,
      deposit: event.deposit,
      paidSeconds: 0,
      paid: 0n,
      fee: 0n,
      claimSeconds: 0,
      closeAt: 0,
      penalty: 0n,
      refund: 0n,
      closedAt: null,
      closedTx: null,
    };
  }
  if (!before) return null;
  switch (event.kind) {
    case 'LeaseExtended':
      return { ...before, capSeconds: event.capSeconds, deposit: event.deposit };
    case 'LeaseDrawn':
      return { ...before, paidSeconds: event.paidSeconds, paid: event.paid, fee: event.fee };
    case 'LeaseTerminated':
      return { ...before, state: 'closing', claimSeconds: event.claimSeconds, closeAt: event.closeAt };
    case 'LeaseRaised':
      return { ...before, claimSeconds: event.claimSeconds };
    case 'LeaseClosed':
      return {
        ...before,
        state: 'closed',
        paidSeconds: event.paidSeconds,
        paid: event.paid,
        fee: event.fee,
        penalty: event.penalty,
        refund: event.refund,
        closedAt: event.at,
        closedTx: event.txHash,
      };
    default:
      return assertNever(event);
  }
}

/** Adds to a log what only earlier logs know. Null when those are missing, which an honest node never causes. */
function complete(
  decoded: DecodedLog,
  place: EventPlace,
  known: Pick<IndexWriter, 'offer' | 'lease' | 'job' | 'jobDeal'>,
  watt: Address,
): ChainEvent | null {
  switch (decoded.kind) {
    case 'OfferRegistered':
    case 'OfferChanged':
    case 'VaultDeposited':
    case 'VaultWithdrawn':
    case 'VaultAuthorized':
    case 'JobOperatorSet':
    case 'ProviderStruck':
    case 'ProviderRejected':
    case 'ProviderRequalified':
    case 'DealRated':
      return { ...decoded, ...place };
    case 'StakeAdded':
    case 'StakeUnbonding':
    case 'StakeReleased':
    case 'StakeSlashed':
      return { ...decoded, token: watt, ...place };
    case 'JobPosted':
    case 'JobCancelled':
    case 'JobAssigned':
    case 'JobSubmitted':
    case 'JobChallenged':
    case 'JobJuryOpened':
    case 'JobJuryDrawn':
    case 'JobJuryVoted':
    case 'JobRevealed':
    case 'JobConcluded':
    case 'JobSettled':
      return completeJob(decoded, place, known);
    case 'OfferStatusChanged': {
      const offer = known.offer(decoded.offerId);
      return offer && { ...decoded, provider: offer.provider, ...place };
    }
    case 'LeaseOpened': {
      const { renter, provider, token } = decoded.terms;
      return { ...decoded, openedAt: place.at, renter, provider, token, ...place };
    }
    case 'LeaseExtended':
    case 'LeaseDrawn':
    case 'LeaseTerminated':
    case 'LeaseRaised':
    case 'LeaseClosed': {
      const lease = known.lease(decoded.leaseId);
      return lease && completeLease(decoded, place, lease);
    }
    default:
      return assertNever(decoded);
  }
}

function completeLease(
  decoded: Extract<DecodedLog, { kind: Exclude<LeaseEvent['kind'], 'LeaseOpened'> }>,
  place: EventPlace,
  { terms: { renter, provider, token }, ...before }: IndexedLease,
): LeaseEvent {
  const rest = { renter, provider, token, ...place };
  switch (decoded.kind) {
    case 'LeaseExtended':
      return { ...decoded, deposit: before.deposit + decoded.added, ...rest };
    case 'LeaseDrawn':
      return { ...decoded, paid: before.paid + decoded.paidNow, fee: before.fee + decoded.feeNow, ...rest };
    case 'LeaseClosed':
      return { ...decoded, paidNow: decoded.paid - before.paid, feeNow: decoded.fee - before.fee, ...rest };
    case 'LeaseTerminated':
    case 'LeaseRaised':
      return { ...decoded, ...rest };
    default:
      return assertNever(decoded);
  }
}

function rowOf(event: ChainEvent, known: Pick<IndexWriter, 'jobDeal'>): IndexLog {
  const { block, logIndex, txHash } = event;
  return { block, logIndex, txHash, ...concerns(event, known), event: eventToText(event) };
}

function concerns(
  event: ChainEvent,
  known: Pick<IndexWriter, 'jobDeal'>,
): { entity: Hex | null; accounts: readonly Address[] } {
  if (isStandingEvent(event)) {
    const account = standingOf(event);
    const finder = event.kind === 'StakeSlashed' && event.finder !== ETH && event.finder !== account;
    return { entity: account, accounts: finder ? [account, event.finder] : [account] };
  }
  if (isJobEvent(event)) {
    const deal = 'dealId' in event ? known.jobDeal(event.dealId) : null;
    return { entity: event.jobId, accounts: concernedByJob(event, deal) };
  }
  if (isLeaseEvent(event)) return { entity: event.leaseId, accounts: [event.provider, event.renter] };
  if (isOfferEvent(event)) return { entity: event.offerId, accounts: [providerOf(event)] };
  return { entity: null, accounts: [event.account] };
}

const providerOf = (event: OfferEvent): OfferFields['provider'] =>
  event.kind === 'OfferStatusChanged' ? event.provider : event.offer.provider;
