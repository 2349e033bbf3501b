import { Button, FileButton, Textarea, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { AppError } from '../../../src/shared/errors.ts';
import { jobFileSchema } from '../../../src/shared/job-spec.ts';
import { FailureNote, Note } from '../../parts/Note.tsx';
import { useApi } from '../../state/host.ts';
import { plainText } from '../../view/plain-text.ts';
import type { JobFileDraft } from './job-draft.ts';

const MAX_TEXT = 262_144;
const KINDS = { ignored: 'info', changed: 'warn', refused: 'bad' } as const;
const WORDS = { ignored: 'Left out', changed: 'Changed', refused: 'Not possible' } as const;

/** Text from elsewhere: what cannot be honoured is listed before anything is posted. */
export function PasteJob({ onRead }: { onRead: (file: JobFileDraft | null) => void }) {
  const api = useApi();
  const [text, setText] = useState('');
  const [bounty, setBounty] = useState('5');
  const [error, setError] = useState<unknown>(null);
  const read = useMutation(
    api.jobs.read.mutationOptions({
      onSuccess: ({ file }) => {
        const parsed = jobFileSchema.safeParse({ bounty, ...file });
        if (parsed.success) {
          setError(null);
          onRead(parsed.data);
          return;
        }
        const issue = parsed.error.issues[0];
        onRead(null);
        setError(
          new AppError('bad-input', `${issue?.path.join('.') ?? 'The job'}: ${issue?.message ?? 'is not right'}.`),
        );
      },
      onError: () => onRead(null),
    }),
  );
  const change = (next: string) => {
    setText(next.slice(0, MAX_TEXT));
    onRead(null);
  };
  return (
    <div className="form">
      <Textarea
        name="text"
        label="Job file, docker run line, compose service, Nosana or Bacalhau JSON, Akash SDL"
        placeholder={'docker run --rm --gpus 1 -e SEED=7 pytorch/pytorch:2.9.0 python train.py'}
        rows={10}
        value={text}
        onChange={(event) => change(event.currentTarget.value)}
        spellCheck={false}
        classNames={{ input: 'code-input' }}
      />
      <div className="form-row form-row-2">
        <TextInput
          label="Bounty, where the text names none"
          value={bounty}
          onChange={(event) => setBounty(event.currentTarget.value)}
          inputMode="decimal"
          classNames={{ input: 'figure-input' }}
        />
        <div className="button-row paste-actions">
          <FileButton
            accept=".yaml,.yml,.json,.txt,text/plain"
            onChange={(picked) => {
              void picked?.text().then(change);
            }}
          >
            {(props) => (
              <Button variant="default" {...props}>
                Open a file
              </Button>
            )}
          </FileButton>
          <Button loading={read.isPending} disabled={text.trim() === ''} onClick={() => read.mutate({ text })}>
            Read it
          </Button>
        </div>
      </div>
      <FailureNote error={read.error ?? error} />
      {read.data && !read.error ? (
        <div aria-live="polite" className="form">
          <p className="hint">
            Read as {plainText(read.data.format, 30)}
            {read.data.notices.length === 0 ? '; everything in it can be honoured.' : ':'}
          </p>
          {read.data.notices.map((notice) => (
            <Note
              key={`${notice.where} ${notice.message}`}
              kind={KINDS[notice.level]}
              title={`${WORDS[notice.level]}: ${plainText(notice.where, 80)}`}
            >
              {plainText(notice.message, 300)}
            </Note>
          ))}
        </div>
      ) : null}
    </div>
  );
}
