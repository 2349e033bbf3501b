import { Button, Drawer, Tabs } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useMemo, useRef, useState } from 'react';
import { flushSync } from 'react-dom';
import { toAppError } from '../../../src/shared/errors.ts';
import { FailureNote } from '../../parts/Note.tsx';
import { newCommandId, useApi } from '../../state/host.ts';
import { goTo } from '../../state/screen.ts';
import { useNetwork } from '../../state/status.ts';
import { buildJobFile, EMPTY_JOB, type JobFields, type JobFileDraft } from './job-draft.ts';
import { Estimate } from './Estimate.tsx';
import { JobForm } from './JobForm.tsx';
import { PasteJob } from './PasteJob.tsx';

/** A new job: filled in, or pasted from elsewhere; what it costs and who could run it in plain sight before it is posted. */
export function NewJob({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Drawer opened={opened} onClose={onClose} size={640} title="New job" classNames={{ body: 'drawer-body' }}>
      {opened ? <Inside onClose={onClose} /> : null}
    </Drawer>
  );
}

const PRACTICE_IMAGE = 'commonwatt/practice:1';

function Inside({ onClose }: { onClose: () => void }) {
  const api = useApi();
  const queries = useQueryClient();
  const practice = useNetwork()?.practice ?? false;
  const [tab, setTab] = useState<string | null>('form');
  const [fields, setFields] = useState<JobFields>({ ...EMPTY_JOB, image: practice ? PRACTICE_IMAGE : '' });
  const [pasted, setPasted] = useState<{ file: JobFileDraft; short: boolean } | null>(null);
  const [tried, setTried] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const sent = useRef({ text: '', commandId: '' });
  const { file: filled, problem } = useMemo(() => attempt(fields), [fields]);
  const file = tab === 'form' ? filled : (pasted?.file ?? null);
  const submit = useMutation(
    api.jobs.submit.mutationOptions({
      onSuccess: async ({ taskIds }) => {
        await queries.invalidateQueries({ queryKey: api.jobs.key() });
        goTo('jobs', taskIds[0]);
        onClose();
      },
    }),
  );
  const send = () => {
    setTried(true);
    if (file) {
      // The same job sent again after a lost answer is the same command: it is posted once.
      const text = JSON.stringify(file);
      if (sent.current.text !== text) sent.current = { text, commandId: newCommandId() };
      submit.mutate({ commandId: sent.current.commandId, file });
    } else if (problem?.field) focusField(form.current, problem.field);
  };
  return (
    <form
      ref={form}
      className="form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <Tabs value={tab} onChange={setTab}>
        <Tabs.List>
          <Tabs.Tab value="form">Fill in</Tabs.Tab>
          <Tabs.Tab value="paste">Paste or open a file</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="form" pt={16}>
          <JobForm
            fields={fields}
            onChange={(change) => setFields((old) => ({ ...old, ...change }))}
            wrong={(field) => (tried && problem?.field === field ? problem.message : undefined)}
          />
        </Tabs.Panel>
        <Tabs.Panel value="paste" pt={16}>
          <PasteJob
            onRead={setPasted}
            onFill={(read) => {
              // The button that had the keyboard is gone then.
              flushSync(() => {
                setFields(read);
                setTab('form');
              });
              focusField(form.current, 'name');
            }}
          />
        </Tabs.Panel>
      </Tabs>
      {tried && tab === 'form' ? <FailureNote error={problem} /> : null}
      {file ? <Estimate file={file} /> : null}
      <div className="drawer-foot">
        <FailureNote error={submit.error} />
        <Button
          type="submit"
          size="md"
          fullWidth
          loading={submit.isPending}
          disabled={tab === 'paste' && pasted === null}
        >
          {tab === 'paste' && pasted?.short === true
            ? 'Lock the bounty and submit without what is not possible'
            : 'Lock the bounty and submit'}
        </Button>
      </div>
    </form>
  );
}

/** Fields that are folded away are unfolded first. */
function focusField(form: HTMLFormElement | null, name: string): void {
  const field = form?.querySelector<HTMLElement>(`[name="${name}"]`);
  const folded = field?.closest('details');
  if (folded) folded.open = true;
  field?.focus();
}

function attempt(fields: JobFields) {
  try {
    return { file: buildJobFile(fields), problem: null };
  } catch (thrown) {
    return { file: null, problem: toAppError(thrown) };
  }
}
