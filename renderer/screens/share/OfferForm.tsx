import { Button, Checkbox, TextInput } from '@mantine/core';
import { IconSparkles } from '@tabler/icons-react';
import type { ApiOutputs } from '../../../src/api/contract.ts';
import { Choice } from '../../parts/Choice.tsx';
import { LoadingRows } from '../../parts/Blank.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { Panel } from '../../parts/Panel.tsx';
import { useNetwork } from '../../state/status.ts';
import { plainText } from '../../../src/shared/plain-text.ts';
import type { OfferDraft, OfferFields } from './offer-draft.ts';

const UNITS = [
  { value: '60', label: 'per minute' },
  { value: '3600', label: 'per hour' },
  { value: '86400', label: 'per day' },
];

interface OfferFormProps {
  draft: OfferDraft;
  devices: ApiOutputs['gpu']['list'];
}

/** Price and limits, filled with the suggestion; the switch above publishes them. */
export function OfferForm({ draft, devices }: OfferFormProps) {
  const tokens = useNetwork()?.tokens ?? [];
  const { fields, problems, set, suggestion } = draft;
  return (
    <Panel
      title="Price and limits"
      aside={
        suggestion ? (
          <Button variant="subtle" color="gray" size="compact-sm" onClick={draft.reset}>
            Use the suggestion
          </Button>
        ) : null
      }
    >
      <FailureNote error={draft.error} />
      {draft.loading ? <LoadingRows lines={4} label="Working out a price" /> : null}
      {fields && suggestion ? (
        <form className="form" onSubmit={(event) => event.preventDefault()}>
          <div className="form-row">
            <TextInput
              label="Price"
              value={fields.price}
              onChange={(event) => set({ price: event.currentTarget.value })}
              error={problems.price}
              inputMode="decimal"
              classNames={{ input: 'figure-input' }}
            />
            <Choice
              label="Currency"
              value={fields.token}
              onChange={(token) => set({ token })}
              options={tokens.map((token) => ({ value: token.address, label: token.symbol }))}
            />
            <Choice
              label="Charged"
              value={String(fields.unit)}
              onChange={(unit) => set({ unit: Number(unit) as OfferFields['unit'] })}
              options={UNITS}
            />
          </div>
          <p className="hint">
            <IconSparkles size={16} aria-hidden /> {plainText(suggestion.priceReason, 300)}
          </p>
          {devices.length > 1 ? (
            <Checkbox.Group
              label="Devices in the offer"
              description="All of one model; they are rented together."
              value={fields.deviceIds}
              onChange={(deviceIds) => set({ deviceIds })}
              error={problems.deviceIds}
            >
              <div className="checks-row">
                {devices.map((device) => (
                  <Checkbox
                    key={device.id}
                    value={device.id}
                    label={`${plainText(device.model, 40)} #${device.index}`}
                  />
                ))}
              </div>
            </Checkbox.Group>
          ) : null}
          <div className="form-row">
            <TextInput
              label="Region"
              value={fields.region}
              onChange={(event) => set({ region: event.currentTarget.value })}
              error={problems.region}
            />
            <NumberText label="Offer for" unit="days" name="days" draft={draft} fields={fields} />
          </div>
          <fieldset className="limits">
            <legend>A renter gets at most</legend>
            <div className="form-row form-row-4">
              <NumberText label="Processor" unit="cores" name="cpus" draft={draft} fields={fields} />
              <NumberText label="Memory" unit="GiB" name="memoryGib" draft={draft} fields={fields} />
              <NumberText label="Disk" unit="GiB" name="diskGib" draft={draft} fields={fields} />
              <NumberText
                label="Upload"
                unit="Mbit/s"
                name="uploadMbit"
                draft={draft}
                fields={fields}
                hint="no limit"
              />
            </div>
          </fieldset>
        </form>
      ) : null}
    </Panel>
  );
}

interface NumberTextProps {
  label: string;
  unit: string;
  name: 'days' | 'cpus' | 'memoryGib' | 'diskGib' | 'uploadMbit';
  draft: OfferDraft;
  fields: OfferFields;
  hint?: string;
}

function NumberText({ label, unit, name, draft, fields, hint }: NumberTextProps) {
  return (
    <TextInput
      label={label}
      aria-label={`${label}, ${unit}`}
      value={fields[name]}
      onChange={(event) => draft.set({ [name]: event.currentTarget.value })}
      error={draft.problems[name]}
      inputMode="decimal"
      {...(hint === undefined ? {} : { placeholder: hint })}
      rightSection={<span className="unit">{unit}</span>}
      rightSectionWidth={unit.length * 8 + 16}
      classNames={{ input: 'figure-input' }}
    />
  );
}
