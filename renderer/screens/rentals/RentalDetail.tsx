import { Button, Tabs } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useState } from 'react';
import type { Rental } from '../../../src/api/contract.ts';
import { shortId } from '../../../src/shared/ids.ts';
import { MachineName } from '../../parts/MachineName.tsx';
import { LoadingRows } from '../../parts/Blank.tsx';
import { FailureNote, Note } from '../../parts/Note.tsx';
import { ProgressLine } from '../../parts/ProgressLine.tsx';
import { StateMark } from '../../parts/StateMark.tsx';
import { fetchCode } from '../../state/fetch-code.ts';
import { useApi, useClient } from '../../state/host.ts';
import { useLiveQuery } from '../../state/live.ts';
import { machineText } from '../../view/machine.ts';
import { phaseWords } from '../../view/phase-words.ts';
import { plainText } from '../../../src/shared/plain-text.ts';
import { Agreement } from './Agreement.tsx';
import { EndDialog } from './EndDialog.tsx';
import { ExtendDialog } from './ExtendDialog.tsx';
import { LiveMeter } from './LiveMeter.tsx';
import { Ports } from './Ports.tsx';
import { Settlement } from './Settlement.tsx';

// The terminal is a third of the window's code, and rentals that ended have none.
const RemoteTerminal = lazy(async () => ({
  default: (await fetchCode(() => import('./RemoteTerminal.tsx'))).RemoteTerminal,
}));

const STARTING = new Set(['opening', 'preparing']);
const LIVE = new Set(['running', 'paused']);

export function RentalDetail({ listed }: { listed: Rental }) {
  const { rentalId } = listed;
  const api = useApi();
  const client = useClient();
  const options = api.rentals.get.queryOptions({ input: { rentalId }, initialData: listed });
  const query = useQuery(options);
  const [dialog, setDialog] = useState<'extend' | 'end' | null>(null);
  useLiveQuery(api.rentals.get.queryKey({ input: { rentalId } }), (signal) =>
    client.rentals.watch({ rentalId }, { signal }),
  );
  const rental = query.data;
  const words = phaseWords(rental);
  const starting = STARTING.has(rental.phase);
  const live = LIVE.has(rental.phase);
  return (
    <article className="panel detail" aria-label={`Rental of ${machineText(rental)}`}>
      <header className="detail-head">
        <div>
          <h2>
            <MachineName machine={rental} />
          </h2>
          <p className="dim">
            {rental.role === 'renter' ? 'rented from' : 'rented to'} <code>{shortId(rental.counterparty)}</code>
            {rental.connected && rental.rttMs !== null ? ` · direct line, ${Math.round(rental.rttMs)} ms` : ''}
            {!rental.connected && live ? ' · direct line lost, reconnecting' : ''}
          </p>
        </div>
        <div className="detail-actions">
          {live && rental.role === 'renter' ? (
            <Button variant="default" onClick={() => setDialog('extend')}>
              Extend
            </Button>
          ) : null}
          {live || starting ? (
            <Button variant="default" onClick={() => setDialog('end')}>
              {starting ? 'Cancel' : 'End rental'}
            </Button>
          ) : null}
        </div>
      </header>
      <div className="phase" role="status" aria-live="polite">
        <StateMark shape={words.shape} label={words.label} />
        <span>{rental.detail === '' ? words.sentence : plainText(rental.detail, 300)}</span>
      </div>
      {rental.progress && rental.phase !== 'closed' ? <ProgressLine progress={rental.progress} /> : null}
      {rental.phase === 'paused' ? (
        <Note kind="warn" title="Nothing is charged while the meter stands still">
          It goes on by itself when the other side answers. End the rental if you do not want to wait.
        </Note>
      ) : null}
      <FailureNote error={query.error} />
      {rental.settlement ? (
        <Settlement rental={rental} settlement={rental.settlement} />
      ) : (
        <LiveMeter rental={rental} />
      )}
      {rental.role === 'renter' ? <RenterTabs rental={rental} /> : <Agreement rental={rental} />}
      <ExtendDialog rental={rental} opened={dialog === 'extend'} onClose={() => setDialog(null)} />
      <EndDialog rental={rental} opened={dialog === 'end'} onClose={() => setDialog(null)} />
    </article>
  );
}

function RenterTabs({ rental }: { rental: Rental }) {
  const usable = LIVE.has(rental.phase);
  if (!usable) return <Agreement rental={rental} />;
  return (
    <Tabs defaultValue="terminal" keepMounted className="detail-tabs">
      <Tabs.List>
        <Tabs.Tab value="terminal">Terminal</Tabs.Tab>
        <Tabs.Tab value="ports">Ports</Tabs.Tab>
        <Tabs.Tab value="logs">Log</Tabs.Tab>
        <Tabs.Tab value="agreement">Agreement</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="terminal" className="fill-panel">
        <Suspense fallback={<LoadingRows lines={6} label="Loading the terminal" />}>
          <RemoteTerminal rentalId={rental.rentalId} kind="terminal" />
        </Suspense>
      </Tabs.Panel>
      <Tabs.Panel value="ports">
        <Ports rental={rental} />
      </Tabs.Panel>
      <Tabs.Panel value="logs" className="fill-panel" keepMounted={false}>
        <Suspense fallback={<LoadingRows lines={6} label="Loading the log" />}>
          <RemoteTerminal rentalId={rental.rentalId} kind="logs" />
        </Suspense>
      </Tabs.Panel>
      <Tabs.Panel value="agreement">
        <Agreement rental={rental} />
      </Tabs.Panel>
    </Tabs>
  );
}
