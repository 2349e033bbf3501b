import type { IncomingMessage } from 'node:http';
import { AppError } from '../../shared/errors.ts';

/** The names under which a host on `port` may be addressed. Any other Host header is somebody's rebound DNS name. */
export function allowedHosts(port: number, extra: readonly string[] = []): ReadonlySet<string> {
  return new Set([`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, ...extra]);
}

/**
 * Refuses what another web site could make a browser send: a foreign Host (DNS rebinding), a foreign Origin, a
 * cross-site fetch.
 * @throws AppError `not-allowed`
 */
export function checkProvenance(request: IncomingMessage, hosts: ReadonlySet<string>): void {
  const host = request.headers.host?.toLowerCase() ?? '';
  if (!hosts.has(host)) {
    throw new AppError('not-allowed', 'This host answers only under its own address.', {
      field: 'Host',
      next: `Use http://${[...hosts][0]}.`,
    });
  }
  const { origin } = request.headers;
  if (origin !== undefined && !isOwnOrigin(origin, hosts)) {
    throw new AppError('not-allowed', 'Another web site may not use this host.', { field: 'Origin' });
  }
  const site = request.headers['sec-fetch-site'];
  const navigates = request.headers['sec-fetch-mode'] === 'navigate' && request.method === 'GET';
  if ((site === 'cross-site' || site === 'same-site') && !navigates) {
    throw new AppError('not-allowed', 'Another web site may not use this host.', { field: 'Sec-Fetch-Site' });
  }
}

const isOwnOrigin = (origin: string, hosts: ReadonlySet<string>): boolean =>
  origin.startsWith('http://') && hosts.has(origin.slice('http://'.length).toLowerCase());

/** "Bearer abc" -> "abc". */
export const bearerOf = (request: IncomingMessage): string | undefined => {
  const match = /^Bearer +(\S{1,200})$/i.exec(request.headers.authorization ?? '');
  return match?.[1];
};
