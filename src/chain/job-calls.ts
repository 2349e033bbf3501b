import { AppError } from '../shared/errors.ts';
import type { Address } from '../shared/ids.ts';
import { copyIdOf, dealIdOf, jobIdOf, resultCommitment } from '../shared/typed-data.ts';
import type { Call, ChainCalls } from './chain.ts';
import { jobsInterface, recordInterface, stakesInterface } from './contract-interfaces.ts';
import { encodeCall } from './encode-call.ts';
import { STAKE_ROLES } from './governance.ts';
import type { NetworkContracts } from './profile.ts';

export type JobCalls = Pick<
  ChainCalls,
  | 'postJob'
  | 'cancelJob'
  | 'assignJob'
  | 'claimJob'
  | 'submitJob'
  | 'acceptJob'
  | 'finalizeJob'
  | 'expireJob'
  | 'challengeJob'
  | 'drawJury'
  | 'resolveJob'
  | 'decideJob'
  | 'revealJob'
  | 'concludeJob'
  | 'collectJob'
  | 'setJobOperator'
  | 'recordJob'
  | 'requalify'
  | 'stake'
  | 'unbondStake'
  | 'releaseStake'
  | 'jobId'
  | 'jobDealId'
  | 'copyId'
  | 'commitmentOf'
>;

/** Contracts of a network that has jobs. @throws AppError unsupported where its profile does not name them */
export function jobContractsOf({ jobs, juries, stakes, record, parameters }: NetworkContracts) {
  if (!jobs || !juries || !stakes || !record || !parameters) {
    throw new AppError('unsupported', 'This network has no jobs: its profile does not name their contracts.', {
      next: 'Use a network whose profile names jobs, juries, stakes, record and parameters.',
    });
  }
  return { jobs, juries, stakes, record, parameters };
}

export function makeJobCalls(contracts: NetworkContracts): JobCalls {
  const at = (): { jobs: Address; stakes: Address; record: Address } => jobContractsOf(contracts);
  const jobs = (method: string, args: readonly unknown[], label: string, value = 0n): Call =>
    encodeCall(at().jobs, jobsInterface, method, args, label, { value });
  const stakes = (method: string, args: readonly unknown[]): Call =>
    encodeCall(at().stakes, stakesInterface, method, args, method);
  const record = (method: string, args: readonly unknown[], label: string): Call =>
    encodeCall(at().record, recordInterface, method, args, label);

  return {
    postJob: (terms, spec, value) => jobs('post', [terms, spec], 'post job', value),
    cancelJob: (terms) => jobs('cancel', [terms], 'cancel job'),
    assignJob: (terms, offerId, validUntil, signature) =>
      jobs('assign', [terms, offerId, validUntil, signature], 'assign job'),
    claimJob: (terms, offerId) => jobs('claim', [terms, offerId], 'claim job'),
    submitJob: (terms, offerId, resultId) => jobs('submit', [terms, offerId, resultId], 'submit result'),
    acceptJob: (terms, offerId) => jobs('accept', [terms, offerId], 'accept result'),
    finalizeJob: (terms, offerId) => jobs('finalize', [terms, offerId], 'finalize job'),
    expireJob: (terms, offerId) => jobs('expire', [terms, offerId], 'expire job'),
    challengeJob: (terms, offerId, value) => jobs('challenge', [terms, offerId], 'challenge result', value),
    drawJury: (terms, offerId) => jobs('draw', [terms, offerId], 'draw jury'),
    resolveJob: (terms, offerId) => jobs('resolve', [terms, offerId], 'resolve dispute'),
    decideJob: (terms, offerId, valid) => jobs('decide', [terms, offerId, valid], 'decide dispute'),
    revealJob: (terms, offerId, resultId, salt) => jobs('reveal', [terms, offerId, resultId, salt], 'reveal result'),
    concludeJob: (terms) => jobs('conclude', [terms], 'conclude job'),
    collectJob: (terms, offerId) => jobs('collect', [terms, offerId], 'collect share'),
    setJobOperator: (operator) => jobs('setOperator', [operator], 'set operator'),
    recordJob: (terms, offerId) => record('recordJob', [terms, offerId], 'record job'),
    requalify: () => record('requalify', [], 'requalify'),
    stake: (role, amount) => stakes('stake', [STAKE_ROLES.indexOf(role), amount]),
    unbondStake: (role, amount) => stakes('unbond', [STAKE_ROLES.indexOf(role), amount]),
    releaseStake: (role) => stakes('release', [STAKE_ROLES.indexOf(role)]),
    jobId: jobIdOf,
    jobDealId: dealIdOf,
    copyId: copyIdOf,
    commitmentOf: resultCommitment,
  };
}
