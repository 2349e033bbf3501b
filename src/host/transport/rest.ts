import type { IncomingMessage, ServerResponse } from 'node:http';
import { SmartCoercionPlugin } from '@orpc/json-schema';
import { OpenAPIGenerator } from '@orpc/openapi';
import { OpenAPIHandler } from '@orpc/openapi/node';
import { ZodToJsonSchemaConverter } from '@orpc/zod/zod4';
import type { Logger } from 'pino';
import { apiContract } from '../../api/contract.ts';
import { fromWireError, MAX_FRAME_BYTES } from '../../api/wire.ts';
import { AppError } from '../../shared/errors.ts';
import { describeApi, type ApiDocument } from './api-page.ts';
import { callOptions, type ApiRouter, type TransportContext } from './router.ts';

export interface RestServer {
  /** Answers a request under `/api` whose caller is known. False where there is no such path. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
}

/** The same interface for curl and other languages: REST under `/api`, described by `/api/openapi.json`. */
export function createRestServer(router: ApiRouter, { log, version }: { log: Logger; version: string }): RestServer {
  const converter = new ZodToJsonSchemaConverter();
  const handler = new OpenAPIHandler<TransportContext>(router, {
    ...callOptions(log),
    plugins: [new SmartCoercionPlugin({ schemaConverters: [converter] })],
    customErrorResponseBodyEncoder: (error) => fromWireError(error).toJSON(),
  });

  let document: Promise<ApiDocument> | undefined;
  const describe = () =>
    (document ??= new OpenAPIGenerator({ schemaConverters: [converter] }).generate(apiContract, {
      info: {
        title: 'Commonwatt',
        version,
        description:
          'This computer’s Commonwatt. Amounts are whole numbers of a token’s smallest unit, as strings. ' +
          'Send the token from the data folder as `Authorization: Bearer TOKEN`.',
      },
      servers: [{ url: '/api' }],
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    }) as Promise<ApiDocument>);

  return {
    async handle(request, response) {
      const { pathname } = new URL(request.url ?? '/', 'http://localhost');
      const reads = request.method === 'GET' || request.method === 'HEAD';
      if (reads && pathname === '/api/openapi.json') {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify(await describe()));
        return true;
      }
      if (reads && (pathname === '/api' || pathname === '/api/')) {
        response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
        response.end(describeApi(await describe()));
        return true;
      }
      (request as IncomingMessage & { body?: unknown }).body = await readBody(request);
      const { matched } = await handler.handle(request, response, { prefix: '/api', context: {} });
      return matched;
    },
  };
}

/**
 * The JSON body, `undefined` where there is none. Other content types are refused: a foreign form cannot send JSON.
 * @throws AppError `bad-input`
 */
export async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_FRAME_BYTES) chunks.push(chunk);
    // Read on for a while, so that an honest caller who is still sending gets to see the answer.
    else if (size > MAX_FRAME_BYTES * 16) break;
  }
  if (size > MAX_FRAME_BYTES) {
    throw new AppError('bad-input', `The request is larger than ${MAX_FRAME_BYTES} bytes.`, {
      field: 'body',
      next: 'Send less at once.',
    });
  }
  if (size === 0) return undefined;
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    throw new AppError('bad-input', 'The request body must be JSON.', {
      field: 'Content-Type',
      next: 'Send the header Content-Type: application/json.',
    });
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (thrown) {
    throw new AppError('bad-input', 'The request body is not JSON.', {
      field: 'body',
      next: 'Correct it.',
      cause: thrown,
    });
  }
}
