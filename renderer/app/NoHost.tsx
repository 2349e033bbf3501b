import { Button } from '@mantine/core';
import { IconKey, IconPlugConnectedX } from '@tabler/icons-react';
import { Blank } from '../parts/Blank.tsx';
import { CommandLine } from '../parts/CopyButton.tsx';
import { FailureNote } from '../parts/Note.tsx';
import { Mark } from '../parts/Mark.tsx';
import { useLine } from '../state/host-connection.ts';

/** The page before the first word from the host. */
export function Starting({ error }: { error: unknown }) {
  const lost = useLine((line) => line.lostSince);
  return (
    <main className="alone" aria-label="Starting">
      <Mark size={48} />
      <h1>{lost === null ? 'Starting Commonwatt' : 'Waiting for Commonwatt on this computer'}</h1>
      <p role="status">
        {lost === null ? 'One moment.' : 'It does not answer. This page connects by itself as soon as it does.'}
      </p>
      {lost === null ? null : <CommandLine command="npm start" />}
      <FailureNote error={lost === null ? error : null} />
    </main>
  );
}

export function Offline() {
  return (
    <main className="alone" aria-label="Not connected">
      <Blank
        icon={IconPlugConnectedX}
        title="Commonwatt has stopped"
        action={<Button onClick={() => location.reload()}>Connect again</Button>}
      >
        Running rentals are safe: the other side keeps its books, and this computer picks up where it was.
      </Blank>
    </main>
  );
}

export function NotSignedIn() {
  const problem = useLine((line) => line.pairingProblem);
  return (
    <main className="alone" aria-label="Sign in">
      <Blank
        icon={IconKey}
        title="This browser is not signed in"
        action={
          <>
            <CommandLine command="npm run -s commonwatt -- open" />
            <Button variant="default" onClick={() => location.reload()}>
              Try again
            </Button>
          </>
        }
      >
        {problem ?? 'Only you may steer this computer.'} Open the sign-in link that Commonwatt printed when it started,
        or ask for a new one:
      </Blank>
    </main>
  );
}
