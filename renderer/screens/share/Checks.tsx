import { ActionIcon } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconAlertTriangle, IconCircleCheck, IconRefresh, IconXboxX } from '@tabler/icons-react';
import type { ReadyCheck } from '../../../src/shared/ready-check.ts';
import { LoadingRows } from '../../parts/Blank.tsx';
import { CommandLine } from '../../parts/CopyButton.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { Panel } from '../../parts/Panel.tsx';
import { useApi } from '../../state/host.ts';
import { plainText } from '../../../src/shared/plain-text.ts';

const ICONS = { ok: IconCircleCheck, warn: IconAlertTriangle, fail: IconXboxX };
const WORDS = { ok: 'Ready', warn: 'Could be better', fail: 'Missing' };
const RANK = { fail: 0, warn: 1, ok: 2 };
const EVERY_MS = 15_000;

/** What this computer still needs, the worst first, each with its fix. */
export function Checks() {
  const checks = useQuery(useApi().system.checks.queryOptions({ refetchInterval: EVERY_MS }));
  const list = (checks.data ?? []).toSorted((a, b) => RANK[a.state] - RANK[b.state]);
  return (
    <Panel
      title="Ready checks"
      flush
      aside={
        <ActionIcon aria-label="Check again" loading={checks.isFetching} onClick={() => void checks.refetch()}>
          <IconRefresh size={16} />
        </ActionIcon>
      }
    >
      <FailureNote error={checks.data ? null : checks.error} />
      {checks.isPending ? <LoadingRows lines={4} label="Checking this computer" /> : null}
      <ul className="ready" aria-live="polite">
        {list.map((check) => (
          <Check key={check.id} check={check as ReadyCheck} />
        ))}
      </ul>
    </Panel>
  );
}

function Check({ check }: { check: ReadyCheck }) {
  const IconPart = ICONS[check.state];
  return (
    <li className={`ready-${check.state}`}>
      <IconPart size={18} aria-label={WORDS[check.state]} role="img" />
      <div>
        <strong>{check.title}</strong>
        <span>{plainText(check.detail, 240)}</span>
        {check.fix && check.state !== 'ok' ? (
          <>
            <span className="fix">{check.fix.text}</span>
            {check.fix.command === undefined ? null : <CommandLine command={check.fix.command} />}
          </>
        ) : null}
      </div>
    </li>
  );
}
