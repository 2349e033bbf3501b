import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Amount } from '../../parts/Amount.tsx';
import { LoadingRows } from '../../parts/Blank.tsx';
import { MissingDeposit } from '../../parts/MissingDeposit.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { useApi } from '../../state/host.ts';
import type { JobFileDraft } from './job-draft.ts';
import { WaitingReasons } from './WaitingReasons.tsx';

const ASK_AFTER_MS = 300;

/** What is locked when the job is submitted, and how many offers could run it. */
export function Estimate({ file }: { file: JobFileDraft }) {
  // Typing does not ask at every key; what is submitted is what stands in the form, not what was asked about last.
  const [asked] = useDebouncedValue(file, ASK_AFTER_MS);
  const estimate = useQuery(
    useApi().jobs.estimate.queryOptions({
      input: { file: asked },
      placeholderData: keepPreviousData,
      staleTime: 5000,
    }),
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
    <section
      className={estimate.isPlaceholderData || asked !== file ? 'cost cost-stale' : 'cost'}
      aria-label="Cost"
      aria-live="polite"
    >
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
      {missing === '0' ? null : <MissingDeposit quote={{ missing, token }} />}
      {fittingOffers === 0 ? <WaitingReasons reasons={waiting} /> : null}
    </section>
  );
}
