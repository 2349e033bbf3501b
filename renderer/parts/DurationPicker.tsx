import { SegmentedControl, TextInput } from '@mantine/core';
import { useState } from 'react';
import { formatSeconds } from '../../src/shared/time.ts';

interface DurationPickerProps {
  label: string;
  seconds: number;
  maxSeconds: number;
  onChange: (seconds: number) => void;
}

const PRESETS = [600, 3600, 14_400, 86_400];
const names: Record<number, string> = { 600: '10 min', 3600: '1 h', 14_400: '4 h', 86_400: '1 day' };

/** Presets by one click, any length in minutes beside them. */
export function DurationPicker({ label, seconds, maxSeconds, onChange }: DurationPickerProps) {
  const [minutes, setMinutes] = useState(String(Math.round(seconds / 60)));
  const known = PRESETS.filter((preset) => preset <= maxSeconds);
  const choose = (next: number) => {
    setMinutes(String(Math.round(next / 60)));
    onChange(next);
  };
  const type = (text: string) => {
    setMinutes(text);
    const value = Number(text);
    if (/^\d{1,6}$/.test(text) && value >= 1) onChange(value * 60);
  };
  const wrong = !/^\d{1,6}$/.test(minutes) || Number(minutes) < 1;
  return (
    <fieldset className="duration">
      <legend>{label}</legend>
      {known.length === 0 ? null : (
        <SegmentedControl
          size="sm"
          aria-label={`${label}, common lengths`}
          value={PRESETS.includes(seconds) ? String(seconds) : ''}
          onChange={(value) => choose(Number(value))}
          data={known.map((preset) => ({ value: String(preset), label: names[preset] ?? '' }))}
        />
      )}
      <TextInput
        aria-label={`${label} in minutes`}
        value={minutes}
        inputMode="numeric"
        onChange={(event) => type(event.currentTarget.value)}
        rightSection={<span className="unit">min</span>}
        rightSectionWidth={44}
        className="duration-minutes"
        error={
          wrong
            ? 'Whole minutes, at least 1'
            : seconds > maxSeconds
              ? `At most ${formatSeconds(maxSeconds)}`
              : undefined
        }
      />
    </fieldset>
  );
}
