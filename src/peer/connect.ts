import { AppError, toAppError } from '../shared/errors.ts';
import { shortId } from '../shared/ids.ts';
import type { DhtCarrier } from './dht-carrier.ts';
import { LIMITS } from './limits.ts';
import type { PeerAddress, PeerConnection } from './peer-link.ts';
import type { Endpoint } from './tcp-carrier.ts';

/** A connection on which both sides have proven who they are, before we decide whether to use it. */
export interface Candidate {
  take(): PeerConnection;
  drop(): void;
}

interface Race {
  to: PeerAddress;
  timeoutMs: number;
  /** Limit of one try over TCP, greeting included. */
  greetingMs: number;
  signal: AbortSignal;
  dht: DhtCarrier | null;
  overTcp: (endpoint: Endpoint, until: AbortSignal) => Promise<Candidate>;
  overDht: (dht: DhtCarrier, until: AbortSignal) => Promise<Candidate>;
}

/** These come from the peer itself, proven by its key: another way to it would end the same. */
const FINAL = new Set(['peer-refused', 'wrong-network', 'locked', 'over-limit', 'cancelled']);

/** All known ways at once; the first proven connection wins and the others are dropped unseen. */
export async function raceToPeer(race: Race): Promise<PeerConnection> {
  const { to, dht, signal } = race;
  const over = new AbortController();
  const timeout = AbortSignal.timeout(race.timeoutMs);
  const until = AbortSignal.any([over.signal, timeout, signal]);
  const tried: string[] = [];
  const known = new Set<string>();
  let won = false;
  const result = Promise.withResolvers<PeerConnection>();

  async function attempt(name: string, run: () => Promise<Candidate>): Promise<void> {
    try {
      const candidate = await run();
      if (won || until.aborted) {
        candidate.drop();
        return;
      }
      won = true;
      result.resolve(candidate.take());
      over.abort();
    } catch (thrown) {
      if (won) return;
      if (thrown instanceof AppError && FINAL.has(thrown.code)) {
        won = true;
        result.reject(thrown);
        over.abort();
        return;
      }
      tried.push(`${name}: ${reasonOf(thrown)}`);
    }
  }

  const overTcp = (endpoints: readonly Endpoint[]) =>
    Promise.all(
      endpoints.map(async (endpoint) => {
        const name = `${endpoint.host}:${endpoint.port}`;
        if (known.has(name) || known.size >= LIMITS.endpoints) return;
        known.add(name);
        await attempt(name, () =>
          race.overTcp(endpoint, AbortSignal.any([until, AbortSignal.timeout(race.greetingMs)])),
        );
      }),
    );

  async function overDht(carrier: DhtCarrier): Promise<void> {
    try {
      await unlessAborted(carrier.whenReady, until);
    } catch {
      if (!won) tried.push('peer network: not joined yet');
      return;
    }
    const published = unlessAborted(carrier.endpointsOf(to.peerKey), until).then(overTcp, () => undefined);
    await Promise.all([attempt('peer network', () => race.overDht(carrier, until)), published]);
  }

  const all = Promise.all([overTcp(to.endpoints ?? []), dht === null ? undefined : overDht(dht)]);
  void all.then(() => {
    if (won) return;
    won = true;
    over.abort();
    result.reject(signal.aborted ? new AppError('cancelled', 'Cancelled.') : unreachable(to, tried));
  });
  return result.promise;
}

function unreachable({ peerKey }: PeerAddress, tried: readonly string[]): AppError {
  const ways = tried.length === 0 ? 'no way to it is known' : tried.join('; ');
  return new AppError('peer-unreachable', `The machine ${shortId(peerKey)} could not be reached (${ways}).`, {
    next: 'Check that the other machine is on and online, then try again.',
  });
}

const CODES: Record<string, string> = {
  PEER_NOT_FOUND: 'nobody announced this key',
  HOLEPUNCH_DOUBLE_RANDOMIZED_NATS: 'both routers hide their ports and no relay helped',
  HOLEPUNCH_ABORTED: 'the routers let nothing through and no relay helped',
  CANNOT_HOLEPUNCH: 'its router lets nothing through',
  REMOTE_NOT_HOLEPUNCHABLE: 'its router lets nothing through',
  PEER_CONNECTION_FAILED: 'announced, but did not answer',
};

function reasonOf(thrown: unknown): string {
  const { code } = thrown as { code?: string };
  return CODES[code ?? ''] ?? toMessage(thrown).replace(/\.$/, '');
}

const toMessage = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : toAppError(thrown).message);

/** The promise, or a rejection as soon as the signal aborts. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
