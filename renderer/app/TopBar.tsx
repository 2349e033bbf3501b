import { ActionIcon, Menu, Modal, useMantineColorScheme, type MantineColorScheme } from '@mantine/core';
import { IconBrightness, IconCheck, IconKeyboard } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { NotificationList } from './NotificationList.tsx';
import { SHORTCUTS } from './shortcuts.ts';

export function TopBar({ title }: { title: string }) {
  return (
    <div className="top-bar">
      <h1>{title}</h1>
      <div className="top-actions">
        <KeysButton />
        <LookMenu />
        <NotificationList />
      </div>
    </div>
  );
}

const LOOKS: readonly (readonly [MantineColorScheme, string])[] = [
  ['auto', 'Like the system'],
  ['dark', 'Dark'],
  ['light', 'Light'],
];

function LookMenu() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon aria-label="Light or dark">
          <IconBrightness size={18} stroke={1.75} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {LOOKS.map(([scheme, label]) => (
          <Menu.Item
            key={scheme}
            onClick={() => setColorScheme(scheme)}
            rightSection={colorScheme === scheme ? <IconCheck size={16} aria-label="chosen" /> : null}
          >
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function KeysButton() {
  const [opened, setOpened] = useState(false);
  useEffect(() => {
    const open = () => setOpened(true);
    window.addEventListener('commonwatt:keys', open);
    return () => window.removeEventListener('commonwatt:keys', open);
  }, []);
  return (
    <>
      <ActionIcon aria-label="Keyboard shortcuts" onClick={() => setOpened(true)}>
        <IconKeyboard size={18} stroke={1.75} />
      </ActionIcon>
      <Modal opened={opened} onClose={() => setOpened(false)} title="Keyboard">
        <dl className="keys">
          {SHORTCUTS.map(([keys, what]) => (
            <div key={keys}>
              <dt>
                <kbd>{keys}</kbd>
              </dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
      </Modal>
    </>
  );
}
