import { Button, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { FailureNote, Note } from '../../parts/Note.tsx';
import { useApi } from '../../state/host.ts';
import { useWalletRefresh } from './wallet-refresh.ts';

interface BackupWordsProps {
  mnemonic: string;
  onDone: () => void;
}

const ASKED = 3;

/** The words to write down, then three of them asked back. */
export function BackupWords({ mnemonic, onDone }: BackupWordsProps) {
  const words = mnemonic.trim().split(/\s+/);
  const [asked] = useState(() =>
    pickPlaces(words.length, ASKED, crypto.getRandomValues(new Uint32Array(words.length))),
  );
  const [checking, setChecking] = useState(false);
  const [answers, setAnswers] = useState<Record<number, string>>({});
  const [wrong, setWrong] = useState(false);
  const refresh = useWalletRefresh();
  const confirm = useMutation(
    useApi().wallet.confirmBackup.mutationOptions({
      onSuccess: async () => {
        await refresh();
        onDone();
      },
    }),
  );
  if (!checking) {
    return (
      <div className="form">
        <Note kind="warn" title="Write these words on paper, in this order">
          Whoever has them has your money. Nobody can give them back to you, and nobody honest asks for them.
        </Note>
        <ol className="words" aria-label="Backup words">
          {words.map((word, place) => (
            // The same word may come twice; its place is what matters.
            // eslint-disable-next-line react/no-array-index-key
            <li key={place}>
              <span className="figure dim">{place + 1}</span> <strong>{word}</strong>
            </li>
          ))}
        </ol>
        <Button onClick={() => setChecking(true)} data-autofocus>
          I have written them down
        </Button>
      </div>
    );
  }
  const submit = () => {
    const right = asked.every((place) => answers[place]?.trim().toLowerCase() === words[place]);
    setWrong(!right);
    if (right) confirm.mutate(undefined);
  };
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <p className="modal-text">Type these three from your paper.</p>
      {asked.map((place) => (
        <TextInput
          key={place}
          label={`Word ${place + 1}`}
          value={answers[place] ?? ''}
          onChange={(event) => setAnswers({ ...answers, [place]: event.currentTarget.value })}
          autoComplete="off"
          spellCheck={false}
        />
      ))}
      {wrong ? (
        <Note kind="bad" title="These are not the words" alert>
          Look at your paper again, or go back and compare.
        </Note>
      ) : null}
      <FailureNote error={confirm.error} />
      <div className="dialog-actions">
        <Button variant="default" onClick={() => setChecking(false)}>
          Back to the words
        </Button>
        <Button type="submit" loading={confirm.isPending}>
          Check
        </Button>
      </div>
    </form>
  );
}

/** `count` different places below `length`, in order; the places with the smallest random numbers. */
function pickPlaces(length: number, count: number, random: Uint32Array): number[] {
  return Array.from({ length }, (_, place) => place)
    .toSorted((a, b) => (random[a] ?? 0) - (random[b] ?? 0))
    .slice(0, count)
    .toSorted((a, b) => a - b);
}
