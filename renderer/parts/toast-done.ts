import { notifications } from '@mantine/notifications';

/** Something asked for here was done; goes away by itself. */
export function toastDone(title: string, message = ''): void {
  notifications.show({ title, message, color: 'amber', autoClose: 6000, withBorder: true });
}
