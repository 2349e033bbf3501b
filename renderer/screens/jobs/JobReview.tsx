import { Button, Modal, Textarea } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useId, useState } from 'react';
import type { Job } from '../../../src/api/contract.ts';
import { formatSeconds } from '../../../src/shared/time.ts';
import { MissingDeposit } from '../../parts/MissingDeposit.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { newCommandId, useApi } from '../../state/host.ts';
import { moneyText } from '../../view/money-view.ts';

type Review = NonNullable<Job['review']>;

const MAX_REASON = 300;

/** A result that is not paid before its owner said so, or the time for that is over. */
export function JobReview({ job, review }: { job: Job; review: Review }) {
  const [rejecting, setRejecting] = useState(false);
  const heading = useId();
  const api = useApi();
  const decided = useDecided(job.taskId);
  const accept = useMutation(api.jobs.accept.mutationOptions(decided));
  const left = useSecondsUntil(review.until);
  return (
    <section className="review" aria-labelledby={heading}>
      <div className="review-words">
        <h3 id={heading}>Your word is needed</h3>
        <p>
          {left > 0 ? (
            <>
              Paid in <span className="figure">{formatSeconds(left)}</span> unless you reject it.
            </>
          ) : (
            'The time to reject it is over. It is being paid.'
          )}
        </p>
      </div>
      <div className="button-row">
        <Button
          variant="default"
          loading={accept.isPending}
          disabled={left === 0}
          onClick={() => accept.mutate({ taskId: job.taskId, commandId: newCommandId() })}
        >
          Accept and pay
        </Button>
        <Button variant="default" disabled={left === 0 || accept.isPending} onClick={() => setRejecting(true)}>
          Reject…
        </Button>
      </div>
      <FailureNote error={accept.error} />
      <RejectDialog job={job} review={review} opened={rejecting} onClose={() => setRejecting(false)} />
    </section>
  );
}

interface RejectDialogProps {
  job: Job;
  review: Review;
  opened: boolean;
  onClose: () => void;
}

/** Rejecting, with what it locks and what can come of it in plain sight before it is done. */
function RejectDialog({ job, review, opened, onClose }: RejectDialogProps) {
  const api = useApi();
  const [reason, setReason] = useState('');
  const [unsaid, setUnsaid] = useState(false);
  const missing = useMissing(review.bond, job.token.address, opened);
  const decided = useDecided(job.taskId);
  const reject = useMutation(api.jobs.reject.mutationOptions(decided));
  const bond = moneyText(review.bond, job.token);
  return (
    <Modal opened={opened} onClose={onClose} title="Reject this result?" size={480}>
      <form
        className="form"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          setUnsaid(reason.trim() === '');
          if (reason.trim() === '') event.currentTarget.querySelector('textarea')?.focus();
          else reject.mutate({ taskId: job.taskId, commandId: newCommandId(), reason: reason.trim() });
        }}
      >
        <p className="modal-text">
          A jury of validators looks at it. If they find the result wrong, the bounty comes back to you.
        </p>
        <ul className="plain-list">
          <li>
            {bond} of yours are locked as a bond until then, and lost if the jury finds the result right. The provider
            is paid in that case.
          </li>
          <li>Without enough jurors the provider is paid.</li>
        </ul>
        <Textarea
          label="What is wrong with it"
          required
          rows={3}
          maxLength={MAX_REASON}
          value={reason}
          onChange={(event) => {
            setReason(event.currentTarget.value);
            setUnsaid(false);
          }}
          error={unsaid ? 'Say what is wrong with the result.' : undefined}
          data-autofocus
        />
        {missing === 0n ? (
          <FailureNote error={reject.error} />
        ) : (
          <MissingDeposit quote={{ missing: `${missing}`, token: job.token }} />
        )}
        <div className="dialog-actions">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" color="red" loading={reject.isPending}>
            Reject, lock {bond}
          </Button>
        </div>
      </form>
    </Modal>
  );
}

/** What the deposit account lacks of `amount`, smallest units of the token; 0 while that is not known. */
function useMissing(amount: string, token: string, enabled: boolean): bigint {
  const balances = useQuery(useApi().wallet.balances.queryOptions({ enabled }));
  const balance = balances.data?.find((row) => row.token.address === token);
  const missing = balance ? BigInt(amount) - BigInt(balance.available) : 0n;
  return missing > 0n ? missing : 0n;
}

/** What follows the owner's word: the task as it stands now, here and in every list. */
function useDecided(taskId: string) {
  const api = useApi();
  const queries = useQueryClient();
  return {
    onSuccess: (next: Job) => queries.setQueryData(api.jobs.get.queryKey({ input: { taskId } }), next),
    onSettled: () => queries.invalidateQueries({ queryKey: api.jobs.key() }),
  };
}

/** Whole seconds left until `until` (unix seconds), 0 afterwards; counts down. */
function useSecondsUntil(until: number): number {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1000), 1000);
    return () => clearInterval(timer);
  }, []);
  return Math.max(0, Math.floor(until - now));
}
