/** A window outlives its host: the line is opened again, calls wait for it, streams say that they were lost. */
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { connectWebSocket, type ApiConnection, type ConnectionState } from '../../src/api/client.ts';
import { startHttpServer, type HttpServer } from '../../src/host/transport/http-server.ts';
import { createRouter } from '../../src/host/transport/router.ts';
import type { AppError } from '../../src/shared/errors.ts';
import { systemClock } from '../../src/shared/time.ts';
import { TOKEN } from './doors.ts';
import { createFakeHost } from './fake-services.ts';

let server: HttpServer | undefined;
let connection: ApiConnection | undefined;
afterEach(async () => {
  connection?.close();
  await server?.close();
});

const start = async (port: number) => {
  const { services } = createFakeHost();
  server = await startHttpServer({
    router: createRouter(services),
    log: pino({ level: 'silent' }),
    clock: systemClock,
    version: '0.1.0',
    token: TOKEN,
    port,
  });
  return server;
};
const portOf = ({ url }: HttpServer) => Number(new URL(url).port);

test('a lost line is found again; calls made meanwhile wait, running streams end with host-down', async () => {
  const first = await start(0);
  const port = portOf(first);
  const states: ConnectionState[] = [];
  connection = connectWebSocket(`ws://127.0.0.1:${port}/rpc`, TOKEN, {
    onState: (state) => states.push(state),
    random: () => 0.1,
  });
  const { client } = connection;
  const events = await client.system.watch();
  await events.next();
  const lost = (async () => {
    try {
      while (!(await events.next()).done);
      return 'ended';
    } catch (thrown) {
      return (thrown as AppError).code;
    }
  })();
  await first.close();
  expect(await lost).toBe('host-down');
  const waiting = client.system.status();
  await start(port);
  expect((await waiting).network.name).toBe('practice');
  expect(states).toEqual(['open', 'connecting', 'open']);
});

test('streams and calls that are cancelled while the line goes away leave nothing unhandled', async () => {
  const first = await start(0);
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on('uncaughtExceptionMonitor', note);
  const abort = new AbortController();
  // Before oRPC itself hears that its socket closed, as a window does whose streams follow the state of the line.
  connection = connectWebSocket(`ws://127.0.0.1:${portOf(first)}/rpc`, TOKEN, {
    onState: (state) => state === 'connecting' && abort.abort(),
    random: () => 0.1,
  });
  const { client } = connection;
  const streams = await Promise.all(
    Array.from({ length: 3 }, () => client.system.watch(undefined, { signal: abort.signal })),
  );
  const read = Promise.allSettled(
    streams.map(async (events) => {
      for await (const _ of events);
    }),
  );
  await first.close();
  await read;
  await start(portOf(first));
  await client.system.status();
  process.off('uncaughtExceptionMonitor', note);
  expect(unhandled).toEqual([]);
});

test('nobody there: a call says so within its patience, and close ends the trying', async () => {
  const gone = await start(0);
  const port = portOf(gone);
  await gone.close();
  connection = connectWebSocket(`ws://127.0.0.1:${port}/rpc`, TOKEN, { waitMs: 200 });
  await expect(connection.client.system.status()).rejects.toMatchObject({ code: 'host-down' });
  expect(connection.state).toBe('connecting');
  const waiting = connection.client.system.status();
  connection.close();
  await expect(waiting).rejects.toMatchObject({ code: 'host-down' });
  expect(connection.state).toBe('closed');
});

test('a caller may give up while the line is down', async () => {
  const gone = await start(0);
  const port = portOf(gone);
  await gone.close();
  connection = connectWebSocket(`ws://127.0.0.1:${port}/rpc`, TOKEN);
  const leave = new AbortController();
  const waiting = connection.client.system.status(undefined, { signal: leave.signal });
  leave.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
});
