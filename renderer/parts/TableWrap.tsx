import type { ReactNode } from 'react';

/** Scrolls a table that is wider than its place; the keyboard reaches it too. */
export function TableWrap({
  label,
  className = '',
  children,
}: {
  label: string;
  className?: string;
  children: ReactNode;
}) {
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls has to be reachable by keyboard
    <div className={`table-wrap ${className}`} tabIndex={0} role="group" aria-label={label}>
      {children}
    </div>
  );
}
