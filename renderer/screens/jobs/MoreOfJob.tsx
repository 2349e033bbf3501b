import { Switch, Textarea, TextInput } from '@mantine/core';
import { Choice } from '../../parts/Choice.tsx';
import { isKernel, type JobFields } from './job-draft.ts';

type TextField = { [K in keyof JobFields]: JobFields[K] extends string ? K : never }[keyof JobFields];

/** What a text field needs to show and change one of the fields. */
export type FieldProps = (name: TextField) => {
  name: TextField;
  value: string;
  onChange: (event: { currentTarget: { value: string } }) => void;
  error: string | undefined;
};

interface MoreOfJobProps {
  fields: JobFields;
  onChange: (change: Partial<JobFields>) => void;
  text: FieldProps;
}

const REVIEWS = [
  { value: 'failures', label: 'Unless it failed: look at the log first' },
  { value: 'never', label: 'Always, also when it failed' },
  { value: 'always', label: 'Never: look at every result first' },
];

const whole = { inputMode: 'numeric', classNames: { input: 'figure-input' } } as const;
const decimal = { inputMode: 'decimal', classNames: { input: 'figure-input' } } as const;
const unit = (name: string) => ({ rightSection: <span className="unit">{name}</span>, rightSectionWidth: 48 });

/** What most jobs leave as it is; folded away. */
export function MoreOfJob({ fields, onChange, text }: MoreOfJobProps) {
  const kernel = isKernel(fields.kind);
  return (
    <details className="more">
      <summary>Payment, machine, times, lists of values, variables, secrets, who may take it</summary>
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
          <TextInput label="Cards" {...whole} {...text('gpuCount')} />
          <TextInput label="Memory of each" {...whole} {...unit('GB')} {...text('gpuMemoryGb')} />
          <TextInput label="Maker" placeholder="any" {...text('gpuType')} />
          <TextInput label="Model" placeholder="any" {...text('gpuModel')} />
        </div>
        <div className="form-row form-row-4">
          <TextInput label="Processor" {...decimal} {...unit('cores')} {...text('cpus')} />
          <TextInput label="Main memory" {...decimal} {...unit('GiB')} {...text('memoryGib')} />
          <TextInput label="Disk" {...decimal} {...unit('GiB')} {...text('diskGib')} />
        </div>
        <div className="form-row form-row-4">
          <TextInput label="Longest wait" {...decimal} {...unit('min')} {...text('queueMinutes')} />
          <TextInput
            label="All together"
            placeholder="wait + run"
            {...decimal}
            {...unit('min')}
            {...text('totalMinutes')}
          />
          <TextInput label="New attempts" {...whole} {...text('retries')} />
          <TextInput label="Priority" {...whole} {...unit('of 100')} {...text('priority')} />
        </div>
        <p className="hint">
          It waits that long for a provider, then the bounty comes back. After a provider failed it is posted again as a
          new attempt. Among your own waiting jobs the higher priority goes first.
        </p>
        <Textarea
          label="Lists of values"
          description={`NAME=value value …, one name per line: a task for each combination, instead of a number of tasks. ${
            kernel ? 'The values are the model’s parameters.' : 'Each task gets its values as variables.'
          }`}
          placeholder={kernel ? 'k=3 4 5' : 'SEED=1 2 3\nRATE=0.1 0.01'}
          rows={2}
          spellCheck={false}
          classNames={{ input: 'code-input' }}
          {...text('matrix')}
        />
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
  );
}
