import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { AppError } from '../shared/errors.ts';
import { createRpc, RpcError, toBigQuantity, toBytes, toQuantity, toRecord } from './rpc.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A node that answers what `answer` returns: a string as it is, anything else as JSON. */
async function fakeNode(answer: (body: { id: number; method: string }[], raw: string) => unknown): Promise<string> {
  const server = createServer((request, response) => {
    let raw = '';
    request.on('data', (chunk: Buffer) => {
      raw += chunk.toString();
    });
    request.on('end', () => {
      const parsed = JSON.parse(raw) as { id: number; method: string };
      const out = answer(Array.isArray(parsed) ? parsed : [parsed], raw);
      if (out === 'hang up') request.socket.destroy();
      else response.end(typeof out === 'string' ? out : JSON.stringify(out));
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const honest = (body: { id: number; method: string }[]) => {
  const answers = body.map(({ id, method }) => ({
    jsonrpc: '2.0',
    id,
    result: method === 'eth_chainId' ? '0x7' : method,
  }));
  return answers.length === 1 ? answers[0] : answers.toReversed();
};

describe('rpc client', () => {
  test('a state that a new block has just replaced is asked for once more, and nothing else of the batch', async () => {
    const asked: string[] = [];
    const url = await fakeNode((body) => {
      asked.push(...body.map(({ method }) => method));
      const answers = body.map(({ id, method }) => {
        if (method === 'eth_chainId') return { id, result: '0x7' };
        const gone = method === 'old' || (method === 'moved' && asked.filter((one) => one === 'moved').length === 1);
        const message = 'BlockOutOfRangeError: block height is 79 but requested was 78';
        return gone ? { id, error: { code: -32_602, message } } : { id, result: method };
      });
      return answers.length === 1 ? answers[0] : answers;
    });
    const rpc = createRpc({ urls: [url], chainId: 7 });
    const answers = await rpc.batch(['a', 'moved', 'b', 'old'].map((method) => ({ method, params: [] })));
    expect(answers.map((answer) => (answer.ok ? answer.result : 'refused'))).toEqual(['a', 'moved', 'b', 'refused']);
    expect(asked).toEqual(['eth_chainId', 'a', 'moved', 'b', 'old', 'moved', 'old']);
  });

  test('calls, batches in order and checks the chain once', async () => {
    const asked: string[] = [];
    const url = await fakeNode((body) => {
      asked.push(...body.map((entry) => entry.method));
      return honest(body);
    });
    const rpc = createRpc({ urls: [url], chainId: 7 });
    expect(await rpc.call('a', [])).toBe('a');
    const requests = Array.from({ length: 600 }, (_, index) => ({ method: `m${index}`, params: [] }));
    const answers = await rpc.batch(requests);
    expect(answers.map((answer) => (answer.ok ? answer.result : null))).toEqual(requests.map(({ method }) => method));
    expect(asked.filter((method) => method === 'eth_chainId')).toHaveLength(1);
  });

  test('goes on with the next URL when one fails, and stays there', async () => {
    let bad = 0;
    const dead = await fakeNode(() => {
      bad += 1;
      return 'hang up';
    });
    const rpc = createRpc({ urls: [dead, await fakeNode(honest)], chainId: 7 });
    expect(await rpc.call('a', [])).toBe('a');
    const before = bad;
    expect(await rpc.call('b', [])).toBe('b');
    expect(bad).toBe(before);
  });

  test('a node of another network is named and never used', async () => {
    const asked: string[] = [];
    const url = await fakeNode((body) => {
      asked.push(...body.map((entry) => entry.method));
      return honest(body);
    });
    const rpc = createRpc({ urls: [url], chainId: 8 });
    await expect(rpc.call('eth_sendRawTransaction', [])).rejects.toMatchObject({
      code: 'wrong-network',
      field: 'rpcUrls',
    });
    expect(asked).toEqual(['eth_chainId']);
  });

  test('refusals keep code and data; silence, size and time are network-down', async () => {
    const refusing = createRpc({
      urls: [
        await fakeNode((body) =>
          body[0]?.method === 'eth_chainId'
            ? honest(body)
            : { id: body[0]?.id, error: { code: 3, message: 'execution reverted', data: '0x01' } },
        ),
      ],
      chainId: 7,
    });
    const refusal: unknown = await refusing.call('x', []).catch((thrown: unknown) => thrown);
    expect(refusal).toBeInstanceOf(RpcError);
    expect(refusal).toMatchObject({ code: 3, data: '0x01' });

    const huge = createRpc({ urls: [await fakeNode(() => 'x'.repeat(5000))], chainId: 7, maxAnswerBytes: 4000 });
    await expect(huge.call('x', [])).rejects.toMatchObject({ code: 'network-down' });
    const nobody = createRpc({ urls: ['http://127.0.0.1:1'], chainId: 7 });
    await expect(nobody.call('x', [])).rejects.toMatchObject({ code: 'network-down' });
    await expect(
      nobody.call('x', [], { signal: AbortSignal.abort(new AppError('cancelled', 'Cancelled.')) }),
    ).rejects.toMatchObject({ code: 'cancelled' });
  });

  test('whatever a node answers, the caller sees a result or a known error', async () => {
    let text = '';
    const url = await fakeNode((body) => (body[0]?.method === 'eth_chainId' ? honest(body) : text));
    const rpc = createRpc({ urls: [url], chainId: 7 });
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc
            .record({ id: fc.anything(), result: fc.anything(), error: fc.anything() })
            .map((value) => JSON.stringify(value)),
        ),
        async (answer) => {
          text = answer || ' ';
          const two = [
            { method: 'a', params: [] },
            { method: 'b', params: [] },
          ];
          const outcomes = await Promise.allSettled([rpc.batch(two), rpc.call('a', [])]);
          const unknown = outcomes.filter(
            (outcome) =>
              outcome.status === 'rejected' &&
              !(outcome.reason instanceof AppError || outcome.reason instanceof RpcError),
          );
          expect(unknown).toEqual([]);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('values are what they should be or refused', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const thrown = [toQuantity, toBigQuantity, toBytes, toRecord].map((check) => {
          try {
            check(value, 'value');
            return 'network-down';
          } catch (failure) {
            return (failure as AppError).code;
          }
        });
        expect(new Set(thrown)).toEqual(new Set(['network-down']));
      }),
    );
    expect(toQuantity('0x1f', 'q')).toBe(31);
    expect(() => toQuantity('0xffffffffffffffff', 'q')).toThrow(AppError);
    expect(toBytes('0xAB', 'b', 1)).toBe('0xab');
    expect(() => toBytes('0xabc', 'b')).toThrow(AppError);
  });
});
