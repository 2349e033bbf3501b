import { ActionIcon, Popover, ScrollArea } from '@mantine/core';
import { notifications as toasts } from '@mantine/notifications';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { IconBell } from '@tabler/icons-react';
import { useState } from 'react';
import type { ApiOutputs } from '../../src/api/contract.ts';
import { useApi, useClient } from '../state/host.ts';
import { useStream } from '../state/live.ts';
import { usePreferences } from '../state/preferences.ts';
import { hrefTo } from '../state/screen.ts';
import { tellDesktop } from '../state/desktop-notices.ts';
import { plainText } from '../../src/shared/plain-text.ts';
import { DesktopNotices } from './DesktopNotices.tsx';
import { clockTime } from '../view/moment.ts';

type Notice = ApiOutputs['system']['notifications'][number];

const KEPT = 200;
const WORDS = { info: 'Note', success: 'Done', warning: 'Warning', error: 'Problem' } as const;

/** The bell: what happened, newest first, and a toast for each thing as it happens. */
export function NotificationList() {
  const api = useApi();
  const client = useClient();
  const queries = useQueryClient();
  const [opened, setOpened] = useState(false);
  const seenUntil = usePreferences((preferences) => preferences.seenUntil);
  const query = useQuery(api.system.notifications.queryOptions());
  const notices = (query.data ?? []).toSorted((a, b) => b.at - a.at);

  useStream(
    'notifications',
    (signal) => client.system.watchNotifications(undefined, { signal }),
    (notice: Notice) => {
      queries.setQueryData<Notice[]>(api.system.notifications.queryKey(), (old = []) =>
        old.some((known) => known.id === notice.id) ? old : [notice, ...old].slice(0, KEPT),
      );
      tellDesktop(notice);
      toasts.show({
        id: notice.id,
        title: plainText(notice.title, 100),
        message: plainText(notice.body, 300),
        color: notice.level === 'error' ? 'red' : notice.level === 'success' ? 'teal' : 'amber',
        autoClose: notice.level === 'error' ? false : 7000,
        withBorder: true,
      });
    },
  );

  const unseen = notices.filter((notice) => notice.at > seenUntil).length;
  const toggle = (open: boolean) => {
    setOpened(open);
    const newest = notices[0];
    if (open && newest) usePreferences.setState({ seenUntil: newest.at });
  };
  return (
    <Popover opened={opened} onChange={toggle} position="bottom-end" width={380} shadow="md" trapFocus returnFocus>
      <Popover.Target>
        <ActionIcon
          aria-label={unseen === 0 ? 'Notifications' : `Notifications, ${unseen} new`}
          onClick={() => toggle(!opened)}
          className="bell"
        >
          <IconBell size={18} stroke={1.75} />
          {unseen === 0 ? null : <span className="bell-count">{unseen > 9 ? '9+' : unseen}</span>}
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown p={0} aria-label="Notifications">
        <ScrollArea.Autosize
          mah={420}
          viewportProps={{ tabIndex: 0, role: 'group', 'aria-label': 'Notifications, newest first' }}
        >
          {notices.length === 0 ? <p className="quiet">Nothing happened yet.</p> : null}
          {notices.map((notice) => (
            <article key={notice.id} className={`notice notice-${notice.level}`}>
              <header>
                <strong>{plainText(notice.title, 100)}</strong>
                <time dateTime={new Date(notice.at * 1000).toISOString()}>{clockTime(notice.at)}</time>
              </header>
              <p>
                <span className="notice-level">{WORDS[notice.level]}.</span> {plainText(notice.body, 300)}
              </p>
              {notice.rentalId === null ? null : (
                <a href={hrefTo('rentals', notice.rentalId)} onClick={() => setOpened(false)}>
                  Open the rental
                </a>
              )}
              {notice.taskId === null ? null : (
                <a href={hrefTo('jobs', notice.taskId)} onClick={() => setOpened(false)}>
                  Open the job
                </a>
              )}
            </article>
          ))}
        </ScrollArea.Autosize>
        <DesktopNotices />
      </Popover.Dropdown>
    </Popover>
  );
}
