import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Amount } from '../../parts/Amount.tsx';
import { LoadingRows } from '../../parts/Blank.tsx';
import { FailureNote, Note } from '../../parts/Note.tsx';
import { useApi } from '../../state/host.ts';
import type { JobFileDraft } from './job-draft.ts';
import { WaitingReasons } from './WaitingReasons.tsx';

/** What is locked when the job is submitted, and how many offers could run it. */
export function Estimate({ file }: { file: JobFileDraft }) {
  const estimate = useQuery(
    useApi().jobs.estimate.queryOptions({ input: { file }, placeholderData: keepPreviousData, staleTime: 5000 }),
  );
  if (!estimate.data) {
    return estimate.error ? (
      <FailureNote error={estimate.error} />
    ) : (
      <LoadingRows lines={3} label="Working out the cost" />
    );
  }
  const { tasks, token, escrow, available, missing, fittingOffers, waiting } = estimate.data;
  return (
    <section className={estimate.isPlaceholderData ? 'cost cost-stale' : 'cost'} aria-label="Cost" aria-live="polite">
      <dl className="cost-rows">
        <div className="cost-main">
          <dt>
            Locked now{' '}
            <small>{tasks === 1 ? 'the bounty' : `${tasks} bounties`}; comes back if it does not work out</small>
          </dt>
          <dd>
            <Amount amount={escrow} token={token} />
          </dd>
        </div>
        <div>
          <dt>Your deposit account</dt>
          <dd>
            <Amount amount={available} token={token} />
          </dd>
        </div>
        <div>
          <dt>Offers that could run it now</dt>
          <dd>
            <span className="figure">{fittingOffers.toLocaleString('en')}</span>
          </dd>
        </div>
      </dl>
      {missing === '0' ? null : (
        <Note kind="warn" title="Your deposit account has too little">
          <Amount amount={missing} token={token} /> are missing. Deposit them on the Wallet screen first.
        </Note>
      )}
      {fittingOffers === 0 ? <WaitingReasons reasons={waiting} /> : null}
    </section>
  );
}
