import { describe, expect, test } from 'vitest';
import { APART_MS, GATHER_MS, announcementOf, gatherNotices, isWorthTelling } from './announcements.ts';
import type { Announcement, Notice } from './announcements.ts';

const notice = (change: Partial<Notice> = {}): Notice => ({
  level: 'success',
  title: '“train” is done',
  body: 'Paid.',
  rentalId: null,
  taskId: 'task-1',
  ...change,
});

describe('what is worth telling', () => {
  test.each<[string, Partial<Notice>, boolean]>([
    ['a job that is done', {}, true],
    ['a job that needs a word', { level: 'warning' }, true],
    ['a remark about a job', { level: 'info' }, false],
    ['a rental that began or ended', { level: 'info', taskId: null, rentalId: '0xabcd' }, true],
    ['an error about nothing in particular', { level: 'error', taskId: null }, true],
    ['a job of somebody else that was paid', { taskId: null }, false],
  ])('%s', (_what, change, told) => {
    expect(isWorthTelling(notice(change))).toBe(told);
  });
});

describe('the words', () => {
  test('strangers’ words stay plain and short; the place is where it can be opened', () => {
    const { title, body, place } = announcementOf(
      notice({
        title: `<b>Win\u202E</b>\n${'x'.repeat(500)}`,
        body: `<a href="https://a.example">${'y'.repeat(5000)}`,
      }),
      0,
    );
    expect(title).toMatch(/^‹b›Win‹\/b› x+…$/);
    expect(Array.from(title)).toHaveLength(80);
    expect(Array.from(body)).toHaveLength(200);
    expect(`${title}${body}`).not.toMatch(/[<>]/);
    expect(place).toBe('#/jobs/task-1');
    expect(announcementOf(notice({ rentalId: '0xabcd' }), 0).place).toBe('#/rentals/0xabcd');
    expect(announcementOf(notice({ taskId: '../../x?y' }), 0).place).toBe('');
  });
});

describe('gathering', () => {
  /** Time moves by hand. */
  const gatherer = () => {
    const shown: Announcement[] = [];
    let now = 0;
    let looking = false;
    let timer: { at: number; run: () => void } | null = null;
    const gathered = gatherNotices({
      after(ms, run) {
        timer = { at: now + ms, run };
        return () => {
          timer = null;
        };
      },
      nowMs: () => now,
      isLooking: () => looking,
      show: (announcement) => shown.push(announcement),
    });
    return {
      ...gathered,
      shown,
      look: (at: boolean) => {
        looking = at;
      },
      pass: (ms: number) => {
        now += ms;
        if (!timer || timer.at > now) return;
        const { run } = timer;
        timer = null;
        run();
      },
    };
  };

  test('one alone is told as it is, soon', () => {
    const { hear, pass, shown } = gatherer();
    hear(notice());
    pass(GATHER_MS - 1);
    expect(shown).toEqual([]);
    pass(1);
    expect(shown).toEqual([{ title: '“train” is done', body: 'Paid.', place: '#/jobs/task-1' }]);
  });

  test('several at once are one, under the weightiest; a thousand make no thousand', () => {
    const { hear, pass, shown } = gatherer();
    for (let task = 0; task < 3; task += 1) hear(notice({ taskId: `done-${task}` }));
    hear(notice({ level: 'error', title: '“train” failed', body: 'Exit code 1.', taskId: 'bad-1' }));
    hear(notice({ level: 'error', title: 'Another', taskId: 'bad-2' }));
    hear(notice({ level: 'info' }));
    pass(GATHER_MS);
    expect(shown).toEqual([{ title: '“train” failed', body: 'Exit code 1.\nAnd 4 more.', place: '#/jobs/bad-1' }]);
    for (let second = 0; second < 60; second += 1) {
      hear(notice({ taskId: `more-${second}` }));
      pass(1000);
    }
    expect(shown.length).toBeLessThanOrEqual(1 + 60_000 / APART_MS);
    expect(shown.at(-1)?.body).toMatch(/And \d+ more\.$/);
  });

  test('nothing while the window is looked at, also when its owner came back just now', () => {
    const { hear, pass, look, shown } = gatherer();
    look(true);
    hear(notice());
    look(false);
    pass(GATHER_MS);
    hear(notice());
    look(true);
    pass(GATHER_MS);
    look(false);
    expect(shown).toEqual([]);
    hear(notice());
    pass(GATHER_MS);
    expect(shown).toHaveLength(1);
  });

  test('closed, it tells nothing any more', () => {
    const { hear, close, pass, shown } = gatherer();
    hear(notice());
    close();
    pass(APART_MS);
    expect(shown).toEqual([]);
  });
});
