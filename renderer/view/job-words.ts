import type { Job } from '../../src/api/contract.ts';
import type { JobModel } from '../../src/shared/job-spec.ts';
import type { Shape } from './phase-words.ts';

interface JobWords {
  label: string;
  shape: Shape;
  sentence: string;
}

const WORDS: Record<Job['status'], JobWords> = {
  pending: { label: 'Waiting', shape: 'wait', sentence: 'The bounty is locked; it waits for a provider.' },
  assigned: { label: 'Running', shape: 'flow', sentence: 'A provider works on it.' },
  completed: { label: 'Checking', shape: 'wait', sentence: 'The result is back and is being checked.' },
  verified: { label: 'Done', shape: 'ok', sentence: 'Checked and paid.' },
  failed: { label: 'Failed', shape: 'fail', sentence: 'It did not work out.' },
  cancelled: { label: 'Cancelled', shape: 'off', sentence: 'Taken back; the bounty is free again.' },
};

const ASKS: JobWords = { label: 'Needs you', shape: 'ask', sentence: 'The result is here. Accept it, or reject it.' };

const SOME_FAILED: JobWords = { ...WORDS.failed, label: 'Some failed' };

/** Where a task stands, in words people use. */
export const jobWords = ({ status, review }: Pick<Job, 'status' | 'review'>): JobWords =>
  review === null ? WORDS[status] : ASKS;

/** All tasks of one submission, as far as words about it go. */
interface BatchState {
  counts: Record<Job['status'], number>;
  review: number;
}

/** Where an array as a whole stands: what needs its owner first, then what still moves, then how it ended. */
export function batchWords({ counts, review }: BatchState): JobWords {
  if (review > 0) return ASKS;
  for (const status of ['assigned', 'completed', 'pending'] as const) if (counts[status] > 0) return WORDS[status];
  if (counts.failed > 0) return counts.failed < endedJobs(counts) ? SOME_FAILED : WORDS.failed;
  return counts.verified > 0 ? WORDS.verified : WORDS.cancelled;
}

/** "2 failed, 1 needs you": what of an array wants to be looked at; empty where nothing does. */
export const batchTrouble = ({ counts, review }: BatchState): string =>
  [
    ...(counts.failed > 0 ? [`${counts.failed.toLocaleString('en')} failed`] : []),
    ...(review > 0 ? [needYou(review)] : []),
  ].join(', ');

export const needYou = (many: number): string => `${many.toLocaleString('en')} ${many === 1 ? 'needs' : 'need'} you`;

/** "37 of 100 ended" */
export const endedText = (counts: BatchState['counts'], of: number): string =>
  `${endedJobs(counts).toLocaleString('en')} of ${of.toLocaleString('en')} ended`;

export const jobIsOver = ({ status }: Pick<Job, 'status'>): boolean =>
  status === 'verified' || status === 'failed' || status === 'cancelled';

type Counts = Record<Job['status'], number> | undefined;

export const openJobs = (counts: Counts): number =>
  counts === undefined ? 0 : counts.pending + counts.assigned + counts.completed;

export const endedJobs = (counts: Counts): number =>
  counts === undefined ? 0 : counts.verified + counts.failed + counts.cancelled;

type WorkWords =
  | { type: 'kernel'; model: JobModel }
  | { type: 'wasm'; module: string }
  | { type: 'docker'; image: string; command?: string[] | undefined };

/** "Linear regression", "busybox:1.36 sh -c …", "WASM module": what a task runs, in one line. */
export function workText({ work }: { work: WorkWords }): string {
  switch (work.type) {
    case 'kernel':
      return { linear_regression: 'Linear regression', k_means: 'K-means clustering', pca: 'Principal components' }[
        work.model
      ];
    case 'wasm':
      return `WASM module ${work.module.slice(0, 12)}…`;
    case 'docker':
      return [shortImage(work.image), ...(work.command ?? [])].join(' ');
  }
}

/** A digest is 64 digits; the first eight tell images apart. */
const shortImage = (image: string): string => image.replace(/(@sha256:[0-9a-f]{8})[0-9a-f]{56}$/, '$1…');

/** What it is called: its own name, else what it runs. */
export const jobName = ({ name, spec }: Pick<Job, 'name' | 'spec'>): string => (name === '' ? workText(spec) : name);

/** What a task is called in a list; of an array, which one. */
export function jobTitle(job: Pick<Job, 'name' | 'spec' | 'index' | 'of'>): string {
  const name = jobName(job);
  return job.of > 1 ? `${name} · ${job.index + 1} of ${job.of}` : name;
}
