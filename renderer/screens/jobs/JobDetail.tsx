import { Button, Tabs } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { Job } from '../../../src/api/contract.ts';
import { formatSeconds } from '../../../src/shared/time.ts';
import { Amount } from '../../parts/Amount.tsx';
import { Facts } from '../../parts/Figure.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { ProgressLine } from '../../parts/ProgressLine.tsx';
import { StateMark } from '../../parts/StateMark.tsx';
import { newCommandId, useApi, useClient } from '../../state/host.ts';
import { useLiveQuery } from '../../state/live.ts';
import { goTo } from '../../state/screen.ts';
import { jobIsOver, jobTitle, jobWords, workText } from '../../view/job-words.ts';
import { exactTime } from '../../view/moment.ts';
import { plainText } from '../../view/plain-text.ts';
import { JobLog } from './JobLog.tsx';
import { JobResults } from './JobResults.tsx';
import { JobRuns } from './JobRuns.tsx';
import { WaitingReasons } from './WaitingReasons.tsx';

export function JobDetail({ listed }: { listed: Job }) {
  const { taskId } = listed;
  const api = useApi();
  const client = useClient();
  const queries = useQueryClient();
  const [tab, setTab] = useState<string | null>(null);
  const query = useQuery(api.jobs.get.queryOptions({ input: { taskId }, initialData: listed }));
  useLiveQuery(api.jobs.get.queryKey({ input: { taskId } }), (signal) => client.jobs.watch({ taskId }, { signal }));
  const refresh = () => queries.invalidateQueries({ queryKey: api.jobs.key() });
  const cancel = useMutation(api.jobs.cancel.mutationOptions({ onSettled: refresh }));
  const rerun = useMutation(
    api.jobs.rerun.mutationOptions({
      onSuccess: async ({ taskIds }) => {
        await refresh();
        goTo('jobs', taskIds[0]);
      },
    }),
  );
  const checkpoint = useMutation(api.jobs.checkpoint.mutationOptions({}));
  const job = query.data;
  const words = jobWords(job);
  const run = job.runs.at(-1);
  const over = jobIsOver(job);
  return (
    <article className="panel rental" aria-label={plainText(jobTitle(job), 80)}>
      <header className="rental-head">
        <div>
          <h2>{plainText(jobTitle(job), 80)}</h2>
          <p className="dim">{plainText(workText(job.spec), 160)}</p>
        </div>
        <div className="rental-actions">
          {job.status === 'assigned' && job.spec.work.type === 'docker' ? (
            <Button variant="default" loading={checkpoint.isPending} onClick={() => checkpoint.mutate({ taskId })}>
              Save a checkpoint
            </Button>
          ) : null}
          {over ? (
            <Button
              variant="default"
              loading={rerun.isPending}
              onClick={() => rerun.mutate({ taskId, commandId: newCommandId() })}
            >
              Run again
            </Button>
          ) : null}
          {job.status === 'pending' ? (
            <Button
              variant="default"
              loading={cancel.isPending}
              onClick={() => cancel.mutate({ taskId, commandId: newCommandId() })}
            >
              Cancel, get the bounty back
            </Button>
          ) : null}
        </div>
      </header>
      <div className="phase" role="status" aria-live="polite">
        <StateMark shape={words.shape} label={words.label} />
        <span>{job.detail === '' ? words.sentence : plainText(job.detail, 300)}</span>
      </div>
      {run?.progress && !over ? <ProgressLine progress={run.progress} /> : null}
      <FailureNote error={query.error ?? cancel.error ?? rerun.error ?? checkpoint.error} />
      {job.status === 'pending' ? <WaitingReasons reasons={job.waiting} /> : null}
      <Money job={job} />
      <Tabs
        value={tab ?? (job.resultHere ? 'results' : 'log')}
        onChange={setTab}
        className="rental-tabs"
        keepMounted={false}
      >
        <Tabs.List>
          <Tabs.Tab value="log">Log</Tabs.Tab>
          <Tabs.Tab value="results">Results</Tabs.Tab>
          <Tabs.Tab value="runs">Who ran it</Tabs.Tab>
          <Tabs.Tab value="facts">Agreement</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="log" className="terminal-panel">
          <JobLog job={job} />
        </Tabs.Panel>
        <Tabs.Panel value="results">
          <JobResults job={job} />
        </Tabs.Panel>
        <Tabs.Panel value="runs">
          <JobRuns job={job} />
        </Tabs.Panel>
        <Tabs.Panel value="facts">
          <Agreement job={job} />
        </Tabs.Panel>
      </Tabs>
    </article>
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

const TIERS = {
  accept: 'I accept it, or the window passes',
  redundancy: 'several providers have to agree',
  certificate: 'arithmetic on this computer proves it',
} as const;

/** What was posted; nothing of it can change. */
function Agreement({ job }: { job: Job }) {
  const { spec } = job;
  const { resources, timeouts } = spec;
  return (
    <Facts
      two
      rows={[
        ['Submitted', exactTime(job.createdAt)],
        ['Posted', job.postedAt === null ? 'not yet' : exactTime(job.postedAt)],
        ['Due', job.deadline === null ? '–' : exactTime(job.deadline)],
        ['Checked by', TIERS[spec.verification.tier]],
        [
          'Cards',
          resources.gpuCount === 0
            ? 'none'
            : `${resources.gpuCount} × ${plainText(resources.gpuModel ?? resources.gpuType ?? 'any', 40)}`,
        ],
        ['Memory of a card', resources.gpuMemoryGb === 0 ? 'any' : `${resources.gpuMemoryGb} GB`],
        ['Longest run', formatSeconds(timeouts.runSeconds)],
        ['Network', spec.network === 'internet' ? 'internet' : 'none'],
        [
          'Inputs',
          spec.inputs.length === 0 ? 'none' : spec.inputs.map((input) => plainText(input.path, 40)).join(', '),
        ],
        ['Secrets', spec.secrets.length === 0 ? 'none' : spec.secrets.map((name) => plainText(name, 40)).join(', ')],
        [
          'Job id',
          job.jobId === null ? '–' : <code key="id">{`${job.jobId.slice(0, 10)}…${job.jobId.slice(-6)}`}</code>,
        ],
        ['Priority', `${job.priority}`],
      ]}
    />
  );
}
