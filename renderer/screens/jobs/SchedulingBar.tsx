import { Button, Switch } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Choice } from '../../parts/Choice.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { useApi } from '../../state/host.ts';
import { plainText } from '../../../src/shared/plain-text.ts';

/** How this computer chooses providers: by itself or when asked, and by which rule. */
export function SchedulingBar() {
  const api = useApi();
  const queries = useQueryClient();
  const query = useQuery(api.jobs.scheduling.queryOptions({ refetchInterval: 5000 }));
  const set = useMutation(
    api.jobs.setScheduling.mutationOptions({
      onSuccess: (next) => queries.setQueryData(api.jobs.scheduling.queryKey(), next),
    }),
  );
  const cycle = useMutation(
    api.jobs.schedule.mutationOptions({
      onSettled: () => queries.invalidateQueries({ queryKey: api.jobs.key() }),
    }),
  );
  const scheduling = query.data;
  if (!scheduling) return <FailureNote error={query.error} />;
  const about = scheduling.strategies.find(({ name }) => name === scheduling.strategy)?.about ?? '';
  return (
    <section className="scheduling" aria-label="Scheduling">
      <Choice
        label="Choose providers by"
        value={scheduling.strategy}
        options={scheduling.strategies.map(({ name }) => ({ value: name, label: name.replaceAll('-', ' ') }))}
        onChange={(strategy) => set.mutate({ strategy })}
      />
      <p className="hint">{plainText(about, 160)}</p>
      <Switch
        label="Assign by itself"
        checked={scheduling.automatic}
        onChange={(event) => set.mutate({ automatic: event.currentTarget.checked })}
      />
      {scheduling.automatic ? null : (
        <Button variant="default" loading={cycle.isPending} onClick={() => cycle.mutate(undefined)}>
          Assign now
        </Button>
      )}
      {cycle.data && !scheduling.automatic ? (
        <p className="hint" role="status">
          {cycle.data.assigned === 0 ? 'None' : cycle.data.assigned.toLocaleString('en')} assigned,{' '}
          {cycle.data.waiting.toLocaleString('en')} still wait.
        </p>
      ) : null}
      <FailureNote error={set.error ?? cycle.error} />
    </section>
  );
}
