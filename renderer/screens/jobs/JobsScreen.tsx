import { Button, SegmentedControl } from '@mantine/core';
import { IconChecklist, IconPlus } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import type { Job } from '../../../src/api/contract.ts';
import { Blank, LoadingRows } from '../../parts/Blank.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { goTo, settleAt, usePlace } from '../../state/screen.ts';
import { useJobs } from '../../state/status.ts';
import { jobIsOver } from '../../view/job-words.ts';
import { JobDetail } from './JobDetail.tsx';
import { JobList } from './JobList.tsx';
import { NewJob } from './NewJob.tsx';
import { SchedulingBar } from './SchedulingBar.tsx';

type Show = 'open' | 'ended';

export function JobsScreen() {
  const query = useJobs();
  const chosen = usePlace((place) => place.id);
  const [wanted, setWanted] = useState<Show>('open');
  const [adding, setAdding] = useState(false);
  const jobs = query.data?.jobs ?? [];
  const named = jobs.find((job) => job.taskId === chosen);
  const show = named ? kindOf(named) : wanted;
  const shown = jobs.filter((job) => kindOf(job) === show);
  const current = named ?? shown[0];
  // What is looked at stays in sight when it ends: its result is what one wants to see then.
  const unnamed = named ? undefined : current?.taskId;
  useEffect(() => {
    if (unnamed !== undefined) settleAt('jobs', unnamed);
  }, [unnamed]);

  if (query.isPending) return <LoadingRows lines={6} label="Loading jobs" />;
  const counts = query.data?.counts;
  const newJob = (
    <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setAdding(true)}>
      New job
    </Button>
  );
  return (
    <>
      {jobs.length === 0 ? (
        <>
          <FailureNote error={query.error} />
          <div className="panel">
            <Blank icon={IconChecklist} title="No jobs yet" action={newJob}>
              Describe work once: what to run, its inputs, what it is worth. It runs on somebody’s machine, and its
              checked result comes back here.
            </Blank>
          </div>
        </>
      ) : (
        <div className="rentals">
          <div className="rentals-list">
            {newJob}
            <SegmentedControl
              aria-label="Which jobs"
              fullWidth
              value={show}
              onChange={(value) => {
                setWanted(value);
                goTo('jobs', jobs.find((job) => kindOf(job) === value)?.taskId);
              }}
              data={[
                { value: 'open', label: `Open (${counts ? counts.pending + counts.assigned + counts.completed : 0})` },
                { value: 'ended', label: 'Ended' },
              ]}
            />
            <JobList jobs={shown} current={current?.taskId ?? null} />
            <SchedulingBar />
          </div>
          <div className="rentals-detail">
            <FailureNote error={query.error} />
            {current ? (
              <JobDetail key={current.taskId} listed={current} />
            ) : (
              <div className="panel">
                <Blank icon={IconChecklist} title={show === 'open' ? 'Nothing waits or runs' : 'Nothing has ended'} />
              </div>
            )}
          </div>
        </div>
      )}
      <NewJob opened={adding} onClose={() => setAdding(false)} />
    </>
  );
}

const kindOf = (job: Job): Show => (jobIsOver(job) ? 'ended' : 'open');
