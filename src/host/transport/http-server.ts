import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { RPC_PROTOCOL, TOKEN_PROTOCOL_PREFIX } from '../../api/wire.ts';
import { AppError, ERROR_CODES, toAppError } from '../../shared/errors.ts';
import type { Clock } from '../../shared/time.ts';
import { answerFounding, foundingDescription, isFoundingPath, mayUseFounding } from '../founding/founding-routes.ts';
import type { Founding } from '../founding/founding.ts';
import { allowedHosts, bearerOf, checkProvenance } from './request-guard.ts';
import { createRestServer, readBody } from './rest.ts';
import type { ApiRouter } from './router.ts';
import { createRpcServer } from './rpc-line.ts';
import { createSessions, type Sessions } from './sessions.ts';
import { serveStatic } from './static-files.ts';
import { createRpcSockets } from './web-socket.ts';

export interface HttpServerOptions {
  router: ApiRouter;
  log: Logger;
  clock: Clock;
  version: string;
  token: string;
  /** 0 for any free port. */
  port: number;
  /** Default 127.0.0.1. */
  address?: string;
  /** Further Host header values, such as `rig.example:7310`, for a host that is deliberately reachable from elsewhere. */
  hostNames?: readonly string[];
  /** Folder of the built window; left out, the page says how to get one. */
  uiDir?: string;
  /** The founding documents' endpoints; on practice money they need no session from a program of this computer. */
  founding?: { service: Founding; practice: boolean };
}

export interface HttpServer {
  /** `http://127.0.0.1:7310` */
  url: string;
  /** A link that signs one browser in, once. */
  pairingUrl(): string;
  close(): Promise<void>;
}

/** @throws AppError `conflict` when the port is taken. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { router, log, address = '127.0.0.1' } = options;
  const server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000, maxHeaderSize: 16 * 1024 });
  await listen(server, options.port, address);
  const { port } = server.address() as AddressInfo;
  const url = `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
  const hosts = allowedHosts(port, options.hostNames);
  const sessions = createSessions({ token: options.token, port, clock: options.clock });
  const rest = createRestServer(router, { log, version: options.version });
  const sockets = createRpcSockets(createRpcServer(router, log));
  const pairingUrl = () => `${url}/#pair=${sessions.newCode()}`;

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    setSecurityHeaders(response, request.headers.host ?? '');
    checkProvenance(request, hosts);
    if (pathname === '/health') return sendJson(response, 200, { status: 'ok', version: options.version });
    if (pathname === '/pair') return pair(request, response, sessions);
    if (pathname === '/pair/new') {
      requireMethod(request, 'POST');
      requireSession(request, sessions);
      return sendJson(response, 200, { url: pairingUrl() });
    }
    if (pathname === '/api' || pathname.startsWith('/api/')) {
      requireSession(request, sessions);
      response.setHeader('cache-control', 'no-store');
      if (await rest.handle(request, response)) return undefined;
      throw new AppError('not-found', `There is nothing at ${pathname.slice(0, 200)}.`, {
        next: 'See /api for what there is.',
      });
    }
    if (pathname === '/rpc')
      throw new AppError('bad-input', '/rpc speaks WebSocket.', { next: 'Use /api for plain HTTP.' });
    if (options.founding && isFoundingPath(pathname)) {
      const { service, practice } = options.founding;
      if (!mayUseFounding(request, practice)) requireSession(request, sessions);
      const given = {
        method: request.method ?? '',
        pathname,
        body: () => readBody(request),
        signal: whileOpen(response),
      };
      const { status, body } = await answerFounding(service, given);
      return sendJson(response, status, body);
    }
    if (pathname === '/' && request.method === 'GET' && !wantsPage(request)) {
      return sendJson(response, 200, foundingDescription(options.version));
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new AppError('not-found', `There is nothing at ${pathname.slice(0, 200)}.`);
    }
    if (options.uiDir !== undefined && (await serveStatic(options.uiDir, request, response))) return undefined;
    if (pathname === '/') {
      throw new AppError('not-found', 'The window is not built here.', {
        next: 'Run `npm run build`, or use /api and the command line.',
      });
    }
    throw new AppError('not-found', `There is nothing at ${pathname.slice(0, 200)}.`);
  };

  server.on('request', (request, response) => {
    answer(request, response).catch((thrown: unknown) => {
      const error = toAppError(thrown);
      if (error.code === 'internal') log.error({ err: thrown, path: request.url }, 'a request failed unexpectedly');
      if (response.headersSent) response.destroy();
      else {
        // What is still being sent is not read: the connection cannot be used again.
        if (!request.complete) response.setHeader('connection', 'close');
        sendJson(response, ERROR_CODES[error.code].status, error);
      }
    });
  });

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => undefined);
    try {
      if (new URL(request.url ?? '/', 'http://localhost').pathname !== '/rpc') {
        throw new AppError('not-found', 'There is no WebSocket here.');
      }
      checkProvenance(request, hosts);
    } catch (thrown) {
      const { status } = ERROR_CODES[toAppError(thrown).code];
      socket.end(`HTTP/1.1 ${status} Refused\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const bearer = bearerOf(request) ?? protocolToken(request);
    const known = sessions.recognise({ bearer, cookies: request.headers.cookie });
    sockets.upgrade(request, socket, head, known !== undefined);
  });

  return {
    url,
    pairingUrl,
    async close() {
      sockets.close();
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      server.closeAllConnections();
      await closed;
    },
  };
}

function listen(server: ReturnType<typeof createServer>, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (thrown: NodeJS.ErrnoException) => {
      const taken = thrown.code === 'EADDRINUSE' || thrown.code === 'EACCES';
      reject(
        taken
          ? new AppError('conflict', `Port ${port} is not free.`, {
              field: 'port',
              next: 'Choose another with --port, or --port 0.',
            })
          : thrown,
      );
    });
    server.listen(port, address, () => resolve());
  });
}

function protocolToken(request: IncomingMessage): string | undefined {
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((part) => part.trim());
  if (!offered.includes(RPC_PROTOCOL)) return undefined;
  return offered.find((part) => part.startsWith(TOKEN_PROTOCOL_PREFIX))?.slice(TOKEN_PROTOCOL_PREFIX.length);
}

/** Loopback is not a permission: every other program and web site on this computer can reach it too. */
function requireSession(request: IncomingMessage, sessions: Sessions): void {
  const bearer = bearerOf(request);
  const kind = sessions.recognise({ bearer, cookies: request.headers.cookie });
  if (kind === undefined) {
    if (bearer !== undefined) sessions.countFailure();
    throw new AppError('not-signed-in', 'This host does not know you.', {
      next: 'Open the sign-in link of `commonwatt open`, or send the token file’s content as Authorization: Bearer.',
    });
  }
  const changes = request.method !== 'GET' && request.method !== 'HEAD';
  if (kind === 'cookie' && changes && request.headers.origin === undefined) {
    throw new AppError('not-allowed', 'A browser’s change must say where it comes from.', { field: 'Origin' });
  }
}

/** Browsers ask for HTML by name; curl and programs do not. */
const wantsPage = (request: IncomingMessage): boolean => (request.headers.accept ?? '').includes('text/html');

/** Aborted when the caller goes away before it has its answer. */
function whileOpen(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return gone.signal;
}

function requireMethod(request: IncomingMessage, method: string): void {
  if (request.method !== method) throw new AppError('bad-input', `Use ${method} here.`, { field: 'method' });
}

async function pair(request: IncomingMessage, response: ServerResponse, sessions: Sessions): Promise<void> {
  requireMethod(request, 'POST');
  const body = await readBody(request);
  const code = typeof body === 'object' && body !== null && 'code' in body ? body.code : undefined;
  response.setHeader('set-cookie', sessions.pair(code).cookie);
  sendJson(response, 200, { ok: true });
}

function setSecurityHeaders(response: ServerResponse, host: string): void {
  // A host that is not one of ours is refused right after; it must not reach the policy's text either.
  const self = /^[a-z0-9.:[\]-]{1,253}$/i.test(host) ? `ws://${host}` : '';
  response.setHeader(
    'content-security-policy',
    [
      "default-src 'self'",
      "script-src 'self'",
      // The component library sets its colours and sizes as style attributes and one style element.
      "style-src 'self' 'unsafe-inline'",
      "img-src 'self' data: blob:",
      "font-src 'self' data:",
      `connect-src 'self' ${self}`,
      "object-src 'none'",
      "base-uri 'none'",
      "form-action 'self'",
      "frame-ancestors 'none'",
    ].join('; '),
  );
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('x-frame-options', 'DENY');
  response.setHeader('referrer-policy', 'no-referrer');
  response.setHeader('cross-origin-opener-policy', 'same-origin');
  response.setHeader('cross-origin-resource-policy', 'same-origin');
  response.setHeader('permissions-policy', 'camera=(), microphone=(), geolocation=()');
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
