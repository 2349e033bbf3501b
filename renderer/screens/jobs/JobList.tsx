import type { Job } from '../../../src/api/contract.ts';
import { formatSeconds } from '../../../src/shared/time.ts';
import { Amount } from '../../parts/Amount.tsx';
import { LinkList } from '../../parts/LinkList.tsx';
import { StateMark } from '../../parts/StateMark.tsx';
import { hrefTo } from '../../state/screen.ts';
import { jobTitle, jobWords } from '../../view/job-words.ts';
import { clockTime } from '../../view/moment.ts';
import { plainText } from '../../view/plain-text.ts';

interface JobListProps {
  jobs: Job[];
  current: string | null;
  onEnd: () => void;
}

export function JobList({ jobs, current, onEnd }: JobListProps) {
  return (
    <LinkList
      label="Jobs"
      items={jobs}
      idOf={({ taskId }) => taskId}
      hrefOf={({ taskId }) => hrefTo('jobs', taskId)}
      current={current}
      onEnd={onEnd}
    >
      {(job) => <Line job={job} />}
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

const moneyOf = ({ status, bounty, paid, refund }: Job): [string, string] =>
  status === 'cancelled' ? ['Back to you', refund ?? bounty] : paid === null ? ['Bounty', bounty] : ['Paid', paid];

const tookText = (run: Job['runs'][number] | undefined): string =>
  run?.startedAt && run.finishedAt ? formatSeconds(run.finishedAt - run.startedAt) : '';
