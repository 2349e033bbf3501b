import type { JobRequirements } from '../../chain/chain.ts';
import { AppError } from '../../shared/errors.ts';
import type { Address } from '../../shared/ids.ts';
import type { JobFile } from '../../shared/job-spec.ts';
import { formatAmount, parseAmount, type Token } from '../../shared/money.ts';
import { expandJob } from '../job-files/expand-job.ts';
import type { JobDeskRoom } from './job-desk-room.ts';
import { withSampleParams } from './resolve-inputs.ts';
import type { TaskFlow } from './task-flow.ts';

/** Tasks are posted in this order, twenty in one transaction: only the first ones can be in a block already. */
const MOST_ASKED = 100;

/** What submitting locks, smallest units of `token`. */
export interface JobCost {
  tasks: number;
  token: Token;
  escrow: bigint;
  /** Free in the deposit account, and what is missing there. */
  available: bigint;
  missing: bigint;
  feeBps: number;
}

/** What jobs of one account cost, and what of it is there. */
export class JobMoney {
  readonly #room: Pick<JobDeskRoom, 'account' | 'chain'>;
  readonly #requirements: () => Promise<JobRequirements>;
  readonly #flows: () => Iterable<TaskFlow>;

  constructor(
    room: Pick<JobDeskRoom, 'account' | 'chain'>,
    requirements: () => Promise<JobRequirements>,
    flows: () => Iterable<TaskFlow>,
  ) {
    this.#room = room;
    this.#requirements = requirements;
    this.#flows = flows;
  }

  /** @param text a symbol or an address @throws AppError bad-input */
  tokenOf(text: string): Token {
    const { tokens, name } = this.#room.chain.profile;
    const found = tokens.find(
      (token) => token.symbol.toLowerCase() === text.toLowerCase() || token.address === text.toLowerCase(),
    );
    if (found) return found;
    throw new AppError('bad-input', `${text} is not a payment token of the network ${name}.`, {
      field: 'token',
      next: `Use one of: ${tokens.map((token) => token.symbol).join(', ')}.`,
    });
  }

  /** Of one task. @throws AppError bad-input */
  bountyOf({ bounty: text, token: named }: JobFile): { token: Token; bounty: bigint } {
    const token = this.tokenOf(named);
    const bounty = parseAmount(text, token.decimals, 'bounty');
    if (bounty > 0n) return { token, bounty };
    throw new AppError('bad-input', 'A job needs a bounty: nobody works for nothing.', { field: 'bounty' });
  }

  /** @throws AppError bad-input naming the field */
  async costOf(given: JobFile): Promise<JobCost> {
    const file = withSampleParams(given);
    const { token, bounty } = this.bountyOf(file);
    const tasks = expandJob(file, { inputs: [] }).length;
    const escrow = bounty * BigInt(tasks);
    const [available, { feeBps }] = await Promise.all([this.#available(token.address), this.#requirements()]);
    return { tasks, token, escrow, available, missing: escrow > available ? escrow - available : 0n, feeBps };
  }

  /** @throws AppError insufficient-funds */
  async check({ token, bounty }: { token: Token; bounty: bigint }, tasks: number): Promise<void> {
    const escrow = bounty * BigInt(tasks);
    const available = await this.#available(token.address);
    if (available >= escrow) return;
    const text = (amount: bigint) => `${formatAmount(amount, token.decimals)} ${token.symbol}`;
    const each = tasks === 1 ? '' : ` (${tasks} tasks of ${text(bounty)})`;
    throw new AppError(
      'insufficient-funds',
      `The bounty is ${text(escrow)}${each}; ${text(escrow - available)} are missing in the deposit account.`,
      { field: 'bounty', next: `Deposit ${text(escrow - available)} in the wallet first, or offer less.` },
    );
  }

  /** Free in the deposit account, less what tasks in the book are about to lock: what waits, and what is on its way. */
  async #available(token: Address): Promise<bigint> {
    const { account, chain } = this.#room;
    const sent = [...this.#flows()].flatMap(({ task: { phase, jobId } }) =>
      phase === 'posting' && jobId ? [jobId] : [],
    );
    const [balance, ...states] = await Promise.all([
      chain.reads.vaultBalance(account.address, token),
      ...sent.slice(0, MOST_ASKED).map(async (jobId) => ({ jobId, ...(await chain.reads.jobDeal(jobId)) })),
    ]);
    // In a block, though its event is not here yet: the balance is without it.
    const locked = new Set(states.flatMap(({ jobId, state }) => (state === 'none' ? [] : [jobId])));
    let promised = 0n;
    for (const { file, task } of this.#flows()) {
      const { phase, jobId } = task;
      if (phase !== 'waiting' && (phase !== 'posting' || (jobId && locked.has(jobId)))) continue;
      const money = this.bountyOf(file);
      if (money.token.address === token) promised += money.bounty;
    }
    return balance > promised ? balance - promised : 0n;
  }
}
