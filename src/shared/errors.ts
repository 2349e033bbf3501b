/**
 * Every failure a person or a program can meet, once: the code is stable and machine-readable, `status` is the HTTP
 * answer, `exit` the command line's exit code.
 */
export const ERROR_CODES = {
  'bad-input': { status: 400, exit: 2 },
  'not-signed-in': { status: 401, exit: 3 },
  'not-allowed': { status: 403, exit: 3 },
  'not-found': { status: 404, exit: 4 },
  conflict: { status: 409, exit: 5 },
  busy: { status: 429, exit: 5 },
  cancelled: { status: 499, exit: 130 },
  locked: { status: 423, exit: 6 },
  'wrong-password': { status: 403, exit: 6 },
  'over-limit': { status: 403, exit: 6 },
  'insufficient-funds': { status: 402, exit: 7 },
  'wrong-network': { status: 409, exit: 8 },
  'network-down': { status: 503, exit: 8 },
  reverted: { status: 409, exit: 9 },
  'offer-changed': { status: 409, exit: 10 },
  'offer-unavailable': { status: 409, exit: 10 },
  'peer-unreachable': { status: 504, exit: 11 },
  'peer-refused': { status: 502, exit: 11 },
  'engine-down': { status: 503, exit: 12 },
  'image-missing': { status: 404, exit: 12 },
  'disk-full': { status: 507, exit: 12 },
  'toolkit-missing': { status: 503, exit: 12 },
  timeout: { status: 504, exit: 13 },
  unsupported: { status: 501, exit: 14 },
  'host-down': { status: 503, exit: 15 },
  internal: { status: 500, exit: 1 },
} as const satisfies Record<string, { status: number; exit: number }>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorExtra {
  /** The input that was wrong, as the caller named it: `price`, `spec.ports[0]`. */
  field?: string;
  /** What to do about it, one sentence in the imperative. */
  next?: string;
  cause?: unknown;
}

/** A failure as a value: a code, a sentence for a person, and the next step. Never carries a stack to a user. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly next: string | undefined;

  constructor(code: ErrorCode, message: string, extra: ErrorExtra = {}) {
    super(message, extra.cause === undefined ? undefined : { cause: extra.cause });
    this.code = code;
    this.field = extra.field;
    this.next = extra.next;
  }

  toJSON(): { code: ErrorCode; message: string; field?: string; next?: string } {
    return {
      code: this.code,
      message: this.message,
      ...(this.field === undefined ? {} : { field: this.field }),
      ...(this.next === undefined ? {} : { next: this.next }),
    };
  }
}

export const isErrorCode = (value: unknown): value is ErrorCode =>
  typeof value === 'string' && Object.hasOwn(ERROR_CODES, value);

/** Anything thrown, as an AppError; what is not ours becomes `internal` and keeps its cause for the log. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof Error && thrown.name === 'AbortError') {
    return new AppError('cancelled', 'Cancelled.', { cause: thrown });
  }
  return new AppError('internal', 'Something went wrong inside Commonwatt.', {
    cause: thrown,
    next: 'Look at the log for details and try again.',
  });
}

/** Closes a switch over a union: the compiler complains where a case is missing. */
export function assertNever(value: never): never {
  throw new Error(`Unexpected value: ${JSON.stringify(value)}`);
}
