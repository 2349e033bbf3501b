import { IconFlask } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { useLine } from '../state/host-connection.ts';
import { useStatus } from '../state/status.ts';
import { CommandLine } from '../parts/CopyButton.tsx';
import { Note } from '../parts/Note.tsx';
import { ProgressLine } from '../parts/ProgressLine.tsx';
import { plainText } from '../../src/shared/plain-text.ts';

/** What every screen must say while it is so: practice money, a lost line, a network that is not there. */
export function Banners() {
  const network = useStatus().data?.network;
  return (
    <>
      {network?.practice ? (
        <div className="practice" role="note">
          <IconFlask size={14} aria-hidden />
          <span>
            <strong>Practice network</strong> · practice money, worth nothing. Everything else is real.
          </span>
        </div>
      ) : null}
      <div aria-live="polite">
        <LostLine />
        {network && network.state !== 'live' ? <NetworkBanner network={network} /> : null}
      </div>
    </>
  );
}

const PATIENCE_MS = 700;

function LostLine() {
  const lostSince = useLine((line) => line.lostSince);
  const [late, setLate] = useState(false);
  useEffect(() => {
    setLate(false);
    if (lostSince === null) return undefined;
    const timer = setTimeout(() => setLate(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [lostSince]);
  if (!late) return null;
  return (
    <div className="banner">
      <Note kind="warn" title="Connection to Commonwatt on this computer lost. Reconnecting…">
        What you see is from a moment ago. Running rentals go on. If it stays like this, start Commonwatt again.
      </Note>
    </div>
  );
}

type Network = NonNullable<ReturnType<typeof useStatus>['data']>['network'];

function NetworkBanner({ network }: { network: Network }) {
  const detail = plainText(network.detail, 300);
  if (network.state === 'catching-up' && network.progress) {
    return (
      <div className="banner banner-slim">
        <ProgressLine progress={network.progress} />
      </div>
    );
  }
  if (network.state === 'wrong-network') {
    return (
      <div className="banner">
        <Note
          kind="bad"
          title={`Connected to another network than ${plainText(network.name, 40)}`}
          action={<CommandLine command={`npm start -- --network ${network.practice ? 'practice' : 'NAME'}`} />}
        >
          {detail} Nothing is signed or paid until this is right: start Commonwatt with the network you mean.
        </Note>
      </div>
    );
  }
  if (network.state === 'down') {
    return (
      <div className="banner">
        <Note kind="warn" title={`${plainText(network.name, 40)} cannot be reached`}>
          {detail} Rentals that run go on; new ones wait. It tries again by itself: check this computer’s internet
          connection.
        </Note>
      </div>
    );
  }
  return (
    <div className="banner banner-slim">
      <Note title={`Connecting to ${plainText(network.name, 40)}…`}>{detail}</Note>
    </div>
  );
}
