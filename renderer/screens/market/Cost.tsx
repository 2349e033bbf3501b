import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { ApiOutputs } from '../../../src/api/contract.ts';
import { formatSeconds } from '../../../src/shared/time.ts';
import { Amount } from '../../parts/Amount.tsx';
import { LoadingRows } from '../../parts/Blank.tsx';
import { FailureNote, Note } from '../../parts/Note.tsx';
import { newCommandId, useApi } from '../../state/host.ts';
import { moneyText } from '../../view/money-view.ts';

type Quote = ApiOutputs['market']['quote'];

interface CostProps {
  quote: Quote | undefined;
  error: unknown;
  seconds: number;
  loading: boolean;
}

/** What leaves the account now, what is charged first, and what comes back. */
export function Cost({ quote, error, seconds, loading }: CostProps) {
  if (!quote) return error ? <FailureNote error={error} /> : <LoadingRows lines={4} label="Working out the cost" />;
  const { token } = quote;
  const returns = BigInt(quote.deposit) - BigInt(quote.chargedFirst);
  return (
    <section className={loading ? 'cost cost-stale' : 'cost'} aria-label="Cost" aria-live="polite">
      <dl className="cost-rows">
        <div className="cost-main">
          <dt>
            Deposit now <small>locked until the rental ends, {formatSeconds(seconds)} at this price</small>
          </dt>
          <dd>
            <Amount amount={quote.deposit} token={token} />
          </dd>
        </div>
        <div>
          <dt>
            Charged first <small>for {formatSeconds(quote.firstSeconds)}, once you have access</small>
          </dt>
          <dd>
            <Amount amount={quote.chargedFirst} token={token} />
          </dd>
        </div>
        <div>
          <dt>
            Comes back <small>at most, if you end right after; you pay by the second</small>
          </dt>
          <dd>
            <Amount amount={returns} token={token} />
          </dd>
        </div>
        <div>
          <dt>Your deposit account</dt>
          <dd>
            <Amount amount={quote.available} token={token} />
          </dd>
        </div>
      </dl>
      {quote.missing === '0' ? null : <Missing quote={quote} />}
    </section>
  );
}

function Missing({ quote }: { quote: Quote }) {
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
