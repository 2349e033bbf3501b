import { toAppError } from '../../src/shared/errors.ts';
import { plainText } from '../../src/shared/plain-text.ts';

export interface FailureView {
  code: string;
  message: string;
  next: string | undefined;
}

/** Anything thrown, in words a person can act on. Messages may quote a stranger, so they are made harmless. */
export function failureView(thrown: unknown): FailureView {
  const error = toAppError(thrown);
  return {
    code: error.code,
    message: plainText(error.message, 400),
    next: error.next === undefined ? undefined : plainText(error.next, 400),
  };
}
