import type { Progress } from '../../src/shared/ready-check.ts';
import { formatBytes } from '../../src/shared/units.ts';
import { plainText } from '../../src/shared/plain-text.ts';

const amountOf = (value: number, unit: Progress['unit']) =>
  unit === 'bytes' ? formatBytes(value) : value.toLocaleString('en');

/** Work under way, with its real denominator. */
export function ProgressLine({ progress }: { progress: Progress }) {
  const { done, total, unit } = progress;
  const label = plainText(progress.label, 60);
  const known = total !== null && total > 0;
  const percent = known ? Math.min(100, (done / total) * 100) : null;
  return (
    <div className="progress-line">
      <div className="progress-words">
        <span>{label}</span>
        <span className="figure">
          {amountOf(done, unit)}
          {known ? ` of ${amountOf(total, unit)}` : ''}
          {unit === 'bytes' ? '' : ` ${unit}`}
        </span>
      </div>
      <div
        className={percent === null ? 'progress-track progress-unknown' : 'progress-track'}
        role="progressbar"
        aria-label={label}
        {...(percent === null
          ? {}
          : { 'aria-valuenow': Math.round(percent), 'aria-valuemin': 0, 'aria-valuemax': 100 })}
      >
        <span style={percent === null ? undefined : { width: `${percent}%` }} />
      </div>
    </div>
  );
}
