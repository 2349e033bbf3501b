import type { ChainEvent } from '../chain/events.ts';
import type { PeerConnection, PeerStream } from '../peer/peer-link.ts';
import {
  DEAL_REQUESTS,
  DEAL_STATUS_EVENT,
  DEAL_STREAMS,
  type DealRequest,
  type DealStream,
} from '../shared/deal-protocol.ts';
import { AppError, assertNever } from '../shared/errors.ts';
import type { Bytes32, Hex } from '../shared/ids.ts';
import type { Json } from '../shared/json.ts';
import type { RentalSpec } from '../shared/rental.ts';
import { formatSeconds } from '../shared/time.ts';
import type { Deal } from '../store/ledger.ts';
import type { DealRoom } from './deal-room.ts';
import { serveExec, serveLogs, serveTerminal, serveTunnel } from './deal-streams.ts';
import { ServedDeal } from './served-deal.ts';

/** How long a renter's first word may be ahead of our view of the chain. */
const CHAIN_LAG_MS = 20_000;
/** First words waiting for the chain, over all strangers and over one line. */
const MAX_WAITING = 1000;
const MAX_WAITING_PER_LINE = 4;

export interface DealDoor {
  /** Whether a spec would be taken for this offer now, and if not, why. */
  accepts(offerId: Bytes32, spec: RentalSpec): { free: boolean; reason: string };
  /** A new lease on this offer may be served. Otherwise it is released at once and the renter refunded. */
  mayServe(offerId: Bytes32): boolean;
}

/** Every lease this host serves: fed by the chain, asked by renters over the peer line, taken up again after a restart. */
export class Deals {
  readonly #room: DealRoom;
  readonly #door: DealDoor;
  readonly #deals = new Map<Bytes32, ServedDeal>();
  readonly #lines = new Map<Bytes32, Set<PeerConnection>>();
  readonly #waiting = new Map<Bytes32, Set<() => void>>();
  readonly #waitingOf = new WeakMap<PeerConnection, number>();
  #waitingCount = 0;

  constructor(room: DealRoom, door: DealDoor) {
    this.#door = door;
    this.#room = {
      ...room,
      onChange: (deal) => {
        room.onChange(deal);
        this.#tellRenter(deal.leaseId);
      },
    };
  }

  /** Leases not closed on chain, as they stand. */
  active(): ServedDeal[] {
    return [...this.#deals.values()].filter((deal) => !deal.isOver);
  }

  get(leaseId: Bytes32): ServedDeal | undefined {
    return this.#deals.get(leaseId);
  }

  connected(leaseId: Bytes32): PeerConnection | null {
    return this.#lines.get(leaseId)?.values().next().value ?? null;
  }

  /** Takes up every open lease of the ledger, and clears containers that belong to none. */
  async recover(): Promise<void> {
    for (const deal of this.#room.ledger.deals.list({ role: 'provider', open: true })) {
      await this.#serve(deal).adopt();
    }
    await this.sweep();
  }

  /** Containers whose lease the ledger knows to be closed are removed; unknown ones are kept and reported. */
  async sweep(): Promise<void> {
    const { engine, ledger, log } = this.#room;
    if (!engine.info) return;
    for (const dealId of await engine.list().catch(() => [])) {
      const deal = ledger.deals.get(dealId, 'provider');
      if (deal?.phase === 'closed') await (await engine.find(dealId))?.remove();
      else if (!deal) log.warn({ dealId }, 'a container of ours belongs to no known lease; left alone');
    }
  }

  onChain(events: readonly ChainEvent[]): void {
    for (const event of events) {
      if (!('leaseId' in event)) continue;
      if (event.kind === 'LeaseOpened') this.#opened(event);
      this.#deals.get(event.leaseId)?.onChain(event);
    }
  }

  async onRequest(connection: PeerConnection, kind: string, body: Json): Promise<Json> {
    if (!isKind(DEAL_REQUESTS, kind))
      throw new AppError('unsupported', `This host does not know the request ${kind.slice(0, 60)}.`);
    const parsed = DEAL_REQUESTS[kind].input.safeParse(body);
    if (!parsed.success) throw badMessage(kind, parsed.error.issues[0]);
    if (kind === 'deal.ask') {
      const { offerId, spec } = parsed.data as { offerId: Bytes32; spec: RentalSpec };
      const verdict = this.#door.accepts(offerId, spec);
      const imagePresent = verdict.free && (await this.#room.engine.hasImage(spec.image).catch(() => false));
      return { ...verdict, imagePresent, providerSigner: this.#room.keys.address };
    }
    const input = parsed.data as { leaseId: Bytes32 };
    const deal = await this.#dealOf(connection, input.leaseId);
    return (await answer(deal, kind, parsed.data)) as Json;
  }

  async onStream(connection: PeerConnection, stream: PeerStream): Promise<void> {
    const { kind } = stream;
    if (!isKind(DEAL_STREAMS, kind))
      throw new AppError('unsupported', `This host does not know the stream ${kind.slice(0, 60)}.`);
    const parsed = DEAL_STREAMS[kind].safeParse(stream.params);
    if (!parsed.success) throw badMessage(kind, parsed.error.issues[0]);
    const deal = await this.#dealOf(connection, parsed.data.leaseId as Bytes32);
    const { container } = deal;
    if (!container)
      throw new AppError('busy', 'The machine is not running now.', { next: 'Wait until the rental runs.' });
    switch (kind) {
      case 'deal.terminal':
        return serveTerminal(container, DEAL_STREAMS[kind].parse(stream.params), stream);
      case 'deal.exec':
        return serveExec(container, DEAL_STREAMS[kind].parse(stream.params), stream);
      case 'deal.logs':
        return serveLogs(container, DEAL_STREAMS[kind].parse(stream.params), stream);
      case 'deal.tunnel':
        return serveTunnel(container, DEAL_STREAMS[kind].parse(stream.params), stream);
      default:
        return assertNever(kind);
    }
  }

  /** Ends every lease honestly: each machine is stopped and its renter asked for the exact seconds. */
  async endAll(reason: string): Promise<void> {
    await Promise.all(this.active().map((deal) => deal.end(reason)));
  }

  /** Lets go of everything in memory. Containers and leases live on. */
  close(): void {
    for (const deal of this.#deals.values()) deal.dispose();
    for (const wakes of this.#waiting.values()) for (const wake of wakes) wake();
  }

  #opened(event: Extract<ChainEvent, { kind: 'LeaseOpened' }>): void {
    const { ledger, keys, chain, clock, log } = this.#room;
    const { leaseId, terms } = event;
    if (this.#deals.has(leaseId) || terms.providerSigner !== keys.address) return;
    const known = ledger.deals.get(leaseId, 'provider');
    if (known?.phase === 'closed' || !chain.offersOf(terms.provider).some((offer) => offer.offerId === terms.offerId))
      return;
    const row: Omit<Deal, 'updatedAt'> = {
      leaseId,
      role: 'provider',
      offerId: terms.offerId,
      terms,
      spec: null,
      phase: 'opening',
      detail: 'Waiting for the renter.',
      capSeconds: event.capSeconds,
      servedSeconds: 0,
      signedSeconds: 0,
      voucherSignature: null,
      final: null,
      paidSeconds: 0,
      openedAt: event.openedAt,
      closedAt: null,
      closeReason: null,
      settlement: null,
      createdAt: clock.now(),
    };
    const deal = this.#serve(ledger.deals.put(row));
    for (const wake of this.#waiting.get(leaseId) ?? []) wake();
    log.info({ leaseId, renter: terms.renter, capSeconds: event.capSeconds }, 'lease opened');
    if (this.#door.mayServe(terms.offerId)) {
      const body = `For ${formatSeconds(event.capSeconds)} at most.`;
      this.#room.notify('info', 'Your machine was rented', body, leaseId);
    } else
      deal
        .end('This computer does not share now.')
        .catch((thrown: unknown) => log.warn({ leaseId, thrown }, 'not declined'));
  }

  #serve(deal: Deal): ServedDeal {
    const { leaseId } = deal;
    const served = new ServedDeal(this.#room, deal, () => {
      this.#deals.delete(leaseId);
      this.#lines.delete(leaseId);
    });
    this.#deals.set(leaseId, served);
    return served;
  }

  /** The lease, if this connection's wallet is its renter. Waits a moment where the renter is ahead of our chain view. */
  async #dealOf(connection: PeerConnection, leaseId: Bytes32): Promise<ServedDeal> {
    const deal = this.#deals.get(leaseId) ?? (await this.#untilOpened(connection, leaseId));
    if (!deal || deal.deal.terms.renter !== connection.remote.wallet) {
      throw new AppError('not-found', 'There is no such lease between these two hosts.', { field: 'leaseId' });
    }
    const lines = this.#lines.get(leaseId) ?? new Set();
    if (!lines.has(connection)) {
      this.#lines.set(leaseId, lines.add(connection));
      void connection.closed.then(() => {
        lines.delete(connection);
        if (lines.size === 0 && this.#lines.get(leaseId) === lines) this.#lines.delete(leaseId);
        if (!deal.isOver) this.#room.onChange(deal.deal);
      });
    }
    return deal;
  }

  #untilOpened(connection: PeerConnection, leaseId: Bytes32): Promise<ServedDeal | undefined> {
    const ofLine = this.#waitingOf.get(connection) ?? 0;
    const full = this.#waitingCount >= MAX_WAITING || ofLine >= MAX_WAITING_PER_LINE;
    if (full || this.#room.ledger.deals.get(leaseId, 'provider')) return Promise.resolve(undefined);
    this.#waitingCount += 1;
    this.#waitingOf.set(connection, ofLine + 1);
    return new Promise((resolve) => {
      const wakes = this.#waiting.get(leaseId) ?? new Set();
      const wake = () => {
        clearTimeout(timer);
        if (!wakes.delete(wake)) return;
        if (wakes.size === 0) this.#waiting.delete(leaseId);
        this.#waitingCount -= 1;
        this.#waitingOf.set(connection, (this.#waitingOf.get(connection) ?? 1) - 1);
        resolve(this.#deals.get(leaseId));
      };
      const timer = setTimeout(wake, CHAIN_LAG_MS);
      this.#waiting.set(leaseId, wakes.add(wake));
      void connection.closed.then(() => wake());
    });
  }

  #tellRenter(leaseId: Bytes32): void {
    const deal = this.#deals.get(leaseId);
    if (!deal) return;
    for (const line of this.#lines.get(leaseId) ?? []) line.event(DEAL_STATUS_EVENT, deal.status());
  }
}

async function answer(deal: ServedDeal, kind: Exclude<DealRequest, 'deal.ask'>, body: unknown): Promise<unknown> {
  switch (kind) {
    case 'deal.begin':
      return deal.begin(DEAL_REQUESTS[kind].input.parse(body).spec);
    case 'deal.status':
      return deal.heard();
    case 'deal.voucher': {
      const { secs, signature } = DEAL_REQUESTS[kind].input.parse(body);
      return deal.voucher(secs, signature as Hex);
    }
    case 'deal.stop':
      return deal.stop();
    case 'deal.close': {
      const { secs, deadline, signature } = DEAL_REQUESTS[kind].input.parse(body);
      return deal.close(secs, deadline, signature as Hex);
    }
    default:
      return assertNever(kind);
  }
}

const isKind = <Table extends Record<string, unknown>>(
  table: Table,
  kind: string,
): kind is Extract<keyof Table, string> & (DealRequest | DealStream) => Object.hasOwn(table, kind);

const badMessage = (kind: string, issue: { path: PropertyKey[]; message: string } | undefined): AppError =>
  new AppError('bad-input', `${kind}: ${issue?.path.join('.') ?? 'message'} ${issue?.message ?? 'is wrong'}.`, {
    field: issue?.path.join('.') ?? '',
  });
