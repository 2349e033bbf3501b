/** Time as a port: passed in, so that tests and models own it. */
export interface Clock {
  /** Unix time in whole seconds. */
  readonly now: () => number;
  /** Milliseconds that only grow, for measuring; no relation to the date. */
  readonly monotonicMs: () => number;
}

export const systemClock: Clock = {
  now: () => Math.floor(Date.now() / 1000),
  monotonicMs: () => performance.now(),
};

/** "2 h 05 min", "45 s": durations for people. */
export function formatSeconds(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, '0')} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, '0')} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}
