import { useRef, type KeyboardEvent } from 'react';
import type { Job } from '../../../src/api/contract.ts';
import { formatSeconds } from '../../../src/shared/time.ts';
import { Amount } from '../../parts/Amount.tsx';
import { StateMark } from '../../parts/StateMark.tsx';
import { hrefTo } from '../../state/screen.ts';
import { jobTitle, jobWords } from '../../view/job-words.ts';
import { clockTime } from '../../view/moment.ts';
import { plainText } from '../../view/plain-text.ts';

/** Arrows move between jobs; Enter opens one. */
export function JobList({ jobs, current }: { jobs: Job[]; current: string | null }) {
  const list = useRef<HTMLUListElement>(null);
  const onKey = (event: KeyboardEvent) => {
    const links = [...(list.current?.querySelectorAll<HTMLElement>('a') ?? [])];
    const at = links.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    links[Math.max(0, Math.min(links.length - 1, to))]?.focus();
  };
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- the list only passes arrow keys on to its links
    <ul ref={list} className="rental-list" aria-label="Jobs" onKeyDown={onKey}>
      {jobs.map((job) => {
        const words = jobWords(job);
        const run = job.runs.at(-1);
        return (
          <li key={job.taskId}>
            <a
              href={hrefTo('jobs', job.taskId)}
              {...(job.taskId === current ? { 'aria-current': 'true' as const } : {})}
            >
              <span className="rental-line">
                <strong>{plainText(jobTitle(job), 48)}</strong>
                <StateMark shape={words.shape} label={words.label} />
              </span>
              <span className="rental-line dim">
                <span>{clockTime(job.createdAt)}</span>
                <span className="figure">{tookText(run)}</span>
              </span>
              <span className="rental-line">
                <span className="dim">{job.paid === null ? 'Bounty' : 'Paid'}</span>
                <Amount amount={job.paid ?? job.bounty} token={job.token} />
              </span>
            </a>
          </li>
        );
      })}
    </ul>
  );
}

const tookText = (run: Job['runs'][number] | undefined): string =>
  run?.startedAt && run.finishedAt ? formatSeconds(run.finishedAt - run.startedAt) : '';
