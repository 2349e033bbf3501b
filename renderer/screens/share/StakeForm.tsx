import { Button, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import type { WorkStatus } from '../../../src/api/contract.ts';
import { parseAmount } from '../../../src/shared/money.ts';
import { FailureNote } from '../../parts/Note.tsx';
import { toastDone } from '../../parts/toast-done.ts';
import { newCommandId, useApi } from '../../state/host.ts';
import { moneyText } from '../../view/money-view.ts';

interface StakeFormProps {
  work: WorkStatus;
  token: NonNullable<WorkStatus['stakeToken']>;
  onDone: (next: WorkStatus) => void;
}

/** More at stake, or back again. */
export function StakeForm({ work, token, onDone }: StakeFormProps) {
  const api = useApi();
  const [text, setText] = useState('');
  const [problem, setProblem] = useState<unknown>(null);
  const done = (title: string, message: string) => (next: WorkStatus) => {
    onDone(next);
    setText('');
    toastDone(title, message);
  };
  const stake = useMutation(
    api.work.stake.mutationOptions({ onSuccess: done('Staked', 'It stands behind the jobs you take.') }),
  );
  const unbond = useMutation(
    api.work.unbond.mutationOptions({
      onSuccess: done('On its way back', 'It can be had after seven days.'),
    }),
  );
  const release = useMutation(
    api.work.release.mutationOptions({ onSuccess: done('Taken back', 'It is in your wallet again.') }),
  );
  const busy = stake.isPending || unbond.isPending || release.isPending;
  const withAmount = (act: (amount: string) => void) => {
    for (const mutation of [stake, unbond, release]) mutation.reset();
    setProblem(null);
    try {
      act(parseAmount(text.trim(), token.decimals, 'amount').toString());
    } catch (thrown) {
      setProblem(thrown);
    }
  };
  return (
    <details className="more">
      <summary>Stake more, or take it back</summary>
      <div>
        <TextInput
          label="Amount"
          inputMode="decimal"
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          rightSection={<span className="unit">{token.symbol}</span>}
          rightSectionWidth={56}
          classNames={{ input: 'figure-input' }}
        />
        <div className="button-row">
          <Button
            variant="default"
            size="xs"
            disabled={busy || text.trim() === ''}
            onClick={() => withAmount((amount) => stake.mutate({ commandId: newCommandId(), amount }))}
          >
            Stake
          </Button>
          <Button
            variant="default"
            size="xs"
            disabled={busy || text.trim() === ''}
            onClick={() => withAmount((amount) => unbond.mutate({ commandId: newCommandId(), amount }))}
          >
            Begin to take back
          </Button>
          {work.unbonding === '0' ? null : (
            <Button
              variant="default"
              size="xs"
              disabled={busy}
              onClick={() => release.mutate({ commandId: newCommandId() })}
            >
              Take {moneyText(work.unbonding, token)} to the wallet
            </Button>
          )}
        </div>
        <p className="hint">Taking back waits seven days, so that nobody runs from false work.</p>
        <FailureNote error={problem ?? stake.error ?? unbond.error ?? release.error} />
      </div>
    </details>
  );
}
