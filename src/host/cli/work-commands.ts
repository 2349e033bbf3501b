import type { ApiClient, WorkStatus } from '../../api/contract.ts';
import { AppError } from '../../shared/errors.ts';
import { parseAmount } from '../../shared/money.ts';
import type { Command, CommandContext } from './command.ts';
import { findRun, money, table } from './values.ts';

const describe = (work: WorkStatus): string[] => {
  const watt = (amount: string) => (work.stakeToken === null ? amount : money(amount, work.stakeToken));
  return [
    ...table([
      ['Jobs', `${work.state}${work.detail === '' ? '' : `: ${work.detail}`}`],
      ['Takes open jobs', work.claimsOpen ? 'yes' : 'no'],
      ['Staked', `${watt(work.staked)} (at least ${watt(work.minStake)})`],
      ['At risk', watt(work.atRisk)],
      ['Unbonding', watt(work.unbonding)],
      ['Reputation', `${work.reputation} of 100`],
      ['Running', `${work.running.length}`],
      ...work.earned.map(({ token, amount }) => ['Earned', money(amount, token)]),
    ]),
    ...work.running.map((run) => `  ${run.dealId.slice(0, 12)}  ${run.name}  ${run.phase}  ${run.detail}`.trimEnd()),
  ];
};

const commandId = () => crypto.randomUUID();

/** `work stake 150`: an amount of WATT in smallest units, as text. */
async function wattOf(client: ApiClient, context: CommandContext): Promise<string> {
  const { stakeToken } = await client.work.status();
  if (stakeToken === null) throw new AppError('unsupported', 'This network has no stakes.');
  return parseAmount(context.args[0] ?? '', stakeToken.decimals, 'amount').toString();
}

const simple = (
  name: string,
  about: string,
  act: (client: ApiClient, context: CommandContext) => Promise<WorkStatus>,
): Command => ({
  name,
  about,
  async run(context) {
    const work = await act(await context.api(), context);
    context.print(work, describe(work));
  },
});

export const workCommands: readonly Command[] = [
  simple('work status', 'jobs this computer runs for others, its stake and reputation', (client) =>
    client.work.status(),
  ),
  {
    ...simple('work start', 'take jobs on the shared offer; stakes what is missing', (client, { options }) =>
      client.work.start({ commandId: commandId(), claimsOpen: !options.flag('asked-only') }),
    ),
    options: { 'asked-only': { type: 'boolean', about: 'do not take open jobs without being asked' } },
  },
  simple('work stop', 'take no more jobs; what runs is finished', (client) =>
    client.work.stop({ commandId: commandId() }),
  ),
  {
    ...simple('work end', 'end one run at once; it fails, and its late fee is lost', async (client, { args }) =>
      client.work.stopRun({ dealId: await findRun(client, args[0] ?? '') }),
    ),
    args: ['<run>'],
  },
  {
    ...simple('stake add', 'put WATT at stake as a provider', async (client, context) =>
      client.work.stake({ commandId: commandId(), amount: await wattOf(client, context) }),
    ),
    args: ['<amount>'],
  },
  {
    ...simple('stake unbond', 'begin to take stake back; it can be had after seven days', async (client, context) =>
      client.work.unbond({ commandId: commandId(), amount: await wattOf(client, context) }),
    ),
    args: ['<amount>'],
  },
  simple('stake release', 'take back what has finished unbonding', (client) =>
    client.work.release({ commandId: commandId() }),
  ),
];
