import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import type { Job } from '../../../src/api/contract.ts';
import { Meter } from '../../parts/Meter.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { newCommandId, useApi, useClient } from '../../state/host.ts';
import { goTo } from '../../state/screen.ts';
import { endedJobs, needYou } from '../../view/job-words.ts';
import { useBatch } from './job-pages.ts';

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
  const batch = useBatch(job.batchId);
  if (!batch) return null;
  const { counts, review } = batch;
  const ended = endedJobs(counts);
  const words = COUNTED.map(([status, word]) => ({
    many: status === 'completed' ? counts.completed - review : counts[status],
    word,
  }))
    .filter(({ many }) => many > 0)
    .map(({ many, word }) => `${many.toLocaleString('en')} ${word}`);
  if (review > 0) words.unshift(needYou(review));
  const asks = batch.job.review !== null && batch.job.taskId !== job.taskId ? batch.job.taskId : null;
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
        {asks === null ? null : (
          <Button variant="default" size="xs" onClick={() => goTo('jobs', asks)}>
            Show one that needs you
          </Button>
        )}
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
