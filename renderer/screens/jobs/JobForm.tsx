import { Switch, Textarea, TextInput } from '@mantine/core';
import { Choice } from '../../parts/Choice.tsx';
import { useNetwork } from '../../state/status.ts';
import { Inputs } from './Inputs.tsx';
import { isKernel, type JobFields } from './job-draft.ts';

interface JobFormProps {
  fields: JobFields;
  onChange: (change: Partial<JobFields>) => void;
  /** What is wrong with a field, once submitting was tried. */
  wrong: (field: keyof JobFields) => string | undefined;
}

type TextField = { [K in keyof JobFields]: JobFields[K] extends string ? K : never }[keyof JobFields];

const KINDS = [
  { value: 'docker', label: 'A container image' },
  { value: 'wasm', label: 'A WASM module' },
  { value: 'linear_regression', label: 'Linear regression' },
  { value: 'k_means', label: 'K-means clustering' },
  { value: 'pca', label: 'Principal components (PCA)' },
];

const REVIEWS = [
  { value: 'failures', label: 'Unless it failed: look at the log first' },
  { value: 'never', label: 'Always, also when it failed' },
  { value: 'always', label: 'Never: look at every result first' },
];

export function JobForm({ fields, onChange, wrong }: JobFormProps) {
  const tokens = useNetwork()?.tokens ?? [];
  const kernel = isKernel(fields.kind);
  const text = (name: TextField) => ({
    name,
    value: fields[name],
    onChange: (event: { currentTarget: { value: string } }) => onChange({ [name]: event.currentTarget.value }),
    error: wrong(name),
  });
  return (
    <div className="form job-form">
      <div className="form-row form-row-2">
        <Choice
          label="What runs"
          value={fields.kind}
          options={KINDS}
          onChange={(kind) => onChange({ kind: kind as JobFields['kind'], ...checkFor(kind) })}
        />
        <TextInput label="Name" placeholder="for your own list" {...text('name')} />
      </div>
      {fields.kind === 'docker' ? (
        <>
          <TextInput label="Image" spellCheck={false} classNames={{ input: 'code-input' }} {...text('image')} />
          <TextInput
            label="Command"
            description="Inputs are in /job/in; what it writes to /job/out comes back."
            spellCheck={false}
            classNames={{ input: 'code-input' }}
            {...text('command')}
          />
        </>
      ) : null}
      {fields.kind === 'wasm' ? (
        <div className="form-row form-row-2">
          <TextInput label="Module" placeholder="content id" classNames={{ input: 'code-input' }} {...text('module')} />
          <TextInput label="Arguments" classNames={{ input: 'code-input' }} {...text('args')} />
        </div>
      ) : null}
      {kernel ? (
        <div className="form-row form-row-2">
          {fields.kind === 'linear_regression' ? (
            <TextInput label="Column to predict" placeholder="the last one" {...text('target')} />
          ) : (
            <TextInput
              label={fields.kind === 'pca' ? 'Components' : 'Clusters'}
              inputMode="numeric"
              classNames={{ input: 'figure-input' }}
              {...text('parts')}
            />
          )}
        </div>
      ) : null}
      <Inputs
        inputs={fields.inputs}
        error={wrong('inputs')}
        hint={kernel ? 'A table, CSV or NumPy. Left empty, a small sample made by this computer.' : undefined}
        onChange={(inputs) => onChange({ inputs })}
      />
      <div className="form-row form-row-4">
        <TextInput label="Bounty" inputMode="decimal" classNames={{ input: 'figure-input' }} {...text('bounty')} />
        <Choice
          label="Paid in"
          value={fields.token}
          options={tokens.map(({ symbol }) => ({ value: symbol, label: symbol }))}
          onChange={(token) => onChange({ token })}
        />
        <TextInput
          label="Longest run"
          inputMode="decimal"
          rightSection={<span className="unit">min</span>}
          rightSectionWidth={40}
          classNames={{ input: 'figure-input' }}
          {...text('runMinutes')}
        />
        <TextInput
          label="Tasks"
          placeholder="1"
          inputMode="numeric"
          classNames={{ input: 'figure-input' }}
          {...text('array')}
        />
      </div>
      <Choice
        label="How the result is checked"
        value={fields.check}
        options={[
          { value: 'accept', label: 'It is whole: accepted' },
          { value: 'redundancy', label: 'Three providers run it, two must agree' },
          ...(kernel ? [{ value: 'certificate', label: 'Arithmetic on this computer proves it' }] : []),
        ]}
        onChange={(check) => onChange({ check: check as JobFields['check'] })}
      />
      <details className="more">
        <summary>Payment, machine, variables, secrets, who may take it</summary>
        <div>
          {fields.check === 'redundancy' ? null : (
            <Choice
              label="Pay without asking you"
              value={fields.review}
              options={REVIEWS}
              onChange={(review) => onChange({ review: review as JobFields['review'] })}
            />
          )}
          <div className="form-row form-row-4">
            <TextInput label="Cards" inputMode="numeric" classNames={{ input: 'figure-input' }} {...text('gpuCount')} />
            <TextInput
              label="Memory of each"
              inputMode="numeric"
              rightSection={<span className="unit">GB</span>}
              rightSectionWidth={36}
              classNames={{ input: 'figure-input' }}
              {...text('gpuMemoryGb')}
            />
            <TextInput label="Model" placeholder="any" {...text('gpuModel')} />
            <TextInput
              label="Main memory"
              inputMode="decimal"
              rightSection={<span className="unit">GiB</span>}
              rightSectionWidth={40}
              classNames={{ input: 'figure-input' }}
              {...text('memoryGib')}
            />
          </div>
          {kernel ? null : (
            <Textarea
              label="Variables"
              description="NAME=value, one per line. Everybody can read them."
              rows={2}
              {...text('env')}
            />
          )}
          <Textarea
            label="Secrets"
            description="NAME=value, one per line. Only the chosen provider gets them, never the network."
            rows={2}
            {...text('secrets')}
          />
          <Switch
            label="Internet access for the work"
            checked={fields.internet}
            onChange={(event) => onChange({ internet: event.currentTarget.checked })}
          />
          <Switch
            label="Any qualified provider may take it, also while this computer sleeps"
            checked={fields.open}
            onChange={(event) => onChange({ open: event.currentTarget.checked })}
          />
        </div>
      </details>
    </div>
  );
}

/** The best check that the kind of work allows. */
const checkFor = (kind: string): Pick<JobFields, 'check'> => ({
  check: isKernel(kind as JobFields['kind']) ? 'certificate' : 'accept',
});
