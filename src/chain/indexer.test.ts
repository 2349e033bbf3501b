import { rmSync } from 'node:fs';
import path from 'node:path';
import { Wallet } from 'ethers';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ETH } from '../shared/ids.ts';
import type { Address, Hex } from '../shared/ids.ts';
import { openIndexWriter } from '../store/open-index.ts';
import type { IndexWriter } from '../store/open-index.ts';
import type { SyncState } from './chain.ts';
import { allOf, planDeployment } from './deploy-market.ts';
import { checkLogs, createIndexer } from './indexer.ts';
import { makeCalls } from './calls.ts';
import { findAnvil, startAnvil } from './practice/anvil-process.ts';
import type { AnvilProcess } from './practice/anvil-process.ts';
import { ETH_TOKEN } from './profile.ts';
import type { NetworkProfile } from './profile.ts';
import { createRpc, RpcError } from './rpc.ts';
import type { Rpc } from './rpc.ts';
import { salt, testFolder, testOffer } from './testing-host.ts';

const CHAIN_ID = 4242;
let anvil: AnvilProcess;
let folder: string;
let profile: NetworkProfile;
const wallet = new Wallet(`0x${'42'.repeat(32)}`);
const account = wallet.address.toLowerCase() as Address;
let nonce = 0;

const rpc = (method: string, ...params: unknown[]) => anvil.rpc.call(method, params);
const mine = () => rpc('evm_mine');

async function send(to: Address | null, data: Hex, gasLimit = 8_000_000n): Promise<void> {
  const raw = await wallet.signTransaction({
    type: 2,
    chainId: CHAIN_ID,
    nonce,
    to,
    data,
    gasLimit,
    maxFeePerGas: 10n ** 11n,
    maxPriorityFeePerGas: 1n,
  });
  nonce += 1;
  await rpc('eth_sendRawTransaction', raw);
}

const register = (n: number, change: Parameters<typeof testOffer>[2] = {}) => {
  const chain = { now: () => 2_000_000_000 } as Parameters<typeof testOffer>[0];
  return send(
    profile.contracts.offers,
    makeCalls(profile.contracts).registerOffer(testOffer(chain, account, change), salt(n)).data,
  );
};

beforeEach(async () => {
  folder = testFolder();
  nonce = 0;
  anvil = await startAnvil({ binary: findAnvil(), chainId: CHAIN_ID });
  await rpc('anvil_setBalance', account, '0xd3c21bcecceda1000000');
  const plan = planDeployment({ admin: account, treasury: account }, { practice: true });
  const { at } = plan;
  for (const { to, data } of allOf(plan)) await send(to, data);
  await mine();
  profile = {
    name: 'test',
    chainId: CHAIN_ID,
    rpcUrls: [anvil.url],
    contracts: { vault: at.Vault, offers: at.Offers, rentals: at.Rentals, deployedAt: 1 },
    tokens: [ETH_TOKEN],
    confirmations: 0,
    pollMs: 20,
    explorer: null,
    peers: { bootstrap: [], relays: [] },
    faucet: null,
    practice: false,
  };
});

afterEach(async () => {
  await anvil.stop();
  rmSync(folder, { recursive: true });
});

/** Runs an indexer until `until` holds for its state, then stops it. */
async function follow(
  writer: IndexWriter,
  until: (state: SyncState) => boolean,
  through: Rpc = anvil.rpc,
): Promise<SyncState> {
  const stop = new AbortController();
  let last: SyncState | null = null;
  const indexer = createIndexer({
    rpc: through,
    profile,
    writer,
    random: Math.random,
    onState(state) {
      last = state;
      if (until(state)) stop.abort();
    },
  });
  await indexer.run(stop.signal);
  if (!last) throw new Error('no state');
  return last;
}

const live = (block: number) => (state: SyncState) => state.state === 'live' && (state.head?.block ?? 0) >= block;
const open = () => openIndexWriter(path.join(folder, 'index.db'), 'test');

describe('the indexer against a real node', () => {
  test('reads ranges far behind and blocks near the head, and goes on after a stop', async () => {
    for (let n = 1; n <= 5; n += 1) await register(n);
    await mine();
    for (let n = 0; n < 40; n += 1) await mine();
    const writer = open();
    const first = await follow(writer, live(42));
    expect(writer.offersOf(account)).toHaveLength(5);
    expect(first.skippedLogs).toBe(0);
    writer.close();
    await register(6);
    await mine();
    const again = open();
    await follow(again, live(43));
    expect(again.offersOf(account)).toHaveLength(6);
    again.close();
  });

  test('a reorganisation undoes what it took away, down to the common ancestor', async () => {
    await register(1);
    await mine();
    const snapshot = await rpc('evm_snapshot');
    await register(2, { units: 3 });
    await send(
      profile.contracts.offers,
      makeCalls(profile.contracts).setOfferStatus(makeCalls(profile.contracts).offerId(account, salt(1)), 'paused')
        .data,
    );
    await mine();
    await mine();
    const writer = open();
    await follow(writer, live(4));
    expect(
      writer
        .offersOf(account)
        .map(({ status }) => status)
        .toSorted(),
    ).toEqual(['active', 'paused']);

    await rpc('evm_revert', snapshot);
    nonce -= 2;
    await register(3);
    await mine();
    for (let n = 0; n < 4; n += 1) await mine();
    await follow(writer, live(7));
    const ids = [1, 3].map((n) => makeCalls(profile.contracts).offerId(account, salt(n)));
    expect(
      writer
        .offersOf(account)
        .map(({ offerId }) => offerId)
        .toSorted(),
    ).toEqual(ids.toSorted());
    expect(writer.offersOf(account).every(({ status, version }) => status === 'active' && version === 1)).toBe(true);
    // The same as an index that never saw the other branch.
    const fresh = openIndexWriter(path.join(folder, 'fresh.db'), 'test');
    await follow(fresh, live(7));
    expect(fresh.offersOf(account)).toEqual(writer.offersOf(account));
    expect(fresh.head()).toEqual(writer.head());
    fresh.close();
    writer.close();
  });

  test('a chain that became shorter is followed too', async () => {
    await register(1);
    await mine();
    const snapshot = await rpc('evm_snapshot');
    await register(2);
    await mine();
    for (let n = 0; n < 6; n += 1) await mine();
    const writer = open();
    await follow(writer, live(9));
    await rpc('evm_revert', snapshot);
    await follow(writer, (state) => state.state === 'live' && state.head?.block === 2);
    expect(writer.offersOf(account)).toHaveLength(1);
    writer.close();
  });

  test('a node that limits ranges and forges logs is read all the same', async () => {
    for (let n = 1; n <= 8; n += 1) {
      await register(n);
      await mine();
    }
    for (let n = 0; n < 30; n += 1) await mine();
    const fuzzy: Rpc = {
      async call(method, params, options) {
        const [filter] = params as [{ fromBlock?: string; toBlock?: string }];
        if (method === 'eth_getLogs' && Number(filter.toBlock) - Number(filter.fromBlock) > 3) {
          throw new RpcError(-32_005, 'query returned more than 3 blocks', undefined);
        }
        const answer = await anvil.rpc.call(method, params, options);
        if (method !== 'eth_getLogs' || !Array.isArray(answer)) return answer;
        const [first] = answer as Record<string, unknown>[];
        return [
          ...(answer as unknown[]),
          null,
          7,
          {},
          { ...first, address: ETH },
          { ...first, data: '0x1' },
          { ...first, topics: [1] },
        ];
      },
      batch: (requests, options) => anvil.rpc.batch(requests, options),
    };
    const writer = open();
    const state = await follow(writer, live(39), fuzzy);
    expect(writer.offersOf(account)).toHaveLength(8);
    expect(state.skippedLogs).toBeGreaterThan(0);
    writer.close();
  }, 30_000);

  test('another network and a dead node are states, and it comes back', async () => {
    const writer = open();
    const wrong = createRpc({ urls: [anvil.url], chainId: 1 });
    expect((await follow(writer, ({ state }) => state === 'wrong-network', wrong)).detail).toMatch(/serves chain 4242/);
    let dead = true;
    const flaky: Rpc = {
      call: (method, params, options) =>
        dead ? Promise.reject(new TypeError('fetch failed')) : anvil.rpc.call(method, params, options),
      batch: (requests, options) => anvil.rpc.batch(requests, options),
    };
    const states: string[] = [];
    await follow(
      writer,
      ({ state }) => {
        states.push(state);
        if (state === 'down') dead = false;
        return state === 'live';
      },
      flaky,
    );
    expect(states).toContain('down');
    writer.close();
  });
});

describe('checkLogs', () => {
  test('any answer gives logs in order or a known error', () => {
    const field = fc.oneof(fc.anything(), fc.constant('0x1'), fc.constant(`0x${'01'.repeat(32)}`), fc.constant(ETH));
    const log = fc.record({
      address: field,
      topics: fc.oneof(field, fc.array(field, { maxLength: 5 })),
      data: field,
      blockNumber: field,
      blockHash: field,
      transactionHash: field,
      logIndex: field,
    });
    fc.assert(
      fc.property(fc.array(fc.oneof(log, fc.anything())), (answer) => {
        const { logs, skipped } = checkLogs(answer, [ETH], () => true);
        expect(logs.length + skipped).toBe(answer.length);
      }),
      { numRuns: 500 },
    );
  });
});
