import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { useLine } from '../state/host-connection.ts';
import { useLiveData, useStatus } from '../state/status.ts';
import { usePlace } from '../state/screen.ts';
import { type ScreenName } from '../view/screens.ts';
import { Banners } from './Banners.tsx';
import { FirstRun } from './FirstRun.tsx';
import { NotSignedIn, Offline, Starting } from './NoHost.tsx';
import { Screen } from './Screen.tsx';
import { Sidebar } from './Sidebar.tsx';
import { useShortcuts } from './shortcuts.ts';
import { TopBar } from './TopBar.tsx';

const TITLES: Record<ScreenName, string> = {
  share: 'Share',
  market: 'Market',
  rentals: 'Rentals',
  jobs: 'Jobs',
  wallet: 'Wallet',
};

/** Everything around a screen, and the screen. */
export function Frame() {
  const screen = usePlace((place) => place.screen);
  const line = useLine((now) => now.state);
  useLiveData();
  useRefetchOnReturn();
  useShortcuts();
  useTitle(TITLES[screen]);
  const status = useStatus();
  const main = useFocusOnScreenChange(screen);

  if (line === 'refused') return <NotSignedIn />;
  if (!status.data) return line === 'closed' ? <Offline /> : <Starting error={status.error} />;
  return (
    <div className="frame">
      <a className="skip-link" href="#main" onClick={(event) => skipTo(event, main.current)}>
        Skip to content
      </a>
      <Sidebar />
      <div className="frame-right">
        <section aria-label="Window">
          <Banners />
          <TopBar title={TITLES[screen]} />
        </section>
        <main id="main" ref={main} tabIndex={-1} aria-label={TITLES[screen]} className={`screen screen-${screen}`}>
          <Screen name={screen} />
        </main>
      </div>
      <FirstRun />
    </div>
  );
}

function skipTo(event: { preventDefault(): void }, main: HTMLElement | null) {
  event.preventDefault();
  main?.focus();
}

/** The keyboard starts in the screen one has just gone to, not where the last one was. */
function useFocusOnScreenChange(screen: ScreenName) {
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useEffect(() => {
    if (first.current) first.current = false;
    else main.current?.focus({ preventScroll: true });
    main.current?.scrollTo({ top: 0 });
  }, [screen]);
  return main;
}

/** What was missed while the line was lost is read again. */
function useRefetchOnReturn() {
  const open = useLine((line) => line.state === 'open');
  const queries = useQueryClient();
  useEffect(() => {
    if (open) void queries.invalidateQueries();
  }, [open, queries]);
}

function useTitle(screen: string) {
  const sharing = useStatus().data?.sharing;
  const state = sharing?.state === 'on' ? (sharing.activeRentals > 0 ? ' · shared, in use' : ' · sharing') : '';
  useEffect(() => {
    document.title = `${screen} · Commonwatt${state}`;
  }, [screen, state]);
}
