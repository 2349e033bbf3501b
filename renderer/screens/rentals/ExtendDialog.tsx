import { Button, Modal } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { Rental } from '../../../src/api/contract.ts';
import { depositFor } from '../../../src/shared/money.ts';
import { formatSeconds } from '../../../src/shared/time.ts';
import { Amount } from '../../parts/Amount.tsx';
import { DurationPicker } from '../../parts/DurationPicker.tsx';
import { Facts } from '../../parts/Figure.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { newCommandId, useApi } from '../../state/host.ts';
import { moneyText } from '../../view/money-view.ts';

interface DialogProps {
  rental: Rental;
  opened: boolean;
  onClose: () => void;
}

const YEAR = 31_536_000;

export function ExtendDialog({ rental, opened, onClose }: DialogProps) {
  const api = useApi();
  const queries = useQueryClient();
  const [seconds, setSeconds] = useState(3600);
  const extend = useMutation(
    api.rentals.extend.mutationOptions({
      onSuccess: (next) => {
        queries.setQueryData(api.rentals.get.queryKey({ input: { rentalId: rental.rentalId } }), next);
        onClose();
      },
    }),
  );
  const more = depositFor(BigInt(rental.price), rental.unit, rental.capSeconds + seconds) - BigInt(rental.deposit);
  return (
    <Modal opened={opened} onClose={onClose} title="Extend this rental" size={480}>
      <div className="form">
        <DurationPicker label="Add" seconds={seconds} maxSeconds={YEAR} onChange={setSeconds} />
        <Facts
          rows={[
            ['Time left then', formatSeconds(rental.capSeconds + seconds - rental.servedSeconds)],
            ['More deposit', <Amount key="more" amount={more} token={rental.token} />],
          ]}
        />
        <p className="hint">Locked until the rental ends; what is not used comes back.</p>
        <FailureNote error={extend.error} />
        <Button
          loading={extend.isPending}
          onClick={() => extend.mutate({ rentalId: rental.rentalId, commandId: newCommandId(), seconds })}
        >
          Extend, {moneyText(more, rental.token)} deposit
        </Button>
      </div>
    </Modal>
  );
}
