/** What stake decides: calls to StakeGovernor, and what stands there now. */
import { id as hashOfText, keccak256 } from 'ethers';
import type { Interface } from 'ethers';
import { AppError } from '../shared/errors.ts';
import type { Address, Bytes32, Hex } from '../shared/ids.ts';
import type { Call } from './chain.ts';
import { abiCoder, governorInterface, parametersInterface, stakesInterface } from './contract-interfaces.ts';
import type { StakeRole } from './events.ts';
import type { NetworkContracts } from './profile.ts';
import { toBytes } from './rpc.ts';
import type { Rpc } from './rpc.ts';

/** As the contract numbers them. */
export const STAKE_ROLES: readonly StakeRole[] = ['provider', 'validator'];

/** As the contract numbers them. */
export const VOTES = { against: 0, for: 1, abstain: 2 } as const;
export type Vote = keyof typeof VOTES;

/** As the contract numbers them. */
const PROPOSAL_STATES = [
  'pending',
  'active',
  'cancelled',
  'defeated',
  'succeeded',
  'queued',
  'expired',
  'executed',
] as const;
export type ProposalState = (typeof PROPOSAL_STATES)[number];

/** What is proposed: calls that the timelock makes, in order, all or none. Its hash is the proposal's id. */
export interface Proposal {
  actions: readonly { to: Address; data: Hex }[];
  description: string;
}

export interface ProposalStatus {
  state: ProposalState;
  /** WATT behind each choice, smallest unit. */
  votes: Readonly<Record<Vote, bigint>>;
  /** Unix seconds: stake counts as it was then, and voting begins. */
  snapshotAt: number;
  /** Unix seconds: voting ends. */
  endsAt: number;
  /** Unix seconds from which it can be executed; 0 while it is not queued. */
  executableAt: number;
}

type Staking = Required<{ [K in 'stakes' | 'watt' | 'governor' | 'timelock' | 'parameters']: Address }>;

/** @throws AppError unsupported on a network that was deployed before there were stakes */
export function stakingOf({ stakes, watt, governor, timelock, parameters }: NetworkContracts): Staking {
  if (!stakes || !watt || !governor || !timelock || !parameters) {
    throw new AppError('unsupported', 'This network has no stakes and no governance: its profile does not name them.', {
      next: 'Use a network whose profile names watt, stakes, governor, timelock and parameters.',
    });
  }
  return { stakes, watt, governor, timelock, parameters };
}

/** The id under which votes are cast, and the same for the same proposal always. */
export function proposalIdOf({ actions, description }: Proposal): Bytes32 {
  return keccak256(
    abiCoder.encode(
      ['address[]', 'uint256[]', 'bytes[]', 'bytes32'],
      [actions.map(({ to }) => to), actions.map(() => 0n), actions.map(({ data }) => data), hashOfText(description)],
    ),
  ) as Bytes32;
}

/** Calls of voters. What they vote with is staked by `ChainCalls.stake`. */
export function makeGovernanceCalls(contracts: NetworkContracts) {
  const { stakes, governor, parameters } = stakingOf(contracts);
  const toGovernor = (method: string, { actions, description }: Proposal, hashed: boolean): Call => ({
    to: governor,
    data: governorInterface.encodeFunctionData(
      `${method}(address[],uint256[],bytes[],${hashed ? 'bytes32' : 'string'})`,
      [
        actions.map(({ to }) => to),
        actions.map(() => 0n),
        actions.map(({ data }) => data),
        hashed ? hashOfText(description) : description,
      ],
    ) as Hex,
    value: 0n,
    label: method,
  });
  return {
    delegate: (to: Address): Call => ({
      to: stakes,
      data: stakesInterface.encodeFunctionData('delegate', [to]) as Hex,
      value: 0n,
      label: 'delegate',
    }),
    /** What a proposal may do: the fee of deals opened from its execution on, in hundredths of a percent, at most 1000. */
    setFee: (feeBps: number) => ({
      to: parameters,
      data: parametersInterface.encodeFunctionData('setFee', [feeBps]) as Hex,
    }),
    propose: (proposal: Proposal) => toGovernor('propose', proposal, false),
    vote: (proposalId: Bytes32, vote: Vote): Call => ({
      to: governor,
      data: governorInterface.encodeFunctionData('castVote', [proposalId, VOTES[vote]]) as Hex,
      value: 0n,
      label: 'vote',
    }),
    queue: (proposal: Proposal) => toGovernor('queue', proposal, true),
    execute: (proposal: Proposal) => toGovernor('execute', proposal, true),
  };
}

async function ask(rpc: Rpc, to: Address, of: Interface, method: string, args: readonly unknown[]) {
  const data = of.encodeFunctionData(method, args);
  return of.decodeFunctionResult(method, toBytes(await rpc.call('eth_call', [{ to, data }, 'latest']), method));
}

/** @throws RpcError where there is no such proposal */
export async function readProposal(rpc: Rpc, contracts: NetworkContracts, id: Bytes32): Promise<ProposalStatus> {
  const { governor } = stakingOf(contracts);
  const from = (method: string) => ask(rpc, governor, governorInterface, method, [id]);
  const [state, votes, snapshot, deadline, eta] = await Promise.all(
    ['state', 'proposalVotes', 'proposalSnapshot', 'proposalDeadline', 'proposalEta'].map(from),
  );
  return {
    state: PROPOSAL_STATES[Number(state?.[0])] ?? 'pending',
    votes: {
      against: votes?.['againstVotes'] as bigint,
      for: votes?.['forVotes'] as bigint,
      abstain: votes?.['abstainVotes'] as bigint,
    },
    snapshotAt: Number(snapshot?.[0]),
    endsAt: Number(deadline?.[0]),
    executableAt: Number(eta?.[0]),
  };
}
