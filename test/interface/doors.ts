import { createORPCClient, ORPCError } from '@orpc/client';
import { OpenAPILink } from '@orpc/openapi-client/fetch';
import { pino } from 'pino';
import { MessageChannel } from 'node:worker_threads';
import { connectMessagePort, connectWebSocket } from '../../src/api/client.ts';
import { apiContract, type ApiClient } from '../../src/api/contract.ts';
import { startHttpServer, type HttpServer } from '../../src/host/transport/http-server.ts';
import { serveMessagePort } from '../../src/host/transport/message-port.ts';
import { createRouter } from '../../src/host/transport/router.ts';
import { createRpcServer } from '../../src/host/transport/rpc-line.ts';
import { createFakeHost, type FakeHost } from './fake-services.ts';

export const TOKEN = 'A'.repeat(43);

/** One way into the same host. */
export interface Door {
  host: FakeHost;
  client: ApiClient;
  /** Every log line of the host, parsed. */
  lines: Record<string, unknown>[];
  close(): Promise<void>;
}

export function collectLog() {
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    { level: 'trace', base: null },
    { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  return { log, lines };
}

/** A real HTTP server on a free port in front of the fake product. */
export async function startFakeServer(uiDir?: string) {
  const host = createFakeHost();
  const { log, lines } = collectLog();
  let now = 1_790_000_000;
  const server: HttpServer = await startHttpServer({
    router: createRouter(host.services),
    log,
    clock: { now: () => now, monotonicMs: () => 0 },
    version: '0.1.0',
    token: TOKEN,
    port: 0,
    ...(uiDir === undefined ? {} : { uiDir }),
  });
  return { host, server, lines, pass: (seconds: number) => (now += seconds) };
}

export const doors: Record<string, () => Promise<Door>> = {
  async WebSocket() {
    const { host, server, lines } = await startFakeServer();
    const connection = connectWebSocket(`${server.url.replace('http', 'ws')}/rpc`, TOKEN);
    return {
      host,
      lines,
      client: connection.client,
      async close() {
        connection.close();
        await server.close();
      },
    };
  },
  MessagePort() {
    const host = createFakeHost();
    const { log, lines } = collectLog();
    const { port1, port2 } = new MessageChannel();
    serveMessagePort(port1, createRpcServer(createRouter(host.services), log));
    const connection = connectMessagePort(port2 as unknown as MessagePort);
    return Promise.resolve({
      host,
      lines,
      client: connection.client,
      close() {
        connection.close();
        return Promise.resolve();
      },
    });
  },
  async REST() {
    const { host, server, lines } = await startFakeServer();
    const link = new OpenAPILink(apiContract, {
      url: `${server.url}/api`,
      headers: { authorization: `Bearer ${TOKEN}` },
      customErrorResponseBodyDecoder: (body, { status }) => {
        const { code, message, ...data } = body as { code: string; message: string };
        return new ORPCError(code, { status, message, data });
      },
    });
    return { host, lines, client: createORPCClient(link) as unknown as ApiClient, close: () => server.close() };
  },
};
