import type { ApiOutputs } from '../../api/contract.ts';
import type { ApiServices } from '../../api/services.ts';
import { tokenOf, wattToken } from '../../chain/profile.ts';
import { stakeMore } from '../../provider/work-setup.ts';
import { Emitter } from '../../shared/emitter.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import { ETH } from '../../shared/ids.ts';
import { jobSpecSchema } from '../../shared/job-spec.ts';
import type { JobRun } from '../../store/ledger.ts';
import type { Rooms } from '../rooms.ts';
import { newest } from './newest.ts';

type WorkStatus = ApiOutputs['work']['status'];

const RECENT = 50;

export function workServices(rooms: Rooms): ApiServices['work'] {
  const { chain, ledger, jobs, sharing, wallet, log } = rooms;
  const { work } = jobs;
  const account = () => wallet.signer().address;
  const changed = new Emitter<void>();
  work.state.on(() => changed.emit());
  jobs.runChanged.on(() => changed.emit());
  sharing.state.on(() => changed.emit());
  const room = () => ({
    chain,
    account: {
      address: account(),
      acceptanceSigner: wallet.hostKey.address,
      send: chain.send.bind(chain),
      signAcceptance: () => Promise.reject(new AppError('unsupported', 'Nothing is accepted here.')),
    },
  });

  const status = async (): Promise<WorkStatus> => {
    const { address } = wallet.status.value;
    const { watt } = chain.profile.contracts;
    const { state, detail, claimsOpen } = work.state.value;
    const runs = address ? ledger.runs.list({ account: address, limit: RECENT }).rows : [];
    const earned = address
      ? ledger.movements.sumOfJobs({ chainId: chain.profile.chainId, account: address, kinds: ['earned', 'fee'] })
      : new Map<`0x${string}`, bigint>();
    const figures = address
      ? await work.figures().catch((thrown: unknown) => {
          log.debug({ message: toAppError(thrown).message }, 'figures of work are not known now');
          return null;
        })
      : null;
    return {
      state,
      detail,
      claimsOpen,
      staked: `${figures?.staked ?? 0n}`,
      unbonding: `${figures?.unbonding ?? 0n}`,
      atRisk: `${figures?.atRisk ?? 0n}`,
      minStake: `${figures?.minStake ?? 0n}`,
      stakeToken: figures?.stakeToken ?? (watt ? wattToken(watt) : null),
      reputation: figures?.reputation ?? 100,
      active: figures?.active ?? false,
      running: runs.filter(isOpen).map((run) => runView(run, rooms)),
      recent: runs.filter((run) => !isOpen(run)).map((run) => runView(run, rooms)),
      earned: [...earned].map(([token, amount]) => ({
        token: tokenOf(chain.profile, token),
        amount: `${amount > 0n ? amount : 0n}`,
      })),
    };
  };

  return {
    status,
    async *watch(_input, { signal }) {
      for await (const _ of newest(changed, signal, 200)) yield await status();
    },
    start: async ({ commandId, claimsOpen }) => {
      if (sharing.state.value.state !== 'on') {
        throw new AppError('conflict', 'Jobs are taken on the shared offer, and this computer does not share.', {
          next: 'Turn sharing on first.',
        });
      }
      await work.start({ commandId: `${commandId}:work`, claimsOpen });
      return status();
    },
    stop: async () => {
      await work.stop();
      return status();
    },
    stopRun: async ({ dealId }) => {
      await work.stopRun(dealId, 'The owner ended it.');
      return status();
    },
    stake: ({ commandId, amount }) =>
      ledger.commands.once(commandId, 'work.stake', async () => {
        await stakeMore(room(), positive(amount), commandId, new AbortController().signal);
        return status();
      }),
    unbond: ({ commandId, amount }) =>
      ledger.commands.once(commandId, 'work.unbond', async () => {
        await chain.send(chain.calls.unbondStake('provider', positive(amount)), { commandId: `${commandId}:unbond` });
        return status();
      }),
    release: ({ commandId }) =>
      ledger.commands.once(commandId, 'work.release', async () => {
        await chain.send(chain.calls.releaseStake('provider'), { commandId: `${commandId}:release` });
        return status();
      }),
  };
}

const isOpen = ({ settledAt, phase }: JobRun): boolean => settledAt === null && phase !== 'failed';

function positive(amount: string): bigint {
  const value = BigInt(amount);
  if (value > 0n) return value;
  throw new AppError('bad-input', 'The amount must be more than nothing.', { field: 'amount' });
}

function runView(run: JobRun, { chain, jobs }: Rooms): WorkStatus['running'][number] {
  const { tokens } = chain.profile;
  const { token, bounty, renter } = run.terms;
  return {
    dealId: run.dealId,
    jobId: run.jobId,
    renter,
    name: nameOf(run.specText),
    phase: run.phase,
    detail: run.detail,
    progress: jobs.work.get(run.dealId)?.progress ?? null,
    token: tokens.find(({ address }) => address === token) ?? {
      address: token ?? ETH,
      symbol: 'unknown',
      name: token,
      decimals: 0,
    },
    bounty: `${bounty}`,
    paid: run.paid === null ? null : `${run.paid}`,
    startedAt: run.startedAt,
    finishedAt: run.finishedAt,
    exitCode: run.exitCode,
    submitBy: run.submitDeadline,
    createdAt: run.createdAt,
  };
}

/** A stranger's spec may make no sense. */
function nameOf(specText: string): string {
  try {
    return jobSpecSchema.parse(JSON.parse(specText)).name;
  } catch {
    return '';
  }
}
