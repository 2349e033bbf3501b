import type { Emitter } from '../../src/shared/emitter.ts';

/** Resolves with a row of a book once `test` accepts it: looked at now and whenever something changed. */
export function untilRow<T>(
  {
    changed,
    read,
    late,
    timeoutMs,
  }: {
    changed: Pick<Emitter<unknown>, 'on'>;
    read: () => T | null;
    /** What to say of a row that did not get there in time. */
    late: (row: T | null) => string;
    timeoutMs: number;
  },
  test: (row: T) => boolean,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const row = read();
      if (row === null || !test(row)) return;
      end();
      resolve(row);
    };
    const off = changed.on(look);
    const timer = setTimeout(() => {
      end();
      reject(new Error(late(read())));
    }, timeoutMs);
    const end = () => {
      off();
      clearTimeout(timer);
    };
    look();
  });
}
