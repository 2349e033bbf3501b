import type { DealKeys } from '../shared/deal-keys.ts';
import { finalPayload, signerOf, specHash, voucherPayload } from '../shared/typed-data.ts';
import type { RentalsPlace } from '../shared/typed-data.ts';
import type { Wallet } from './wallet.ts';

/** Signs and checks one lease's seconds with the host key, for the Rentals contract at `place`. */
export function createDealKeys(wallet: Pick<Wallet, 'hostKey'>, place: RentalsPlace): DealKeys {
  const { hostKey } = wallet;
  return {
    get address() {
      return hostKey.address;
    },
    signVoucher: (leaseId, secs) => hostKey.signTypedData(voucherPayload(place, leaseId, secs)),
    signFinal: (leaseId, secs, deadline) => hostKey.signTypedData(finalPayload(place, leaseId, secs, deadline)),
    // Numbers and ids come from strangers: what cannot even be encoded has no signer.
    voucherSigner: (leaseId, secs, signature) =>
      orNull(() => signerOf(voucherPayload(place, leaseId, secs), signature)),
    finalSigner: (leaseId, secs, deadline, signature) =>
      orNull(() => signerOf(finalPayload(place, leaseId, secs, deadline), signature)),
    specHash,
  };
}

function orNull<T>(compute: () => T): T | null {
  try {
    return compute();
  } catch {
    return null;
  }
}
