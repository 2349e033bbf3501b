import type { ApiClient } from '../../api/contract.ts';
import type { Bytes32 } from '../../shared/ids.ts';

/**
 * Whether both parties' ledgers agree with each other about this rental and, account by account and token by token,
 * with what the chain's Vault holds for them - to the smallest unit.
 */
export async function booksAgree(clients: readonly ApiClient[], rentalId: Bytes32): Promise<boolean> {
  const settlements = new Set<string>();
  for (const client of clients) {
    const { settlement, deposit } = await client.rentals.get({ rentalId });
    if (!settlement) return false;
    const { seconds, paid, refund, fee, penalty, txHash } = settlement;
    settlements.add(JSON.stringify({ seconds, paid, refund, fee, penalty, txHash, deposit }));
    if (BigInt(paid) + BigInt(penalty) + BigInt(refund) !== BigInt(deposit)) return false;

    const booked = new Map<string, bigint>();
    for (const { token, amount, kind } of await client.wallet.history({ limit: 500 })) {
      // Practice money arrives in the wallet's own account, outside the Vault.
      if (kind === 'faucet') continue;
      booked.set(token.address, (booked.get(token.address) ?? 0n) + BigInt(amount));
    }
    for (const { token, available } of await client.wallet.balances()) {
      if ((booked.get(token.address) ?? 0n) !== BigInt(available)) return false;
    }
  }
  return settlements.size === 1;
}
