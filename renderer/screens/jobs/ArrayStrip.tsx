import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import type { Job } from '../../../src/api/contract.ts';
import { Meter } from '../../parts/Meter.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { newCommandId, useApi, useClient } from '../../state/host.ts';
import { jobIsOver } from '../../view/job-words.ts';
import { useBatchCounts } from './job-pages.ts';

interface ArrayStripProps {
  job: Job;
  /** Only tasks of this array are listed now. */
  alone: boolean;
  onAlone: (alone: boolean) => void;
}

const COUNTED = [
  ['verified', 'done'],
  ['failed', 'failed'],
  ['cancelled', 'cancelled'],
  ['assigned', 'running'],
  ['completed', 'checking'],
  ['pending', 'waiting'],
] as const;

/** How the whole array stands that a task is of. */
export function ArrayStrip({ job, alone, onAlone }: ArrayStripProps) {
  const counts = useBatchCounts(job.batchId);
  if (!counts) return null;
  const ended = COUNTED.reduce((sum, [status]) => sum + (jobIsOver({ status }) ? counts[status] : 0), 0);
  const words = COUNTED.filter(([status]) => counts[status] > 0).map(
    ([status, word]) => `${counts[status].toLocaleString('en')} ${word}`,
  );
  const text = `${ended.toLocaleString('en')} of ${job.of.toLocaleString('en')} tasks have ended`;
  return (
    <section className="array-strip" aria-label="The whole array">
      <div className="pair">
        <span>{text}</span>
        <span className="figure dim">{words.join(', ')}</span>
      </div>
      <Meter label="Tasks of the array that have ended" share={ended / job.of} text={text} running={ended < job.of} />
      <div className="button-row">
        <Button variant="default" size="xs" aria-pressed={alone} onClick={() => onAlone(!alone)}>
          {alone ? 'List all jobs again' : 'List only these'}
        </Button>
        {counts.pending > 0 ? <CancelWaiting batchId={job.batchId} waiting={counts.pending} /> : null}
      </div>
    </section>
  );
}

const PAGE = 100;

/** Takes back every task that nobody has taken yet, one after the other; can be stopped midway. */
function CancelWaiting({ batchId, waiting }: { batchId: string; waiting: number }) {
  const client = useClient();
  const api = useApi();
  const queries = useQueryClient();
  const stop = useRef(new AbortController());
  const [done, setDone] = useState({ done: 0, of: waiting });
  const cancel = useMutation({
    mutationFn: async () => {
      stop.current = new AbortController();
      setDone({ done: 0, of: waiting });
      const tried = new Set<string>();
      for (;;) {
        const { jobs } = await client.jobs.list({ batchId, status: 'pending', limit: PAGE });
        const fresh = jobs.filter(({ taskId }) => !tried.has(taskId));
        if (fresh.length === 0) return;
        for (const { taskId } of fresh) {
          if (stop.current.signal.aborted) return;
          tried.add(taskId);
          await client.jobs.cancel({ taskId, commandId: newCommandId() });
          setDone({ done: tried.size, of: Math.max(waiting, tried.size) });
        }
      }
    },
    onSettled: () => queries.invalidateQueries({ queryKey: api.jobs.key() }),
  });
  return (
    <>
      {cancel.isPending ? (
        <Button variant="default" size="xs" onClick={() => stop.current.abort()}>
          Stop at {done.done} of {done.of} cancelled
        </Button>
      ) : (
        <Button variant="default" size="xs" onClick={() => cancel.mutate()}>
          Cancel the {waiting.toLocaleString('en')} waiting
        </Button>
      )}
      <FailureNote error={cancel.error} />
    </>
  );
}
