import { Button } from '@mantine/core';
import type { Job } from '../../../src/api/contract.ts';
import { Meter } from '../../parts/Meter.tsx';
import { newCommandId, useClient } from '../../state/host.ts';
import { goTo } from '../../state/screen.ts';
import { endedJobs, needYou } from '../../view/job-words.ts';
import { EachTask } from './EachTask.tsx';
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

const waitsForOwner = ({ review }: Job): boolean => review !== null;

/** How the whole array stands that a task is of. */
export function ArrayStrip({ job, alone, onAlone }: ArrayStripProps) {
  const { batchId } = job;
  const client = useClient();
  const batch = useBatch(batchId);
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
        {review > 1 ? (
          <EachTask
            {...{ batchId, many: review, status: 'completed', isMeant: waitsForOwner, done: 'accepted' }}
            label={`Accept and pay all ${review.toLocaleString('en')} that wait for you`}
            act={(taskId) => client.jobs.accept({ taskId, commandId: newCommandId() })}
          />
        ) : null}
        {counts.pending > 0 ? (
          <EachTask
            {...{ batchId, many: counts.pending, status: 'pending', done: 'cancelled' }}
            label={`Cancel the ${counts.pending.toLocaleString('en')} waiting`}
            act={(taskId) => client.jobs.cancel({ taskId, commandId: newCommandId() })}
          />
        ) : null}
      </div>
    </section>
  );
}
