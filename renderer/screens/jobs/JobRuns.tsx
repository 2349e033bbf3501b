import { IconUsers } from '@tabler/icons-react';
import type { Job } from '../../../src/api/contract.ts';
import { shortId } from '../../../src/shared/ids.ts';
import { formatSeconds } from '../../../src/shared/time.ts';
import { Blank } from '../../parts/Blank.tsx';
import { Note } from '../../parts/Note.tsx';
import { TableWrap } from '../../parts/TableWrap.tsx';
import { plainText } from '../../../src/shared/plain-text.ts';

/** Every provider that had this task, and what checking its result found. */
export function JobRuns({ job }: { job: Job }) {
  if (job.runs.length === 0) {
    return (
      <Blank icon={IconUsers} title="Nobody yet">
        The provider that takes it appears here.
      </Blank>
    );
  }
  return (
    <div className="form">
      {job.verdict && (!job.verdict.valid || job.verdict.reason !== job.detail) ? (
        <Note
          kind={job.verdict.valid ? 'info' : 'bad'}
          title={job.verdict.valid ? 'The result was checked' : 'The result is wrong'}
        >
          {plainText(job.verdict.reason, 400)}
        </Note>
      ) : null}
      <TableWrap label="Providers">
        <table className="plain-table">
          <thead>
            <tr>
              <th scope="col">Provider</th>
              <th scope="col">Card</th>
              <th scope="col">Stands</th>
              <th scope="col" className="right">
                Took
              </th>
              <th scope="col" className="right">
                Exit code
              </th>
            </tr>
          </thead>
          <tbody>
            {job.runs.map((run) => (
              <tr key={run.dealId}>
                <th scope="row">
                  <code>{shortId(run.provider)}</code>
                </th>
                <td>
                  {plainText(run.gpuModel, 40)}{' '}
                  {run.simulatedCard ? <span className="tag tag-warn">simulated card</span> : null}
                </td>
                <td className="wrap">
                  {plainText(run.phase, 24)}
                  {run.detail === '' ? '' : `: ${plainText(run.detail, 160)}`}
                </td>
                <td className="right figure">
                  {run.startedAt !== null && run.finishedAt !== null
                    ? formatSeconds(run.finishedAt - run.startedAt)
                    : '–'}
                </td>
                <td className="right figure">{run.exitCode ?? '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableWrap>
      {job.verdict && job.verdict.checks.length > 0 ? (
        <TableWrap label="Checks">
          <table className="plain-table">
            <thead>
              <tr>
                <th scope="col">Check</th>
                <th scope="col" className="right">
                  Measured
                </th>
                <th scope="col" className="right">
                  Allowed
                </th>
                <th scope="col">Holds</th>
              </tr>
            </thead>
            <tbody>
              {job.verdict.checks.map((check) => (
                <tr key={check.name}>
                  <th scope="row">{plainText(check.name, 80)}</th>
                  <td className="right figure">{figure(check.measured)}</td>
                  <td className="right figure">{figure(check.limit)}</td>
                  <td>{check.ok ? 'yes' : 'no'}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableWrap>
      ) : null}
    </div>
  );
}

/** Counts as they are, everything else to three digits. */
const figure = (value: number): string =>
  Number.isSafeInteger(value) ? value.toLocaleString('en') : value.toPrecision(3);
