import { Button, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { ApiOutputs } from '../../../src/api/contract.ts';
import { formatAmount, parseAmount, type Token } from '../../../src/shared/money.ts';
import { LoadingRows } from '../../parts/Blank.tsx';
import { toastDone } from '../../parts/toast-done.ts';
import { FailureNote } from '../../parts/Note.tsx';
import { Panel } from '../../parts/Panel.tsx';
import { useApi } from '../../state/host.ts';

type Limit = ApiOutputs['wallet']['policy'][number];
type Field = 'perDeal' | 'perDay';

/** The most the app may spend by itself, per rental and per day. Empty: no limit. */
export function Policy({ tokens }: { tokens: Token[] }) {
  const api = useApi();
  const queries = useQueryClient();
  const policy = useQuery(api.wallet.policy.queryOptions());
  const [typed, setTyped] = useState<Record<string, string>>({});
  const save = useMutation(
    api.wallet.setPolicy.mutationOptions({
      onSuccess: (next) => {
        queries.setQueryData(api.wallet.policy.queryKey(), next);
        setTyped({});
        toastDone('Spending limits saved');
      },
    }),
  );
  const limits = policy.data;
  const value = (token: Token, field: Field) => typed[`${token.address}.${field}`] ?? shownLimit(limits, token, field);
  const problem = (token: Token, field: Field) => readLimit(value(token, field), token).problem;
  const changed = Object.keys(typed).length > 0;
  const wrong = tokens.some(
    (token) => problem(token, 'perDeal') !== undefined || problem(token, 'perDay') !== undefined,
  );
  const submit = () => {
    save.mutate(
      tokens.map((token) => ({
        token: token.address,
        perDeal: readLimit(value(token, 'perDeal'), token).amount,
        perDay: readLimit(value(token, 'perDay'), token).amount,
      })),
    );
  };
  const input = (token: Token, field: Field, label: string) => (
    <TextInput
      label={label}
      aria-label={`${label}, ${token.symbol}`}
      placeholder="no limit"
      value={value(token, field)}
      onChange={(event) => setTyped({ ...typed, [`${token.address}.${field}`]: event.currentTarget.value })}
      error={problem(token, field)}
      inputMode="decimal"
      classNames={{ input: 'figure-input' }}
      rightSection={<span className="unit">{token.symbol}</span>}
      rightSectionWidth={64}
    />
  );
  return (
    <Panel title="Spending limits">
      <FailureNote error={policy.error} />
      {policy.isPending ? <LoadingRows lines={3} label="Loading limits" /> : null}
      {limits ? (
        <form
          className="form"
          onSubmit={(event) => {
            event.preventDefault();
            if (!wrong) submit();
          }}
        >
          {tokens.map((token) => (
            <div key={token.address} className="form-row form-row-2" role="group" aria-label={token.symbol}>
              {input(token, 'perDeal', 'Per rental')}
              {input(token, 'perDay', 'Per day')}
            </div>
          ))}
          <FailureNote error={save.error} />
          <Button type="submit" variant="default" disabled={!changed || wrong} loading={save.isPending}>
            Save limits
          </Button>
        </form>
      ) : null}
    </Panel>
  );
}

function shownLimit(limits: Limit[] | undefined, token: Token, field: Field): string {
  const amount = limits?.find((limit) => limit.token === token.address)?.[field];
  return amount == null ? '' : formatAmount(BigInt(amount), token.decimals);
}

function readLimit(text: string, token: Token): { amount: string | null; problem: string | undefined } {
  if (text.trim() === '') return { amount: null, problem: undefined };
  try {
    return { amount: parseAmount(text, token.decimals, 'The limit').toString(), problem: undefined };
  } catch {
    return { amount: null, problem: `An amount such as 0.25, or empty` };
  }
}
