import { Button } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { ApiOutputs } from '../../../src/api/contract.ts';
import { ETH, type Address } from '../../../src/shared/ids.ts';
import { Amount } from '../../parts/Amount.tsx';
import { LoadingRows } from '../../parts/Blank.tsx';
import { toastDone } from '../../parts/toast-done.ts';
import { FailureNote } from '../../parts/Note.tsx';
import { Panel } from '../../parts/Panel.tsx';
import { useApi } from '../../state/host.ts';
import { plainText } from '../../../src/shared/plain-text.ts';
import { MoveDialog, type Move } from './MoveDialog.tsx';

type Balance = ApiOutputs['wallet']['balances'][number];

interface BalancesProps {
  locked: boolean;
  practice: boolean;
  address: Address | null;
}

const EVERY_MS = 5000;

/** What one has, per currency: in the wallet, in the deposit account, locked in rentals. */
export function Balances({ locked, practice, address }: BalancesProps) {
  const api = useApi();
  const queries = useQueryClient();
  const balances = useQuery(api.wallet.balances.queryOptions({ refetchInterval: EVERY_MS }));
  const [move, setMove] = useState<{ kind: Move; balance: Balance } | null>(null);
  const [shown, setShown] = useState(false);
  const faucet = useMutation(
    api.wallet.faucet.mutationOptions({
      onSuccess: () => {
        toastDone('Practice money is on its way', 'It shows up in your wallet in a moment.');
        return queries.invalidateQueries({ queryKey: api.wallet.key() });
      },
    }),
  );
  const start = (kind: Move, balance: Balance) => {
    setMove({ kind, balance });
    setShown(true);
  };
  const rows = balances.data ?? [];
  // Rentals are mostly paid in a token; ETH in the wallet pays the network's fees.
  const first = rows.find((row) => row.token.address !== ETH) ?? rows[0];
  return (
    <Panel
      title="Balances"
      flush
      aside={
        <>
          {practice ? (
            <Button variant="default" size="xs" loading={faucet.isPending} onClick={() => faucet.mutate(undefined)}>
              Get practice money
            </Button>
          ) : null}
          {first ? (
            <Button size="xs" disabled={locked} onClick={() => start('deposit', first)}>
              Deposit
            </Button>
          ) : null}
        </>
      }
    >
      <FailureNote error={balances.data ? faucet.error : balances.error} />
      {balances.isPending ? <LoadingRows lines={3} label="Loading balances" /> : null}
      {rows.length > 0 ? (
        <div className="table-wrap">
          <table className="plain-table">
            <thead>
              <tr>
                <th scope="col">Currency</th>
                <th scope="col" className="right">
                  In your wallet
                </th>
                <th scope="col" className="right">
                  Deposited, free
                </th>
                <th scope="col" className="right">
                  Locked in rentals
                </th>
                <th scope="col">
                  <span className="sr-only">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((balance) => (
                <tr key={balance.token.address}>
                  <th scope="row">
                    {balance.token.symbol} <span className="dim token-name">{plainText(balance.token.name, 24)}</span>
                  </th>
                  <td className="right">
                    <Amount amount={balance.wallet} token={balance.token} />
                  </td>
                  <td className="right">
                    <Amount amount={balance.available} token={balance.token} />
                  </td>
                  <td className="right">
                    <Amount amount={balance.locked} token={balance.token} />
                  </td>
                  <td className="row-actions">
                    <Button
                      variant="subtle"
                      color="gray"
                      size="compact-sm"
                      disabled={locked}
                      aria-label={`Deposit ${balance.token.symbol}`}
                      onClick={() => start('deposit', balance)}
                    >
                      Deposit
                    </Button>
                    <Button
                      variant="subtle"
                      color="gray"
                      size="compact-sm"
                      disabled={locked || balance.available === '0'}
                      aria-label={`Withdraw ${balance.token.symbol}`}
                      onClick={() => start('withdraw', balance)}
                    >
                      Withdraw
                    </Button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
      <p className="hint panel-hint">
        Your wallet pays network fees and fills the deposit account. The deposit account pays rentals; what is free
        there can be withdrawn at any time.
      </p>
      {move ? (
        <MoveDialog
          key={`${move.kind}-${move.balance.token.address}`}
          move={move.kind}
          balance={rows.find((row) => row.token.address === move.balance.token.address) ?? move.balance}
          own={address}
          opened={shown}
          onClose={() => setShown(false)}
        />
      ) : null}
    </Panel>
  );
}
