import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { AppError } from '../shared/errors.ts';
import { checkLiteralHost, publicLookup } from './public-address.ts';

export interface GetOptions {
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** Also addresses inside private networks, this computer among them: for what its owner configured. */
  allowPrivate: boolean;
  /** How often the server may send us elsewhere; every place is checked again. */
  redirects: number;
  /** Keeps lines open between requests to the same server. */
  agent?: http.Agent | undefined;
  /** Silence after which the server counts as gone, ms. */
  idleMs?: number;
}

const IDLE_MS = 30_000;
const MAX_HEADERS = 32 * 1024;

const badUrl = (why: string) => new AppError('bad-input', `This URL cannot be fetched: ${why}.`, { field: 'url' });

/** @throws AppError `bad-input`, `not-allowed`. */
export function checkUrl(text: string | URL, allowPrivate: boolean): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw badUrl('it is not well-formed');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw badUrl('only http and https are understood');
  if (url.username !== '' || url.password !== '') throw badUrl('it carries a password');
  if (!allowPrivate) checkLiteralHost(url.hostname);
  return url;
}

const REDIRECT = new Set([301, 302, 303, 307, 308]);

/**
 * The answer to a GET, its body not read yet: read it to the end or destroy it. Proxies and cookies are not used.
 * @throws AppError `bad-input`, `not-allowed`, `network-down`, `cancelled`.
 */
export async function httpGet(text: string | URL, options: GetOptions): Promise<IncomingMessage> {
  let url = checkUrl(text, options.allowPrivate);
  for (let hops = 0; ; hops += 1) {
    const response = await send(url, options);
    const { location } = response.headers;
    if (!REDIRECT.has(response.statusCode ?? 0) || location === undefined) return response;
    response.destroy();
    if (hops >= options.redirects) throw badUrl('it leads elsewhere too often');
    url = checkUrl(URL.canParse(location, url) ? new URL(location, url) : location, options.allowPrivate);
  }
}

function send(
  url: URL,
  { headers, signal, allowPrivate, agent, idleMs = IDLE_MS }: GetOptions,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? https : http).request(url, {
      headers: { 'accept-encoding': 'identity', 'user-agent': 'commonwatt', ...headers },
      maxHeaderSize: MAX_HEADERS,
      timeout: idleMs,
      ...(signal === undefined ? {} : { signal }),
      ...(agent === undefined || url.protocol === 'https:' ? {} : { agent }),
      ...(allowPrivate ? {} : { lookup: publicLookup }),
    });
    request.once('timeout', () => request.destroy(new Error('the server went silent')));
    request.once('error', (error: Error) => {
      if (signal?.aborted === true) reject(new AppError('cancelled', 'Cancelled.', { cause: error }));
      else if (error instanceof AppError) reject(error);
      else {
        const message = `${url.host} could not be reached: ${error.message}.`;
        reject(new AppError('network-down', message, { next: 'Check the address and try again.', cause: error }));
      }
    });
    request.once('response', (response) => {
      response.on('error', () => undefined);
      resolve(response);
    });
    request.end();
  });
}
