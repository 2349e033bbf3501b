/**
 * What an importer did with a part of a foreign job description that is not exactly what the part asks for.
 * `ignored`: has no meaning for a job, nothing is lost. `changed`: done in another way, which the message says.
 * `refused`: cannot be given; whoever posts the job should have read it first.
 */
export interface Notice {
  level: 'ignored' | 'changed' | 'refused';
  /** Flag or key path as the person wrote it: `--gpus`, `services.train.ports`. */
  where: string;
  /** Plain words, with what to do instead. */
  message: string;
}

const MOST_NOTICES = 200;

/** Strangers' text inside a message: one line, not too long. */
export const shown = (text: string, most = 80): string => {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
};

/** Adds a notice; past 200 the last one counts the rest, so that nothing is dropped without a word. */
export function addNotice(notices: Notice[], level: Notice['level'], where: string, message: string): void {
  if (notices.length < MOST_NOTICES) {
    notices.push({ level, where: shown(where, 120), message });
    return;
  }
  const last = notices[MOST_NOTICES - 1];
  const more = Number(/^(\d+) more /.exec(last?.message ?? '')?.[1] ?? 0) + 1;
  notices[MOST_NOTICES - 1] = {
    level: 'refused',
    where: 'and so on',
    message: `${more + (more === 1 ? 1 : 0)} more parts are not taken over. Write a job file of your own instead.`,
  };
}
