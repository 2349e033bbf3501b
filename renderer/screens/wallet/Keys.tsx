import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import type { WalletStatus } from '../../../src/api/contract.ts';
import { shortId } from '../../../src/shared/ids.ts';
import { CopyButton } from '../../parts/CopyButton.tsx';
import { Facts } from '../../parts/Figure.tsx';
import { FailureNote, Note } from '../../parts/Note.tsx';
import { Panel } from '../../parts/Panel.tsx';
import { StateMark } from '../../parts/StateMark.tsx';
import { useApi } from '../../state/host.ts';
import { useWalletRefresh } from './wallet-refresh.ts';
import { BackupDialog } from './BackupDialog.tsx';
import { UnlockForm } from './UnlockForm.tsx';

/** The wallet's key: locked or open, backed up or not. */
export function Keys({ wallet }: { wallet: WalletStatus }) {
  const refresh = useWalletRefresh();
  const lock = useMutation(useApi().wallet.lock.mutationOptions({ onSuccess: refresh }));
  const [backing, setBacking] = useState(false);
  return (
    <Panel
      title="Key"
      aside={<StateMark shape={wallet.locked ? 'stop' : 'ok'} label={wallet.locked ? 'Locked' : 'Open'} />}
    >
      <Facts
        rows={[
          [
            'Address',
            wallet.address === null ? (
              'shown when open'
            ) : (
              <span key="address" className="hash">
                <code title={wallet.address}>{shortId(wallet.address)}</code>
                <CopyButton text={wallet.address} label="Copy address" />
              </span>
            ),
          ],
          [
            'Backup words',
            wallet.backedUp ? 'written down' : wallet.practice ? 'not needed for practice' : 'not written down yet',
          ],
        ]}
      />
      {!wallet.backedUp && !wallet.practice ? (
        <Note
          kind="warn"
          title="Write down your backup words"
          action={
            <Button size="xs" variant="default" onClick={() => setBacking(true)}>
              Back up
            </Button>
          }
        >
          Without them, a lost computer means lost money.
        </Note>
      ) : null}
      {wallet.locked ? <UnlockForm /> : null}
      {wallet.practice ? (
        <p className="hint">This practice wallet was made by the app and opens by itself.</p>
      ) : (
        <div className="button-row">
          {wallet.backedUp ? (
            <Button variant="default" size="xs" onClick={() => setBacking(true)}>
              Show backup words
            </Button>
          ) : null}
          {wallet.locked ? null : (
            <Button variant="default" size="xs" loading={lock.isPending} onClick={() => lock.mutate(undefined)}>
              Lock
            </Button>
          )}
        </div>
      )}
      <FailureNote error={lock.error} />
      <BackupDialog opened={backing} onClose={() => setBacking(false)} />
    </Panel>
  );
}
