import { z } from 'zod';
import { AppError, type ErrorCode, isErrorCode, toAppError } from '../shared/errors.ts';
import type { Json } from '../shared/json.ts';
import { tame } from './bytes.ts';
import { LIMITS } from './limits.ts';

const id = z.int().min(0).max(0xffff_ffff);
const kind = z.string().min(1).max(64);
const hex = (bytes: number) => z.string().regex(new RegExp(`^0x[0-9a-f]{${bytes * 2}}$`));
const problem = z.strictObject({
  code: z.string().max(40),
  message: z.string().max(2000),
  field: z.string().max(200).optional(),
  next: z.string().max(500).optional(),
});

export const helloSchema = z.strictObject({
  t: z.literal('hello'),
  version: z.literal(1),
  purpose: z.enum(['control', 'bulk']),
  role: z.enum(['provider', 'renter', 'validator']),
  wallet: hex(20),
  chainId: z.int().positive(),
  /** Unix seconds. */
  notAfter: z.int().positive(),
  /** The wallet's EIP-712 `PeerBinding`; room for contract wallets. */
  walletSignature: z.string().regex(/^0x([0-9a-f]{2}){1,1024}$/),
  /** The peer key's ed25519 signature over wallet and chain. */
  peerSignature: hex(64),
});

/** Everything said as JSON on a connection. Bytes, credit and pings have messages of their own. */
const controlSchema = z.discriminatedUnion('t', [
  helloSchema,
  z.strictObject({ t: z.literal('welcome') }),
  z.strictObject({ t: z.literal('bye'), code: z.string().max(40), reason: z.string().max(2000) }),
  z.strictObject({ t: z.literal('ask'), id, kind, body: z.unknown() }),
  z.strictObject({ t: z.literal('answer'), id, body: z.unknown() }),
  z.strictObject({ t: z.literal('sorry'), id, problem }),
  z.strictObject({ t: z.literal('event'), kind, body: z.unknown() }),
  z.strictObject({ t: z.literal('open'), id, kind, params: z.unknown(), bulk: z.boolean() }),
  z.strictObject({ t: z.literal('opened'), id }),
  z.strictObject({ t: z.literal('refused'), id, problem }),
  z.strictObject({ t: z.literal('note'), id, value: z.unknown() }),
  z.strictObject({ t: z.literal('eof'), id }),
  z.strictObject({ t: z.literal('abort'), id, reason: z.string().max(2000) }),
]);

export type Hello = z.infer<typeof helloSchema>;
export type Control = z.infer<typeof controlSchema>;
export type Problem = z.infer<typeof problem>;

const MORE = 1;
const LAST = 0;
const PART_BYTES = LIMITS.messageBytes - 1;

/**
 * One value as one or more messages: a flag byte (more follows or last), then a part of the UTF-8 JSON.
 * @throws AppError `bad-input` when it is larger than a peer accepts.
 */
export function encodeControl(frame: Control): Uint8Array[] {
  const text = Buffer.from(JSON.stringify(frame), 'utf8');
  if (text.length > LIMITS.jsonBytes) {
    throw new AppError(
      'bad-input',
      `A message of ${text.length} bytes is too large; ${LIMITS.jsonBytes} are allowed.`,
      {
        next: 'Send large data over a stream.',
      },
    );
  }
  const parts: Uint8Array[] = [];
  for (let offset = 0; offset < text.length; offset += PART_BYTES) {
    const part = text.subarray(offset, offset + PART_BYTES);
    const message = Buffer.allocUnsafe(part.length + 1);
    message[0] = offset + PART_BYTES < text.length ? MORE : LAST;
    message.set(part, 1);
    parts.push(message);
  }
  return parts;
}

/**
 * Joins the parts again. Each call takes one message and returns the value when it was the last part, else null.
 * @throws Error with the reason when a peer broke a rule; the connection cannot go on after that.
 */
export function createControlDecoder(): (message: Uint8Array) => Control | null {
  let parts: Uint8Array[] = [];
  let size = 0;
  return (message) => {
    const flag = message[0];
    if (flag !== MORE && flag !== LAST) throw new Error('sent a message without a valid flag');
    if (message.byteLength > LIMITS.messageBytes) throw new Error('sent a message that is too large');
    if (flag === MORE && message.byteLength < LIMITS.messageBytes)
      throw new Error('sent a partial message that is too small');
    size += message.byteLength - 1;
    if (size > LIMITS.jsonBytes) throw new Error('sent a message that is too large');
    if (flag === MORE) {
      parts.push(message.slice(1));
      return null;
    }
    const text = Buffer.concat([...parts, message.subarray(1)]).toString('utf8');
    parts = [];
    size = 0;
    if (nestedDeeperThan(text, LIMITS.jsonDepth)) throw new Error('sent a message that is nested too deeply');
    return parseControl(text);
  };
}

function parseControl(text: string): Control {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('sent a message that is not JSON');
  }
  const parsed = controlSchema.safeParse(value);
  if (!parsed.success) throw new Error('sent a message that nobody here understands');
  return parsed.data;
}

/** JSON.parse itself survives any depth; what walks the value afterwards may not. */
function nestedDeeperThan(text: string, limit: number): boolean {
  let depth = 0;
  let quoted = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charCodeAt(index);
    if (quoted) {
      if (character === 0x5c) index += 1;
      else if (character === 0x22) quoted = false;
    } else if (character === 0x22) quoted = true;
    else if (character === 0x5b || character === 0x7b) {
      depth += 1;
      if (depth > limit) return true;
    } else if (character === 0x5d || character === 0x7d) depth -= 1;
  }
  return false;
}

/** JSON.parse yields nothing but Json; an absent member counts as null. */
export const asJson = (value: unknown): Json => (value === undefined ? null : (value as Json));

/** What the other side is told of a failure: the code and words for a person, never a cause or a stack. */
export function toProblem(thrown: unknown): Problem {
  const error = toAppError(thrown);
  return {
    code: error.code,
    message: error.message.slice(0, 2000),
    ...(error.field === undefined ? {} : { field: error.field.slice(0, 200) }),
    ...(error.next === undefined ? {} : { next: error.next.slice(0, 500) }),
  };
}

export const knownCode = (code: string): ErrorCode => (isErrorCode(code) ? code : 'peer-refused');

export const fromProblem = ({ code, message, field, next }: Problem): AppError =>
  new AppError(knownCode(code), tame(message), {
    ...(field === undefined ? {} : { field: tame(field, 200) }),
    ...(next === undefined ? {} : { next: tame(next) }),
  });
