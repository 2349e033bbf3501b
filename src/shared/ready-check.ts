/** One thing this computer needs before it can share or rent, with the way to mend it. */
export interface ReadyCheck {
  id: string;
  /** "Docker engine": names the thing, not the state. */
  title: string;
  state: 'ok' | 'warn' | 'fail';
  /** What was found, one plain sentence. */
  detail: string;
  /** The one next step, where there is one; `command` can be pasted into a shell. */
  fix?: { text: string; command?: string };
}

/** Work with a denominator. `total` is null only while it is truly unknown. */
export interface Progress {
  label: string;
  done: number;
  total: number | null;
  unit: 'bytes' | 'blocks' | 'steps';
}
