/**
 * What happens, told to somebody who does not look at the window: which of it is worth a notification of the operating
 * system, in which words, and how many at once. The desktop shell and a browser's page show what comes out of here.
 */
import { plainText } from '../shared/plain-text.ts';

/** What happened, as the host tells it; strangers' words may be in title and body. */
export interface Notice {
  level: 'info' | 'success' | 'warning' | 'error';
  title: string;
  body: string;
  rentalId: string | null;
  taskId: string | null;
}

export interface Announcement {
  title: string;
  body: string;
  /** Fragment of the window's address where it is shown: "#/jobs/ID"; empty where it is about no one thing. */
  place: string;
}

/** What belongs together mostly happens together: the tasks of an array, a rental and its payment. */
export const GATHER_MS = 1500;
/** Between two announcements; what happens meanwhile is one more in the next. */
export const APART_MS = 20_000;

const WEIGHT = { info: 0, success: 1, warning: 2, error: 3 } as const;

/** Rentals, ends and questions of own jobs, and errors; the rest waits in the window's list. */
export const isWorthTelling = ({ level, rentalId, taskId }: Notice): boolean =>
  level === 'error' || rentalId !== null || (taskId !== null && level !== 'info');

/** Some desktops read a notification's text as markup. */
const words = (text: string, max: number): string => plainText(text, max).replaceAll('<', '‹').replaceAll('>', '›');

const isId = (id: string | null): id is string => id !== null && /^[0-9a-zA-Z-]{4,66}$/.test(id);

const placeOf = ({ rentalId, taskId }: Notice): string =>
  isId(rentalId) ? `#/rentals/${rentalId}` : isId(taskId) ? `#/jobs/${taskId}` : '';

export function announcementOf(notice: Notice, more: number): Announcement {
  const body = words(notice.body, 200);
  return {
    title: words(notice.title, 80),
    body: more === 0 ? body : `${body}${body === '' ? '' : '\n'}And ${more} more.`,
    place: placeOf(notice),
  };
}

interface GatherPorts {
  /** Calls back once after `ms`; returns the way to call it off. */
  after: (ms: number, run: () => void) => () => void;
  nowMs: () => number;
  /** True while the window has the focus: its own toast is enough then. */
  isLooking: () => boolean;
  show: (announcement: Announcement) => void;
}

/** Gathers what happens at once under the weightiest of it; `hear` takes every notice, worth telling or not. */
export function gatherNotices({ after, nowMs, isLooking, show }: GatherPorts) {
  let lead: Notice | null = null;
  let more = 0;
  let shownAt = -APART_MS;
  let callOff: (() => void) | null = null;

  const tell = () => {
    if (lead && !isLooking()) {
      shownAt = nowMs();
      show(announcementOf(lead, more));
    }
    lead = null;
  };
  return {
    hear: (notice: Notice): void => {
      if (!isWorthTelling(notice) || isLooking()) return;
      if (lead) {
        more += 1;
        if (WEIGHT[notice.level] > WEIGHT[lead.level]) lead = notice;
        return;
      }
      lead = notice;
      more = 0;
      callOff = after(Math.max(GATHER_MS, shownAt + APART_MS - nowMs()), tell);
    },
    close: (): void => {
      callOff?.();
      lead = null;
    },
  };
}
