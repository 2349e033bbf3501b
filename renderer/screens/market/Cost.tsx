import type { ApiOutputs } from '../../../src/api/contract.ts';
import { formatSeconds } from '../../../src/shared/time.ts';
import { Amount } from '../../parts/Amount.tsx';
import { LoadingRows } from '../../parts/Blank.tsx';
import { FailureNote } from '../../parts/Note.tsx';

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
    </section>
  );
}
