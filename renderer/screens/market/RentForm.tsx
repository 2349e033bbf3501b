import { Button, Switch, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient, keepPreviousData } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import type { Offer } from '../../../src/api/contract.ts';
import { toAppError } from '../../../src/shared/errors.ts';
import { DurationPicker } from '../../parts/DurationPicker.tsx';
import { MissingDeposit } from '../../parts/MissingDeposit.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { newCommandId, useApi } from '../../state/host.ts';
import { goTo } from '../../state/screen.ts';
import { useNetwork } from '../../state/status.ts';
import { moneyText } from '../../view/money-view.ts';
import { Cost } from './Cost.tsx';
import { ProviderAnswer } from './ProviderAnswer.tsx';
import { buildSpec, EMPTY_RENT, type RentFields } from './rent-draft.ts';

const PRACTICE_IMAGE = 'commonwatt/practice:1';
const FIRST_SECONDS = 3600;

export function RentForm({ offer }: { offer: Offer }) {
  const api = useApi();
  const queries = useQueryClient();
  const practice = useNetwork()?.practice ?? false;
  const [seconds, setSeconds] = useState(FIRST_SECONDS);
  const [fields, setFields] = useState<RentFields>({ ...EMPTY_RENT, image: practice ? PRACTICE_IMAGE : '' });
  const [tried, setTried] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const set = (change: Partial<RentFields>) => setFields((old) => ({ ...old, ...change }));
  const quote = useQuery(
    api.market.quote.queryOptions({
      input: { offerId: offer.offerId, seconds },
      placeholderData: keepPreviousData,
      refetchInterval: 10_000,
    }),
  );
  const rent = useMutation(
    api.rentals.open.mutationOptions({
      onSuccess: async ({ rentalId }) => {
        await queries.invalidateQueries({ queryKey: api.rentals.list.key() });
        goTo('rentals', rentalId);
      },
      onError: () => queries.invalidateQueries({ queryKey: api.market.key() }),
    }),
  );
  const { spec, problem } = attempt(fields);
  const wrong = (field: string) => (tried && problem?.field === field ? problem.message : undefined);
  const missing = quote.data !== undefined && quote.data.missing !== '0';

  const submit = () => {
    setTried(true);
    if (!spec) {
      form.current?.querySelector<HTMLElement>(`[name="${problem?.field ?? 'image'}"]`)?.focus();
      return;
    }
    rent.mutate({ commandId: newCommandId(), offerId: offer.offerId, seconds, spec, offerVersion: offer.version });
  };
  return (
    <form
      ref={form}
      className="form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <DurationPicker
        label="For how long"
        seconds={seconds}
        maxSeconds={quote.data?.maxSeconds ?? 31_536_000}
        onChange={setSeconds}
      />
      <TextInput
        name="image"
        label="Image"
        placeholder="pytorch/pytorch:2.9.0-cuda12.8"
        value={fields.image}
        onChange={(event) => set({ image: event.currentTarget.value })}
        error={wrong('image')}
        spellCheck={false}
        classNames={{ input: 'code-input' }}
      />
      <div className="form-row form-row-2">
        <TextInput
          name="ports"
          label="Ports to open"
          placeholder="8888, 22"
          value={fields.ports}
          onChange={(event) => set({ ports: event.currentTarget.value })}
          error={wrong('ports')}
          classNames={{ input: 'code-input' }}
        />
        <TextInput
          name="diskGib"
          label="Disk"
          value={fields.diskGib}
          onChange={(event) => set({ diskGib: event.currentTarget.value })}
          error={wrong('diskGib')}
          inputMode="decimal"
          rightSection={<span className="unit">GiB</span>}
          rightSectionWidth={44}
          classNames={{ input: 'figure-input' }}
        />
      </div>
      <details className="more" open={tried && (problem?.field === 'command' || problem?.field === 'env')}>
        <summary>Command, variables, internet</summary>
        <div>
          <TextInput
            name="command"
            label="Command"
            description="Left empty, the image’s own. You get a terminal either way."
            value={fields.command}
            onChange={(event) => set({ command: event.currentTarget.value })}
            error={wrong('command')}
            spellCheck={false}
            classNames={{ input: 'code-input' }}
          />
          <Textarea
            name="env"
            label="Variables"
            placeholder="NAME=value, one per line"
            rows={2}
            value={fields.env}
            onChange={(event) => set({ env: event.currentTarget.value })}
            error={wrong('env')}
            spellCheck={false}
            classNames={{ input: 'code-input' }}
          />
          <Switch
            label="Internet access for the container"
            checked={fields.internet}
            onChange={(event) => set({ internet: event.currentTarget.checked })}
          />
        </div>
      </details>
      <ProviderAnswer offerId={offer.offerId} spec={spec} />
      <Cost quote={quote.data} error={quote.error} seconds={seconds} loading={quote.isPlaceholderData} />
      <div className="drawer-foot">
        {quote.data && missing ? <MissingDeposit quote={quote.data} /> : null}
        <FailureNote error={rent.error} />
        <Button type="submit" size="md" loading={rent.isPending} disabled={!quote.data || missing} fullWidth>
          {quote.data ? `Rent, ${moneyText(quote.data.deposit, quote.data.token)} deposit` : 'Rent'}
        </Button>
      </div>
    </form>
  );
}

function attempt(fields: RentFields) {
  try {
    return { spec: buildSpec(fields), problem: null };
  } catch (thrown) {
    return { spec: null, problem: toAppError(thrown) };
  }
}
