import { Button, Modal } from '@mantine/core';
import { FailureNote } from '../../parts/Note.tsx';

interface StopDialogProps {
  opened: boolean;
  rentals: number;
  busy: boolean;
  error: unknown;
  onClose: () => void;
  onStop: (rentals: 'after' | 'now') => void;
}

/** Turning off while somebody is on the machine: finish first, or end it honestly now. */
export function StopDialog({ opened, rentals, busy, error, onClose, onStop }: StopDialogProps) {
  return (
    <Modal opened={opened} onClose={onClose} title="Somebody is using this computer">
      <p className="modal-text">
        {rentals === 1 ? 'One rental runs' : `${rentals} rentals run`}. Nobody new can rent once you turn sharing off.
      </p>
      <FailureNote error={error} />
      <div className="choice">
        <Button loading={busy} onClick={() => onStop('after')} data-autofocus fullWidth>
          Let it finish, then stop
        </Button>
        <p>You are paid to the end. The switch turns off by itself after that.</p>
        <Button variant="default" color="red" disabled={busy} onClick={() => onStop('now')} fullWidth>
          End it now
        </Button>
        <p>The renter loses the machine at once. You are paid for the seconds served, the rest goes back.</p>
      </div>
    </Modal>
  );
}
