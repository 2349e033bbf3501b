import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { ApiOutputs } from '../../../src/api/contract.ts';
import { FailureNote, Note } from '../../parts/Note.tsx';
import { newCommandId, useApi } from '../../state/host.ts';
import { moneyText } from '../../view/money-view.ts';

type Quote = ApiOutputs['market']['quote'];

/** What the deposit account lacks for this rental, put there by one click. */
export function MissingDeposit({ quote }: { quote: Quote }) {
  const api = useApi();
  const queries = useQueryClient();
  const deposit = useMutation(
    api.wallet.deposit.mutationOptions({
      onSuccess: () =>
        Promise.all([
          queries.invalidateQueries({ queryKey: api.market.quote.key() }),
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
