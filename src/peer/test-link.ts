import { createHmac } from 'node:crypto';
import crypto from 'hypercore-crypto';
import type { KeyPair } from '@hyperswarm/secret-stream';
import type { Address, Hex } from '../shared/ids.ts';
import { systemClock } from '../shared/time.ts';
import { LIMITS, type Timing } from './limits.ts';
import { openPeerLink, type PeerLinkOptions } from './open-peer-link.ts';
import type { PeerBinder, PeerHandler, PeerLink } from './peer-link.ts';

export const keyPairOf = (name: string): KeyPair => crypto.keyPair(createHmac('sha256', 'peer').update(name).digest());
export const walletOf = (name: string): Address =>
  `0x${createHmac('sha256', 'wallet').update(name).digest('hex').slice(0, 40)}`;

/**
 * Stands in for the wallet room: a signature is a keyed hash with the wallet in front, so that it can be stolen and
 * mutilated like a real one.
 */
export function fakeBinder(name: string, chainId = 31337): PeerBinder {
  const wallet = walletOf(name);
  const tag = (who: Address, peerKey: Hex, role: string, notAfter: number): string =>
    createHmac('sha256', who).update(`${peerKey} ${role} ${notAfter} ${chainId}`).digest('hex');
  return {
    wallet,
    chainId,
    sign: (peerKey, role, notAfter) => Promise.resolve<Hex>(`${wallet}${tag(wallet, peerKey, role, notAfter)}`),
    recover(peerKey, role, notAfter, signature) {
      const signer: Address = `0x${signature.slice(2, 42)}`;
      return signature.slice(42) === tag(signer, peerKey, role, notAfter) ? signer : null;
    },
  };
}

export const refuseAll: PeerHandler = {
  onRequest: () => Promise.reject(new Error('unexpected request')),
  onStream: () => Promise.reject(new Error('unexpected stream')),
};

/** A link on loopback; everything can be overridden. */
export const testLink = (
  name: string,
  handler: Partial<PeerHandler> = {},
  options: Partial<PeerLinkOptions> & { timing?: Partial<Timing> } = {},
): Promise<PeerLink> =>
  openPeerLink({
    keyPair: keyPairOf(name),
    role: 'renter',
    binder: fakeBinder(name),
    bootstrap: null,
    relays: [],
    tcp: { host: '127.0.0.1', port: 0 },
    handler: { ...refuseAll, ...handler },
    clock: systemClock,
    log: () => undefined,
    ...options,
  });

export const readAll = async (bytes: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts);
};

export const addressOf = (link: PeerLink) => ({ peerKey: link.peerKey, endpoints: link.endpoints });
export const WINDOW = LIMITS.interactiveWindow;
