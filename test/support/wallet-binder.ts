import type { Wallet } from 'ethers';
import { signTyped } from '../../src/chain/testing-host.ts';
import type { PeerBinder } from '../../src/peer/peer-link.ts';
import type { Address, Hex } from '../../src/shared/ids.ts';
import { peerBindingPayload, signerOf, type PeerRole } from '../../src/shared/typed-data.ts';

/** Lets a line say whose it is: really signed by the wallet, as the product's own wallet room does it. */
export function walletBinder(wallet: Wallet, chainId: number): PeerBinder {
  const payload = (peerKey: Hex, role: PeerRole, notAfter: number) =>
    peerBindingPayload(chainId, { peerKey, role, notAfter });
  return {
    wallet: wallet.address.toLowerCase() as Address,
    chainId,
    sign: (peerKey, role, notAfter) => signTyped(wallet, payload(peerKey, role, notAfter)),
    recover: (peerKey, role, notAfter, signature) => signerOf(payload(peerKey, role, notAfter), signature),
  };
}
