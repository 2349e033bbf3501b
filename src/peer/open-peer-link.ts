import type NoiseSecretStream from '@hyperswarm/secret-stream';
import type { KeyPair } from '@hyperswarm/secret-stream';
import { AppError } from '../shared/errors.ts';
import type { Address, Hex } from '../shared/ids.ts';
import type { Clock } from '../shared/time.ts';
import { toHex } from './bytes.ts';
import { createConnection } from './connection.ts';
import { type Candidate, raceToPeer } from './connect.ts';
import { type DhtCarrier, openDht } from './dht-carrier.ts';
import type { Hello } from './frames.ts';
import { createGate } from './gate.ts';
import { type Greeted, greetAsAcceptor, greetAsInitiator } from './greet.ts';
import { checkHello, createCredentials } from './identity.ts';
import { LIMITS, type Timing, TIMING } from './limits.ts';
import type { PeerBinder, PeerConnection, PeerHandler, PeerIdentity, PeerLink } from './peer-link.ts';
import { loadPeerKey } from './peer-key.ts';
import { connectTcp, type Endpoint, listenTcp, type TcpCarrier } from './tcp-carrier.ts';
import { openWire, type Wire } from './wire.ts';

export interface PeerLinkOptions {
  /** The file that holds the peer key's seed; made on first use. */
  seedPath?: string;
  /** Instead of `seedPath`: tests. */
  keyPair?: KeyPair;
  role: PeerIdentity['role'];
  binder: PeerBinder;
  /** Public nodes of the DHT; null or none runs without it. */
  bootstrap: readonly Endpoint[] | null;
  /** Peer keys of relays for those whom no hole punching helps. */
  relays: readonly Hex[];
  /** Where to accept TCP connections; port 0 takes any. Null: only through the DHT. */
  tcp: Endpoint | null;
  handler: PeerHandler;
  clock: Clock;
  log: (message: string, details?: Record<string, unknown>) => void;
  timing?: Partial<Timing>;
}

const busy = () => new AppError('busy', 'Too many connections of this peer.', { next: 'Use the open one.' });

/**
 * This host's end of every direct line. Resolves once TCP listens; the DHT joins in the background.
 * @throws AppError `conflict` for a damaged key file, or the system's error when the TCP address is taken.
 */
export async function openPeerLink(options: PeerLinkOptions): Promise<PeerLink> {
  const { binder, clock, handler, log } = options;
  const timing = { ...TIMING, ...options.timing };
  const keyPair = options.keyPair ?? (await loadPeerKey(requireSeedPath(options.seedPath)));
  const peerKey = toHex(keyPair.publicKey);
  const credentials = createCredentials(keyPair, binder, clock);
  const gate = createGate(() => clock.monotonicMs());
  const connections = new Map<PeerConnection, { unread: number }>();
  let unread = 0;
  const shutdown = new AbortController();
  let closing = false;

  function establish(
    wire: Wire,
    greeted: Greeted,
    carrier: PeerConnection['carrier'],
    relayed: () => boolean,
  ): PeerConnection {
    const account = { unread: 0 };
    const connection = createConnection({
      wire,
      ...greeted,
      carrier,
      relayed,
      handler,
      clock,
      timing,
      log,
      onUnread(change) {
        account.unread += change;
        unread += change;
        if (unread > LIMITS.unreadBytes) closeGreediest();
      },
    });
    connections.set(connection, account);
    void wire.closed.then(() => connections.delete(connection));
    return connection;
  }

  function closeGreediest() {
    let greediest: [PeerConnection, { unread: number }] | null = null;
    for (const entry of connections) {
      if (greediest === null || entry[1].unread > greediest[1].unread) greediest = entry;
    }
    greediest?.[0].close('too many unread bytes');
  }

  /** @throws AppError when the peer is refused; it has been told then. */
  const check = (wire: Wire, expectWallet?: Address) => (hello: Hello) =>
    checkHello(hello, wire.remoteKey, { binder, clock, expectWallet });

  async function accept(stream: NoiseSecretStream, carrier: PeerConnection['carrier'], host: string) {
    const known = gate.stranger(host);
    if (known === null || closing) {
      stream.on('error', () => undefined);
      stream.destroy();
      known?.();
      return;
    }
    const signal = AbortSignal.any([AbortSignal.timeout(timing.greetingMs), shutdown.signal]);
    try {
      dht?.adopt(stream);
      await openWire(stream, { farewellMs: timing.farewellMs, signal }, (wire) => {
        const greeting = {
          hello: () => credentials(options.role, 'control'),
          signal,
          check(hello: Hello) {
            if (carrier === 'tcp' && gate.isFlooding(wire.remoteKey)) throw busy();
            const identity = check(wire)(hello);
            const leave = gate.enter(wire.remoteKey);
            if (leave === null) throw busy();
            void wire.closed.then(leave);
            return identity;
          },
        };
        return greetAsAcceptor(wire, greeting, (greeted) => {
          const connection = establish(wire, greeted, carrier, () => relayed(stream, carrier));
          handler.onConnection?.(connection);
        });
      });
    } catch (error) {
      log('a connection was turned away', { carrier, host, reason: (error as Error).message });
    } finally {
      known();
    }
  }

  const relayed = (stream: NoiseSecretStream, carrier: PeerConnection['carrier']) =>
    carrier === 'dht' && (dht?.isRelayed(stream) ?? false);

  const tcp: TcpCarrier | null =
    options.tcp === null
      ? null
      : await listenTcp(options.tcp, keyPair, (stream, host) => void accept(stream, 'tcp', host));
  const dht: DhtCarrier | null =
    options.bootstrap === null || options.bootstrap.length === 0
      ? null
      : openDht({
          bootstrap: options.bootstrap,
          relays: options.relays,
          keyPair,
          endpoints: tcp?.endpoints ?? [],
          onStream: (stream) => void accept(stream, 'dht', 'dht'),
          isFlooding: (key) => gate.isFlooding(key),
          now: () => clock.now(),
          log,
        });
  // The wallet signs now, so that the first stranger does not have to wait for it; a locked wallet is asked again later.
  credentials(options.role, 'control').catch((error: unknown) =>
    log('the wallet did not sign our peer key yet', { error }),
  );

  return {
    peerKey,
    get endpoints() {
      return tcp?.endpoints ?? [];
    },
    get dhtReady() {
      return dht?.ready ?? false;
    },
    whenDhtReady: dht?.whenReady ?? withoutDht(),
    async connect(to, { signal, expectWallet, purpose = 'control', role = options.role } = {}) {
      if (closing) throw new AppError('peer-unreachable', 'The peer line is shutting down.');
      if (to.peerKey === peerKey) throw new AppError('bad-input', 'That is this machine itself.', { field: 'peerKey' });
      const greeting = (stream: NoiseSecretStream, carrier: PeerConnection['carrier'], until: AbortSignal) =>
        openWire(
          stream,
          { farewellMs: timing.farewellMs, signal: until, expectKey: to.peerKey },
          async (wire): Promise<Candidate> => {
            if (carrier === 'dht') dht?.adopt(stream);
            const { remote, confirm } = await greetAsInitiator(wire, {
              hello: () => credentials(role, purpose),
              signal: until,
              check: check(wire, expectWallet),
            });
            return {
              take() {
                confirm();
                return establish(wire, { remote, purpose }, carrier, () => relayed(stream, carrier));
              },
              drop: () => wire.close('cancelled', 'another way was faster'),
            };
          },
        );
      return raceToPeer({
        to,
        timeoutMs: timing.connectMs,
        greetingMs: timing.greetingMs,
        signal: AbortSignal.any([shutdown.signal, ...(signal ? [signal] : [])]),
        dht,
        overTcp: async (endpoint, until) => greeting(await connectTcp(endpoint, keyPair, until), 'tcp', until),
        overDht: (carrier, until) => greeting(carrier.connect(to.peerKey), 'dht', until),
      });
    },
    async close() {
      if (closing) return;
      closing = true;
      shutdown.abort();
      tcp?.close();
      const closed = [...connections.keys()].map((connection) => {
        connection.close('shutting down');
        return connection.closed;
      });
      await Promise.all(closed);
      await dht?.close();
    },
  };
}

function withoutDht(): Promise<void> {
  const never = Promise.reject<void>(new AppError('unsupported', 'This host runs without a peer network.'));
  never.catch(() => undefined);
  return never;
}

function requireSeedPath(seedPath: string | undefined): string {
  if (seedPath !== undefined) return seedPath;
  throw new AppError('bad-input', 'A peer line needs a key or a file to keep one in.', { field: 'seedPath' });
}
