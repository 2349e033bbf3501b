import { Button, PasswordInput, SegmentedControl, Textarea } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { FailureNote } from '../../parts/Note.tsx';
import { Panel } from '../../parts/Panel.tsx';
import { useApi } from '../../state/host.ts';
import { BackupWords } from './BackupWords.tsx';
import { useWalletRefresh } from './wallet-refresh.ts';

type Way = 'create' | 'mnemonic' | 'private-key' | 'keystore';

const WAYS = [
  { value: 'create', label: 'New' },
  { value: 'mnemonic', label: 'Backup words' },
  { value: 'private-key', label: 'Private key' },
  { value: 'keystore', label: 'Keystore file' },
];

const SECRET_LABEL = {
  mnemonic: 'Backup words',
  'private-key': 'Private key',
  keystore: 'Contents of the keystore file',
};
const MIN_PASSWORD = 8;

/** No wallet yet: make one, or bring one. */
export function NewWallet() {
  const api = useApi();
  const refresh = useWalletRefresh();
  const [way, setWay] = useState<Way>('create');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const [secret, setSecret] = useState('');
  const [filePassword, setFilePassword] = useState('');
  const create = useMutation(api.wallet.create.mutationOptions());
  const bring = useMutation(api.wallet.import.mutationOptions({ onSuccess: refresh }));

  if (create.data) {
    return (
      <div className="alone-panel">
        <Panel title="Your wallet is ready">
          <BackupWords mnemonic={create.data.mnemonic} onDone={() => void refresh()} />
          <Button variant="subtle" color="gray" size="compact-sm" onClick={() => void refresh()}>
            Do this later
          </Button>
        </Panel>
      </div>
    );
  }
  const short = password !== '' && password.length < MIN_PASSWORD;
  const differs = again !== '' && again !== password;
  const ready =
    password.length >= MIN_PASSWORD &&
    again === password &&
    (way === 'create' || secret.trim() !== '') &&
    (way !== 'keystore' || filePassword !== '');
  const submit = () => {
    if (!ready) return;
    if (way === 'create') create.mutate({ password });
    else if (way === 'mnemonic') bring.mutate({ kind: way, mnemonic: secret.trim(), password });
    else if (way === 'private-key') bring.mutate({ kind: way, privateKey: secret.trim(), password });
    else bring.mutate({ kind: way, keystore: secret, keystorePassword: filePassword, password });
  };
  return (
    <div className="alone-panel">
      <Panel title="Make or bring a wallet">
        <form
          className="form"
          onSubmit={(event) => {
            event.preventDefault();
            submit();
          }}
        >
          <p className="modal-text">
            The wallet pays rentals and receives what you earn. Its key stays on this computer, encrypted.
          </p>
          <SegmentedControl
            aria-label="Where the wallet comes from"
            fullWidth
            data={WAYS}
            value={way}
            onChange={(value) => setWay(value as Way)}
          />
          {way === 'create' ? null : (
            <Textarea
              label={SECRET_LABEL[way]}
              value={secret}
              onChange={(event) => setSecret(event.currentTarget.value)}
              rows={way === 'private-key' ? 1 : 3}
              autoComplete="off"
              spellCheck={false}
              classNames={{ input: 'code-input' }}
            />
          )}
          {way === 'keystore' ? (
            <PasswordInput
              label="Password of the file"
              value={filePassword}
              onChange={(event) => setFilePassword(event.currentTarget.value)}
              autoComplete="off"
              visibilityToggleButtonProps={{ 'aria-label': 'Show the password of the file' }}
            />
          ) : null}
          <PasswordInput
            label="New password for this computer"
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
            error={short ? `At least ${MIN_PASSWORD} characters` : undefined}
            autoComplete="new-password"
            visibilityToggleButtonProps={{ 'aria-label': 'Show the password' }}
          />
          <PasswordInput
            label="The same again"
            value={again}
            onChange={(event) => setAgain(event.currentTarget.value)}
            error={differs ? 'Not the same' : undefined}
            autoComplete="new-password"
            visibilityToggleButtonProps={{ 'aria-label': 'Show the repeated password' }}
          />
          <FailureNote error={create.error ?? bring.error} />
          <Button type="submit" disabled={!ready} loading={create.isPending || bring.isPending}>
            {way === 'create' ? 'Make the wallet' : 'Import the wallet'}
          </Button>
        </form>
      </Panel>
    </div>
  );
}
