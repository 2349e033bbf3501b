import { Button, Menu } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { IconChevronDown, IconMoon } from '@tabler/icons-react';
import { useState } from 'react';
import type { ApiOutputs, ShareStatus } from '../../../src/api/contract.ts';
import { formatAmount } from '../../../src/shared/money.ts';
import { systemClock } from '../../../src/shared/time.ts';
import { Amount } from '../../parts/Amount.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { newCommandId, useApi } from '../../state/host.ts';
import { useNetwork } from '../../state/status.ts';
import { isProcessor } from '../../view/machine.ts';
import { moneyText, unitName } from '../../view/money-view.ts';
import { clockTime, secondsUntilTomorrow } from '../../view/moment.ts';
import { plainText } from '../../../src/shared/plain-text.ts';
import type { OfferDraft } from './offer-draft.ts';
import { StopDialog } from './StopDialog.tsx';

type Device = ApiOutputs['gpu']['list'][number];

interface SharePowerProps {
  share: ShareStatus;
  draft: OfferDraft;
  devices: Device[];
}

/** The one big switch, and in a sentence what it does. */
export function SharePower({ share, draft, devices }: SharePowerProps) {
  const api = useApi();
  const queries = useQueryClient();
  const network = useNetwork();
  const [asking, setAsking] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const refresh = () => queries.invalidateQueries({ queryKey: api.share.status.queryKey() });
  const start = useMutation(api.share.start.mutationOptions({ onSettled: refresh }));
  const stop = useMutation(api.share.stop.mutationOptions({ onSettled: refresh, onSuccess: () => setAsking(false) }));
  const snooze = useMutation(api.share.snooze.mutationOptions({ onSettled: refresh }));

  const on = share.state === 'on' || share.state === 'starting';
  const moving = share.state === 'starting' || share.state === 'stopping' || start.isPending || stop.isPending;
  const flip = () => {
    setProblem(null);
    start.reset();
    stop.reset();
    if (on) {
      if (share.rentals.length > 0) setAsking(true);
      else stop.mutate({ commandId: newCommandId(), rentals: 'after' });
      return;
    }
    try {
      start.mutate({ commandId: newCommandId(), offer: draft.build(systemClock.now()) });
    } catch (thrown) {
      setProblem(thrown);
    }
  };
  return (
    <section className={on ? 'power power-on' : 'power'} aria-label="Sharing">
      <button
        type="button"
        role="switch"
        aria-checked={on}
        aria-label="Share this computer"
        aria-describedby="share-sentence"
        aria-busy={moving}
        className="power-switch"
        disabled={moving}
        onClick={flip}
      >
        <span className="power-knob" aria-hidden />
      </button>
      <div className="power-words">
        <p className="power-title" role="status">
          {titleOf(share, moving)}
        </p>
        <p id="share-sentence" className="power-sentence">
          {sentenceOf(share, draft, devices)}
        </p>
        {share.state === 'stopping' && share.rentals.length > 0 ? (
          <Button
            variant="default"
            size="xs"
            loading={stop.isPending}
            onClick={() => stop.mutate({ commandId: newCommandId(), rentals: 'now' })}
          >
            End what runs now
          </Button>
        ) : null}
        {on ? (
          <Snooze share={share} busy={snooze.isPending} onSnooze={(seconds) => snooze.mutate({ seconds })} />
        ) : null}
      </div>
      <dl className="power-earned">
        <dt>Earned so far</dt>
        {share.earned.map(({ token: address, amount }) => {
          const token = network?.tokens.find((known) => known.address === address);
          return token ? (
            <dd key={address}>
              <Amount amount={amount} token={token} />
            </dd>
          ) : null;
        })}
        {share.earned.length === 0 ? <dd className="dim">Nothing yet</dd> : null}
      </dl>
      <FailureNote error={problem ?? start.error ?? stop.error ?? snooze.error} />
      <StopDialog
        opened={asking && share.state === 'on'}
        rentals={share.rentals.length}
        busy={stop.isPending}
        error={stop.error}
        onClose={() => setAsking(false)}
        onStop={(rentals) => stop.mutate({ commandId: newCommandId(), rentals })}
      />
    </section>
  );
}

function titleOf(share: ShareStatus, moving: boolean): string {
  if (share.state === 'starting') return 'Turning on…';
  if (share.state === 'stopping') return 'Turning off…';
  if (share.state === 'off') return moving ? 'Turning on…' : 'Sharing is off';
  if (share.snoozedUntil !== null) return `Snoozed until ${clockTime(share.snoozedUntil)}`;
  return share.rentals.length > 0 ? 'Shared, in use now' : 'Sharing is on';
}

function sentenceOf(share: ShareStatus, draft: OfferDraft, devices: Device[]): string {
  if (share.state !== 'off') {
    const { offer } = share;
    if (share.state !== 'on' || share.snoozedUntil !== null || offer?.status !== 'active') {
      return plainText(share.detail, 300);
    }
    const machine = `${isProcessor(offer) ? 'the processor ' : ''}${plainText(offer.gpuModel)}`;
    const price = `${moneyText(offer.price, offer.token)} per ${unitName(offer.unit)}`;
    return offer.free === 0
      ? `Somebody uses ${machine} and pays ${price}. The next one can rent it when they leave.`
      : `Anybody can rent ${machine} for ${price}.`;
  }
  const { fields, token } = draft;
  const chosen = devices.find((device) => fields?.deviceIds.includes(device.id));
  const what = chosen ? plainText(`${chosen.vendor} ${chosen.model}`, 60) : 'this computer';
  if (!fields || !token || Object.keys(draft.problems).length > 0) {
    return share.detail === ''
      ? `Nobody can use ${what}. Check the price below, then turn it on.`
      : plainText(share.detail, 300);
  }
  return `Nobody can use ${what}. When on, others can rent it for ${trim(fields.price, token.decimals)} ${token.symbol} per ${unitName(fields.unit)}, in a locked container, and you can stop at any time.`;
}

const trim = (price: string, decimals: number) =>
  /^\d+(\.\d+)?$/.test(price)
    ? formatAmount(
        BigInt(price.replace('.', '')) * 10n ** BigInt(decimals - (price.split('.')[1]?.length ?? 0)),
        decimals,
      )
    : price;

interface SnoozeProps {
  share: ShareStatus;
  busy: boolean;
  onSnooze: (seconds: number) => void;
}

function Snooze({ share, busy, onSnooze }: SnoozeProps) {
  if (share.snoozedUntil !== null) {
    return (
      <Button variant="default" size="xs" loading={busy} onClick={() => onSnooze(0)}>
        Share again now
      </Button>
    );
  }
  return (
    <Menu position="bottom-start">
      <Menu.Target>
        <Button
          variant="default"
          size="xs"
          loading={busy}
          leftSection={<IconMoon size={14} aria-hidden />}
          rightSection={<IconChevronDown size={14} aria-hidden />}
        >
          Snooze
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => onSnooze(900)}>15 minutes</Menu.Item>
        <Menu.Item onClick={() => onSnooze(3600)}>1 hour</Menu.Item>
        <Menu.Item onClick={() => onSnooze(secondsUntilTomorrow(new Date()))}>Until tomorrow morning</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
