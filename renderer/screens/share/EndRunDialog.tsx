import { Button, Modal } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { WorkStatus } from '../../../src/api/contract.ts';
import { FailureNote } from '../../parts/Note.tsx';
import { useApi } from '../../state/host.ts';
import { clockTime } from '../../view/moment.ts';
import { moneyText } from '../../view/money-view.ts';
import { plainText } from '../../../src/shared/plain-text.ts';

interface EndRunDialogProps {
  run: WorkStatus['running'][number];
  opened: boolean;
  onClose: () => void;
}

/** The contract's `LATE_FEE_BPS`: a tenth of the bounty, of a copy's part of it where several run it. */
const LATE_FEE_PART = 10n;

/** Ending a job that runs for somebody, with what that costs in plain sight before it is done. */
export function EndRunDialog({ run, opened, onClose }: EndRunDialogProps) {
  const api = useApi();
  const queries = useQueryClient();
  const end = useMutation(
    api.work.stopRun.mutationOptions({
      onSuccess: (next) => {
        queries.setQueryData(api.work.status.queryKey(), next);
        onClose();
      },
    }),
  );
  const fee = moneyText(BigInt(run.bounty) / LATE_FEE_PART, run.token);
  return (
    <Modal opened={opened} onClose={onClose} title="End this job?" size={480}>
      <div className="form">
        <p className="modal-text">
          {run.name === '' ? 'The job' : `“${plainText(run.name, 48)}”`} stops at once. What it did is lost, nothing is
          handed in, and you are not paid for it.
        </p>
        <ul className="plain-list">
          <li>
            Late fee: up to {fee} out of its bond, paid to whoever gave you the job. It is due when the job is, at{' '}
            {clockTime(run.submitBy)}.
          </li>
          <li>A strike: your public record then counts one more job that brought no result.</li>
        </ul>
        <FailureNote error={end.error} />
        <div className="dialog-actions">
          <Button variant="default" onClick={onClose} data-autofocus>
            Keep it running
          </Button>
          <Button color="red" loading={end.isPending} onClick={() => end.mutate({ dealId: run.dealId })}>
            End it
          </Button>
        </div>
      </div>
    </Modal>
  );
}
