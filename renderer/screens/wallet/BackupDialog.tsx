import { Button, Modal, PasswordInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { CopyButton } from '../../parts/CopyButton.tsx';
import { FailureNote, Note } from '../../parts/Note.tsx';
import { useApi } from '../../state/host.ts';
import { BackupWords } from './BackupWords.tsx';

/** Password, words, check. The words are forgotten when the dialog closes. */
export function BackupDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const [password, setPassword] = useState('');
  const backup = useMutation(useApi().wallet.backup.mutationOptions());
  const close = () => {
    setPassword('');
    backup.reset();
    onClose();
  };
  return (
    <Modal opened={opened} onClose={close} title="Backup words" size={520}>
      {backup.data ? (
        backup.data.mnemonic === null ? (
          <Note title="This wallet was imported without words">
            Its keystore file, protected by your password, is the backup:{' '}
            <CopyButton text={backup.data.keystore} label="Copy keystore file" />
          </Note>
        ) : (
          <BackupWords mnemonic={backup.data.mnemonic} onDone={close} />
        )
      ) : (
        <form
          className="form"
          onSubmit={(event) => {
            event.preventDefault();
            if (password !== '') backup.mutate({ password });
          }}
        >
          <PasswordInput
            label="Password"
            description="Make sure that nobody looks over your shoulder."
            data-autofocus
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
            autoComplete="current-password"
            visibilityToggleButtonProps={{ 'aria-label': 'Show the password' }}
          />
          <FailureNote error={backup.error} />
          <Button type="submit" loading={backup.isPending} disabled={password === ''}>
            Show the words
          </Button>
        </form>
      )}
    </Modal>
  );
}
