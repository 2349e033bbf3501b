import { Button, Tabs } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { Job } from '../../../src/api/contract.ts';
import { Amount } from '../../parts/Amount.tsx';
import { Facts } from '../../parts/Figure.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { ProgressLine } from '../../parts/ProgressLine.tsx';
import { StateMark } from '../../parts/StateMark.tsx';
import { toastDone } from '../../parts/toast-done.ts';
import { newCommandId, useApi, useClient } from '../../state/host.ts';
import { useLiveQuery } from '../../state/live.ts';
import { goTo } from '../../state/screen.ts';
import { jobIsOver, jobTitle, jobWords, workText } from '../../view/job-words.ts';
import { plainText } from '../../../src/shared/plain-text.ts';
import { ArrayStrip } from './ArrayStrip.tsx';
import { JobAgreement } from './JobAgreement.tsx';
import { JobLog } from './JobLog.tsx';
import { JobResults } from './JobResults.tsx';
import { JobReview } from './JobReview.tsx';
import { JobRuns } from './JobRuns.tsx';
import { WaitingReasons } from './WaitingReasons.tsx';

interface JobDetailProps {
  job: Job;
  error: unknown;
  /** Only tasks of this job's array are listed. */
  alone: boolean;
  onAlone: (alone: boolean) => void;
}

export function JobDetail({ job, error, alone, onAlone }: JobDetailProps) {
  const { taskId } = job;
  const api = useApi();
  const client = useClient();
  const [tab, setTab] = useState<string | null>(null);
  useLiveQuery(api.jobs.get.queryKey({ input: { taskId } }), (signal) => client.jobs.watch({ taskId }, { signal }));
  const words = jobWords(job);
  const run = job.runs.at(-1);
  const over = jobIsOver(job);
  const waits = job.status === 'pending' && job.waiting.length > 0;
  // Whether a failed run is paid is decided by what it printed.
  const asksForLog = job.review !== null && run?.exitCode !== 0;
  const shown = tab ?? (job.resultHere && !asksForLog ? 'results' : 'log');
  return (
    <article
      className={shown === 'log' ? 'panel detail' : 'panel detail detail-flow'}
      aria-label={plainText(jobTitle(job), 80)}
    >
      <header className="detail-head">
        <div>
          <h2>{plainText(jobTitle(job), 80)}</h2>
          <p className={job.spec.work.type === 'docker' ? 'dim work-line' : 'dim'}>
            {plainText(workText(job.spec), 300)}
          </p>
        </div>
        <Actions job={job} />
      </header>
      <div className="phase" role="status" aria-live="polite">
        <StateMark shape={words.shape} label={words.label} />
        <span>{job.detail === '' || waits ? words.sentence : plainText(job.detail, 300)}</span>
      </div>
      {job.review ? <JobReview job={job} review={job.review} /> : null}
      {run?.progress && !over ? <ProgressLine progress={run.progress} /> : null}
      <FailureNote error={error} />
      {waits ? <WaitingReasons reasons={job.waiting} /> : null}
      {job.of > 1 ? <ArrayStrip key={job.batchId} job={job} alone={alone} onAlone={onAlone} /> : null}
      <Money job={job} />
      <Tabs value={shown} onChange={setTab} className="detail-tabs" keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="log">Log</Tabs.Tab>
          <Tabs.Tab value="results">Results</Tabs.Tab>
          <Tabs.Tab value="runs">Who ran it</Tabs.Tab>
          <Tabs.Tab value="facts">Agreement</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="log" className="fill-panel">
          <JobLog job={job} />
        </Tabs.Panel>
        <Tabs.Panel value="results">
          <JobResults job={job} />
        </Tabs.Panel>
        <Tabs.Panel value="runs">
          <JobRuns job={job} />
        </Tabs.Panel>
        <Tabs.Panel value="facts">
          <JobAgreement job={job} />
        </Tabs.Panel>
      </Tabs>
    </article>
  );
}

/** What can be done about a task as it stands. */
function Actions({ job }: { job: Job }) {
  const { taskId, status } = job;
  const api = useApi();
  const queries = useQueryClient();
  const refresh = () => queries.invalidateQueries({ queryKey: api.jobs.key() });
  const cancel = useMutation(
    api.jobs.cancel.mutationOptions({
      onSuccess: (next) => queries.setQueryData(api.jobs.get.queryKey({ input: { taskId } }), next),
      onSettled: refresh,
    }),
  );
  const rerun = useMutation(
    api.jobs.rerun.mutationOptions({
      onSuccess: async ({ taskIds }) => {
        await refresh();
        goTo('jobs', taskIds[0]);
      },
    }),
  );
  const checkpoint = useMutation(
    api.jobs.checkpoint.mutationOptions({
      onSuccess: () => toastDone('The work was asked to save its state', 'What it saves comes back with the result.'),
    }),
  );
  return (
    <>
      <div className="detail-actions">
        {status === 'assigned' && job.spec.work.type === 'docker' ? (
          <Button variant="default" loading={checkpoint.isPending} onClick={() => checkpoint.mutate({ taskId })}>
            Save a checkpoint
          </Button>
        ) : null}
        {jobIsOver(job) ? (
          <Button
            variant="default"
            loading={rerun.isPending}
            onClick={() => rerun.mutate({ taskId, commandId: newCommandId() })}
          >
            Run again
          </Button>
        ) : null}
        {status === 'pending' ? (
          <Button
            variant="default"
            loading={cancel.isPending}
            onClick={() => cancel.mutate({ taskId, commandId: newCommandId() })}
          >
            Cancel, get the bounty back
          </Button>
        ) : null}
      </div>
      <FailureNote error={cancel.error ?? rerun.error ?? checkpoint.error} />
    </>
  );
}

function Money({ job }: { job: Job }) {
  const settled = job.paid !== null || job.refund !== null;
  return (
    <Facts
      two
      rows={
        settled
          ? [
              ['Paid', <Amount key="p" amount={job.paid ?? '0'} token={job.token} />],
              ['Back to you', <Amount key="r" amount={job.refund ?? '0'} token={job.token} />],
            ]
          : [
              ['Bounty', <Amount key="b" amount={job.bounty} token={job.token} />],
              ['Try', `${Math.max(1, job.attempts)} of ${job.retries + 1}`],
            ]
      }
    />
  );
}
