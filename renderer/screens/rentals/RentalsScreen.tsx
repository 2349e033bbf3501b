import { Button, SegmentedControl } from '@mantine/core';
import { IconTerminal2 } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import type { Rental } from '../../../src/api/contract.ts';
import { Blank, LoadingRows } from '../../parts/Blank.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { goTo, settleAt, usePlace } from '../../state/screen.ts';
import { useRentals } from '../../state/status.ts';
import { RentalDetail } from './RentalDetail.tsx';
import { RentalList } from './RentalList.tsx';

type Show = 'open' | 'ended';

export function RentalsScreen() {
  const query = useRentals();
  const chosen = usePlace((place) => place.id);
  const [wanted, setWanted] = useState<Show>('open');
  const rentals = (query.data ?? []).toSorted((a, b) => b.openedAt - a.openedAt);
  const named = rentals.find((rental) => rental.rentalId === chosen);
  const show = named ? kindOf(named) : wanted;
  const current = named ?? first(rentals, show);
  const shown = rentals.filter((rental) => kindOf(rental) === show);
  // What is looked at stays in sight when it ends: its settlement is what one wants to see then.
  const unnamed = named ? undefined : current?.rentalId;
  useEffect(() => {
    if (unnamed !== undefined) settleAt('rentals', unnamed);
  }, [unnamed]);

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
    <div className="desk">
      <div className="desk-list">
        <SegmentedControl
          aria-label="Which rentals"
          fullWidth
          value={show}
          onChange={(value) => {
            setWanted(value);
            goTo('rentals', first(rentals, value)?.rentalId);
          }}
          data={[
            { value: 'open', label: `Open (${rentals.filter((rental) => kindOf(rental) === 'open').length})` },
            { value: 'ended', label: 'Ended' },
          ]}
        />
        <RentalList rentals={shown} current={current?.rentalId ?? null} />
      </div>
      <div className="desk-detail">
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

const kindOf = (rental: Rental): Show => (rental.phase === 'closed' ? 'ended' : 'open');

function first(rentals: Rental[], show: Show) {
  const fitting = rentals.filter((rental) => kindOf(rental) === show);
  return fitting.find((rental) => rental.role === 'renter') ?? fitting[0];
}
