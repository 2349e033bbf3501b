import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { AppError, toAppError, ERROR_CODES } from '../../shared/errors.ts';
import type { Address, Bytes32, Hex } from '../../shared/ids.ts';
import { toAddress } from '../../shared/ids.ts';
import type { Json } from '../../shared/json.ts';
import type { Log } from '../../shared/log.ts';
import { NEXT_BLOCK_METHOD } from '../next-block.ts';
import { RpcError } from '../rpc.ts';
import type { NetworkProfile } from '../profile.ts';
import type { PracticeChain } from './practice-chain.ts';

/** What other programs may ask the practice chain. Everything that could change it by other means than a signature is missing. */
const READS: ReadonlySet<string> = new Set([
  'eth_blockNumber',
  'eth_call',
  'eth_chainId',
  'eth_estimateGas',
  'eth_feeHistory',
  'eth_gasPrice',
  'eth_getBalance',
  'eth_getBlockByHash',
  'eth_getBlockByNumber',
  'eth_getBlockReceipts',
  'eth_getCode',
  'eth_getLogs',
  'eth_getStorageAt',
  'eth_getTransactionByHash',
  'eth_getTransactionCount',
  'eth_getTransactionReceipt',
  'eth_maxPriorityFeePerGas',
  'eth_syncing',
  'net_version',
  'web3_clientVersion',
]);

/** How long a follower waits for the next block at most. */
const NEXT_BLOCK_MS = 1000;

const MAX_BODY = 4 * 1024 * 1024;
const MAX_BATCH = 1000;

const requestSchema = z.object({
  id: z.union([z.number(), z.string(), z.null()]).default(null),
  method: z.string().max(100),
  params: z.array(z.unknown()).max(16).default([]),
});
type Request = z.infer<typeof requestSchema>;

export interface Gateway {
  readonly url: string;
  close(): Promise<void>;
}

export interface GatewayParts {
  /** Tried first; another free one when it is taken. */
  port: number;
  chain: PracticeChain;
  profile: (url: string) => NetworkProfile;
  faucet: (to: Address) => Promise<Bytes32>;
  log: Log;
}

/** Filtered JSON-RPC, the profile and the faucet over HTTP, for hosts on this computer. No browser page gets in. */
export async function openGateway(parts: GatewayParts): Promise<Gateway> {
  let port = 0;
  const waiters = new Set<() => void>();
  const off = parts.chain.blocks.on(() => {
    for (const wake of waiters) wake();
  });
  const nextBlock = (after: number): Promise<number> =>
    new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        waiters.delete(done);
        resolve(parts.chain.head);
      };
      const timer = setTimeout(done, NEXT_BLOCK_MS);
      if (parts.chain.head > after) done();
      else waiters.add(done);
    });

  const answer = async (request: Request): Promise<Json> => {
    const { id, method, params } = request;
    try {
      if (method === 'eth_sendRawTransaction') {
        return { jsonrpc: '2.0', id, result: await parts.chain.submit(rawOf(params[0])) };
      }
      if (method === NEXT_BLOCK_METHOD) {
        const after = z.int().min(-1).safeParse(params[0]);
        return { jsonrpc: '2.0', id, result: `0x${(await nextBlock(after.data ?? -1)).toString(16)}` };
      }
      if (!READS.has(method)) return refusal(id, -32_601, `The method ${method} does not exist here.`);
      return { jsonrpc: '2.0', id, result: (await parts.chain.rpc.call(method, params)) as Json };
    } catch (thrown) {
      if (thrown instanceof RpcError) return refusal(id, thrown.code, thrown.message, thrown.data);
      return refusal(id, -32_603, toAppError(thrown).message);
    }
  };

  const rpc = async (body: unknown): Promise<Json> => {
    const many = Array.isArray(body);
    const list: unknown[] = many ? body : [body];
    if (list.length === 0 || list.length > MAX_BATCH)
      return refusal(null, -32_600, `At most ${MAX_BATCH} calls at once.`);
    // In order as far as it matters: transactions are queued in the order they stand in.
    const answers = await Promise.all(
      list.map(async (item) => {
        const request = requestSchema.safeParse(item);
        return request.success ? answer(request.data) : refusal(null, -32_600, 'No JSON-RPC request.');
      }),
    );
    return many ? answers : (answers[0] ?? null);
  };

  const respond = async (request: IncomingMessage): Promise<Json> => {
    refuseStrangers(request, port);
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    if (request.method === 'GET' && path === '/profile') return parts.profile(urlOf(port)) as unknown as Json;
    if (request.method !== 'POST') throw new AppError('not-found', 'There is nothing here but JSON-RPC by POST.');
    const body = await bodyOf(request);
    if (path === '/faucet') {
      const { address } = (typeof body === 'object' && body !== null ? body : {}) as { address?: unknown };
      return { txHash: await parts.faucet(toAddress(address, 'address')) };
    }
    if (path === '/') return rpc(body);
    throw new AppError('not-found', `There is nothing at ${path}.`);
  };

  const server = createServer((request, response) => {
    respond(request).then(
      (value) => send(response, 200, value),
      (thrown: unknown) => {
        const error = toAppError(thrown);
        if (error.code === 'internal') parts.log.error({ error: String(error.cause) }, 'practice gateway');
        send(response, ERROR_CODES[error.code].status, { error: error.toJSON() });
      },
    );
  });
  server.keepAliveTimeout = 60_000;
  port = await listen(server, parts.port);
  return {
    url: urlOf(port),
    async close() {
      off();
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      for (const wake of waiters) wake();
      server.closeIdleConnections();
      setTimeout(() => server.closeAllConnections(), 500).unref();
      await closed;
    },
  };
}

const urlOf = (port: number) => `http://127.0.0.1:${port}`;

const refusal = (id: number | string | null, code: number, message: string, data?: unknown): Json => ({
  jsonrpc: '2.0',
  id,
  error: { code, message, ...(data === undefined ? {} : { data: data as Json }) },
});

function rawOf(value: unknown): Hex {
  if (typeof value === 'string' && value.length <= 400_000 && /^0x(?:[0-9a-f]{2})+$/i.test(value)) {
    return value.toLowerCase() as Hex;
  }
  throw new RpcError(-32_602, 'A raw transaction is hexadecimal bytes.', undefined);
}

/** Pages of a browser send Origin, and a name that was rebound to this computer arrives in Host. */
function refuseStrangers(request: IncomingMessage, port: number): void {
  const host = request.headers.host ?? '';
  if (request.headers.origin !== undefined || ![`127.0.0.1:${port}`, `localhost:${port}`].includes(host)) {
    throw new AppError('not-allowed', 'Only programs on this computer may talk to the practice network.');
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? '')) {
    throw new AppError('bad-input', 'Send JSON with content-type application/json.', { field: 'content-type' });
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new AppError('bad-input', `A request is at most ${MAX_BODY} bytes.`, { field: 'body' });
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch (thrown) {
    throw new AppError('bad-input', 'The request is no JSON.', { field: 'body', cause: thrown });
  }
}

function send(response: ServerResponse, status: number, value: Json): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(status === 200 ? {} : { connection: 'close' }),
  });
  response.end(JSON.stringify(value));
}

async function listen(server: Server, wanted: number): Promise<number> {
  const tryPort = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => {
        server.removeListener('error', reject);
        resolve();
      });
    });
  try {
    await tryPort(wanted);
  } catch (thrown) {
    if (wanted === 0) throw thrown;
    await tryPort(0);
  }
  return (server.address() as AddressInfo).port;
}
