import type { NetworkContracts } from '../chain/profile.ts';
import { wattToken } from '../chain/profile.ts';
import { AppError } from '../shared/errors.ts';
import type { Address } from '../shared/ids.ts';
import { formatAmount } from '../shared/money.ts';
import type { Token } from '../shared/money.ts';
import type { JobRoom } from './job-room.ts';

/** What stands between an account and jobs. Amounts of WATT in smallest units. */
export interface WorkFigures {
  staked: bigint;
  unbonding: bigint;
  atRisk: bigint;
  /** What the network asks of every provider. */
  minStake: bigint;
  stakeToken: Token;
  /** 0 to 100. */
  reputation: number;
  /** Staked enough, and its reputation is high enough. */
  active: boolean;
}

type SetupRoom = Pick<JobRoom, 'account' | 'chain'>;
interface WorkContracts {
  watt: Address;
  stakes: Address;
  jobs: Address;
}

/** @throws AppError unsupported where the network has no jobs. */
function workContracts({ watt, stakes, jobs }: NetworkContracts): WorkContracts {
  if (watt !== undefined && stakes !== undefined && jobs !== undefined) return { watt, stakes, jobs };
  throw new AppError('unsupported', 'This network has no jobs.', {
    next: 'Choose a network whose profile names them.',
  });
}

/** @throws AppError unsupported, network-down */
export async function workFigures({ account, chain }: SetupRoom): Promise<WorkFigures> {
  const { watt } = workContracts(chain.profile.contracts);
  const [stake, { minProviderStake, inactiveBelow }, reputation] = await Promise.all([
    chain.reads.stake('provider', account.address),
    chain.reads.jobRequirements(),
    chain.reads.reputation(account.address),
  ]);
  return {
    staked: stake.staked,
    unbonding: stake.unbonding,
    atRisk: stake.atRisk,
    minStake: minProviderStake,
    stakeToken: wattToken(watt),
    reputation: reputation / 100,
    active: stake.staked >= minProviderStake && reputation >= inactiveBelow * 100,
  };
}

/**
 * Everything that taking jobs needs on chain: the least stake, the Jobs contract allowed to lock bonds, the key that signs
 * acceptances named. What is there already is left as it is, so it may be called again at any time.
 * @param commandId its sends have ids made from this one
 * @throws AppError insufficient-funds, locked, network-down, unsupported; conflict while the reputation is too low
 */
export async function prepareToWork(room: SetupRoom, commandId: string, signal: AbortSignal): Promise<void> {
  const { account, chain } = room;
  const { stakes, jobs } = workContracts(chain.profile.contracts);
  const { staked, minStake, reputation, active } = await workFigures(room);
  if (staked < minStake) await stakeMore(room, minStake - staked, commandId, signal);
  else if (!active) {
    throw new AppError('conflict', `The reputation of this account is ${reputation}: too low to take jobs.`, {
      next: 'Wait until it may qualify again.',
    });
  }
  const allow = async (module: Address, name: string) => {
    if (await chain.reads.isAuthorized(account.address, module)) return;
    await account.send(chain.calls.authorize(module, true), { commandId: `${commandId}:allow-${name}`, signal });
  };
  await allow(stakes, 'stakes');
  await allow(jobs, 'jobs');
  if (chain.profile.practice) await practiceBonds(room, minStake, commandId, signal);
  const key = account.acceptanceSigner;
  if (key !== account.address && (await chain.reads.operatorOf(account.address)) !== key) {
    await account.send(chain.calls.setJobOperator(key), { commandId: `${commandId}:operator`, signal });
  }
}

/**
 * Puts WATT at stake: from the Vault, and what is not there from the account itself.
 * @throws AppError insufficient-funds saying how much is missing
 */
export async function stakeMore(
  { account, chain }: SetupRoom,
  amount: bigint,
  commandId: string,
  signal: AbortSignal,
): Promise<void> {
  const { watt, stakes } = workContracts(chain.profile.contracts);
  const { address } = account;
  const { decimals, symbol } = wattToken(watt);
  const inVault = await chain.reads.vaultBalance(address, watt);
  if (inVault < amount) {
    const more = amount - inVault;
    const held = await chain.reads.walletBalance(address, watt);
    if (held < more) {
      const text = (value: bigint) => `${formatAmount(value, decimals)} ${symbol}`;
      throw new AppError(
        'insufficient-funds',
        `Taking jobs puts ${text(amount)} at stake, and ${text(more - held)} of it are missing.`,
        { next: `Get ${symbol} into this account, then start again.` },
      );
    }
    await account.send(chain.calls.approve(watt, more), { commandId: `${commandId}:approve`, signal });
    await account.send(chain.calls.deposit(watt, more, address), { commandId: `${commandId}:deposit`, signal });
  }
  if (!(await chain.reads.isAuthorized(address, stakes))) {
    await account.send(chain.calls.authorize(stakes, true), { commandId: `${commandId}:allow-stakes`, signal });
  }
  await account.send(chain.calls.stake('provider', amount), { commandId: `${commandId}:stake`, signal });
}

/** Practice money for bonds, so that the first job can be taken at once. Real money is moved by its owner only. */
async function practiceBonds(
  { account, chain }: SetupRoom,
  most: bigint,
  commandId: string,
  signal: AbortSignal,
): Promise<void> {
  const { watt } = workContracts(chain.profile.contracts);
  const { address } = account;
  if ((await chain.reads.vaultBalance(address, watt)) > 0n) return;
  const held = await chain.reads.walletBalance(address, watt);
  const amount = held < most ? held : most;
  if (amount === 0n) return;
  await account.send(chain.calls.approve(watt, amount), { commandId: `${commandId}:approve-bonds`, signal });
  await account.send(chain.calls.deposit(watt, amount, address), { commandId: `${commandId}:deposit-bonds`, signal });
}

/** Which tokens of these this account can lock no bond in, in a sentence; empty when it can in all of them. */
export async function bondsMissing({ account, chain }: SetupRoom, tokens: readonly Address[]): Promise<string> {
  const poor: string[] = [];
  const { watt } = workContracts(chain.profile.contracts);
  // Bounties are in WATT where nothing else is said.
  for (const token of new Set([watt, ...tokens])) {
    if ((await chain.reads.vaultBalance(account.address, token)) > 0n) continue;
    poor.push(chain.profile.tokens.find((known) => known.address === token)?.symbol ?? token);
  }
  if (poor.length === 0) return '';
  return `Every job locks a bond of a tenth of its bounty or more: deposit ${poor.join(' or ')} to take jobs paid in it.`;
}
