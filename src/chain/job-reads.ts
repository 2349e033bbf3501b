import type { Interface } from 'ethers';
import { ETH } from '../shared/ids.ts';
import type { Address } from '../shared/ids.ts';
import { JOB_STATES } from '../shared/job-terms.ts';
import type { ChainReads, JobDealState } from './chain.ts';
import {
  jobsInterface,
  juriesInterface,
  parametersInterface,
  recordInterface,
  stakesInterface,
} from './contract-interfaces.ts';
import type { JuryVerdict } from './events.ts';
import { STAKE_ROLES } from './governance.ts';
import { jobContractsOf } from './job-calls.ts';
import type { NetworkContracts } from './profile.ts';

const VERDICTS: readonly JuryVerdict[] = ['none', 'valid', 'invalid', 'unavailable'];

/** How long a jury can be drawn, as the Juries contract has it. */
const JURY_DRAW_SECONDS = 86_400;

/** Every answer of a view function, or its first. */
type View<T> = (to: Address, of: Interface, method: string, args: readonly unknown[]) => Promise<T>;

export type JobReads = Pick<
  ChainReads,
  'jobDeal' | 'jury' | 'jobRequirements' | 'stake' | 'isActive' | 'reputation' | 'operatorOf'
>;

/** Reads of what concerns jobs. All throw AppError unsupported on a network without them. */
export function createJobReads(contracts: NetworkContracts, one: View<unknown>, all: View<unknown[]>): JobReads {
  const at = () => jobContractsOf(contracts);
  return {
    async jobDeal(id) {
      const kept = (await one(at().jobs, jobsInterface, 'get', [id])) as Record<keyof JobDealState, unknown>;
      return {
        state: JOB_STATES[Number(kept.state)] ?? 'none',
        until: Number(kept.until),
        taken: Number(kept.taken),
        submitted: Number(kept.submitted),
        revealed: Number(kept.revealed),
        agreeing: Number(kept.agreeing),
      };
    },
    async jury(jobId) {
      const [[verdict, over, endsAt], kept] = await Promise.all([
        all(at().juries, juriesInterface, 'verdictOf', [jobId]),
        one(at().juries, juriesInterface, 'get', [jobId]) as Promise<{ commitUntil: unknown; revealUntil: unknown }>,
      ]);
      const waits = Number(kept.commitUntil) === 0 && over !== true;
      return {
        verdict: VERDICTS[Number(verdict)] ?? 'none',
        over: over === true,
        endsAt: Number(endsAt),
        drawFrom: waits ? Number(kept.revealUntil) - JURY_DRAW_SECONDS : null,
      };
    },
    async jobRequirements() {
      const { parameters } = at();
      const from = (method: string) => one(parameters, parametersInterface, method, []);
      const [minProviderStake, slashBps, inactiveBelow, [feeBps, pausedUntil]] = await Promise.all([
        from('minProviderStake'),
        from('slashBps'),
        from('inactiveBelow'),
        all(parameters, parametersInterface, 'forNewDeal', []),
      ]);
      return {
        minProviderStake: BigInt(String(minProviderStake)),
        slashBps: Number(slashBps),
        inactiveBelow: Number(inactiveBelow),
        feeBps: Number(feeBps),
        pausedUntil: Number(pausedUntil),
      };
    },
    async stake(role, account) {
      const from = (method: string) => one(at().stakes, stakesInterface, method, [STAKE_ROLES.indexOf(role), account]);
      const [kept, atRisk, active] = await Promise.all([from('get'), from('atRiskOf'), from('isActive')]);
      const { staked, unbonding, releaseAt } = kept as { staked: bigint; unbonding: bigint; releaseAt: bigint };
      return {
        staked,
        unbonding,
        atRisk: BigInt(String(atRisk)),
        releaseAt: Number(releaseAt),
        active: active === true,
      };
    },
    isActive: async (provider) => (await one(at().record, recordInterface, 'isActive', [provider])) === true,
    reputation: async (provider) => Number(await one(at().record, recordInterface, 'reputationOf', [provider])),
    async operatorOf(provider) {
      const operator = String(await one(at().jobs, jobsInterface, 'operatorOf', [provider])).toLowerCase() as Address;
      return operator === ETH ? null : operator;
    },
  };
}
