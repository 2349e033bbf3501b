import { TextInput } from '@mantine/core';
import { Choice } from '../../parts/Choice.tsx';
import { useNetwork } from '../../state/status.ts';
import { Inputs } from './Inputs.tsx';
import { isKernel, type JobFields } from './job-draft.ts';
import { MoreOfJob, type FieldProps } from './MoreOfJob.tsx';

interface JobFormProps {
  fields: JobFields;
  onChange: (change: Partial<JobFields>) => void;
  /** What is wrong with a field, once submitting was tried. */
  wrong: (field: keyof JobFields) => string | undefined;
}

const KINDS = [
  { value: 'docker', label: 'A container image' },
  { value: 'wasm', label: 'A WASM module' },
  { value: 'linear_regression', label: 'Linear regression' },
  { value: 'k_means', label: 'K-means clustering' },
  { value: 'pca', label: 'Principal components (PCA)' },
];

export function JobForm({ fields, onChange, wrong }: JobFormProps) {
  const tokens = useNetwork()?.tokens ?? [];
  const kernel = isKernel(fields.kind);
  const text: FieldProps = (name) => ({
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
      <MoreOfJob fields={fields} onChange={onChange} text={text} />
    </div>
  );
}

/** The best check that the kind of work allows. */
const checkFor = (kind: string): Pick<JobFields, 'check'> => ({
  check: isKernel(kind as JobFields['kind']) ? 'certificate' : 'accept',
});
