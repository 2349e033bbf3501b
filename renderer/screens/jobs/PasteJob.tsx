import { Button, FileButton, Textarea, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import type { ApiOutputs } from '../../../src/api/contract.ts';
import { AppError } from '../../../src/shared/errors.ts';
import { jobFileSchema, type JobFile } from '../../../src/shared/job-spec.ts';
import { Facts } from '../../parts/Figure.tsx';
import { FailureNote, Note } from '../../parts/Note.tsx';
import { useApi } from '../../state/host.ts';
import { workText } from '../../view/job-words.ts';
import { plainText } from '../../../src/shared/plain-text.ts';
import type { JobFields, JobFileDraft } from './job-draft.ts';
import { jobFieldsOf } from './job-fields.ts';

type Understood = ApiOutputs['jobs']['read'];

const MAX_TEXT = 262_144;
const KINDS = { ignored: 'info', changed: 'warn', refused: 'bad' } as const;
const WORDS = { ignored: 'Left out', changed: 'Changed', refused: 'Not possible' } as const;

interface PasteJobProps {
  /** What can be submitted now, and whether something that was asked for is not possible. */
  onRead: (read: { file: JobFileDraft; short: boolean } | null) => void;
  /** It shall be changed in the form. */
  onFill: (fields: JobFields) => void;
}

/** Text from elsewhere: what cannot be honoured is listed before anything is posted. */
export function PasteJob({ onRead, onFill }: PasteJobProps) {
  const api = useApi();
  const [text, setText] = useState('');
  const [part, setPart] = useState('');
  const [bounty, setBounty] = useState('5');
  const [problem, setProblem] = useState<AppError | null>(null);
  const [file, setFile] = useState<JobFile | null>(null);
  const take = (understood: Understood, price: string) => {
    const read = fileOf(understood, price);
    const failed = read instanceof AppError;
    setProblem(failed ? read : null);
    setFile(failed ? null : read);
    onRead(failed ? null : { file: read, short: understood.notices.some(({ level }) => level === 'refused') });
  };
  const read = useMutation(api.jobs.read.mutationOptions({ onSuccess: (understood) => take(understood, bounty) }));
  const forget = () => {
    read.reset();
    setProblem(null);
    setFile(null);
    onRead(null);
  };
  const change = (next: string) => {
    setText(next.slice(0, MAX_TEXT));
    setPart('');
    forget();
  };
  const several = part !== '' || (read.error instanceof AppError && read.error.field === 'part');
  return (
    <div className="form">
      <Textarea
        name="text"
        label="Job file, docker run line, compose service, Nosana or Bacalhau JSON, Akash SDL"
        placeholder={'docker run --rm --gpus 1 -e SEED=7 pytorch/pytorch:2.9.0 python train.py'}
        rows={8}
        value={text}
        onChange={(event) => change(event.currentTarget.value)}
        spellCheck={false}
        classNames={{ input: 'code-input' }}
      />
      <div className="form-row form-row-2">
        <TextInput
          label="Bounty, where the text names none"
          value={bounty}
          onChange={(event) => {
            setBounty(event.currentTarget.value);
            if (read.data) take(read.data, event.currentTarget.value);
          }}
          inputMode="decimal"
          classNames={{ input: 'figure-input' }}
        />
        {several ? (
          <TextInput
            label="Which part of it"
            value={part}
            onChange={(event) => {
              setPart(event.currentTarget.value);
              forget();
            }}
          />
        ) : null}
      </div>
      <div className="button-row">
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
        <Button
          variant="default"
          loading={read.isPending}
          disabled={text.trim() === ''}
          onClick={() => {
            forget();
            read.mutate({ text, ...(part === '' ? {} : { part }) });
          }}
        >
          Read it
        </Button>
      </div>
      <FailureNote error={read.error ?? problem} />
      {read.data ? (
        <div aria-live="polite" className="form">
          {file ? <Summary file={file} /> : null}
          {file ? <IntoForm file={file} onFill={onFill} /> : null}
          <p className="hint">
            Read as {plainText(read.data.format.replaceAll('-', ' '), 30)}
            {read.data.notices.length === 0 ? '. Everything in it can be honoured.' : '. What is different here:'}
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

function IntoForm({ file, onFill }: { file: JobFile; onFill: (fields: JobFields) => void }) {
  const { fields, missing } = useMemo(() => jobFieldsOf(file), [file]);
  if (missing.length > 0) {
    return <p className="hint">Submitted as it is: the form cannot show all of it ({missing.join(', ')}).</p>;
  }
  return (
    <div className="button-row">
      <Button variant="default" size="xs" onClick={() => onFill(fields)}>
        Change it in the form
      </Button>
    </div>
  );
}

function Summary({ file }: { file: JobFile }) {
  const { resources, array } = file;
  const cards = resources.gpuCount;
  const tasks = typeof array === 'object' ? Object.values(array).reduce((all, { length }) => all * length, 1) : array;
  return (
    <Facts
      rows={[
        ['Runs', <code key="work">{plainText(workText({ work: file.work }), 200)}</code>],
        ['Cards', cards === 0 ? 'none' : `${cards} × ${plainText(resources.gpuModel ?? 'any', 40)}`],
        ['Tasks', (tasks ?? 1).toLocaleString('en')],
        ['Network', file.network === 'internet' ? 'the internet' : 'none'],
      ]}
    />
  );
}

function fileOf({ file }: Understood, bounty: string): JobFile | AppError {
  const parsed = jobFileSchema.safeParse({ bounty: bounty.trim(), ...file });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  return new AppError('bad-input', `${issue?.path.join('.') ?? 'The job'}: ${issue?.message ?? 'is not right'}.`);
}
