import type { ReactNode } from 'react';

/** A figure with its name above. */
export function Figure({ label, children, note }: { label: string; children: ReactNode; note?: ReactNode }) {
  return (
    <div className="stat">
      <dt>{label}</dt>
      <dd>{children}</dd>
      {note === undefined ? null : <dd className="stat-note">{note}</dd>}
    </div>
  );
}

interface FactsProps {
  rows: readonly (readonly [string, ReactNode])[];
  /** Side by side where there is room. */
  two?: boolean;
}

/** Name and value lines, values at the right edge. */
export function Facts({ rows, two = false }: FactsProps) {
  return (
    <dl className={two ? 'facts facts-two' : 'facts'}>
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
