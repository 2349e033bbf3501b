import { assertNever } from '../shared/errors.ts';
import type { Address, Bytes32 } from '../shared/ids.ts';
import type { IndexedLease, IndexedOffer } from '../store/market-rows.ts';
import type { IndexBlock, IndexLog, IndexWriter } from '../store/open-index.ts';
import type { DecodedLog } from './decode-logs.ts';
import { eventFromText, eventToText } from './event-text.ts';
import type { ChainEvent, EventPlace, LeaseEvent, OfferEvent, OfferFields } from './events.ts';
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

export function marketIndex(writer: IndexWriter, tokens: NetworkProfile['tokens']): MarketIndex {
  const decimals = new Map(tokens.map((token) => [token.address, token.decimals]));
  const priceHour = (offer: StoredOffer): number =>
    (Number(offer.price) * 3600) / offer.unit / 10 ** (decimals.get(offer.token) ?? 18);

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

  const fold = (event: ChainEvent): void => {
    if (isOfferEvent(event)) {
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
          const event = decoded && complete(decoded, place, writer);
          if (!event) {
            skipped += 1;
            continue;
          }
          writer.putLog(rowOf(event));
          fold(event);
        }
        return { written: logs.length - skipped, skipped };
      }),
    rollBackTo: (number) =>
      writer.transaction(() => {
        for (const entity of writer.dropBlocksAfter(number)) {
          const offerId = writer.lease(entity)?.terms.offerId ?? entity;
          writer.removeLease(entity);
          writer.removeOffer(entity);
          for (const text of writer.eventsOfEntity(entity)) fold(eventFromText(text));
          writer.countTaken(offerId);
        }
      }),
  };
}

const isOfferEvent = (event: ChainEvent): event is OfferEvent => event.kind.startsWith('Offer');
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
  known: Pick<IndexWriter, 'offer' | 'lease'>,
): ChainEvent | null {
  switch (decoded.kind) {
    case 'OfferRegistered':
    case 'OfferChanged':
    case 'VaultDeposited':
    case 'VaultWithdrawn':
    case 'VaultAuthorized':
      return { ...decoded, ...place };
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

function rowOf(event: ChainEvent): IndexLog {
  const { entity, account, other } = concerns(event);
  const { block, logIndex, txHash } = event;
  return { block, logIndex, txHash, entity, account, other, event: eventToText(event) };
}

function concerns(event: ChainEvent): { entity: Bytes32 | null; account: Address; other: Address | null } {
  if (isLeaseEvent(event)) {
    const { provider, renter } = event;
    return { entity: event.leaseId, account: provider, other: renter === provider ? null : renter };
  }
  if (isOfferEvent(event)) return { entity: event.offerId, account: providerOf(event), other: null };
  return { entity: null, account: event.account, other: null };
}

const providerOf = (event: OfferEvent): OfferFields['provider'] =>
  event.kind === 'OfferStatusChanged' ? event.provider : event.offer.provider;
