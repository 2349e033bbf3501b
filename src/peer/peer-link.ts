import type { Address, Hex } from '../shared/ids.ts';
import type { Json } from '../shared/json.ts';

/** Where a peer can be found: its key, looked up in the DHT, and TCP endpoints if it published or told any. */
export interface PeerAddress {
  peerKey: Hex;
  endpoints?: readonly { host: string; port: number }[];
}

/** Who is at the other end, proven: the wallet signed the peer key and the peer key holds the connection. */
export interface PeerIdentity {
  peerKey: Hex;
  wallet: Address;
  role: 'provider' | 'renter' | 'validator';
}

/** One logical byte stream of a connection, with credit: a slow reader stalls the writer, never our memory. */
export interface PeerStream {
  readonly kind: string;
  readonly params: Json;
  /** Resolves once the bytes are handed on within the other side's credit. */
  write(bytes: Uint8Array): Promise<void>;
  /** No more bytes from here; the other direction stays open. */
  end(): Promise<void>;
  /** Bytes from the other side, until its end. Reading grants credit. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** A small out-of-band message beside the bytes, in order with them (terminal size, exit code). */
  note(value: Json): Promise<void>;
  onNote(listener: (value: Json) => void): void;
  /** Both directions at once, with the reason told to the other side. */
  abort(reason: string): void;
  /** Resolves when both directions have ended; carries the reason when aborted. */
  readonly closed: Promise<{ reason: string | null }>;
}

export interface PeerConnection {
  readonly remote: PeerIdentity;
  readonly carrier: 'dht' | 'tcp';
  /** A deal may use a second connection for bulk data, so that a download never delays a key press. */
  readonly purpose: 'control' | 'bulk';
  /** True when the bytes go through a relay rather than directly. */
  readonly relayed: boolean;
  /** Ask and wait for the answer. Errors of the other side arrive as AppError with its code. */
  request(kind: string, body: Json, options?: { signal?: AbortSignal; timeoutMs?: number }): Promise<Json>;
  /** Tell without an answer. */
  event(kind: string, body: Json): void;
  onEvent(listener: (kind: string, body: Json) => void): () => void;
  /** Opens a byte stream; rejects with AppError if the other side refuses it. */
  open(
    kind: string,
    params: Json,
    /** `bulk` streams have 1 MiB of credit instead of 256 KiB; the default follows the connection's purpose. */
    options?: { signal?: AbortSignal; bulk?: boolean },
  ): Promise<PeerStream>;
  /** Own ping every 5 s; null until the first answer. */
  rttMs(): number | null;
  close(reason?: string): void;
  readonly closed: Promise<{ reason: string }>;
}

/** What a host does with what strangers ask. Throwing an AppError answers with its code and message. */
export interface PeerHandler {
  /** Somebody connected to us and proved who they are; before anything they ask is handled. */
  onConnection?(connection: PeerConnection): void;
  onRequest(connection: PeerConnection, kind: string, body: Json): Promise<Json>;
  /** Return when the stream has been taken over; throw to refuse it. */
  onStream(connection: PeerConnection, stream: PeerStream): Promise<void> | void;
}

/** Proves and checks that a wallet stands behind a peer key (EIP-712 `PeerBinding`); the wallet room provides it. */
export interface PeerBinder {
  readonly wallet: Address;
  readonly chainId: number;
  /**
   * The `notAfter` to ask `sign` for: that of a binding signed before while it still holds - it needs no unlocked
   * wallet - else 30 days from now. Without it the caller chooses.
   */
  validUntil?(peerKey: Hex, role: PeerIdentity['role']): number;
  /** Our wallet's signature over (our peerKey, role, notAfter). */
  sign(peerKey: Hex, role: PeerIdentity['role'], notAfter: number): Promise<Hex>;
  /** The address that signed, or null when the signature is nonsense. */
  recover(peerKey: Hex, role: PeerIdentity['role'], notAfter: number, signature: Hex): Address | null;
}

export interface ConnectOptions {
  signal?: AbortSignal;
  /** Refuse anybody but this wallet. */
  expectWallet?: Address;
  /** Default `control`. */
  purpose?: PeerConnection['purpose'];
  /** As whom we present ourselves; default: the link's role. */
  role?: PeerIdentity['role'];
}

export interface PeerLink {
  readonly peerKey: Hex;
  /** TCP endpoints that accept connections now. */
  readonly endpoints: readonly { host: string; port: number }[];
  /** False when the DHT could not be joined (yet): then only known TCP endpoints are reachable. */
  readonly dhtReady: boolean;
  /** Resolves once the DHT knows us; rejects when there is none to join or the link closes before. */
  readonly whenDhtReady: Promise<void>;
  /**
   * Tries the known TCP endpoints and the DHT at once; the first proven connection wins.
   * @throws AppError `peer-unreachable` saying what was tried, `peer-refused` or `wrong-network` with the other
   * side's reason, `cancelled`.
   */
  connect(to: PeerAddress, options?: ConnectOptions): Promise<PeerConnection>;
  close(): Promise<void>;
}
