import type { Job } from '../../../src/api/contract.ts';
import { formatSeconds } from '../../../src/shared/time.ts';
import { Amount } from '../../parts/Amount.tsx';
import { LinkList } from '../../parts/LinkList.tsx';
import { StateMark } from '../../parts/StateMark.tsx';
import { hrefTo } from '../../state/screen.ts';
import { batchTrouble, batchWords, endedText, jobName, jobTitle, jobWords } from '../../view/job-words.ts';
import { clockTime } from '../../view/moment.ts';
import { plainText } from '../../../src/shared/plain-text.ts';
import type { JobLine } from './job-pages.ts';

interface JobListProps {
  lines: JobLine[];
  /** Id of the line that is open. */
  current: string | null;
  onEnd: () => void;
}

export function JobList({ lines, current, onEnd }: JobListProps) {
  return (
    <LinkList
      label="Jobs"
      items={lines}
      idOf={({ id }) => id}
      hrefOf={({ job }) => hrefTo('jobs', job.taskId)}
      current={current}
      onEnd={onEnd}
    >
      {({ job, batch }) => (batch && job.of > 1 ? <ArrayLine batch={batch} /> : <Line job={job} />)}
    </LinkList>
  );
}

function Line({ job }: { job: Job }) {
  const words = jobWords(job);
  const [money, amount] = moneyOf(job);
  return (
    <>
      <span className="pair">
        <strong>{plainText(jobTitle(job), 48)}</strong>
        <StateMark shape={words.shape} label={words.label} />
      </span>
      <span className="pair dim">
        <span>{clockTime(job.createdAt)}</span>
        <span className="figure">{tookText(job.runs.at(-1))}</span>
      </span>
      <span className="pair">
        <span className="dim">{money}</span>
        <Amount amount={amount} token={job.token} />
      </span>
    </>
  );
}

function ArrayLine({ batch }: { batch: NonNullable<JobLine['batch']> }) {
  const { job, counts } = batch;
  const words = batchWords(batch);
  const trouble = batchTrouble(batch);
  return (
    <>
      <span className="pair">
        <strong>{plainText(jobName(job), 48)}</strong>
        <StateMark shape={words.shape} label={words.label} />
      </span>
      <span className="pair dim">
        <span>{clockTime(job.createdAt)}</span>
        <span className="figure">{endedText(counts, job.of)}</span>
      </span>
      {trouble === '' ? null : <span className="figure array-trouble">{trouble}</span>}
      <span className="pair">
        <span className="dim">Bounty of each</span>
        <Amount amount={job.bounty} token={job.token} />
      </span>
    </>
  );
}

const moneyOf = ({ status, bounty, paid, refund }: Job): [string, string] =>
  status === 'cancelled' ? ['Back to you', refund ?? bounty] : paid === null ? ['Bounty', bounty] : ['Paid', paid];

const tookText = (run: Job['runs'][number] | undefined): string =>
  run?.startedAt && run.finishedAt ? formatSeconds(run.finishedAt - run.startedAt) : '';
