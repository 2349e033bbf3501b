import { Button, Modal, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { ApiOutputs } from '../../../src/api/contract.ts';
import { toAppError } from '../../../src/shared/errors.ts';
import { isAddress, type Address } from '../../../src/shared/ids.ts';
import { formatAmount, parseAmount } from '../../../src/shared/money.ts';
import { toastDone } from '../../parts/toast-done.ts';
import { FailureNote } from '../../parts/Note.tsx';
import { newCommandId, useApi } from '../../state/host.ts';
import { moneyText } from '../../view/money-view.ts';

export type Move = 'deposit' | 'withdraw';

interface MoveDialogProps {
  move: Move;
  balance: ApiOutputs['wallet']['balances'][number];
  own: Address | null;
  opened: boolean;
  onClose: () => void;
}

/** Between the wallet and the deposit account. */
export function MoveDialog({ move, balance, own, opened, onClose }: MoveDialogProps) {
  const api = useApi();
  const queries = useQueryClient();
  const [text, setText] = useState('');
  const [to, setTo] = useState('');
  const { token } = balance;
  const done = () => {
    setText('');
    onClose();
    toastDone(move === 'deposit' ? 'Deposited' : 'Withdrawn', moneyText(amount ?? 0n, token));
    return queries.invalidateQueries({ queryKey: api.wallet.key() });
  };
  const deposit = useMutation(api.wallet.deposit.mutationOptions({ onSuccess: done }));
  const withdraw = useMutation(api.wallet.withdraw.mutationOptions({ onSuccess: done }));
  const most = BigInt(move === 'deposit' ? balance.wallet : balance.available);
  const { amount, problem } = readAmount(text, token.decimals, most);
  const wrongAddress = to.trim() !== '' && !isAddress(to.trim());
  const busy = deposit.isPending || withdraw.isPending;
  const submit = () => {
    if (amount === null || wrongAddress) return;
    const shared = { commandId: newCommandId(), token: token.address, amount: amount.toString() };
    if (move === 'deposit') deposit.mutate(shared);
    else withdraw.mutate({ ...shared, ...(to.trim() === '' ? {} : { to: to.trim().toLowerCase() }) });
  };
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={move === 'deposit' ? `Deposit ${token.symbol}` : `Withdraw ${token.symbol}`}
    >
      <form
        className="form"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <TextInput
          label="Amount"
          data-autofocus
          description={`${move === 'deposit' ? 'In your wallet' : 'Free in the deposit account'}: ${moneyText(most, token)}`}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          error={text === '' ? undefined : problem}
          inputMode="decimal"
          classNames={{ input: 'figure-input' }}
          rightSection={<span className="unit">{token.symbol}</span>}
          rightSectionWidth={64}
        />
        {move === 'withdraw' || token.symbol !== 'ETH' ? (
          <Button
            variant="subtle"
            color="gray"
            size="compact-sm"
            onClick={() => setText(formatAmount(most, token.decimals))}
            className="all-of-it"
          >
            All of it
          </Button>
        ) : (
          <p className="hint">Keep a little {token.symbol} in the wallet: it pays the network’s fees.</p>
        )}
        {move === 'withdraw' ? (
          <TextInput
            label="To"
            description={
              own === null ? 'Left empty, to your own wallet.' : `Left empty, to your own wallet ${own.slice(0, 8)}….`
            }
            placeholder="0x…"
            value={to}
            onChange={(event) => setTo(event.currentTarget.value)}
            error={wrongAddress ? 'An address is 0x and 40 hexadecimal digits.' : undefined}
            spellCheck={false}
            classNames={{ input: 'code-input' }}
          />
        ) : null}
        <FailureNote error={deposit.error ?? withdraw.error} />
        <Button type="submit" loading={busy} disabled={amount === null || wrongAddress}>
          {move === 'deposit' ? 'Deposit' : 'Withdraw'} {amount === null ? '' : moneyText(amount, token)}
        </Button>
      </form>
    </Modal>
  );
}

function readAmount(
  text: string,
  decimals: number,
  most: bigint,
): { amount: bigint | null; problem: string | undefined } {
  try {
    const amount = parseAmount(text, decimals, 'The amount');
    if (amount === 0n) return { amount: null, problem: 'The amount must be more than zero.' };
    if (amount > most) return { amount: null, problem: 'That is more than there is.' };
    return { amount, problem: undefined };
  } catch (thrown) {
    return { amount: null, problem: toAppError(thrown).message };
  }
}
