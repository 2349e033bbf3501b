import { Button, PasswordInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { FailureNote } from '../../parts/Note.tsx';
import { useApi } from '../../state/host.ts';
import { useWalletRefresh } from './wallet-refresh.ts';

export function UnlockForm() {
  const refresh = useWalletRefresh();
  const [password, setPassword] = useState('');
  const unlock = useMutation(
    useApi().wallet.unlock.mutationOptions({
      onSuccess: () => {
        setPassword('');
        return refresh();
      },
    }),
  );
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        if (password !== '') unlock.mutate({ password });
      }}
    >
      <PasswordInput
        label="Password"
        description="Needed to pay, to publish and to settle."
        value={password}
        onChange={(event) => setPassword(event.currentTarget.value)}
        autoComplete="current-password"
        visibilityToggleButtonProps={{ 'aria-label': 'Show the password' }}
      />
      <FailureNote error={unlock.error} />
      <Button type="submit" loading={unlock.isPending} disabled={password === ''}>
        Unlock
      </Button>
    </form>
  );
}
