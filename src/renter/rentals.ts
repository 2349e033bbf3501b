import { keccak256, toUtf8Bytes } from 'ethers';
import type { ChainEvent, OfferFields } from '../chain/events.ts';
import { factsOf } from '../chain/lease-facts.ts';
import type { PeerConnection } from '../peer/peer-link.ts';
import { AppError, toAppError } from '../shared/errors.ts';
import { ETH, type Address, type Bytes32 } from '../shared/ids.ts';
import { depositFor, formatAmount } from '../shared/money.ts';
import { delay } from '../shared/retry.ts';
import type { RentalSpec, RentalTerms } from '../shared/rental.ts';
import type { Deal } from '../store/ledger.ts';
import type { SpendingPolicy } from '../wallet/spending-policy.ts';
import { ask } from './line.ts';
import type { RentalRoom } from './rental-room.ts';
import { RentedDeal } from './rented-deal.ts';

/** How long a provider may take to say whether it would serve, before anything is paid. */
const ASK_TIMEOUT_MS = 20_000;
const LEAST_SECONDS = 60;
const FOLLOW_RETRY_MS = 5000;

export interface RentalsPorts extends RentalRoom {
  /** The wallet that pays; throws AppError while there is none. */
  renter(): Address;
  /** Money the wallet's owner lets this app spend by itself. */
  policy: Pick<SpendingPolicy, 'reserve' | 'commit' | 'release' | 'endDeal'>;
  tokenOf(token: Address): { symbol: string; decimals: number };
}

export interface RentRequest {
  commandId: string;
  offerId: Bytes32;
  seconds: number;
  spec: RentalSpec;
  offerVersion?: number | undefined;
}

export interface Quote {
  offer: OfferFields;
  version: number;
  deposit: bigint;
  firstSeconds: number;
  chargedFirst: bigint;
  maxSeconds: number;
  feeBps: number;
  available: bigint;
  missing: bigint;
}

/** Every lease this host rents: opens them, keeps them paid, takes them up again after a restart. */
export class Rentals {
  readonly #ports: RentalsPorts;
  readonly #deals = new Map<Bytes32, RentedDeal>();
  #closed = false;

  constructor(ports: RentalsPorts) {
    this.#ports = ports;
  }

  get(leaseId: Bytes32): RentedDeal {
    const deal = this.#deals.get(leaseId);
    if (deal) return deal;
    throw new AppError('not-found', 'This host rents no such machine now.', { field: 'rentalId' });
  }

  find(leaseId: Bytes32): RentedDeal | undefined {
    return this.#deals.get(leaseId);
  }

  /** Goes on with every open lease of the ledger; one whose opening never reached the chain is written off. */
  async recover(): Promise<void> {
    const { ledger, chain, log } = this.#ports;
    for (const deal of ledger.deals.list({ role: 'renter', open: true })) {
      const { leaseId } = deal;
      const onChain = chain.lease(leaseId) ?? (await chain.reads.lease(leaseId).catch(() => null));
      if (deal.openedAt === null && (onChain === null || onChain.state === 'none')) {
        const stored = ledger.outgoing.byCommand(openCommand(leaseId));
        if (stored && stored.state !== 'failed') {
          // The transaction is stored and will be sent again: open once more under the same id and wait for it.
          this.#openOnChain(deal).catch((thrown: unknown) => {
            log.warn({ leaseId, message: toAppError(thrown).message }, 'the rental could not be opened');
          });
        } else if (onChain !== null) await this.#writeOff(deal, 'The rental was never opened; nothing was paid.');
        // Nobody can say: the next start asks again.
        else log.warn({ leaseId }, 'a rental that may not have been opened waits for the network');
        continue;
      }
      this.#follow(deal);
    }
  }

  /** What renting costs, and what is still missing in the deposit account. */
  async quote(offerId: Bytes32, seconds: number): Promise<Quote> {
    const { chain, clock } = this.#ports;
    const found = await chain.reads.offer(offerId);
    if (!found || found.status === 'delisted')
      throw new AppError('not-found', 'There is no such offer.', { field: 'offerId' });
    const { offer, version } = found;
    const deposit = depositFor(offer.price, offer.unit, seconds);
    const firstSeconds = Math.min(offer.minSeconds, seconds);
    const [feeBps, available] = await Promise.all([
      chain.reads.feeBps(),
      chain.reads.vaultBalance(this.#ports.renter(), offer.token),
    ]);
    return {
      offer,
      version,
      deposit,
      firstSeconds,
      chargedFirst: depositFor(offer.price, offer.unit, firstSeconds),
      maxSeconds: Math.max(0, offer.endsBy - clock.now()),
      feeBps,
      available,
      missing: deposit > available ? deposit - available : 0n,
    };
  }

  /** Asks the provider over the direct line whether it would take this now. Nothing is paid. */
  async ask(
    offerId: Bytes32,
    spec: RentalSpec,
    signal: AbortSignal,
  ): Promise<{ free: boolean; reason: string; imagePresent: boolean; rttMs: number | null }> {
    const found = await this.#ports.chain.reads.offer(offerId);
    if (!found) throw new AppError('not-found', 'There is no such offer.', { field: 'offerId' });
    const started = this.#ports.clock.monotonicMs();
    const connection = await this.#reach(found.offer, signal);
    try {
      const answer = await ask(connection, 'deal.ask', { offerId, spec }, { signal, timeoutMs: ASK_TIMEOUT_MS });
      const { free, reason, imagePresent } = answer;
      return { free, reason, imagePresent, rttMs: connection.rttMs() ?? this.#ports.clock.monotonicMs() - started };
    } finally {
      connection.close('asked');
    }
  }

  /** Escrows the deposit and begins the rental. Idempotent by `commandId`: the lease's id is derived from it. */
  async open(request: RentRequest, signal: AbortSignal): Promise<Bytes32> {
    const { chain, ledger, keys, clock, policy } = this.#ports;
    const renter = this.#ports.renter();
    const salt = keccak256(toUtf8Bytes(`rental:${renter}:${request.commandId}`)) as Bytes32;
    // The same command again, its first answer lost: whatever the offer says by now, it rents once.
    const before = ledger.deals.list({ role: 'renter', open: true }).find((known) => known.terms.salt === salt);
    if (before) {
      if (before.openedAt === null) await this.#openOnChain(before);
      return before.leaseId;
    }
    const [found, feeBps] = await Promise.all([chain.reads.offer(request.offerId), chain.reads.feeBps()]);
    if (!found || found.status === 'delisted')
      throw new AppError('not-found', 'There is no such offer.', { field: 'offerId' });
    const { offer, version } = found;
    this.#checkOffer(request, found);
    const terms: RentalTerms = {
      offerId: request.offerId,
      offerVersion: version,
      renter,
      provider: offer.provider,
      signer: keys.address,
      providerSigner: offer.providerSigner,
      witness: ETH,
      token: offer.token,
      price: offer.price,
      unit: offer.unit,
      minSeconds: offer.minSeconds,
      endsBy: offer.endsBy,
      feeBps,
      specHash: keys.specHash(request.spec),
      salt,
    };
    const leaseId = chain.calls.leaseId(terms);
    const deposit = depositFor(offer.price, offer.unit, request.seconds);
    const [, module] = await Promise.all([
      this.#checkProvider(request, offer, signal),
      this.#checkMoney(renter, offer.token, deposit),
    ]);
    await policy.reserve({ id: leaseId, deal: leaseId, token: offer.token, amount: deposit });
    try {
      if (!module.authorized) {
        await chain.send(chain.calls.authorize(module.address, true), {
          commandId: `authorize:${renter}:${module.address}`,
          signal,
        });
      }
      const deal = this.#begin({
        leaseId,
        role: 'renter',
        offerId: request.offerId,
        terms,
        spec: request.spec,
        phase: 'opening',
        detail: 'Escrowing the deposit.',
        capSeconds: request.seconds,
        servedSeconds: 0,
        signedSeconds: 0,
        voucherSignature: null,
        final: null,
        paidSeconds: 0,
        openedAt: null,
        closedAt: null,
        closeReason: null,
        settlement: null,
        createdAt: clock.now(),
      });
      this.#ports.onChange(deal);
      await this.#openOnChain(deal);
      return leaseId;
    } catch (thrown) {
      // What is signed may still be mined, also after this host has closed: then the money counts as spent.
      if (ledger.outgoing.byCommand(openCommand(leaseId))?.state !== 'stored') await policy.release(leaseId);
      throw thrown;
    }
  }

  async extend(leaseId: Bytes32, seconds: number, commandId: string): Promise<void> {
    const { chain, policy } = this.#ports;
    const { deal } = this.get(leaseId);
    const { terms, capSeconds } = deal;
    if (deal.phase === 'closing' || deal.phase === 'ending' || deal.phase === 'closed') {
      throw new AppError('conflict', 'This rental is ending and cannot be extended.', { field: 'rentalId' });
    }
    if ((deal.openedAt ?? this.#ports.clock.now()) + capSeconds + seconds > terms.endsBy) {
      throw new AppError('bad-input', 'The offer ends before that.', { field: 'seconds', next: 'Extend by less.' });
    }
    const more =
      depositFor(terms.price, terms.unit, capSeconds + seconds) - depositFor(terms.price, terms.unit, capSeconds);
    await this.#checkMoney(terms.renter, terms.token, more);
    const id = `extend:${leaseId}:${commandId}`;
    await policy.reserve({ id, deal: leaseId, token: terms.token, amount: more });
    try {
      await chain.send(chain.calls.extendLease(terms, seconds), { commandId: id });
      await policy.commit(id);
    } catch (thrown) {
      await policy.release(id);
      throw thrown;
    }
  }

  onChain(events: readonly ChainEvent[]): void {
    const { ledger, policy, log } = this.#ports;
    for (const event of events) {
      if (!('leaseId' in event)) continue;
      const { leaseId } = event;
      const followed = this.#deals.get(leaseId);
      if (followed) followed.onChain(event);
      else {
        // Not followed (yet): the book hears it all the same.
        const deal = ledger.deals.get(leaseId, 'renter');
        if (deal && deal.phase !== 'closed')
          this.#ports.onChange(ledger.deals.update(leaseId, 'renter', factsOf(event, deal)));
      }
      if (event.kind !== 'LeaseClosed') continue;
      this.#deals.delete(leaseId);
      policy.endDeal(leaseId).catch((thrown: unknown) => {
        log.warn({ leaseId, message: toAppError(thrown).message }, 'the spending limits were not written');
      });
    }
  }

  close(): void {
    this.#closed = true;
    for (const deal of this.#deals.values()) deal.dispose();
  }

  /** A rental that was written off and is asked for again under the same command begins anew. */
  #begin(fresh: Omit<Deal, 'updatedAt'>): Deal {
    const { ledger } = this.#ports;
    const known = ledger.deals.put(fresh);
    if (known.phase !== 'closed' || known.openedAt !== null) return known;
    const { phase, detail } = fresh;
    return ledger.deals.update(known.leaseId, 'renter', { phase, detail, closedAt: null, closeReason: null });
  }

  async #openOnChain(deal: Deal): Promise<void> {
    const { chain, ledger, policy } = this.#ports;
    const { leaseId } = deal;
    try {
      const receipt = await chain.send(chain.calls.openLease(deal.terms, deal.capSeconds), {
        commandId: openCommand(leaseId),
      });
      await policy.commit(leaseId);
      const now = ledger.deals.get(leaseId, 'renter') ?? deal;
      // The chain may have closed it by now: a provider declines quickly.
      if (now.phase === 'closed') return;
      const opened = ledger.deals.update(leaseId, 'renter', {
        openedAt: now.openedAt ?? receipt.at,
        ...(now.phase === 'opening' ? { phase: 'preparing' as const, detail: '' } : {}),
      });
      this.#follow(opened);
      this.#ports.onChange(opened);
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code !== 'cancelled') await this.#writeOff(deal, error.message);
      throw error;
    }
  }

  #follow(deal: Deal): void {
    const { chain, ledger, log } = this.#ports;
    const { leaseId, offerId } = deal;
    const peerKey = chain.offer(offerId)?.peerKey;
    if (peerKey) {
      if (!this.#deals.has(leaseId)) this.#deals.set(leaseId, new RentedDeal(this.#ports, deal, { peerKey }));
      return;
    }
    // index.db may be younger than the lease: ask the contract.
    chain.reads
      .offer(offerId)
      .then((found) => {
        const now = ledger.deals.get(leaseId, 'renter');
        if (this.#closed || !found || now?.phase === 'closed' || this.#deals.has(leaseId)) return;
        this.#deals.set(leaseId, new RentedDeal(this.#ports, now ?? deal, { peerKey: found.offer.peerKey }));
      })
      .catch(async (thrown: unknown) => {
        log.warn({ leaseId, message: toAppError(thrown).message }, 'the offer of a rental is not known yet');
        await delay(FOLLOW_RETRY_MS);
        if (!this.#closed) this.#follow(deal);
      });
  }

  async #writeOff(deal: Deal, reason: string): Promise<void> {
    const { ledger, clock, policy } = this.#ports;
    const change = { phase: 'closed', detail: reason, closedAt: clock.now(), closeReason: reason } as const;
    this.#ports.onChange(ledger.deals.update(deal.leaseId, 'renter', change));
    await policy.release(deal.leaseId);
  }

  #checkOffer(
    request: RentRequest,
    { offer, version, status, free }: { offer: OfferFields; version: number; status: string; free: number },
  ): void {
    if (request.offerVersion !== undefined && request.offerVersion !== version) {
      throw new AppError('offer-changed', 'The provider changed this offer since you looked at it.', {
        field: 'offerVersion',
        next: 'Look at the offer again and rent at its new terms.',
      });
    }
    if (status !== 'active' || free < 1) {
      throw new AppError(
        'offer-unavailable',
        status === 'active' ? 'Somebody else rents this machine now.' : 'The provider has paused this offer.',
        {
          field: 'offerId',
          next: 'Choose another offer, or try again later.',
        },
      );
    }
    if (request.seconds < LEAST_SECONDS || request.seconds > 0xffff_ffff) {
      throw new AppError('bad-input', `A rental lasts at least ${LEAST_SECONDS} seconds.`, { field: 'seconds' });
    }
    if (this.#ports.clock.now() + request.seconds > offer.endsBy) {
      throw new AppError('bad-input', 'The offer ends before that.', {
        field: 'seconds',
        next: 'Rent for a shorter time.',
      });
    }
    if (offer.provider === this.#ports.renter()) {
      throw new AppError('bad-input', 'This is your own offer.', {
        field: 'offerId',
        next: 'Rent somebody else’s machine.',
      });
    }
  }

  async #checkProvider(request: RentRequest, offer: OfferFields, signal: AbortSignal): Promise<void> {
    const connection = await this.#reach(offer, signal);
    try {
      const { offerId, spec } = request;
      const answer = await ask(connection, 'deal.ask', { offerId, spec }, { signal, timeoutMs: ASK_TIMEOUT_MS });
      if (!answer.free)
        throw new AppError('offer-unavailable', `The provider declines: ${answer.reason}`, { field: 'offerId' });
    } finally {
      connection.close('asked');
    }
  }

  async #checkMoney(
    renter: Address,
    token: Address,
    deposit: bigint,
  ): Promise<{ address: Address; authorized: boolean }> {
    const { chain } = this.#ports;
    const address = chain.profile.contracts.rentals;
    const [available, authorized] = await Promise.all([
      chain.reads.vaultBalance(renter, token),
      chain.reads.isAuthorized(renter, address),
    ]);
    if (available < deposit) {
      const { symbol, decimals } = this.#ports.tokenOf(token);
      const missing = formatAmount(deposit - available, decimals);
      throw new AppError(
        'insufficient-funds',
        `The deposit is ${formatAmount(deposit, decimals)} ${symbol}; ${missing} ${symbol} are missing.`,
        {
          field: 'seconds',
          next: `Deposit ${missing} ${symbol} in the wallet first, or rent for a shorter time.`,
        },
      );
    }
    return { address, authorized };
  }

  #reach(offer: OfferFields, signal: AbortSignal): Promise<PeerConnection> {
    return this.#ports.connect({ peerKey: offer.peerKey }, { signal, expectWallet: offer.provider });
  }
}

const openCommand = (leaseId: Bytes32): string => `renter:${leaseId}:open`;
