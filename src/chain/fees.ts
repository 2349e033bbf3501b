import { AppError } from '../shared/errors.ts';
import { formatAmount } from '../shared/money.ts';
import { toBigQuantity, toRecord } from './rpc.ts';
import type { Rpc } from './rpc.ts';

export interface Fees {
  /** Wei per gas. */
  maxFeePerGas: bigint;
  maxPriorityFeePerGas: bigint;
}

/** Wei per gas that is never exceeded, whatever a node says: 500 gwei. */
export const FEE_CAP = 500_000_000_000n;

/**
 * Fees for a transaction sent now: twice the base fee, which holds through six full blocks, and the tip that the node
 * suggests.
 * @throws AppError over-limit when the network wants more than `cap` per gas
 */
export async function suggestFees(rpc: Rpc, cap: bigint): Promise<Fees> {
  const [latest, tip] = await rpc.batch([
    { method: 'eth_getBlockByNumber', params: ['latest', false] },
    { method: 'eth_maxPriorityFeePerGas', params: [] },
  ]);
  if (!latest?.ok) throw new AppError('network-down', 'The node does not say its latest block.');
  const baseFee = toBigQuantity(toRecord(latest.result, 'a block')['baseFeePerGas'], 'a block');
  // Nodes without the method get the tip everybody gives.
  const suggested = tip?.ok ? toBigQuantity(tip.result, 'eth_maxPriorityFeePerGas') : 1_000_000_000n;
  if (baseFee > cap) {
    throw new AppError(
      'over-limit',
      `The network asks ${formatAmount(baseFee, 9)} gwei per gas now, above the limit.`,
      {
        next: 'Wait until it is cheaper.',
      },
    );
  }
  const maxFeePerGas = smaller(2n * baseFee + suggested, cap);
  return { maxFeePerGas, maxPriorityFeePerGas: smaller(suggested, maxFeePerGas) };
}

/** Fees that every node takes for a replacement: 12.5 % more than before at least. Null when that is above the cap. */
export function raiseFees(before: Fees, now: Fees, cap: bigint): Fees | null {
  const maxFeePerGas = larger(bumped(before.maxFeePerGas), now.maxFeePerGas);
  const maxPriorityFeePerGas = larger(bumped(before.maxPriorityFeePerGas), now.maxPriorityFeePerGas);
  return maxFeePerGas > cap
    ? null
    : { maxFeePerGas, maxPriorityFeePerGas: smaller(maxPriorityFeePerGas, maxFeePerGas) };
}

const bumped = (value: bigint) => value + value / 8n + 1n;
const smaller = (a: bigint, b: bigint) => (a < b ? a : b);
const larger = (a: bigint, b: bigint) => (a > b ? a : b);
