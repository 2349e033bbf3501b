import { randomInt } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { AppError } from '../../shared/errors.ts';
import { isAddress } from '../../shared/ids.ts';
import type { Address, Bytes32, Hex } from '../../shared/ids.ts';
import type { Log } from '../../shared/log.ts';
import { systemClock } from '../../shared/time.ts';
import type { Clock } from '../../shared/time.ts';
import { ETH_TOKEN, parseProfile, wattToken } from '../profile.ts';
import type { NetworkProfile } from '../profile.ts';
import { findAnvil } from './anvil-process.ts';
import { openGateway } from './gateway.ts';
import { generationsIn } from './generations.ts';
import { operate, operatorWallet } from './operator.ts';
import { PracticeChain } from './practice-chain.ts';

export interface PracticeNetwork {
  /** How this host, and every host that joins, sees the network. */
  readonly profile: NetworkProfile;
  /** What another host on this computer gives as `--rpc`. */
  readonly rpcUrl: string;
  /** Practice money for an account, in a block when it resolves. */
  faucet(to: Address): Promise<Bytes32>;
  /**
   * Any amount of any of its tokens (ETH is the zero address), in a block when it resolves. For the host that runs the
   * network only: no other program can ask for it.
   */
  fund(to: Address, money: { token: Address; amount: bigint }): Promise<Bytes32>;
  close(): Promise<void>;
}

const address = z.custom<Address>(isAddress);

const metaSchema = z.object({
  chainId: z.int().positive(),
  port: z.int().min(1).max(65_535),
  contracts: z.object({
    vault: address,
    offers: address,
    rentals: address,
    deployedAt: z.int(),
    parameters: address.optional(),
    watt: address.optional(),
    stakes: address.optional(),
    jobs: address.optional(),
    juries: address.optional(),
    record: address.optional(),
    attestations: address.optional(),
    timelock: address.optional(),
    governor: address.optional(),
    practiceDollar: address,
  }),
});
type Meta = z.infer<typeof metaSchema>;

/** One drip per account and this time over HTTP; what the host itself asks for is not limited. */
const DRIP_EVERY_SECONDS = 10;
const DRIPS_PER_MINUTE = 120;

/**
 * Starts the embedded network, or goes on with the one in this data directory: same chain, same money, same contracts.
 * One process per folder; the host's lock sees to that.
 * @param peers bootstrap nodes of the practice DHT, `host:port`
 */
export async function startPracticeNetwork(options: {
  dataDir: string;
  log: Log;
  clock?: Clock;
  peers?: NetworkProfile['peers'];
}): Promise<PracticeNetwork> {
  const { dataDir, log, clock = systemClock, peers = { bootstrap: [], relays: [] } } = options;
  const binary = findAnvil();
  const folder = path.join(dataDir, 'practice');
  const metaFile = path.join(folder, 'network.json');
  let meta = readMeta(metaFile);
  // Without its meta file the first start was interrupted: nobody has used that chain yet.
  if (!meta) rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const wallet = operatorWallet(path.join(folder, 'operator.key'));
  const chainId = meta?.chainId ?? 3_000_000_000 + randomInt(2 ** 31);
  const chain = await PracticeChain.open({
    binary,
    chainId,
    generations: generationsIn(folder),
    clock,
    log,
    rich: wallet.address.toLowerCase() as Hex,
  });
  try {
    const operator = await operate(wallet, chainId, chain);
    const contracts = meta?.contracts ?? (await operator.deploy());
    const { practiceDollar, ...market } = contracts;
    const money = { practiceDollar, watt: market.watt };
    const faucet = (to: Address) => operator.fill(to, money);
    const profileAt = (url: string): NetworkProfile => ({
      name: 'practice',
      chainId,
      rpcUrls: [url],
      contracts: market,
      tokens: [
        ETH_TOKEN,
        { address: practiceDollar, symbol: 'PUSD', name: 'Practice Dollar', decimals: 6 },
        ...(market.watt === undefined ? [] : [wattToken(market.watt)]),
      ],
      confirmations: 0,
      pollMs: 50,
      explorer: null,
      peers,
      faucet: `${url}/faucet`,
      practice: true,
    });
    const gateway = await openGateway({
      port: meta?.port ?? 0,
      chain,
      profile: profileAt,
      faucet: limited(faucet, clock),
      log,
    });
    const port = Number(new URL(gateway.url).port);
    if (meta?.port !== port) {
      meta = { chainId, port, contracts };
      writeMeta(metaFile, meta);
    }
    return {
      profile: profileAt(gateway.url),
      rpcUrl: gateway.url,
      faucet,
      fund: (to, { token, amount }) => operator.give(to, token, amount, money),
      async close() {
        await gateway.close();
        await chain.close();
      },
    };
  } catch (thrown) {
    await chain.close();
    throw thrown;
  }
}

/** The profile of a practice network that another host on this computer runs. */
export async function joinPractice(url: string, signal?: AbortSignal): Promise<NetworkProfile> {
  const timeout = AbortSignal.timeout(5000);
  let answer: unknown;
  try {
    const response = await fetch(new URL('/profile', url), {
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      redirect: 'error',
    });
    const text = await response.text();
    if (text.length > 1_000_000) throw new Error('too large');
    answer = JSON.parse(text);
  } catch (thrown) {
    signal?.throwIfAborted();
    throw new AppError('network-down', `There is no practice network at ${url}.`, {
      field: 'rpc',
      next: 'Start Commonwatt there first, and take the URL that its status shows.',
      cause: thrown,
    });
  }
  return parseProfile(answer);
}

/** Asks the network's own faucet, as a host that joined does. @throws AppError busy when it gave lately */
export async function askFaucet(profile: NetworkProfile, to: Address): Promise<Bytes32> {
  if (profile.faucet === null) {
    throw new AppError('unsupported', `The network ${profile.name} has no faucet: its money is real.`);
  }
  const response = await fetch(profile.faucet, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ address: to }),
    signal: AbortSignal.timeout(30_000),
    redirect: 'error',
  }).catch((thrown: unknown) => {
    throw new AppError('network-down', 'The faucet does not answer.', { cause: thrown });
  });
  const schema = z.union([
    z.object({ txHash: z.string().regex(/^0x[0-9a-f]{64}$/) }),
    z.object({ error: z.object({ code: z.string(), message: z.string().max(500) }) }),
  ]);
  const answer = schema.safeParse(await response.json().catch(() => null));
  if (!answer.success) throw new AppError('network-down', 'The faucet answered nonsense.');
  if ('txHash' in answer.data) return answer.data.txHash as Bytes32;
  throw new AppError(answer.data.error.code === 'busy' ? 'busy' : 'network-down', answer.data.error.message);
}

function limited(faucet: (to: Address) => Promise<Bytes32>, clock: Clock): (to: Address) => Promise<Bytes32> {
  const last = new Map<Address, number>();
  return async (to) => {
    const now = clock.monotonicMs();
    for (const [account, atMs] of last) if (now - atMs > 60_000) last.delete(account);
    const before = last.get(to);
    if ((before !== undefined && now - before < DRIP_EVERY_SECONDS * 1000) || last.size >= DRIPS_PER_MINUTE) {
      throw new AppError('busy', `The faucet gives once every ${DRIP_EVERY_SECONDS} seconds.`, {
        next: 'Wait a moment.',
      });
    }
    last.set(to, now);
    return faucet(to);
  };
}

function readMeta(file: string): Meta | null {
  try {
    return metaSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new AppError('internal', `${file} cannot be read.`, {
      next: 'Delete the folder “practice” in the data directory to start a new practice network; practice money is lost.',
      cause: thrown,
    });
  }
}

function writeMeta(file: string, meta: Meta): void {
  const temporary = `${file}.tmp`;
  const fd = openSync(temporary, 'w', 0o600);
  writeFileSync(fd, JSON.stringify(meta));
  fsyncSync(fd);
  closeSync(fd);
  renameSync(temporary, file);
}
