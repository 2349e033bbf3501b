import { useQuery } from '@tanstack/react-query';
import { IconHistory } from '@tabler/icons-react';
import type { ApiOutputs } from '../../../src/api/contract.ts';
import { Amount } from '../../parts/Amount.tsx';
import { Blank, LoadingRows } from '../../parts/Blank.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { Panel } from '../../parts/Panel.tsx';
import { TransactionLink } from '../../parts/TransactionLink.tsx';
import { useApi } from '../../state/host.ts';
import { hrefTo } from '../../state/screen.ts';
import { clockTime, exactTime } from '../../view/moment.ts';

type Movement = ApiOutputs['wallet']['history'][number];

const WORDS: Record<Movement['kind'], string> = {
  deposit: 'Deposited',
  withdraw: 'Withdrawn',
  lock: 'Locked for a rental or job',
  refund: 'Came back from a rental or job',
  earned: 'Earned',
  spent: 'Spent',
  fee: 'Network fee',
  penalty: 'Penalty',
  faucet: 'Practice money',
  bond: 'Bond locked for a job',
  'bond-return': 'Bond came back',
  forfeit: 'Forfeited to you',
  stake: 'Staked',
  unstake: 'Stake came back',
  reward: 'Reward for a found fault',
};

/** Every movement with the transaction that made it. */
export function History() {
  const history = useQuery(useApi().wallet.history.queryOptions({ input: {}, refetchInterval: 10_000 }));
  const rows = history.data ?? [];
  return (
    <Panel title="History" flush>
      <FailureNote error={history.data ? null : history.error} />
      {history.isPending ? <LoadingRows lines={5} label="Loading history" /> : null}
      {history.data && rows.length === 0 ? (
        <Blank icon={IconHistory} title="Nothing moved yet">
          Deposits, rentals and earnings appear here, each with its transaction.
        </Blank>
      ) : null}
      {rows.length > 0 ? (
        <div className="table-wrap">
          <table className="plain-table">
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">What</th>
                <th scope="col" className="right">
                  Amount
                </th>
                <th scope="col">Transaction</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row, index) => (
                // One transaction can move several amounts, so the place in the list is part of the name.
                // eslint-disable-next-line react/no-array-index-key
                <tr key={`${row.txHash}-${row.kind}-${index}`}>
                  <td className="figure dim" title={exactTime(row.at)}>
                    {clockTime(row.at)}
                  </td>
                  <td>
                    {row.rentalId === null ? (
                      WORDS[row.kind]
                    ) : (
                      <a href={hrefTo('rentals', row.rentalId)}>{WORDS[row.kind]}</a>
                    )}
                  </td>
                  <td className="right">
                    <Amount amount={row.amount} token={row.token} sign />
                  </td>
                  <td>
                    <TransactionLink hash={row.txHash} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
    </Panel>
  );
}
