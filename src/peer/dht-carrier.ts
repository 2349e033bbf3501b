import HyperDHT from 'hyperdht';
import type NoiseSecretStream from '@hyperswarm/secret-stream';
import type { KeyPair, RawStream } from '@hyperswarm/secret-stream';
import type { Hex } from '../shared/ids.ts';
import { delay } from '../shared/retry.ts';
import { fromHex, toHex } from './bytes.ts';
import { decodeEndpointRecord, encodeEndpointRecord } from './endpoint-record.ts';
import type { Endpoint } from './tcp-carrier.ts';

const REPUBLISH_MS = 30 * 60 * 1000;
/** How long saying good-bye to the DHT may take; its nodes may be gone already. */
const LEAVE_MS = 1_000;
const RETRY_MS = 15_000;

export interface DhtCarrier {
  /** Whether we announced ourselves and can look others up. */
  readonly ready: boolean;
  /** Resolves once ready; rejects when the carrier is closed before that. */
  readonly whenReady: Promise<void>;
  connect(peerKey: Hex): NoiseSecretStream;
  /** TCP endpoints the peer published and signed; empty when none. */
  endpointsOf(peerKey: Hex): Promise<Endpoint[]>;
  /** Whether the bytes of this stream go through a relay now. */
  isRelayed(stream: NoiseSecretStream): boolean;
  /** Streams we know are peer connections and not the DHT's own business with a relay. */
  adopt(stream: NoiseSecretStream): void;
  close(): Promise<void>;
}

interface DhtOptions {
  bootstrap: readonly Endpoint[];
  relays: readonly Hex[];
  keyPair: KeyPair;
  endpoints: readonly Endpoint[];
  onStream: (stream: NoiseSecretStream) => void;
  /** True to drop a peer before the key exchange: for floods only, it learns nothing for 8 s. */
  isFlooding: (peerKey: Hex) => boolean;
  now: () => number;
  log: (message: string, details?: Record<string, unknown>) => void;
}

const isLoopback = ({ host }: Endpoint) => host.startsWith('127.') || host === 'localhost';

/** Joins the DHT in the background: finding it may take seconds, and a host must be usable before. */
export function openDht(options: DhtOptions): DhtCarrier {
  const { bootstrap, keyPair, log } = options;
  const relays = options.relays.map(fromHex);
  const relayThrough = relays.length === 0 ? null : () => relays[Math.floor(Math.random() * relays.length)] ?? null;
  const dht = new HyperDHT({
    bootstrap: bootstrap.map(({ host, port }) => ({ host, port })),
    keyPair,
    // A practice network stays inside this computer.
    ...(bootstrap.every(isLoopback) ? { host: '127.0.0.1' } : {}),
  });
  const own = new WeakSet<RawStream>();
  const adopt = (stream: NoiseSecretStream) => {
    if (stream.rawStream) own.add(stream.rawStream);
  };
  const server = dht.createServer(
    { relayThrough, firewall: (remoteKey) => options.isFlooding(toHex(remoteKey)) },
    options.onStream,
  );

  let ready = false;
  let closing = false;
  let retry: NodeJS.Timeout | null = null;
  const whenReady = Promise.withResolvers<void>();
  whenReady.promise.catch(() => undefined);

  async function join() {
    await dht.fullyBootstrapped();
    await server.listen(keyPair);
    ready = true;
    whenReady.resolve();
    await publish();
  }

  async function publish() {
    if (options.endpoints.length === 0) return;
    const issuedAt = options.now();
    await dht.mutablePut(keyPair, encodeEndpointRecord(options.endpoints, issuedAt), { seq: issuedAt });
  }

  function attempt() {
    join().catch((error: unknown) => {
      if (closing) return;
      if (ready) log('the endpoint record could not be published', { error });
      else {
        log('the peer network could not be joined yet', { error });
        retry = setTimeout(attempt, RETRY_MS);
      }
    });
  }
  attempt();
  const republish = setInterval(() => {
    if (ready) publish().catch((error: unknown) => log('the endpoint record could not be published', { error }));
  }, REPUBLISH_MS);
  republish.unref();

  return {
    get ready() {
      return ready;
    },
    whenReady: whenReady.promise,
    connect: (peerKey) => dht.connect(fromHex(peerKey), { keyPair, relayThrough }),
    async endpointsOf(peerKey) {
      const record = await dht.mutableGet(fromHex(peerKey));
      return record === null ? [] : decodeEndpointRecord(record.value, options.now());
    },
    isRelayed(stream) {
      // A relayed stream shares its remote address with the DHT's own connection to the relay.
      const { rawStream } = stream;
      if (!rawStream?.remoteHost) return false;
      for (const other of dht.rawStreams) {
        if (own.has(other) || other === rawStream) continue;
        if (other.remoteHost === rawStream.remoteHost && other.remotePort === rawStream.remotePort) return true;
      }
      return false;
    },
    adopt,
    async close() {
      closing = true;
      clearInterval(republish);
      if (retry) clearTimeout(retry);
      whenReady.reject(new Error('closed'));
      await Promise.race([dht.destroy(), delay(LEAVE_MS)]);
      await dht.destroy({ force: true });
    },
  };
}
