import { Button, FileButton, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { IconUpload, IconX } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import type { JobFileInput } from '../../../src/shared/job-spec.ts';
import { formatBytes } from '../../../src/shared/units.ts';
import { FailureNote } from '../../parts/Note.tsx';
import { ProgressLine } from '../../parts/ProgressLine.tsx';
import { newCommandId, useClient } from '../../state/host.ts';
import { toBase64 } from '../../view/bytes.ts';
import { plainText } from '../../../src/shared/plain-text.ts';
import type { DraftInput } from './job-draft.ts';

/** As base64 in a call it has to stay below the largest frame that a host takes, one MiB. */
const PIECE_BYTES = 700_000;

interface InputsProps {
  inputs: DraftInput[];
  error: string | undefined;
  hint: string | undefined;
  onChange: (inputs: DraftInput[]) => void;
}

/** Files that the work reads: from this computer, from a web address with its sha-256, or from IPFS. */
export function Inputs({ inputs, error, hint, onChange }: InputsProps) {
  const client = useClient();
  const [sent, setSent] = useState<{ done: number; total: number } | null>(null);
  const stop = useRef(new AbortController());
  useEffect(() => () => stop.current.abort(), []);
  const upload = useMutation({
    mutationFn: async (files: File[]): Promise<DraftInput[]> => {
      stop.current = new AbortController();
      const { signal } = stop.current;
      const total = files.reduce((sum, file) => sum + file.size, 0);
      let done = 0;
      const added: DraftInput[] = [];
      for (const file of files) {
        const uploadId = newCommandId();
        for (let offset = 0; ;) {
          const bytes = new Uint8Array(await file.slice(offset, offset + PIECE_BYTES).arrayBuffer());
          if (signal.aborted) return added;
          const end = offset + bytes.length >= file.size;
          const answer = await client.jobs.upload({ uploadId, path: file.name, offset, base64: toBase64(bytes), end });
          offset += bytes.length;
          done += bytes.length;
          setSent({ done, total });
          if (answer.cid !== null)
            added.push({ from: 'content', key: uploadId, path: file.name, cid: answer.cid, bytes: file.size });
          if (end) break;
        }
      }
      return added;
    },
    onSuccess: (added) => onChange([...inputs, ...added]),
    onSettled: () => setSent(null),
  });
  const set = (at: number, next: DraftInput) => onChange(inputs.map((input, place) => (place === at ? next : input)));
  return (
    <fieldset>
      <legend>Inputs</legend>
      {hint === undefined ? null : <p className="hint">{hint}</p>}
      <ul className="inputs">
        {inputs.map((input, at) => (
          <li key={input.key}>
            <InputFields input={input} onChange={(next) => set(at, next)} />
            <Button
              variant="subtle"
              color="gray"
              size="xs"
              aria-label={`Remove ${plainText(input.path, 40)}`}
              onClick={() => onChange(inputs.filter((_, place) => place !== at))}
            >
              <IconX size={14} aria-hidden />
            </Button>
          </li>
        ))}
      </ul>
      {sent ? (
        <div className="with-cancel">
          <ProgressLine progress={{ label: 'Reading the files', ...sent, unit: 'bytes' }} />
          <Button variant="default" size="xs" onClick={() => stop.current.abort()}>
            Cancel
          </Button>
        </div>
      ) : null}
      <div className="button-row">
        <FileButton multiple onChange={(files) => upload.mutate(files)}>
          {(props) => (
            <Button
              variant="default"
              size="xs"
              leftSection={<IconUpload size={14} aria-hidden />}
              loading={upload.isPending}
              {...props}
            >
              Files of this computer
            </Button>
          )}
        </FileButton>
        <Button
          variant="default"
          size="xs"
          onClick={() =>
            onChange([
              ...inputs,
              { from: 'url', key: newCommandId(), path: `input-${inputs.length + 1}`, url: '', sha256: '' },
            ])
          }
        >
          Web address
        </Button>
        <Button
          variant="default"
          size="xs"
          onClick={() =>
            onChange([...inputs, { from: 'ipfs', key: newCommandId(), path: `input-${inputs.length + 1}`, cid: '' }])
          }
        >
          IPFS
        </Button>
      </div>
      {error === undefined ? null : <p className="field-error">{error}</p>}
      <FailureNote error={upload.error} />
    </fieldset>
  );
}

function InputFields({ input, onChange }: { input: DraftInput; onChange: (next: DraftInput) => void }) {
  if (input.from === 'content') {
    return (
      <span className="input-file">
        <strong>{plainText(input.path, 60)}</strong> <span className="figure dim">{formatBytes(input.bytes)}</span>
      </span>
    );
  }
  if (input.from === 'file') {
    return (
      <span className="input-file">
        <strong>{plainText(input.path, 60)}</strong> <span className="dim">{sortOf(input.input)}</span>
      </span>
    );
  }
  const path = (
    <TextInput
      label="Becomes"
      value={input.path}
      onChange={(event) => onChange({ ...input, path: event.currentTarget.value })}
    />
  );
  if (input.from === 'ipfs') {
    return (
      <>
        {path}
        <TextInput
          label="Content id"
          placeholder="bafybei…"
          value={input.cid}
          onChange={(event) => onChange({ ...input, cid: event.currentTarget.value })}
        />
      </>
    );
  }
  return (
    <>
      {path}
      <TextInput
        label="Address"
        placeholder="https://"
        value={input.url}
        onChange={(event) => onChange({ ...input, url: event.currentTarget.value })}
      />
      <TextInput
        label="SHA-256"
        value={input.sha256}
        onChange={(event) => onChange({ ...input, sha256: event.currentTarget.value })}
      />
    </>
  );
}

/** Where an input comes from that only a job file can name. */
function sortOf(input: JobFileInput): string {
  if ('upload' in input) return plainText(input.upload, 80);
  if ('text' in input) return `text of ${input.text.length.toLocaleString('en')} characters`;
  if ('sample' in input) return 'a sample made by this computer';
  return 'content of this computer';
}
