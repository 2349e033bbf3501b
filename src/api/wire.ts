/** What both ends of the typed interface agree on beside the contract: how errors and stream credit cross the line. */
import { ORPCError } from '@orpc/client';
import { AppError, ERROR_CODES, isErrorCode, toAppError, type ErrorCode } from '../shared/errors.ts';

/** WebSocket subprotocol of the interface. */
export const RPC_PROTOCOL = 'commonwatt.v1';
/** A program that has the token file brings it as a second subprotocol: `bearer.TOKEN`. Browsers bring their cookie. */
export const TOKEN_PROTOCOL_PREFIX = 'bearer.';

/** The WebSocket is closed with this code when the caller has no session: trying again will not help. */
export const CLOSE_NOT_SIGNED_IN = 4401;
/** The caller sent frames that are not this interface's, or too large ones. */
export const CLOSE_BAD_FRAME = 4400;

/** Bytes of one frame or request body towards the host. */
export const MAX_FRAME_BYTES = 1024 * 1024;

/** Header by which the caller names a call's stream, so that it can acknowledge what it has read of it. */
export const STREAM_HEADER = 'x-stream';
/** Stream events sent ahead of the reader's acknowledgement. State streams skip to the newest value meanwhile. */
export const STREAM_WINDOW = 16;

/** Text frame that acknowledges how many events of a stream were read. */
export const creditFrame = (stream: string, read: number): string => JSON.stringify({ credit: [stream, read] });

/** Credit out of a decoded frame, or undefined where it is another kind of frame. */
export function creditOf(frame: unknown): { stream: string; read: number } | undefined {
  if (typeof frame !== 'object' || frame === null || !('credit' in frame) || !Array.isArray(frame.credit)) {
    return undefined;
  }
  const [stream, read] = frame.credit as unknown[];
  return typeof stream === 'string' && Number.isSafeInteger(read) ? { stream, read: read as number } : undefined;
}

/** How an AppError travels: its code as it is, field and next step as data. The cause stays at home. */
export function toWireError(error: AppError): ORPCError<ErrorCode, { field?: string; next?: string }> {
  const { field, next } = error;
  return new ORPCError(error.code, {
    status: ERROR_CODES[error.code].status,
    message: error.message,
    data: { ...(field === undefined ? {} : { field }), ...(next === undefined ? {} : { next }) },
  });
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** The inverse, for anything that a call or stream threw on the caller's side. */
export function fromWireError(thrown: unknown): AppError {
  if (!(thrown instanceof ORPCError)) return toAppError(thrown);
  const data = (typeof thrown.data === 'object' && thrown.data !== null ? thrown.data : {}) as Record<string, unknown>;
  const field = text(data['field']);
  const next = text(data['next']);
  return new AppError(isErrorCode(thrown.code) ? thrown.code : 'internal', thrown.message, {
    ...(field === undefined ? {} : { field }),
    ...(next === undefined ? {} : { next }),
    cause: thrown,
  });
}
