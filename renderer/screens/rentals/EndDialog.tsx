import { Button, Modal } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { Rental } from '../../../src/api/contract.ts';
import { formatSeconds } from '../../../src/shared/time.ts';
import { Amount } from '../../parts/Amount.tsx';
import { Facts } from '../../parts/Figure.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { newCommandId, useApi } from '../../state/host.ts';

interface DialogProps {
  rental: Rental;
  opened: boolean;
  onClose: () => void;
}

/** Ending, with what will be paid in plain sight before it is. */
export function EndDialog({ rental, opened, onClose }: DialogProps) {
  const api = useApi();
  const queries = useQueryClient();
  const end = useMutation(
    api.rentals.terminate.mutationOptions({
      onSuccess: ({ rental: next }) => {
        queries.setQueryData(api.rentals.get.queryKey({ input: { rentalId: rental.rentalId } }), next);
        onClose();
      },
      onSettled: () => queries.invalidateQueries({ queryKey: api.rentals.key() }),
    }),
  );
  const starting = rental.phase === 'opening' || rental.phase === 'preparing';
  const provider = rental.role === 'provider';
  return (
    <Modal opened={opened} onClose={onClose} title={starting ? 'Cancel this rental?' : 'End this rental?'} size={480}>
      <div className="form">
        <p className="modal-text">
          {provider
            ? 'The renter loses the machine at once. You are paid for the seconds served.'
            : 'The machine and everything on it are deleted. Copy what you need first.'}
        </p>
        <Facts
          rows={[
            [
              'Time used',
              <span key="t" className="figure">
                {formatSeconds(rental.servedSeconds)}
              </span>,
            ],
            [
              provider ? 'You are paid' : 'You pay',
              <Amount key="s" amount={rental.spent} token={rental.token} digits={9} />,
            ],
            [
              provider ? 'The renter gets back' : 'You get back',
              <Amount key="l" amount={rental.left} token={rental.token} digits={9} />,
            ],
          ]}
        />
        <p className="hint">
          The figures run until both sides have signed; you see the exact ones when the network has settled.
        </p>
        <FailureNote error={end.error} />
        <div className="dialog-actions">
          <Button variant="default" onClick={onClose} data-autofocus>
            Keep it running
          </Button>
          <Button
            color="red"
            loading={end.isPending}
            onClick={() => end.mutate({ rentalId: rental.rentalId, commandId: newCommandId() })}
          >
            {starting ? 'Cancel rental' : 'End and settle'}
          </Button>
        </div>
      </div>
    </Modal>
  );
}
