import { AppError } from '../shared/errors.ts';
import type { Hex } from '../shared/ids.ts';

/** What a node said no to. Codes of JSON-RPC and of the nodes: 3 is a revert with `data`. */
export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

export interface RpcRequest {
  method: string;
  params: readonly unknown[];
}

export type RpcAnswer = { ok: true; result: unknown } | { ok: false; error: RpcError };

export interface CallOptions {
  signal?: AbortSignal;
  /** Of one attempt at one URL; 15 s unless told. */
  timeoutMs?: number;
}

/** A JSON-RPC client of one network over several URLs. Answers are what a stranger sent: check them where they are used. */
export interface Rpc {
  /** @throws RpcError when the node refuses, AppError network-down or wrong-network when no URL serves. */
  call(method: string, params: readonly unknown[], options?: CallOptions): Promise<unknown>;
  /** One round trip; answers in the order of the requests, each its own success or refusal. */
  batch(requests: readonly RpcRequest[], options?: CallOptions): Promise<RpcAnswer[]>;
}

export interface RpcConfig {
  urls: readonly string[];
  /** Every URL must say this before it is believed. */
  chainId: number;
  /** Bytes of one answer; 64 MiB unless told. */
  maxAnswerBytes?: number;
}

/** Requests of one HTTP body; more are sent as several. */
const BATCH = 250;

/** Anvil, when a block is made while it answers. */
const MOVED = /BlockOutOfRange/;

/**
 * Own client instead of ethers' provider: ethers copies large answers once per chunk (100k logs: 10 s against 0.8 s),
 * and a single place can cap sizes, time out, fail over and notice a node of another network.
 */
export function createRpc({ urls, chainId, maxAnswerBytes = 64 * 1024 * 1024 }: RpcConfig): Rpc {
  let current = 0;
  const verified = new Set<string>();
  let nextId = 1;

  async function post(url: string, requests: readonly RpcRequest[], options: CallOptions): Promise<RpcAnswer[]> {
    const firstId = nextId;
    nextId += requests.length;
    const bodies = requests.map(({ method, params }, index) => ({
      jsonrpc: '2.0',
      id: firstId + index,
      method,
      params,
    }));
    const timeout = AbortSignal.timeout(options.timeoutMs ?? 15_000);
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(bodies.length === 1 ? bodies[0] : bodies),
      signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
      redirect: 'error',
    });
    const answer = await readJson(response, maxAnswerBytes);
    return answersInOrder(answer, firstId, requests.length);
  }

  async function verify(url: string, options: CallOptions): Promise<void> {
    if (verified.has(url)) return;
    const [answer] = await post(url, [{ method: 'eth_chainId', params: [] }], options);
    const found = answer?.ok ? toQuantity(answer.result, 'eth_chainId') : null;
    if (found !== chainId) {
      throw new AppError('wrong-network', `The node ${url} serves chain ${found ?? 'unknown'}, not ${chainId}.`, {
        field: 'rpcUrls',
        next: 'Correct the RPC URL in the network profile.',
      });
    }
    verified.add(url);
  }

  /** What a node without history refuses is asked once more: a block came between "latest" and its state. */
  async function anywhere(requests: readonly RpcRequest[], options: CallOptions): Promise<RpcAnswer[]> {
    let failure: unknown;
    for (let attempt = 0; attempt < urls.length; attempt += 1) {
      const index = (current + attempt) % urls.length;
      const url = urls[index];
      if (url === undefined) break;
      try {
        await verify(url, options);
        const answers = await post(url, requests, options);
        current = index;
        const moved = answers.flatMap((answer, at) => (!answer.ok && MOVED.test(answer.error.message) ? at : []));
        if (moved.length > 0) {
          const again = await post(
            url,
            moved.flatMap((at) => requests[at] ?? []),
            options,
          );
          for (const [nth, at] of moved.entries()) answers.splice(at, 1, ...again.slice(nth, nth + 1));
        }
        return answers;
      } catch (thrown) {
        options.signal?.throwIfAborted();
        // The node may have been replaced behind its URL: ask for its chain again before believing it.
        verified.delete(url);
        failure = thrown instanceof AppError && failure !== undefined ? failure : thrown;
      }
    }
    if (failure instanceof AppError) throw failure;
    throw new AppError('network-down', `No node of the network answers (${urls.join(', ')}).`, {
      next: 'Check the internet connection or add an RPC URL to the network profile.',
      cause: failure,
    });
  }

  return {
    async call(method, params, options = {}) {
      const [answer] = await anywhere([{ method, params }], options);
      if (!answer) throw nonsense(method);
      if (!answer.ok) throw answer.error;
      return answer.result;
    },
    async batch(requests, options = {}) {
      const answers: RpcAnswer[] = [];
      for (let start = 0; start < requests.length; start += BATCH) {
        answers.push(...(await anywhere(requests.slice(start, start + BATCH), options)));
      }
      return answers;
    },
  };
}

async function readJson(response: Response, maxBytes: number): Promise<unknown> {
  if (!response.body) throw nonsense(`HTTP ${response.status}`);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > maxBytes) {
      throw new AppError('network-down', `The node's answer is larger than ${maxBytes} bytes.`, {
        next: 'Use another node.',
      });
    }
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch (thrown) {
    throw new AppError('network-down', `The node answered with HTTP ${response.status} and no JSON.`, {
      cause: thrown,
    });
  }
}

function answersInOrder(value: unknown, firstId: number, count: number): RpcAnswer[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  const answers: (RpcAnswer | undefined)[] = Array.from({ length: count });
  for (const item of list) {
    if (typeof item !== 'object' || item === null) throw nonsense('an answer');
    const { id, result, error } = item as { id?: unknown; result?: unknown; error?: unknown };
    // A refusal before parsing has a null id: it is about everything that was asked.
    const index = typeof id === 'number' ? id - firstId : count === 1 ? 0 : -1;
    if (error !== undefined && error !== null) {
      const refused: RpcAnswer = { ok: false, error: toRpcError(error) };
      if (index === -1) return Array.from({ length: count }, () => refused);
      if (index >= 0 && index < count) answers[index] = refused;
    } else if (index >= 0 && index < count) {
      answers[index] = { ok: true, result };
    }
  }
  return answers.map((answer) => {
    if (!answer) throw nonsense('a batch');
    return answer;
  });
}

function toRpcError(value: unknown): RpcError {
  const { code, message, data } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  return new RpcError(
    typeof code === 'number' ? code : -32_603,
    typeof message === 'string' ? message.slice(0, 2000) : 'The node refused without a reason.',
    data,
  );
}

const nonsense = (what: string): AppError =>
  new AppError('network-down', `The node answered nonsense to ${what}.`, { next: 'Use another node.' });

const QUANTITY = /^0x[0-9a-f]{1,64}$/i;
const BYTES = /^0x(?:[0-9a-f]{2})*$/i;

/** "0x1f" -> 31. @throws AppError network-down when it is none or too large to be exact. */
export function toQuantity(value: unknown, what: string): number {
  const number = Number(toBigQuantity(value, what));
  if (!Number.isSafeInteger(number)) throw nonsense(what);
  return number;
}

/** @throws AppError network-down when it is no hexadecimal quantity. */
export function toBigQuantity(value: unknown, what: string): bigint {
  if (typeof value !== 'string' || !QUANTITY.test(value)) throw nonsense(what);
  return BigInt(value);
}

/** Bytes of the given length (any when undefined), lower case. @throws AppError network-down when they are not that. */
export function toBytes(value: unknown, what: string, length?: number): Hex {
  if (typeof value !== 'string' || !BYTES.test(value)) throw nonsense(what);
  if (length !== undefined && value.length !== 2 + 2 * length) throw nonsense(what);
  return value.toLowerCase() as Hex;
}

/** An object. @throws AppError network-down when it is none. */
export function toRecord(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw nonsense(what);
  return value as Record<string, unknown>;
}

export const toHexQuantity = (value: number | bigint): Hex => `0x${value.toString(16)}`;
