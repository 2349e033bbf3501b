import { create } from 'zustand';
import { persist } from 'zustand/middleware';

interface Preferences {
  firstRunDone: boolean;
  /** Unix seconds up to which notifications were looked at. */
  seenUntil: number;
  /** Whether this browser also shows them on the desktop; the desktop app's shell does so by itself. */
  onDesktop: boolean;
}

/** What one window remembers about its person; nothing of value. */
export const usePreferences = create<Preferences>()(
  persist((): Preferences => ({ firstRunDone: false, seenUntil: 0, onDesktop: false }), {
    name: 'commonwatt-preferences',
  }),
);
