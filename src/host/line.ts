import path from 'node:path';
import type { PeerAddress, PeerConnection, PeerHandler, PeerLink } from '../peer/peer-link.ts';
import { openPeerLink } from '../peer/open-peer-link.ts';
import { loadPeerKey } from '../peer/peer-key.ts';
import { toHex } from '../peer/bytes.ts';
import { State } from '../shared/emitter.ts';
import { AppError, toAppError } from '../shared/errors.ts';
import type { Address, Bytes32 } from '../shared/ids.ts';
import type { Log } from '../shared/log.ts';
import { backoffMs, delay } from '../shared/retry.ts';
import type { Clock } from '../shared/time.ts';
import { createPeerBinder } from '../wallet/peer-binder.ts';
import type { Wallet } from '../wallet/wallet.ts';
import type { Rooms } from './rooms.ts';

export interface LinePeers {
  bootstrap: readonly { host: string; port: number }[] | null;
  relays: readonly `0x${string}`[];
  /** Interface of the TCP carrier. */
  tcpHost: string;
}

/** The host's one PeerLink: opened as soon as there is a wallet to speak for, tried again until it is. */
export interface Line {
  readonly state: Rooms['line'];
  /** Known before the line is up: it is part of an offer. */
  readonly peerKey: Promise<Bytes32>;
  connect(
    to: PeerAddress,
    options: { signal: AbortSignal; expectWallet: Address; purpose?: PeerConnection['purpose'] },
  ): Promise<PeerConnection>;
  close(): Promise<void>;
}

export function openLine(options: {
  dataDir: string;
  wallet: Wallet;
  chainId: number;
  peers: LinePeers;
  clock: Clock;
  log: Log;
  handler: PeerHandler;
}): Line {
  const { dataDir, wallet, chainId, peers, clock, log, handler } = options;
  const state: Rooms['line'] = new State<Rooms['line']['value']>({ link: null, state: 'starting', connections: 0 });
  const life = new AbortController();
  const keyPair = loadPeerKey(path.join(dataDir, 'peer-key'));
  const peerKey = keyPair.then(({ publicKey }) => toHex(publicKey));

  const keep = async () => {
    for (let attempt = 0; !life.signal.aborted; attempt += 1) {
      try {
        // Speaking for a wallet needs one; a practice wallet is there at once, a real one when the owner makes it.
        await wallet.status.until((status) => status.address !== null, life.signal);
        const binder = await createPeerBinder(wallet, { chainId, dir: path.join(dataDir, 'wallet'), clock });
        const link: PeerLink = await openPeerLink({
          keyPair: await keyPair,
          role: 'provider',
          binder,
          bootstrap: peers.bootstrap === null ? null : [...peers.bootstrap],
          relays: [...peers.relays],
          tcp: { host: peers.tcpHost, port: 0 },
          handler: {
            ...handler,
            onConnection: (connection) => {
              state.set({ ...state.value, connections: state.value.connections + 1 });
              void connection.closed.then(() =>
                state.set({ ...state.value, connections: state.value.connections - 1 }),
              );
            },
          },
          clock,
          log: (message, details) => log.info(details ?? {}, message),
        });
        if (life.signal.aborted) {
          await link.close();
          return;
        }
        state.set({ ...state.value, link, state: 'online' });
        return;
      } catch (thrown) {
        if (life.signal.aborted) return;
        log.warn(
          { error: toAppError(thrown).message, cause: toAppError(thrown).cause },
          'the direct line could not be opened',
        );
        state.set({ ...state.value, state: 'offline' });
        await delay(1000 + backoffMs(attempt, Math.random, 1000), life.signal).catch(() => undefined);
      }
    }
  };
  const keeping = keep();

  return {
    state,
    peerKey,
    async connect(to, { signal, ...who }) {
      const { link } = await state
        .until(({ link: opened }) => opened !== null, AbortSignal.any([signal, AbortSignal.timeout(20_000)]))
        .catch(() => {
          throw new AppError('peer-unreachable', 'This computer’s own direct line is not open.', {
            next: 'Look at the ready checks for what is missing.',
          });
        });
      return (link as PeerLink).connect(to, { signal, ...who });
    },
    async close() {
      life.abort();
      await keeping;
      await state.value.link?.close();
    },
  };
}
