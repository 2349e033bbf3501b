import { Button, SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconChecklist, IconPlus } from '@tabler/icons-react';
import { useEffect, useState, type ReactNode } from 'react';
import type { Job } from '../../../src/api/contract.ts';
import { Blank, LoadingRows } from '../../parts/Blank.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { useApi } from '../../state/host.ts';
import { goTo, settleAt, usePlace } from '../../state/screen.ts';
import { useJobs } from '../../state/status.ts';
import { endedJobs, jobIsOver, openJobs } from '../../view/job-words.ts';
import { JobDetail } from './JobDetail.tsx';
import { JobList } from './JobList.tsx';
import { useJobPages } from './job-pages.ts';
import { NewJob } from './NewJob.tsx';
import { SchedulingBar } from './SchedulingBar.tsx';

type Show = 'open' | 'ended';

export function JobsScreen() {
  const all = useJobs();
  const [adding, setAdding] = useState(false);
  const newJob = (
    <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setAdding(true)}>
      New job
    </Button>
  );
  if (all.isPending) return <LoadingRows lines={6} label="Loading jobs" />;
  return (
    <>
      {all.data && all.data.jobs.length > 0 ? (
        <Desk newJob={newJob} />
      ) : (
        <>
          <FailureNote error={all.error} />
          <div className="panel">
            <Blank icon={IconChecklist} title="No jobs yet" action={newJob}>
              Describe work once: what to run, its inputs, what it is worth. It runs on somebody’s machine, and its
              checked result comes back here.
            </Blank>
          </div>
        </>
      )}
      <NewJob opened={adding} onClose={() => setAdding(false)} />
    </>
  );
}

/** The list, and the one that is looked at. */
function Desk({ newJob }: { newJob: ReactNode }) {
  const chosen = usePlace((place) => place.id);
  const [wanted, setWanted] = useState<Show>('open');
  const [alone, setAlone] = useState<string | null>(null);
  const one = useQuery(
    useApi().jobs.get.queryOptions({ input: { taskId: chosen ?? '' }, enabled: chosen !== null, staleTime: 0 }),
  );
  const named = chosen === null ? undefined : one.data;
  const show = named ? kindOf(named) : wanted;
  const pages = useJobPages({ open: show === 'open', batchId: alone });
  const { lines, counts } = pages;
  // What is looked at stays in sight when it ends: its result is what one wants to see then.
  const first = chosen === null ? lines[0]?.job.taskId : undefined;
  useEffect(() => {
    if (first !== undefined) settleAt('jobs', first);
  }, [first]);
  const choose = (next: Show) => {
    setWanted(next);
    goTo('jobs');
  };
  return (
    <div className="desk">
      <div className="desk-list">
        {newJob}
        <SegmentedControl
          aria-label="Which jobs"
          fullWidth
          value={show}
          onChange={choose}
          data={[
            { value: 'open', label: `Open (${openJobs(counts).toLocaleString('en')})` },
            { value: 'ended', label: `Ended (${endedJobs(counts).toLocaleString('en')})` },
          ]}
        />
        {alone === null ? null : (
          <Button variant="default" size="xs" onClick={() => setAlone(null)}>
            One array only. List all jobs again
          </Button>
        )}
        {pages.isPending ? (
          <LoadingRows lines={6} label="Loading the list" />
        ) : (
          <JobList lines={lines} current={alone === null ? (named?.batchId ?? null) : chosen} onEnd={pages.more} />
        )}
        <FailureNote error={pages.error} />
        <SchedulingBar />
      </div>
      <div className="desk-detail">
        {named ? (
          <JobDetail
            key={named.taskId}
            job={named}
            error={one.error}
            alone={alone === named.batchId}
            onAlone={(only) => setAlone(only ? named.batchId : null)}
          />
        ) : (
          <>
            <FailureNote
              error={chosen === null ? null : one.error}
              action={
                <Button variant="default" size="xs" onClick={() => goTo('jobs')}>
                  Show the newest
                </Button>
              }
            />
            <div className="panel">
              {one.isLoading || pages.isPending ? (
                <LoadingRows lines={8} label="Loading the job" />
              ) : (
                <Blank icon={IconChecklist} title={show === 'open' ? 'Nothing waits or runs' : 'Nothing has ended'} />
              )}
            </div>
          </>
        )}
      </div>
    </div>
  );
}

const kindOf = (job: Job): Show => (jobIsOver(job) ? 'ended' : 'open');
