import { notifications } from '@mantine/notifications';
import { failureView } from '../view/failure.ts';

/** For things that fail away from any form: the sentence and the next step, until dismissed. */
export function toastFailure(thrown: unknown): void {
  const { message, next, code } = failureView(thrown);
  if (code === 'cancelled') return;
  notifications.show({ title: message, message: next ?? '', color: 'red', autoClose: false, withBorder: true });
}

export function toastDone(title: string, message = ''): void {
  notifications.show({ title, message, color: 'amber', autoClose: 6000, withBorder: true });
}
