import { implement, ORPCError, ValidationError, type Context } from '@orpc/server';
import type { StandardHandlerOptions } from '@orpc/server/standard';
import type { Logger } from 'pino';
import { apiContract } from '../../api/contract.ts';
import type { ApiServices, CallContext } from '../../api/services.ts';
import { toWireError } from '../../api/wire.ts';
import { AppError, isErrorCode, toAppError } from '../../shared/errors.ts';
import { guardedStream, type StreamGate } from './guarded-stream.ts';

/** What a transport tells about one call. */
export interface TransportContext extends Context {
  /** Holds a stream back until its reader has caught up; absent where the line itself does that. */
  gate?: StreamGate;
}

type AnyService = (input: unknown, context: CallContext) => unknown;
type AnyBuilder = { handler(handle: (options: { input: unknown; signal?: AbortSignal }) => unknown): unknown };

const never = new AbortController().signal;

/** The contract's procedures, each answered by the service of the same name. */
export function createRouter(services: ApiServices) {
  const os = implement(apiContract).$context<TransportContext>();
  const nouns = os as unknown as Record<string, Record<string, AnyBuilder>>;
  const handlers = services as unknown as Record<string, Record<string, AnyService>>;
  const router = Object.fromEntries(
    Object.entries(apiContract).map(([noun, verbs]) => [
      noun,
      Object.fromEntries(
        Object.keys(verbs).map((verb) => {
          const builder = nouns[noun]?.[verb];
          const behind = handlers[noun];
          if (!builder || typeof behind?.[verb] !== 'function')
            throw new Error(`No service stands behind ${noun}.${verb}`);
          const procedure = builder.handler(async ({ input, signal = never }) =>
            asIterator(await behind[verb]?.(input, { signal })),
          );
          return [verb, procedure];
        }),
      ),
    ]),
  );
  return os.router(router as unknown as Parameters<typeof os.router>[0]);
}

export type ApiRouter = ReturnType<typeof createRouter>;

const isIterable = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

/** oRPC takes iterators that can be iterated; a service may return anything that is async iterable. */
function asIterator(output: unknown): unknown {
  if (!isIterable(output) || 'next' in output) return output;
  const iterable = output;
  return (async function* all() {
    yield* iterable;
  })();
}

/**
 * How every transport turns failures into answers: AppErrors keep their code, wrong input names its field, and
 * anything unexpected goes to the log and leaves as `internal` without its text.
 */
export function callOptions(
  log: Logger,
): Pick<StandardHandlerOptions<TransportContext>, 'interceptors' | 'clientInterceptors'> {
  return {
    clientInterceptors: [
      async (call) => {
        const { signal, context } = call;
        const procedure = call.path.join('.');
        try {
          const output = await call.next();
          if (!isIterable(output)) return output;
          return guardedStream(output[Symbol.asyncIterator](), {
            signal: signal ?? never,
            gate: context.gate,
            onError: (thrown) => toAnswer(thrown, procedure, log),
          });
        } catch (thrown) {
          throw toAnswer(thrown, procedure, log);
        }
      },
    ],
    interceptors: [
      async (call) => {
        try {
          return await call.next();
        } catch (thrown) {
          if (thrown instanceof ORPCError && isErrorCode(thrown.code)) throw thrown;
          throw toWireError(
            new AppError('bad-input', 'The request could not be read.', {
              next: 'Send plain JSON as the interface describes it.',
              cause: thrown,
            }),
          );
        }
      },
    ],
  };
}

function toAnswer(thrown: unknown, procedure: string, log: Logger): ORPCError<string, unknown> {
  if (thrown instanceof ORPCError) {
    if (isErrorCode(thrown.code)) return thrown as ORPCError<string, unknown>;
    const { cause } = thrown;
    if (thrown.code === 'BAD_REQUEST' && cause instanceof ValidationError) return toWireError(badInput(cause));
  }
  const error = toAppError(thrown);
  if (error.code === 'internal') log.error({ err: thrown, procedure }, 'a call failed unexpectedly');
  return toWireError(error);
}

type PathPart = PropertyKey | { key: PropertyKey };

/** `["spec", "ports", 0]` as a person writes it: `spec.ports[0]`. */
const fieldName = (path: readonly PathPart[]): string =>
  path
    .map((part) => (typeof part === 'object' ? part.key : part))
    .reduce<string>(
      (name, key) => (typeof key === 'number' ? `${name}[${key}]` : `${name}${name === '' ? '' : '.'}${String(key)}`),
      '',
    );

function badInput(invalid: ValidationError): AppError {
  const issue = invalid.issues[0];
  const field = fieldName(issue?.path ?? []) || 'input';
  const said = issue?.message ?? 'is not valid';
  const sentence = /^[a-z]/.test(said) ? `${field} ${said}` : `${field}: ${said}`;
  return new AppError('bad-input', sentence.endsWith('.') ? sentence : `${sentence}.`, {
    field,
    next: `Correct ${field} and try again.`,
  });
}
