import { Button, Modal } from '@mantine/core';
import { useState } from 'react';
import { Mark } from '../parts/Mark.tsx';
import { goTo } from '../state/screen.ts';
import { usePreferences } from '../state/preferences.ts';
import { useStatus } from '../state/status.ts';
import { NeighbourStart } from './Neighbour.tsx';

const finish = () => usePreferences.setState({ firstRunDone: true });

/** At most three steps, each can be skipped. On a real network there is no neighbour, so there are two. */
export function FirstRun() {
  const done = usePreferences((preferences) => preferences.firstRunDone);
  const status = useStatus().data;
  const [step, setStep] = useState(0);
  if (done || !status) return null;
  const { practice } = status.network;
  const steps = practice ? 3 : 2;
  const leave = (screen?: 'share' | 'market') => {
    finish();
    if (screen) goTo(screen);
  };
  return (
    <Modal
      opened
      onClose={() => leave()}
      size={520}
      title={`Welcome · step ${step + 1} of ${steps}`}
      classNames={{ body: 'first-run' }}
    >
      {step === 0 ? (
        <>
          <Mark size={40} />
          <h2>One card, two people</h2>
          <p>
            Somebody has a graphics card that idles, somebody needs one for an hour. Commonwatt connects the two
            computers directly and pays by the second. No company stands in between.
          </p>
        </>
      ) : null}
      {step === 1 ? (
        <>
          <h2>{practice ? 'You start with practice money' : 'You pay from your own wallet'}</h2>
          <p>
            {practice
              ? 'This is the practice network: it runs on this computer, your wallet is made and filled already, and its money is worth nothing. Machines, terminals and meters are real.'
              : 'Make or import a wallet, then deposit what you want to spend. Only what a rental needs is locked, and what is not used comes back.'}
          </p>
        </>
      ) : null}
      {step === 2 ? (
        <>
          <h2>Somebody to try it with</h2>
          <p>
            A practice neighbour is a second, real Commonwatt on this computer. Rent its processor, or let it rent your
            machine.
          </p>
          <NeighbourStart />
        </>
      ) : null}
      <div className="first-run-actions">
        <Button variant="subtle" color="gray" onClick={() => leave()}>
          Skip
        </Button>
        {step < steps - 1 ? (
          <Button data-autofocus onClick={() => setStep(step + 1)}>
            Next
          </Button>
        ) : (
          <>
            <Button variant="default" onClick={() => leave('market')}>
              Rent a machine
            </Button>
            <Button onClick={() => leave('share')}>Share this computer</Button>
          </>
        )}
      </div>
    </Modal>
  );
}
