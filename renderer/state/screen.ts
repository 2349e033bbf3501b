import { create } from 'zustand';
import { SCREENS, type ScreenName } from '../view/screens.ts';

interface Place {
  screen: ScreenName;
  /** What is open within the screen: a rental's, an offer's or a task's id. */
  id: string | null;
}

const read = (hash: string): Place => {
  const [name = '', id] = hash.replace(/^#\/?/, '').split('/');
  const screen = SCREENS.find((known) => known === name) ?? 'share';
  return { screen, id: id !== undefined && /^[0-9a-zA-Z-]{4,66}$/.test(id) ? id : null };
};

/** Where the window is; the address bar's fragment, so that back, forward and reload work. */
export const usePlace = create<Place>()(() => read(location.hash));

window.addEventListener('hashchange', () => usePlace.setState(read(location.hash)));

export const hrefTo = (screen: ScreenName, id?: string): string => `#/${screen}${id === undefined ? '' : `/${id}`}`;

/** The same place, named exactly: nothing to go back from. */
export function settleAt(screen: ScreenName, id: string): void {
  history.replaceState(null, '', hrefTo(screen, id));
  usePlace.setState({ screen, id });
}

export function goTo(screen: ScreenName, id?: string): void {
  location.hash = hrefTo(screen, id).slice(1);
}
