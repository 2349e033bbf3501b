import { Button } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconUsers } from '@tabler/icons-react';
import { FailureNote } from '../parts/Note.tsx';
import { StateMark } from '../parts/StateMark.tsx';
import { useApi } from '../state/host.ts';
import { goTo } from '../state/screen.ts';
import { useNetwork } from '../state/status.ts';
import { plainText } from '../../src/shared/plain-text.ts';

const WORDS = { off: 'Off', starting: 'Starting', on: 'On', failed: 'Failed' } as const;
const SHAPES = { off: 'off', starting: 'wait', on: 'flow', failed: 'stop' } as const;

function useNeighbour() {
  const api = useApi();
  const queries = useQueryClient();
  const key = api.practice.neighbour.queryKey();
  const state = useQuery(
    api.practice.neighbour.queryOptions({
      refetchInterval: (query) => (query.state.data?.state === 'starting' ? 1000 : 10_000),
    }),
  );
  const refresh = () => queries.invalidateQueries({ queryKey: key });
  const start = useMutation(
    api.practice.startNeighbour.mutationOptions({
      onMutate: () => setTimeout(() => void refresh(), 200),
      onSettled: refresh,
    }),
  );
  const stop = useMutation(api.practice.stopNeighbour.mutationOptions({ onSettled: refresh }));
  return { state, start, stop };
}

/** The start button with its state, for the first run. */
export function NeighbourStart() {
  const { state, start } = useNeighbour();
  const now = state.data?.state ?? 'off';
  return (
    <div className="neighbour-line">
      <span role="status">
        <StateMark shape={SHAPES[now]} label={WORDS[now]} />
      </span>
      <Button
        variant="default"
        loading={start.isPending || now === 'starting'}
        disabled={now === 'on'}
        onClick={() => start.mutate(undefined)}
      >
        {now === 'on' ? 'The neighbour is on' : 'Start the neighbour'}
      </Button>
      <FailureNote error={start.error} />
    </div>
  );
}

/** The practice neighbour on a screen: somebody to rent from (Market) or to rent to (Share). */
export function NeighbourCard({ purpose, canRent = false }: { purpose: Purpose; canRent?: boolean }) {
  const practice = useNetwork()?.practice ?? false;
  return practice ? <Card purpose={purpose} canRent={canRent} /> : null;
}

function Card({ purpose, canRent }: { purpose: Purpose; canRent: boolean }) {
  const api = useApi();
  const { state, start, stop } = useNeighbour();
  const rent = useMutation(
    api.practice.rentMine.mutationOptions({ onSuccess: ({ rentalId }) => goTo('rentals', rentalId) }),
  );
  const now = state.data?.state ?? 'off';
  const on = now === 'on';
  return (
    <section className="neighbour" aria-label="Practice neighbour">
      <IconUsers size={20} stroke={1.75} aria-hidden className="neighbour-icon" />
      <div className="neighbour-text">
        <h3>
          Practice neighbour{' '}
          <span role="status">
            <StateMark shape={SHAPES[now]} label={WORDS[now]} />
          </span>
        </h3>
        <p>{sentenceOf(now, purpose, canRent, plainText(state.data?.detail ?? '', 240))}</p>
        <FailureNote error={start.error ?? stop.error ?? rent.error ?? state.error} />
      </div>
      <div className="neighbour-actions">
        {purpose === 'rent-to' && on ? (
          <Button
            variant="default"
            loading={rent.isPending}
            disabled={!canRent}
            onClick={() => rent.mutate({ seconds: 300 })}
          >
            Let it rent mine
          </Button>
        ) : null}
        {on ? (
          <Button variant="default" loading={stop.isPending} onClick={() => stop.mutate(undefined)}>
            Stop
          </Button>
        ) : (
          <Button
            variant="default"
            loading={start.isPending || now === 'starting'}
            onClick={() => start.mutate(undefined)}
          >
            Start the neighbour
          </Button>
        )}
      </div>
    </section>
  );
}

type Purpose = 'rent-from' | 'rent-to';

function sentenceOf(state: keyof typeof WORDS, purpose: Purpose, canRent: boolean, detail: string): string {
  if (state === 'starting' || state === 'failed') return detail;
  if (state === 'off') {
    return purpose === 'rent-from'
      ? 'A second, real Commonwatt on this computer that shares its processor, so that there is something to rent.'
      : 'A second, real Commonwatt on this computer that can rent yours for five minutes, with practice money.';
  }
  if (purpose === 'rent-from') return 'It shares its processor: its offer is in the list, marked “practice neighbour”.';
  return canRent
    ? 'It can rent this computer for five minutes and pays with practice money.'
    : 'It can rent this computer once sharing is on and nobody else uses it.';
}
