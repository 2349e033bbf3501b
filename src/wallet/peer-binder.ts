import path from 'node:path';
import { z } from 'zod';
import { AppError } from '../shared/errors.ts';
import { isAddress, isBytes32 } from '../shared/ids.ts';
import type { Address, Bytes32, Hex } from '../shared/ids.ts';
import type { Clock } from '../shared/time.ts';
import { peerBindingPayload, signerOf } from '../shared/typed-data.ts';
import type { PeerRole } from '../shared/typed-data.ts';
import { readPrivateFile, writePrivateFile } from './files.ts';
import type { Wallet } from './wallet.ts';

/** The wallet's side of the peer room's port of the same name. */
export interface PeerBinder {
  /** @throws AppError not-found while there is no wallet. */
  readonly wallet: Address;
  readonly chainId: number;
  /** The kept binding's end while it holds for another day, else 30 days from now. Unix seconds. */
  validUntil(peerKey: Hex, role: PeerRole): number;
  /** Signed anew only if none with this `notAfter` is kept. @throws AppError locked */
  sign(peerKey: Hex, role: PeerRole, notAfter: number): Promise<Hex>;
  recover(peerKey: Hex, role: PeerRole, notAfter: number, signature: Hex): Address | null;
}

const DAY_SECONDS = 86_400;
const VALID_SECONDS = 30 * DAY_SECONDS;

const keptSchema = z.array(
  z.object({
    wallet: z.custom<Address>(isAddress),
    chainId: z.int(),
    peerKey: z.custom<Bytes32>(isBytes32),
    role: z.enum(['provider', 'renter', 'validator']),
    notAfter: z.int(),
    signature: z.custom<Hex>((value) => typeof value === 'string' && /^0x[0-9a-f]{130}$/.test(value)),
  }),
);
type Kept = z.infer<typeof keptSchema>[number];

/**
 * Binds this host's peer key to its wallet. One unlocked moment a month is enough: signed bindings are kept on disk
 * (they are public statements, no secrets), so a host with a locked wallet stays online.
 */
export async function createPeerBinder(
  wallet: Wallet,
  { dir, chainId, clock }: { dir: string; chainId: number; clock: Clock },
): Promise<PeerBinder> {
  const file = path.join(dir, 'peer-bindings.json');
  const payloadOf = (peerKey: Hex, role: PeerRole, notAfter: number) =>
    peerBindingPayload(chainId, { peerKey, role, notAfter });
  // What does not verify is forgotten, however it got there.
  let kept = parse(await readPrivateFile(file)).filter(
    (entry) =>
      entry.chainId === chainId &&
      signerOf(payloadOf(entry.peerKey, entry.role, entry.notAfter), entry.signature) === entry.wallet,
  );
  const address = () => wallet.signer().address;
  const find = (peerKey: Hex, role: PeerRole): Kept | undefined =>
    kept.find((entry) => entry.wallet === address() && entry.peerKey === peerKey.toLowerCase() && entry.role === role);

  return {
    get wallet() {
      return address();
    },
    chainId,
    validUntil(peerKey, role) {
      const now = clock.now();
      const { notAfter } = find(peerKey, role) ?? { notAfter: 0 };
      return notAfter > now + DAY_SECONDS ? notAfter : now + VALID_SECONDS;
    },
    async sign(peerKey, role, notAfter) {
      if (!isBytes32(peerKey)) throw new AppError('bad-input', 'A peer key has 32 bytes.', { field: 'peerKey' });
      const before = find(peerKey, role);
      if (before?.notAfter === notAfter) return before.signature;
      const owner = address();
      const signature = await wallet.signTypedData(payloadOf(peerKey, role, notAfter));
      const entry: Kept = {
        wallet: owner,
        chainId,
        peerKey: peerKey.toLowerCase() as Bytes32,
        role,
        notAfter,
        signature,
      };
      kept = [...kept.filter((other) => other !== before && other.notAfter > clock.now()), entry];
      await writePrivateFile(file, JSON.stringify(kept));
      return signature;
    },
    recover(peerKey, role, notAfter, signature) {
      try {
        return signerOf(payloadOf(peerKey, role, notAfter), signature);
      } catch {
        return null;
      }
    },
  };
}

/** A damaged file is an empty one: bindings can be signed again. */
function parse(text: string | null): Kept[] {
  try {
    return text === null ? [] : keptSchema.parse(JSON.parse(text));
  } catch {
    return [];
  }
}
