import { Button, Switch } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconChecklist } from '@tabler/icons-react';
import type { ShareStatus, WorkStatus } from '../../../src/api/contract.ts';
import { Blank, LoadingRows } from '../../parts/Blank.tsx';
import { FailureNote, Note } from '../../parts/Note.tsx';
import { Panel } from '../../parts/Panel.tsx';
import { newCommandId, useApi, useClient } from '../../state/host.ts';
import { useLiveQuery } from '../../state/live.ts';
import { moneyText } from '../../view/money-view.ts';
import { plainText } from '../../../src/shared/plain-text.ts';
import { StakeForm } from './StakeForm.tsx';
import { WorkFigures } from './WorkFigures.tsx';
import { WorkRuns } from './WorkRuns.tsx';

/** Whether this computer also runs other people's jobs, what that takes, and what it does now. */
export function WorkPanel({ share }: { share: ShareStatus }) {
  const api = useApi();
  const client = useClient();
  const queries = useQueryClient();
  const query = useQuery(api.work.status.queryOptions());
  useLiveQuery(api.work.status.queryKey(), (signal) => client.work.watch(undefined, { signal }));
  const keep = (next: WorkStatus) => queries.setQueryData(api.work.status.queryKey(), next);
  const start = useMutation(api.work.start.mutationOptions({ onSuccess: keep }));
  const stop = useMutation(api.work.stop.mutationOptions({ onSuccess: keep }));
  const work = query.data;
  if (!work) {
    return (
      <Panel title="Jobs">
        {query.error ? (
          <FailureNote
            error={query.error}
            action={
              <Button variant="default" size="xs" onClick={() => void query.refetch()}>
                Try again
              </Button>
            }
          />
        ) : (
          <LoadingRows lines={4} label="Loading jobs of this computer" />
        )}
      </Panel>
    );
  }
  const on = work.state === 'on' || work.state === 'starting';
  const moving = work.state === 'starting' || start.isPending || stop.isPending;
  const begin = (claimsOpen: boolean) => start.mutate({ commandId: newCommandId(), claimsOpen });
  return (
    <Panel title="Jobs">
      <Switch
        label="Also take jobs"
        aria-label="Also take jobs"
        description={sentenceOf(work, share)}
        checked={on}
        disabled={moving || (!on && share.state !== 'on')}
        onChange={(event) => {
          start.reset();
          stop.reset();
          if (event.currentTarget.checked) begin(work.claimsOpen);
          else stop.mutate({ commandId: newCommandId() });
        }}
      />
      {on ? null : <p className="hint">{needsOf(work)}</p>}
      {on ? (
        <Switch
          label="Take open jobs by itself"
          aria-label="Take open jobs by itself"
          description="Without being asked by a renter first."
          checked={work.claimsOpen}
          disabled={moving}
          onChange={(event) => begin(event.currentTarget.checked)}
        />
      ) : null}
      {work.state === 'failed' ? (
        <Note
          kind="bad"
          title="Jobs could not be taken"
          action={
            <Button variant="default" size="xs" disabled={moving} onClick={() => begin(work.claimsOpen)}>
              Try again
            </Button>
          }
        >
          {plainText(work.detail, 300)}
        </Note>
      ) : null}
      <FailureNote error={start.error ?? stop.error} />
      {on && !work.active && !moving ? (
        <Note kind="warn" title="Nobody can give this computer a job yet">
          Its stake or its reputation is below what the network asks for.
        </Note>
      ) : null}
      {on && work.running.length === 0 ? (
        <Blank icon={IconChecklist} title="No job runs now">
          The next one appears here at once.
        </Blank>
      ) : (
        <WorkRuns title="Running now" runs={work.running} endable />
      )}
      <WorkRuns title="Done lately" runs={work.recent.slice(0, 5)} />
      <WorkFigures work={work} />
      {work.stakeToken ? <StakeForm work={work} token={work.stakeToken} onDone={keep} /> : null}
    </Panel>
  );
}

function sentenceOf({ state, detail }: WorkStatus, share: ShareStatus): string {
  if (state === 'starting') return detail === '' ? 'Getting ready…' : plainText(detail, 200);
  if (state === 'on') return 'Whenever nobody rents. Turned off, what runs is still finished and paid.';
  return share.state === 'on'
    ? 'Earn whenever nobody rents.'
    : 'Turn sharing on first: jobs are taken on the shared offer.';
}

/** What taking jobs asks of its owner, in plain words. */
function needsOf({ staked, minStake, stakeToken }: WorkStatus): string {
  const lacks = BigInt(minStake) - BigInt(staked);
  const stake =
    stakeToken === null || lacks <= 0n
      ? 'Your stake is enough.'
      : `Turning it on stakes ${moneyText(lacks, stakeToken)} from your wallet. It stays yours: seven days after you ask for it, it is back.`;
  return `${stake} While a job runs, a small part of the stake is its bond: being late costs a fee out of it, and only a result that a jury rejects costs stake.`;
}
