/**
 * Notifications of the operating system from a plain browser's page, where its owner turned them on. The desktop app's shell
 * shows its own, also without a window.
 */
import { gatherNotices, type Notice } from '../../src/api/announcements.ts';
import { inShell } from './host-connection.ts';
import { usePreferences } from './preferences.ts';

/** `elsewhere`: the page comes from another computer, which has no business on this one's desktop. */
export type DesktopNoticesState = 'shell' | 'elsewhere' | 'impossible' | 'refused' | 'off' | 'on';

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);

export function desktopNoticesState(wanted: boolean): DesktopNoticesState {
  if (inShell()) return 'shell';
  if (!isLoopback(location.hostname)) return 'elsewhere';
  if (!('Notification' in window)) return 'impossible';
  if (Notification.permission === 'denied') return 'refused';
  return wanted && Notification.permission === 'granted' ? 'on' : 'off';
}

/** Asks the browser on the way; only ever called from a click. */
export async function setDesktopNotices(wanted: boolean): Promise<void> {
  const onDesktop = wanted && (await Notification.requestPermission()) === 'granted';
  usePreferences.setState({ onDesktop });
}

const gathered = gatherNotices({
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  nowMs: () => performance.now(),
  isLooking: () => document.hasFocus(),
  show({ title, body, place }) {
    // Two pages of one host say the same thing once.
    const notification = new Notification(title, { body, tag: `${place} ${title}` });
    notification.addEventListener('click', () => {
      window.focus();
      if (place !== '') location.hash = place;
      notification.close();
    });
  },
});

export function tellDesktop(notice: Notice): void {
  if (desktopNoticesState(usePreferences.getState().onDesktop) === 'on') gathered.hear(notice);
}
