import { Switch } from '@mantine/core';
import { useState } from 'react';
import { desktopNoticesState, setDesktopNotices } from '../state/desktop-notices.ts';
import { usePreferences } from '../state/preferences.ts';

const WORDS = {
  elsewhere: 'Shown on the desktop only by the app, and by a browser on the computer that it runs on.',
  impossible: 'This browser cannot show them on the desktop.',
  refused:
    'This browser does not let the page show them on the desktop. Allow it in the browser’s settings of this site.',
} as const;

/** Whether this browser shows notifications of the operating system too; nothing in the desktop app, whose shell does. */
export function DesktopNotices() {
  const wanted = usePreferences((preferences) => preferences.onDesktop);
  // What the browser answers is no state of ours.
  const [, lookAgain] = useState(0);
  const state = desktopNoticesState(wanted);
  if (state === 'shell') return null;
  return (
    <footer className="notice-setting">
      {state === 'elsewhere' || state === 'impossible' ? (
        <p>{WORDS[state]}</p>
      ) : (
        <Switch
          label="On the desktop too"
          description={
            state === 'refused'
              ? WORDS.refused
              : 'Jobs and rentals that end or need you, while another window is in front.'
          }
          checked={state === 'on'}
          onChange={(event) =>
            void setDesktopNotices(event.currentTarget.checked).then(() => lookAgain((times) => times + 1))
          }
        />
      )}
    </footer>
  );
}
