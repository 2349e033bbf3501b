import type { Address, Bytes32, Hex } from '../shared/ids.ts';
import type { RentalPhase, RentalSpec, RentalTerms } from '../shared/rental.ts';
import type { Json } from '../shared/json.ts';

export type DealRole = 'renter' | 'provider';

/** One lease from one side, as this machine's book has it. Written before the act it records. */
export interface Deal {
  leaseId: Bytes32;
  role: DealRole;
  offerId: Bytes32;
  terms: RentalTerms;
  /** Null on the provider's side until the renter has told it. */
  spec: RentalSpec | null;
  phase: RentalPhase;
  /** Plain words about the phase. */
  detail: string;
  capSeconds: number;
  /** Provider: served by its clock. Renter: what the provider last reported. */
  servedSeconds: number;
  /** Of the newest voucher. */
  signedSeconds: number;
  voucherSignature: Hex | null;
  /** The newest Final this side signed or got, whichever parts exist. */
  final: { secs: number; deadline: number; renterSignature: Hex | null; providerSignature: Hex | null } | null;
  /** Settled on chain so far. */
  paidSeconds: number;
  /** Unix seconds; null before the chain has confirmed it. */
  openedAt: number | null;
  closedAt: number | null;
  closeReason: string | null;
  /** What the closing event said; amounts in `terms.token`. */
  settlement: { seconds: number; paid: bigint; fee: bigint; penalty: bigint; refund: bigint; txHash: Bytes32 } | null;
  /** Unix seconds. */
  createdAt: number;
  updatedAt: number;
}

export type DealChange = Partial<Omit<Deal, 'leaseId' | 'role' | 'terms' | 'offerId' | 'createdAt' | 'updatedAt'>>;

export type MovementKind =
  | 'deposit'
  | 'withdraw'
  | 'lock'
  | 'refund'
  | 'earned'
  | 'spent'
  | 'fee'
  | 'penalty'
  | 'faucet';

/**
 * Money that moved for one account, once: the key is (chainId, txHash, logIndex, kind, account) because one log can
 * book several kinds (a close earns and refunds).
 */
export interface Movement {
  chainId: number;
  txHash: Bytes32;
  logIndex: number;
  account: Address;
  token: Address;
  /** Signed: negative leaves the account. */
  amount: bigint;
  kind: MovementKind;
  leaseId: Bytes32 | null;
  block: number;
  /** Unix seconds. */
  at: number;
}

export interface Notification {
  id: string;
  /** Unix seconds. */
  at: number;
  level: 'info' | 'success' | 'warning' | 'error';
  title: string;
  body: string;
  leaseId: Bytes32 | null;
}

/** What the owner wants to be offered; the chain may lag behind. `params` is validated by the caller. */
export interface OwnOffer {
  key: string;
  offerId: Bytes32 | null;
  sharing: boolean;
  params: Json;
  updatedAt: number;
}

/**
 * `stored`: signed and (perhaps) with a node: it is sent again until it is in a block. `mined` and `reverted`: confirmed.
 * `replaced`: another attempt of the same nonce was mined. `failed`: no node took it, or its nonce was used elsewhere;
 * it will never be mined and its command may be sent anew.
 */
export type OutgoingState = 'stored' | 'mined' | 'reverted' | 'replaced' | 'failed';

export interface OutgoingTransaction {
  commandId: string;
  chainId: number;
  from: Address;
  nonce: number;
  /** 0, then 1, 2, … for replacements with a higher fee. */
  attempt: number;
  label: string;
  txHash: Bytes32;
  raw: Hex;
  maxFeePerGas: bigint;
  maxPriorityFeePerGas: bigint;
  state: OutgoingState;
  block: number | null;
  error: string | null;
  createdAt: number;
  updatedAt: number;
}

/** Reading the book. Nothing here can write: a function that takes a LedgerReader is safe to call from anywhere. */
export interface LedgerReader {
  deals: {
    get(leaseId: Bytes32, role: DealRole): Deal | null;
    /** Newest first. `open` leaves out those closed on chain. */
    list(filter?: { role?: DealRole; open?: boolean; limit?: number }): Deal[];
  };
  movements: {
    /** Newest first. */
    list(filter: { chainId: number; account?: Address; leaseId?: Bytes32; limit?: number }): Movement[];
    /** Sum of amounts, per token. */
    sum(filter: {
      chainId: number;
      account: Address;
      kinds?: readonly MovementKind[];
      sinceAt?: number;
    }): Map<Address, bigint>;
  };
  offers: {
    get(key: string): OwnOffer | null;
    list(): OwnOffer[];
  };
  settings: {
    get(key: string): Json | undefined;
  };
  notifications: {
    /** Newest first. */
    list(limit?: number): Notification[];
  };
  commands: {
    /** The result of a command that has finished; undefined when it has not. */
    result(id: string): Json | undefined;
  };
}

/** The whole book. Every write is on disk when the call returns (synchronous=FULL), or with the transaction around it. */
export interface Ledger extends LedgerReader {
  /** Everything inside is written together or not at all. Nests. Synchronous: `write` must not await. */
  transaction<T>(write: () => T): T;
  deals: LedgerReader['deals'] & {
    /** Inserts; an existing row of the same lease and role is left as it is and returned. */
    put(deal: Omit<Deal, 'updatedAt'>): Deal;
    /** Changes the members given. @throws AppError not-found */
    update(leaseId: Bytes32, role: DealRole, change: DealChange): Deal;
  };
  movements: LedgerReader['movements'] & {
    /** False when it was booked before. */
    book(movement: Movement): boolean;
  };
  offers: LedgerReader['offers'] & { put(offer: Omit<OwnOffer, 'updatedAt'>): void; remove(key: string): void };
  settings: LedgerReader['settings'] & { set(key: string, value: Json): void; remove(key: string): void };
  notifications: LedgerReader['notifications'] & { add(notification: Notification): void };
  commands: LedgerReader['commands'] & {
    /**
     * Runs `act` for a new id and keeps its result; the same id again answers with the kept result, and while `act`
     * still runs with the same promise. A failure is not kept: trying again runs `act` again, so `act` itself must be
     * safe to repeat (its sends carry commandIds made from this one).
     * @throws AppError conflict when the id was used for another `kind` of command
     */
    once<T extends Json>(id: string, kind: string, act: () => Promise<T>): Promise<T>;
  };
  outgoing: {
    byCommand(commandId: string): OutgoingTransaction | null;
    /** Every attempt of a nonce, newest last. */
    byNonce(chainId: number, from: Address, nonce: number): OutgoingTransaction[];
    /** Stored and not known to be in a block, in nonce order. */
    pending(chainId: number, from: Address): OutgoingTransaction[];
    /** Highest nonce ever stored for this account, or null. */
    lastNonce(chainId: number, from: Address): number | null;
    put(transaction: OutgoingTransaction): void;
    setState(txHash: Bytes32, state: OutgoingState, extra?: { block?: number; error?: string }): void;
  };
  cursors: {
    /** Last block whose confirmed events were delivered and booked for this account. */
    get(chainId: number, account: Address): number | null;
    set(chainId: number, account: Address, block: number): void;
  };
  close(): void;
}
