import { Button, NumberInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { Job } from '../../../src/api/contract.ts';
import { formatBytes, GIB } from '../../../src/shared/units.ts';
import { FailureNote } from '../../parts/Note.tsx';
import { useApi } from '../../state/host.ts';

/** How much space inputs and results take, how much they may, and removing this one. */
export function ResultSpace({ job }: { job: Job }) {
  const api = useApi();
  const queries = useQueryClient();
  const storage = useQuery(api.jobs.storage.queryOptions({}));
  const [asking, setAsking] = useState(false);
  const [gib, setGib] = useState<number | string>('');
  const again = { onSettled: () => queries.invalidateQueries({ queryKey: api.jobs.key() }) };
  const remove = useMutation(api.jobs.removeResults.mutationOptions(again));
  const limit = useMutation(api.jobs.setStorage.mutationOptions(again));
  const { data } = storage;
  if (!data) return <FailureNote error={storage.error} />;
  return (
    <details className="more">
      <summary>Space on this computer</summary>
      <div>
        <p className="hint">
          Inputs and results take {formatBytes(data.usedBytes)} of the {formatBytes(data.limitBytes)} they may. What no
          job needs goes by itself; results stay until you remove them.
        </p>
        <form
          className="save-row"
          onSubmit={(event) => {
            event.preventDefault();
            if (typeof gib === 'number') limit.mutate({ limitBytes: Math.round(gib * GIB) });
          }}
        >
          <NumberInput
            label="They may take (GiB)"
            min={1}
            max={1_000_000}
            placeholder={`${Math.round(data.limitBytes / GIB)}`}
            value={gib}
            onChange={setGib}
          />
          <Button type="submit" variant="default" loading={limit.isPending} disabled={typeof gib !== 'number'}>
            Set the limit
          </Button>
        </form>
        {asking ? (
          <div className="button-row">
            <Button variant="default" onClick={() => setAsking(false)}>
              Keep it
            </Button>
            <Button color="red" loading={remove.isPending} onClick={() => remove.mutate({ taskId: job.taskId })}>
              Remove it from this computer
            </Button>
          </div>
        ) : (
          <Button variant="default" disabled={job.endedAt === null} onClick={() => setAsking(true)}>
            Remove this result…
          </Button>
        )}
        <FailureNote error={limit.error ?? remove.error} />
      </div>
    </details>
  );
}
