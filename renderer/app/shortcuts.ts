import { useEffect } from 'react';
import { goTo } from '../state/screen.ts';
import { useSearchWish } from '../state/search-wish.ts';
import { SCREENS, type ScreenName } from '../view/screens.ts';

export const SCREEN_KEYS: Record<ScreenName, string> = {
  share: '1',
  market: '2',
  rentals: '3',
  jobs: '4',
  wallet: '5',
};

export const SHORTCUTS: readonly (readonly [string, string])[] = [
  ['Alt 1 – 5', 'Share, Market, Rentals, Jobs, Wallet'],
  ['/', 'Search the market'],
  ['↑ ↓ Home End', 'Move in a table or list'],
  ['Enter', 'Open the chosen row'],
  ['Ctrl Shift M', 'Leave the terminal with the keyboard'],
  ['Ctrl Shift F', 'Find in the terminal'],
  ['Esc', 'Close a drawer or dialog'],
  ['?', 'Show these keys'],
];

const typing = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** Keys that work on every screen. A terminal or a field keeps what it needs: only Alt with a digit passes them. */
export function useShortcuts(): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.altKey && !event.ctrlKey && !event.metaKey) {
        const screen = SCREENS.find((name) => event.code === `Digit${SCREEN_KEYS[name]}`);
        if (!screen) return;
        event.preventDefault();
        goTo(screen);
      } else if (!event.ctrlKey && !event.metaKey && !typing(event.target)) {
        if (event.key === '?') window.dispatchEvent(new Event('commonwatt:keys'));
        if (event.key === '/') {
          event.preventDefault();
          goTo('market');
          useSearchWish.setState({ wanted: true });
        }
      }
    };
    window.addEventListener('keydown', onKey, { capture: true });
    return () => window.removeEventListener('keydown', onKey, { capture: true });
  }, []);
}
