import type { ReactNode } from 'react';
import type { WorkStatus } from '../../../src/api/contract.ts';
import { Amount } from '../../parts/Amount.tsx';
import { Facts } from '../../parts/Figure.tsx';
import { Meter } from '../../parts/Meter.tsx';

const STARTING = 100;

/** Earned, staked, and what others think of it. */
export function WorkFigures({ work }: { work: WorkStatus }) {
  const { stakeToken: token, reputation } = work;
  const rows: [string, ReactNode][] = work.earned.map(({ token: paidIn, amount }) => [
    work.earned.length > 1 ? `Earned, ${paidIn.symbol}` : 'Earned with jobs',
    <Amount key={paidIn.address} amount={amount} token={paidIn} />,
  ]);
  if (rows.length === 0) {
    rows.push([
      'Earned with jobs',
      <span key="none" className="dim">
        nothing yet
      </span>,
    ]);
  }
  if (token) {
    rows.push(['Staked', <Amount key="s" amount={work.staked} token={token} />]);
    if (work.atRisk !== '0') rows.push(['of it, bonds of jobs', <Amount key="r" amount={work.atRisk} token={token} />]);
    if (work.unbonding !== '0')
      rows.push(['On its way back', <Amount key="u" amount={work.unbonding} token={token} />]);
  }
  return (
    <>
      <Facts rows={rows} />
      <div className="reputation">
        <span className="pair">
          <span className="dim">Reputation</span>
          <span className="figure">{reputation.toFixed(2)} of 100</span>
        </span>
        <Meter label="Reputation" share={reputation / 100} text={`${reputation.toFixed(2)} of 100`} />
        <p className="hint">
          {reputation >= STARTING
            ? '100 is the starting value: nothing has been held against this computer.'
            : '100 is the starting value; late or false work lowers it, good work brings it back.'}
        </p>
      </div>
    </>
  );
}
