import type { Address } from '../shared/ids.ts';
import type { Call } from './chain.ts';
import { toBigQuantity, toHexQuantity } from './rpc.ts';
import type { Rpc, RpcError } from './rpc.ts';

/** Calls in their order, parted: what can be sent, what must wait, what would fail for good. */
export interface Estimated<T> {
  ready: { waiting: T; gasLimit: bigint }[];
  later: T[];
  refused: { waiting: T; error: RpcError }[];
}

/**
 * Gas for each call. With transactions of the account under way (`predecessors`), a call that fails now may only be
 * waiting for them: it and everything after it is kept for later. Alone, a refusal is final and nothing is paid for it.
 */
export async function estimateGas<T extends { call: Call }>(
  rpc: Rpc,
  from: Address,
  calls: readonly T[],
  predecessors: boolean,
): Promise<Estimated<T>> {
  const asked = calls.filter(({ call }, index) => call.gasLimit === undefined || (index === 0 && !predecessors));
  const answers = await rpc.batch(
    asked.map(({ call }) => ({
      method: 'eth_estimateGas',
      params: [{ from, to: call.to, data: call.data, value: toHexQuantity(call.value) }],
    })),
  );
  const answerOf = new Map(asked.map((waiting, index) => [waiting, answers[index]]));
  const ready: Estimated<T>['ready'] = [];
  const refused: Estimated<T>['refused'] = [];
  for (const [index, waiting] of calls.entries()) {
    const answer = answerOf.get(waiting);
    const known = waiting.call.gasLimit;
    if (!answer) ready.push({ waiting, gasLimit: known ?? 0n });
    else if (answer.ok) {
      const estimated = toBigQuantity(answer.result, 'eth_estimateGas');
      // Storage that another transaction touches first can make it dearer.
      ready.push({ waiting, gasLimit: known ?? estimated + estimated / 4n + 10_000n });
    } else if (predecessors || ready.length > 0) return { ready, later: calls.slice(index), refused };
    else refused.push({ waiting, error: answer.error });
  }
  return { ready, later: [], refused };
}
