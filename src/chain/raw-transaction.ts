import { Transaction } from 'ethers';
import type { Address, Hex } from '../shared/ids.ts';
import type { UnsignedTransaction } from './chain.ts';

/** What a stored raw transaction says; null when it says nothing. */
export function readTransaction(raw: Hex): UnsignedTransaction | null {
  try {
    const { chainId, nonce, to, value, data, gasLimit, maxFeePerGas, maxPriorityFeePerGas } = Transaction.from(raw);
    if (to === null || maxFeePerGas === null || maxPriorityFeePerGas === null) return null;
    return {
      chainId: Number(chainId),
      nonce,
      to: to.toLowerCase() as Address,
      value,
      data: data as Hex,
      gasLimit,
      maxFeePerGas,
      maxPriorityFeePerGas,
    };
  } catch {
    return null;
  }
}
