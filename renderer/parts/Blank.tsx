import type { Icon } from '@tabler/icons-react';
import type { ReactNode } from 'react';

interface BlankProps {
  icon: Icon;
  title: string;
  children?: ReactNode;
  /** The one next step. */
  action?: ReactNode;
}

/** A place with nothing in it yet: what would be here, and how to get it. */
export function Blank({ icon: IconPart, title, children, action }: BlankProps) {
  return (
    <div className="blank">
      <IconPart size={32} stroke={1.5} aria-hidden />
      <p className="blank-title">{title}</p>
      {children === undefined ? null : <p>{children}</p>}
      {action}
    </div>
  );
}

/** Keeps the room of `lines` rows while they load. */
export function LoadingRows({ lines, label }: { lines: number; label: string }) {
  return (
    <div className="loading-rows" role="status" aria-label={label}>
      {Array.from({ length: lines }, (_, line) => (
        <span key={line} className="loading-row" style={{ width: `${92 - ((line * 17) % 40)}%` }} />
      ))}
    </div>
  );
}
