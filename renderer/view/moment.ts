const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const full = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

const sameDay = (a: Date, b: Date) => a.toDateString() === b.toDateString();

/** "14:05" today, "3 Nov 14:05" before. `at` and `now` in unix seconds. */
export function clockTime(at: number, now = Date.now() / 1000): string {
  const moment = new Date(at * 1000);
  return sameDay(moment, new Date(now * 1000)) ? time.format(moment) : `${day.format(moment)} ${time.format(moment)}`;
}

/** Unix seconds, to the second. */
export const exactTime = (at: number): string => full.format(new Date(at * 1000));

/** Unix seconds, the day only. */
export const dayOf = (at: number): string => `${day.format(new Date(at * 1000))} ${new Date(at * 1000).getFullYear()}`;

/** Whole seconds from `now` until tomorrow, 8 o'clock here. */
export function secondsUntilTomorrow(now: Date): number {
  const morning = new Date(now);
  morning.setDate(now.getDate() + 1);
  morning.setHours(8, 0, 0, 0);
  return Math.min(86_400, Math.round((morning.getTime() - now.getTime()) / 1000));
}
