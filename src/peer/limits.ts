/**
 * What a stranger at the other end may cost us. All sizes in bytes, all times in milliseconds.
 * A peer that goes past one of these is told so and disconnected; nothing here grows with its goodwill.
 */
export const LIMITS = {
  /** One encrypted message on the wire, header of the multiplexer included. */
  frameBytes: 64 * 1024,
  /** Payload of one message; larger values travel in several. */
  messageBytes: 60 * 1024,
  /** One request, answer or event as JSON text, after joining. */
  jsonBytes: 1024 * 1024,
  /** Levels of arrays and objects in JSON from a peer. */
  jsonDepth: 64,
  /** One note beside a stream's bytes, as JSON text. */
  noteBytes: 16 * 1024,
  /** What every message costs of a stream's credit beside its payload, so that tiny messages cannot multiply our memory. */
  messageCost: 64,
  /** Unread bytes a receiver grants to one stream: terminals, logs, probes. */
  interactiveWindow: 256 * 1024,
  /** Unread bytes a receiver grants to one stream that moves files. */
  bulkWindow: 1024 * 1024,
  /** Open streams of one connection, both directions together. */
  streams: 128,
  /** Streams of one connection with a bulk window. */
  bulkStreams: 16,
  /** Unread bytes of all streams of all connections; past it the connection holding most is closed. */
  unreadBytes: 256 * 1024 * 1024,
  /** Bytes a stream may leave queued before it waits for the carrier: enough to keep it busy, little to wait behind. */
  queuedBytes: 128 * 1024,
  /** Bytes we may hold for a peer that does not read before we give up on it. */
  backlogBytes: 8 * 1024 * 1024,
  /** Requests we ask at once over one connection. */
  pendingRequests: 256,
  /** Requests of a peer that we work on at once; further ones are answered `busy`. */
  servedRequests: 64,
  /** Connections of all peers together. */
  connections: 512,
  /** Connections of one peer key. */
  connectionsPerKey: 8,
  /** New connections of one peer key within `keyWindowMs`. */
  arrivalsPerKey: 40,
  keyWindowMs: 10_000,
  /** Connections that have not proven who they are yet. */
  strangers: 64,
  strangersPerHost: 32,
  /** TCP endpoints of a peer that are tried. */
  endpoints: 4,
} as const;

export interface Timing {
  /** From the first byte to both sides having proven who they are. */
  greetingMs: number;
  /** Between two pings. */
  pingMs: number;
  /** Silence after which a peer counts as gone, noticed at the next ping. */
  silenceMs: number;
  /** One request, when its caller names no other limit. */
  requestMs: number;
  /** Finding and reaching a peer, all ways together. */
  connectMs: number;
  /** How long a farewell may take to leave before the connection is cut. */
  farewellMs: number;
}

export const TIMING: Timing = {
  greetingMs: 10_000,
  pingMs: 5_000,
  silenceMs: 12_500,
  requestMs: 30_000,
  connectMs: 20_000,
  farewellMs: 1_000,
};
