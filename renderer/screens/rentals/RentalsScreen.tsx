import { Button, SegmentedControl } from '@mantine/core';
import { IconTerminal2 } from '@tabler/icons-react';
import { useState } from 'react';
import type { Rental } from '../../../src/api/contract.ts';
import { Blank, LoadingRows } from '../../parts/Blank.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { goTo, usePlace } from '../../state/screen.ts';
import { useRentals } from '../../state/status.ts';
import { RentalDetail } from './RentalDetail.tsx';
import { RentalList } from './RentalList.tsx';

type Show = 'open' | 'ended';

export function RentalsScreen() {
  const query = useRentals();
  const chosen = usePlace((place) => place.id);
  const [show, setShow] = useState<Show>('open');
  const rentals = (query.data ?? []).toSorted((a, b) => b.openedAt - a.openedAt);
  const current = rentals.find((rental) => rental.rentalId === chosen) ?? first(rentals, show);
  const shown = rentals.filter((rental) => (rental.phase === 'closed') === (show === 'ended') || rental === current);

  if (query.isPending) return <LoadingRows lines={6} label="Loading rentals" />;
  if (rentals.length === 0) {
    return (
      <>
        <FailureNote error={query.error} />
        <div className="panel">
          <Blank
            icon={IconTerminal2}
            title="No rentals yet"
            action={<Button onClick={() => goTo('market')}>Find a machine</Button>}
          >
            A machine you rent appears here with its terminal, and so does whoever rents yours.
          </Blank>
        </div>
      </>
    );
  }
  return (
    <div className="rentals">
      <div className="rentals-list">
        <SegmentedControl
          aria-label="Which rentals"
          fullWidth
          value={show}
          onChange={(value) => setShow(value)}
          data={[
            { value: 'open', label: `Open (${rentals.filter((rental) => rental.phase !== 'closed').length})` },
            { value: 'ended', label: 'Ended' },
          ]}
        />
        <RentalList rentals={shown} current={current?.rentalId ?? null} />
      </div>
      <div className="rentals-detail">
        <FailureNote error={query.error} />
        {current ? (
          <RentalDetail key={current.rentalId} listed={current} />
        ) : (
          <div className="panel">
            <Blank
              icon={IconTerminal2}
              title={show === 'open' ? 'Nothing runs' : 'Nothing has ended'}
              action={<Button onClick={() => goTo('market')}>Find a machine</Button>}
            />
          </div>
        )}
      </div>
    </div>
  );
}

function first(rentals: Rental[], show: Show) {
  const fitting = rentals.filter((rental) => (rental.phase === 'closed') === (show === 'ended'));
  return fitting.find((rental) => rental.role === 'renter') ?? fitting[0];
}
