import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { connectWebSocket, type ApiConnection } from '../../api/client.ts';
import { AppError } from '../../shared/errors.ts';
import { readHostInfo, type HostInfo } from '../lock.ts';

/** Where this computer's user keeps Commonwatt's data unless told otherwise. */
export function defaultDataDir(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): string {
  const own = env['COMMONWATT_DATA_DIR'];
  if (own) return path.resolve(own);
  if (platform === 'win32')
    return path.join(env['LOCALAPPDATA'] ?? path.join(homedir(), 'AppData', 'Local'), 'Commonwatt');
  if (platform === 'darwin') return path.join(homedir(), 'Library', 'Application Support', 'Commonwatt');
  return path.join(env['XDG_DATA_HOME'] ?? path.join(homedir(), '.local', 'share'), 'commonwatt');
}

/** Who runs on `dataDir`, with the token that opens its doors. @throws AppError `host-down` */
function findHost(dataDir: string): { info: HostInfo; token: string } {
  const info = readHostInfo(dataDir);
  if (!info) {
    throw new AppError('host-down', `Commonwatt is not running on ${dataDir}.`, {
      next: 'Start it with `commonwatt serve`, or name another folder with --data-dir.',
    });
  }
  try {
    return { info, token: readFileSync(path.join(dataDir, 'token'), 'utf8').trim() };
  } catch (thrown) {
    throw new AppError('not-signed-in', `The token in ${dataDir} cannot be read.`, {
      next: 'Run this as the user who runs Commonwatt.',
      cause: thrown,
    });
  }
}

/** A line to the running host. A stale `host.json` is found out here. @throws AppError `host-down` */
export async function connectToHost(dataDir: string): Promise<ApiConnection> {
  const { info, token } = findHost(dataDir);
  const connection = connectWebSocket(`${info.url.replace(/^http/, 'ws')}/rpc`, token, { reconnect: false });
  try {
    await connection.client.system.status();
    return connection;
  } catch (thrown) {
    connection.close();
    throw thrown;
  }
}

/** A link that signs one browser in, from the host that runs there. @throws AppError `host-down` */
export async function newPairingUrl(dataDir: string): Promise<string> {
  const { info, token } = findHost(dataDir);
  const response = await fetch(`${info.url}/pair/new`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(10_000),
  }).catch((thrown: unknown) => {
    throw new AppError('host-down', `Commonwatt does not answer at ${info.url}.`, {
      next: 'Start it with `commonwatt serve`.',
      cause: thrown,
    });
  });
  const body = (await response.json()) as { url?: unknown };
  if (typeof body.url !== 'string') throw new AppError('not-signed-in', 'The host refused the token of this folder.');
  return body.url;
}
