import { Button } from '@mantine/core';
import { useState } from 'react';
import type { WorkStatus } from '../../../src/api/contract.ts';
import { shortId } from '../../../src/shared/ids.ts';
import { formatSeconds } from '../../../src/shared/time.ts';
import { Amount } from '../../parts/Amount.tsx';
import { ProgressLine } from '../../parts/ProgressLine.tsx';
import { clockTime } from '../../view/moment.ts';
import { plainText } from '../../../src/shared/plain-text.ts';
import { EndRunDialog } from './EndRunDialog.tsx';

type Run = WorkStatus['running'][number];

interface WorkRunsProps {
  title: string;
  runs: Run[];
  /** Those that still work can be ended. */
  endable?: boolean;
}

/** Jobs of others on this computer. Their names are strangers' words. */
export function WorkRuns({ title, runs, endable = false }: WorkRunsProps) {
  if (runs.length === 0) return null;
  return (
    <section className="work-runs" aria-label={title}>
      <h3>{title}</h3>
      <ul>
        {runs.map((run) => (
          <li key={run.dealId}>
            <span className="pair">
              <strong>{run.name === '' ? 'A job without a name' : plainText(run.name, 48)}</strong>
              <Amount amount={run.paid ?? run.bounty} token={run.token} digits={2} />
            </span>
            <span className="pair dim">
              <span>
                for <code>{shortId(run.renter)}</code>
              </span>
              <span className="figure">{whenText(run)}</span>
            </span>
            {run.progress && run.finishedAt === null ? <ProgressLine progress={run.progress} /> : null}
            {run.detail === '' ? null : <span className="dim">{plainText(run.detail, 200)}</span>}
            {endable && run.finishedAt === null ? <EndRun run={run} /> : null}
          </li>
        ))}
      </ul>
    </section>
  );
}

function EndRun({ run }: { run: Run }) {
  const [ending, setEnding] = useState(false);
  return (
    <div className="button-row">
      <Button variant="default" size="xs" onClick={() => setEnding(true)}>
        End it…
      </Button>
      <EndRunDialog run={run} opened={ending} onClose={() => setEnding(false)} />
    </div>
  );
}

function whenText({ startedAt, finishedAt, exitCode, submitBy, phase }: Run): string {
  if (startedAt !== null && finishedAt !== null) {
    const took = formatSeconds(finishedAt - startedAt);
    return exitCode === null || exitCode === 0 ? took : `${took}, exit code ${exitCode}`;
  }
  return `${plainText(phase, 20)}, due ${clockTime(submitBy)}`;
}
