interface MeterProps {
  label: string;
  /** 0 to 1. */
  share: number;
  /** In words, for those who cannot see the bar. */
  text: string;
  running?: boolean;
}

/** How much of something bounded is used. */
export function Meter({ label, share, text, running = false }: MeterProps) {
  const percent = Math.round(Math.min(1, Math.max(0, share)) * 1000) / 10;
  return (
    <div
      className={running ? 'meter meter-running' : 'meter'}
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      aria-valuetext={text}
    >
      <span style={{ width: `${percent}%` }} />
    </div>
  );
}
