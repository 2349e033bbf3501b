import type { Bytes32 } from '../shared/ids.ts';
import { toBigQuantity, toBytes, toQuantity, toRecord } from './rpc.ts';
import type { Rpc } from './rpc.ts';

export interface NodeReceipt {
  txHash: Bytes32;
  succeeded: boolean;
  block: number;
  blockHash: Bytes32;
  gasUsed: bigint;
  /** Wei. */
  networkFee: bigint;
}

/** Receipts of those transactions that are in a block now, in one question. */
export async function receiptsOf(rpc: Rpc, hashes: readonly Bytes32[]): Promise<Map<Bytes32, NodeReceipt>> {
  const answers = await rpc.batch(hashes.map((hash) => ({ method: 'eth_getTransactionReceipt', params: [hash] })));
  const found = new Map<Bytes32, NodeReceipt>();
  for (const [index, answer] of answers.entries()) {
    const hash = hashes[index];
    if (hash === undefined || !answer.ok || answer.result === null) continue;
    const receipt = toRecord(answer.result, 'a receipt');
    // Some nodes answer for pending transactions, without a block.
    if (receipt['blockNumber'] === null || receipt['blockNumber'] === undefined) continue;
    if (toBytes(receipt['transactionHash'], 'a receipt', 32) !== hash) continue;
    const gasUsed = toBigQuantity(receipt['gasUsed'], 'a receipt');
    found.set(hash, {
      txHash: hash,
      succeeded: receipt['status'] === '0x1',
      block: toQuantity(receipt['blockNumber'], 'a receipt'),
      blockHash: toBytes(receipt['blockHash'], 'a receipt', 32),
      gasUsed,
      networkFee: gasUsed * toBigQuantity(receipt['effectiveGasPrice'] ?? '0x0', 'a receipt'),
    });
  }
  return found;
}
