import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { ApiOutputs } from '../../src/api/contract.ts';
import { newCommandId, useApi } from '../state/host.ts';
import { moneyText } from '../view/money-view.ts';
import { FailureNote, Note } from './Note.tsx';

type Lack = Pick<ApiOutputs['market']['quote'], 'missing' | 'token'>;

/** What the deposit account lacks for a rental or a job, put there by one click. */
export function MissingDeposit({ quote }: { quote: Lack }) {
  const api = useApi();
  const queries = useQueryClient();
  const deposit = useMutation(
    api.wallet.deposit.mutationOptions({
      onSuccess: () =>
        Promise.all([
          queries.invalidateQueries({ queryKey: api.market.quote.key() }),
          queries.invalidateQueries({ queryKey: api.jobs.estimate.key() }),
          queries.invalidateQueries({ queryKey: api.wallet.key() }),
        ]),
    }),
  );
  const amount = moneyText(quote.missing, quote.token);
  return (
    <>
      <Note
        kind="warn"
        title={`${amount} are missing in your deposit account`}
        action={
          <Button
            size="xs"
            loading={deposit.isPending}
            onClick={() =>
              deposit.mutate({ commandId: newCommandId(), token: quote.token.address, amount: quote.missing })
            }
          >
            Deposit {amount}
          </Button>
        }
      >
        It comes from your wallet and can be withdrawn at any time.
      </Note>
      <FailureNote error={deposit.error} />
    </>
  );
}
