import { NativeSelect } from '@mantine/core';

interface ChoiceProps {
  label: string;
  value: string;
  options: { value: string; label: string }[];
  onChange: (value: string) => void;
  hideLabel?: boolean;
}

/** One of a few. The system's own list: it works with every keyboard and screen reader. */
export function Choice({ label, value, options, onChange, hideLabel = false }: ChoiceProps) {
  return (
    <NativeSelect
      {...(hideLabel ? { 'aria-label': label } : { label })}
      value={value}
      data={options}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}
