import { Button, Drawer, Tabs } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
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
  const [pasted, setPasted] = useState<JobFileDraft | null>(null);
  const [tried, setTried] = useState(false);
  const { file: filled, problem } = attempt(fields);
  const file = tab === 'form' ? filled : pasted;
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
    if (file) submit.mutate({ commandId: newCommandId(), file });
    else if (problem?.field) document.querySelector<HTMLElement>(`.job-form [name="${problem.field}"]`)?.focus();
  };
  return (
    <form
      className="form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <Tabs value={tab} onChange={setTab} keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="form">Fill in</Tabs.Tab>
          <Tabs.Tab value="paste">Paste or open a file</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="form" pt={12}>
          <JobForm
            fields={fields}
            onChange={(change) => setFields((old) => ({ ...old, ...change }))}
            wrong={(field) => (tried && problem?.field === field ? problem.message : undefined)}
          />
        </Tabs.Panel>
        <Tabs.Panel value="paste" pt={12}>
          <PasteJob onRead={setPasted} />
        </Tabs.Panel>
      </Tabs>
      {tried && tab === 'form' ? <FailureNote error={problem} /> : null}
      {file ? <Estimate file={file} /> : null}
      <div className="rent-foot">
        <FailureNote error={submit.error} />
        <Button
          type="submit"
          size="md"
          fullWidth
          loading={submit.isPending}
          disabled={tab === 'paste' && pasted === null}
        >
          Lock the bounty and submit
        </Button>
      </div>
    </form>
  );
}

function attempt(fields: JobFields) {
  try {
    return { file: buildJobFile(fields), problem: null };
  } catch (thrown) {
    return { file: null, problem: toAppError(thrown) };
  }
}
