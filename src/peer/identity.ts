import type { KeyPair } from '@hyperswarm/secret-stream';
import crypto from 'hypercore-crypto';
import { AppError } from '../shared/errors.ts';
import { type Address, type Hex, shortId } from '../shared/ids.ts';
import type { Clock } from '../shared/time.ts';
import { fromHex, toHex } from './bytes.ts';
import type { Hello } from './frames.ts';
import type { PeerBinder, PeerIdentity } from './peer-link.ts';

const DAY = 24 * 60 * 60;
const VALID_SECONDS = 7 * DAY;
/** A binding is signed anew when less than this is left of it. */
const RENEW_SECONDS = 2 * DAY;

/** What the peer key signs: that it belongs to this wallet on this chain. */
const ownership = (wallet: Address, chainId: number): Uint8Array =>
  Buffer.from(`commonwatt peer key 1\n${chainId}\n${wallet}\n`, 'utf8');

/** Makes our hello; the wallet is asked once per role and validity, not once per connection. */
export function createCredentials(keyPair: KeyPair, binder: PeerBinder, clock: Clock) {
  const peerKey = toHex(keyPair.publicKey);
  const signed = new Map<string, { notAfter: number; signature: Promise<Hex> }>();

  return async (role: PeerIdentity['role'], purpose: Hello['purpose']): Promise<Hello> => {
    // A host may change its wallet under a running line.
    const whose = `${binder.wallet} ${role}`;
    let binding = signed.get(whose);
    if (binding === undefined || binding.notAfter < clock.now() + RENEW_SECONDS) {
      const notAfter = binder.validUntil?.(peerKey, role) ?? clock.now() + VALID_SECONDS;
      const signature = binder.sign(peerKey, role, notAfter);
      binding = { notAfter, signature };
      signed.set(whose, binding);
      signature.catch(() => {
        if (signed.get(whose)?.signature === signature) signed.delete(whose);
      });
    }
    return {
      t: 'hello',
      version: 1,
      purpose,
      role,
      wallet: binder.wallet,
      chainId: binder.chainId,
      notAfter: binding.notAfter,
      walletSignature: await binding.signature,
      peerSignature: toHex(crypto.sign(ownership(binder.wallet, binder.chainId), keyPair.secretKey)),
    };
  };
}

/**
 * Checks a hello against the key that holds the connection.
 * @throws AppError `wrong-network` or `peer-refused` with the reason, fit to be told to the other side.
 */
export function checkHello(
  hello: Hello,
  remoteKey: Hex,
  options: { binder: PeerBinder; clock: Clock; expectWallet?: Address | undefined },
): PeerIdentity {
  const { binder, clock, expectWallet } = options;
  const wallet = hello.wallet as Address;
  if (hello.chainId !== binder.chainId) {
    throw new AppError(
      'wrong-network',
      `One side is on chain ${binder.chainId}, the other on chain ${hello.chainId}.`,
      {
        field: 'chainId',
      },
    );
  }
  if (hello.notAfter <= clock.now()) {
    throw new AppError('peer-refused', 'The proof that the wallet stands behind this peer key has expired.', {
      field: 'notAfter',
      next: 'Check the clocks of both machines.',
    });
  }
  if (!crypto.verify(ownership(wallet, hello.chainId), fromHex(hello.peerSignature as Hex), fromHex(remoteKey))) {
    throw new AppError('peer-refused', 'The peer key did not sign for this wallet and chain.', {
      field: 'peerSignature',
    });
  }
  if (recover(binder, hello, remoteKey) !== wallet) {
    throw new AppError('peer-refused', 'The wallet did not sign for this peer key and role.', {
      field: 'walletSignature',
    });
  }
  if (expectWallet !== undefined && expectWallet !== wallet) {
    throw new AppError(
      'peer-refused',
      `The peer belongs to wallet ${shortId(wallet)}, not to ${shortId(expectWallet)} as expected.`,
      { field: 'wallet' },
    );
  }
  return { peerKey: remoteKey, wallet, role: hello.role };
}

function recover(binder: PeerBinder, hello: Hello, remoteKey: Hex): Address | null {
  try {
    return binder.recover(remoteKey, hello.role, hello.notAfter, hello.walletSignature as Hex);
  } catch {
    return null;
  }
}
