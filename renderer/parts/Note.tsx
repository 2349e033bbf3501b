import { IconAlertTriangle, IconInfoCircle, IconXboxX } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { failureView } from '../view/failure.ts';

interface NoteProps {
  kind?: 'info' | 'warn' | 'bad';
  title?: ReactNode;
  children?: ReactNode;
  /** The one next step. */
  action?: ReactNode;
  /** Announced at once when it appears. */
  alert?: boolean;
}

const ICONS = { info: IconInfoCircle, warn: IconAlertTriangle, bad: IconXboxX };

export function Note({ kind = 'info', title, children, action, alert = false }: NoteProps) {
  const Icon = ICONS[kind];
  return (
    <div className={`note note-${kind}`} {...(alert ? { role: 'alert' } : {})}>
      <Icon size={18} aria-hidden className="note-icon" />
      <div className="note-text">
        {title === undefined ? null : <strong>{title}</strong>}
        {children === undefined ? null : <div>{children}</div>}
      </div>
      {action === undefined ? null : <div className="note-action">{action}</div>}
    </div>
  );
}

/** What went wrong, and what to do about it. Shows nothing where nothing was thrown. */
export function FailureNote({ error, action }: { error: unknown; action?: ReactNode }) {
  if (error === null || error === undefined) return null;
  const { message, next } = failureView(error);
  return (
    <Note kind="bad" title={message} alert action={action}>
      {next}
    </Note>
  );
}
