import type { ChainReads } from '../../chain/chain.ts';
import type { Address } from '../../shared/ids.ts';
import type { TaskFlow } from './task-flow.ts';

/** Tasks are posted in this order, twenty in one transaction: only the first ones can be in a block already. */
const MOST_ASKED = 100;

/** Free in the deposit account, less what tasks in the book are about to lock: what waits, and what is on its way. */
export async function availableMoney(
  account: Address,
  token: Address,
  {
    flows,
    bountyOf,
    reads,
  }: {
    flows: () => Iterable<TaskFlow>;
    bountyOf: (flow: TaskFlow) => { token: Address; bounty: bigint };
    reads: Pick<ChainReads, 'vaultBalance' | 'jobDeal'>;
  },
): Promise<bigint> {
  const sent = [...flows()].flatMap(({ task: { phase, jobId } }) => (phase === 'posting' && jobId ? [jobId] : []));
  const [balance, ...states] = await Promise.all([
    reads.vaultBalance(account, token),
    ...sent.slice(0, MOST_ASKED).map(async (jobId) => ({ jobId, ...(await reads.jobDeal(jobId)) })),
  ]);
  // In a block, though its event is not here yet: the balance is without it.
  const locked = new Set(states.flatMap(({ jobId, state }) => (state === 'none' ? [] : [jobId])));
  let promised = 0n;
  for (const flow of flows()) {
    const { phase, jobId } = flow.task;
    if (phase !== 'waiting' && (phase !== 'posting' || (jobId && locked.has(jobId)))) continue;
    const money = bountyOf(flow);
    if (money.token === token) promised += money.bounty;
  }
  return balance > promised ? balance - promised : 0n;
}
