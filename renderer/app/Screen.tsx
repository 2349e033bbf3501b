import { Button } from '@mantine/core';
import { Component, lazy, Suspense, useEffect, type ReactNode } from 'react';
import { LoadingRows } from '../parts/Blank.tsx';
import { Note } from '../parts/Note.tsx';
import { fetchCode } from '../state/fetch-code.ts';
import { type ScreenName } from '../view/screens.ts';

const loadShare = async () => ({
  default: (await fetchCode(() => import('../screens/share/ShareScreen.tsx'))).ShareScreen,
});
const loadMarket = async () => ({
  default: (await fetchCode(() => import('../screens/market/MarketScreen.tsx'))).MarketScreen,
});
const loadRentals = async () => ({
  default: (await fetchCode(() => import('../screens/rentals/RentalsScreen.tsx'))).RentalsScreen,
});
const loadJobs = async () => ({
  default: (await fetchCode(() => import('../screens/jobs/JobsScreen.tsx'))).JobsScreen,
});
const loadWallet = async () => ({
  default: (await fetchCode(() => import('../screens/wallet/WalletScreen.tsx'))).WalletScreen,
});
const loadTerminal = () => import('../screens/rentals/RemoteTerminal.tsx');

const SCREEN = {
  share: lazy(loadShare),
  market: lazy(loadMarket),
  rentals: lazy(loadRentals),
  jobs: lazy(loadJobs),
  wallet: lazy(loadWallet),
};

/** One screen, fetched when it is first wanted: a window that shows one need not wait for all of them. */
export function Screen({ name }: { name: ScreenName }) {
  const Chosen = SCREEN[name];
  useFetchOthers();
  return (
    <CodeBoundary key={name}>
      <Suspense fallback={<LoadingRows lines={6} label="Loading the screen" />}>
        <Chosen />
      </Suspense>
    </CodeBoundary>
  );
}

const PATIENCE_MS = 1500;

/** The rest of the window comes while nobody waits, so that it is here even when the host is not. */
function useFetchOthers() {
  useEffect(() => {
    const timer = setTimeout(() => {
      void Promise.allSettled(
        [loadShare, loadMarket, loadRentals, loadJobs, loadWallet, loadTerminal].map((load) => load()),
      );
    }, PATIENCE_MS);
    return () => clearTimeout(timer);
  }, []);
}

/** Code that cannot be fetched any more (another version was started) is said, not a blank page. React knows only classes for this. */
class CodeBoundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <Note
        kind="bad"
        title="This screen could not be shown."
        alert
        action={
          <Button variant="default" size="xs" onClick={() => location.reload()}>
            Reload the window
          </Button>
        }
      >
        Commonwatt may have been updated or stopped since this window was opened. Running rentals go on.
      </Note>
    );
  }
}
