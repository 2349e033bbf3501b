import { IconBuildingStore, IconChecklist, IconPower, IconTerminal2, IconWallet, type Icon } from '@tabler/icons-react';
import { shortId } from '../../src/shared/ids.ts';
import { Mark } from '../parts/Mark.tsx';
import { hrefTo, usePlace } from '../state/screen.ts';
import { SCREENS, type ScreenName } from '../view/screens.ts';
import { useJobs, useRentals, useStatus } from '../state/status.ts';
import { openJobs } from '../view/job-words.ts';
import { plainText } from '../../src/shared/plain-text.ts';
import { useLine } from '../state/host-connection.ts';
import { SCREEN_KEYS } from './shortcuts.ts';

const ITEMS: Record<ScreenName, { label: string; icon: Icon }> = {
  share: { label: 'Share', icon: IconPower },
  market: { label: 'Market', icon: IconBuildingStore },
  rentals: { label: 'Rentals', icon: IconTerminal2 },
  jobs: { label: 'Jobs', icon: IconChecklist },
  wallet: { label: 'Wallet', icon: IconWallet },
};

export function Sidebar() {
  const current = usePlace((place) => place.screen);
  const sharing = useStatus().data?.sharing;
  const open = (useRentals().data ?? []).filter((rental) => rental.phase !== 'closed').length;
  const jobs = openJobs(useJobs().data?.counts);
  return (
    <aside className="sidebar" aria-label="Commonwatt">
      <div className="brand">
        <Mark />
        <span>Commonwatt</span>
      </div>
      <nav aria-label="Screens">
        {SCREENS.map((name) => {
          const { label, icon: IconPart } = ITEMS[name];
          return (
            <a
              key={name}
              href={hrefTo(name)}
              className="nav-item"
              {...(current === name ? { 'aria-current': 'page' as const } : {})}
              aria-keyshortcuts={`Alt+${SCREEN_KEYS[name]}`}
            >
              <IconPart size={18} stroke={1.75} aria-hidden />
              <span className="nav-label">{label}</span>
              {name === 'share' && sharing?.state === 'on' ? <span className="nav-state">on</span> : null}
              {name === 'rentals' && open > 0 ? (
                <span className="nav-state" title="Open rentals">
                  {open}
                </span>
              ) : null}
              {name === 'jobs' && jobs > 0 ? (
                <span className="nav-state" title="Jobs that have not ended">
                  {jobs}
                </span>
              ) : null}
              <kbd aria-hidden>Alt {SCREEN_KEYS[name]}</kbd>
            </a>
          );
        })}
      </nav>
      <HostState />
    </aside>
  );
}

const NETWORK_WORDS = {
  connecting: 'connecting',
  'catching-up': 'catching up',
  live: 'live',
  down: 'not reachable',
  'wrong-network': 'wrong network',
} as const;

/** Which network, which wallet, and whether the line to the host stands: at the foot of every screen. */
function HostState() {
  const status = useStatus().data;
  const line = useLine((now) => now.state);
  if (!status) return null;
  const { network, wallet, engine, peer } = status;
  const connected = line === 'open';
  return (
    <dl className="host-state" aria-label="State of this computer">
      <Line
        name="Network"
        good={network.state === 'live'}
        value={`${plainText(network.name, 18)}, ${NETWORK_WORDS[network.state]}`}
      />
      <Line name="Block" good={network.state === 'live'} value={network.headBlock.toLocaleString('en')} shape={false} />
      <Line
        name="Docker"
        good={engine.state === 'up'}
        value={engine.state === 'up' ? plainText(engine.version ?? 'up', 14) : 'not running'}
      />
      <Line
        name="Direct line"
        good={peer.state === 'online'}
        value={peer.state === 'online' ? `${peer.connections} open` : peer.state}
      />
      <Line
        name="Wallet"
        good={wallet.exists && !wallet.locked}
        value={
          !wallet.exists
            ? 'none'
            : wallet.address === null
              ? 'locked'
              : `${shortId(wallet.address)}${wallet.locked ? ', locked' : ''}`
        }
      />
      <Line name="This app" good={connected} value={connected ? 'connected' : 'reconnecting'} />
    </dl>
  );
}

function Line({ name, value, good, shape = true }: { name: string; value: string; good: boolean; shape?: boolean }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {shape ? <span className={good ? 'dot dot-good' : 'dot dot-bad'} aria-hidden /> : null}
        <span>{value}</span>
      </dd>
    </div>
  );
}
